package scimhttp

import (
	"mime"
	"strconv"
	"strings"
)

const (
	scimType  = "application/scim+json"
	plainType = "application/json"
	charset   = "; charset=utf-8"
)

// negotiate chooses the media type of the answer by the Accept headers:
// application/scim+json unless application/json alone is named (RFC 7644
// §3.8). It reports false if the headers allow neither.
func negotiate(accept []string) (mediaType string, ok bool) {
	if len(accept) == 0 || len(accept) == 1 && (accept[0] == "" || accept[0] == "*/*" || accept[0] == scimType) {
		return scimType, true
	}
	const unnamed = -1.0
	scimQ, jsonQ, anyQ := unnamed, unnamed, unnamed
	for _, header := range accept {
		for part := range strings.SplitSeq(header, ",") {
			name, q := quality(part)
			switch name {
			case scimType:
				scimQ = max(scimQ, q)
			case plainType:
				jsonQ = max(jsonQ, q)
			case "*/*", "application/*":
				anyQ = max(anyQ, q)
			}
		}
	}
	switch {
	case scimQ > 0:
		return scimType, true
	case jsonQ > 0:
		return plainType, true
	case anyQ > 0 && scimQ == unnamed:
		return scimType, true
	case anyQ > 0 && jsonQ == unnamed:
		return plainType, true
	}
	return scimType, false
}

// quality splits one element of an Accept or Accept-Encoding header into its
// lower-case name and its weight (RFC 9110 §12.4.2); a malformed weight is 1.
func quality(element string) (name string, q float64) {
	name, params, _ := strings.Cut(element, ";")
	q = 1
	for param := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(key), "q") {
			continue
		}
		if f, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && f >= 0 && f <= 1 {
			q = f
		}
	}
	return strings.ToLower(strings.TrimSpace(name)), q
}

// acceptsGzip reports whether an answer may be compressed.
func acceptsGzip(headers []string) bool {
	named, any := -1.0, -1.0
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			switch name, q := quality(part); name {
			case "gzip", "x-gzip":
				named = max(named, q)
			case "*":
				any = q
			}
		}
	}
	return named > 0 || named < 0 && any > 0
}

// readable reports whether a body of the given Content-Type may be JSON. Real
// clients send JSON as application/json, as text/plain and with no type at
// all; what is refused is what cannot be JSON.
func readable(contentType string) bool {
	if contentType == "" || contentType == scimType || contentType == plainType {
		return true
	}
	name, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		name, _, _ = strings.Cut(contentType, ";")
		name = strings.ToLower(strings.TrimSpace(name))
	}
	switch {
	case name == "application/x-www-form-urlencoded", name == "text/xml", name == "application/xml", name == "text/html",
		strings.HasSuffix(name, "+xml"), strings.HasPrefix(name, "multipart/"), strings.HasPrefix(name, "image/"),
		strings.HasPrefix(name, "audio/"), strings.HasPrefix(name, "video/"):
		return false
	}
	return true
}
