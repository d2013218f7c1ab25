package lookingglass

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// private are parts of the names of header fields whose values are credentials,
// in lower case: what is in them is looked for in all of the exchange.
var private = []string{"auth", "cookie", "token", "secret", "key", "pass", "pwd", "credential", "session", "signature", "jwt",
	"assertion", "saml", "oidc", "principal"}

// harmless are the header fields whose values are shown, in lower case. Those
// of all others are masked: nobody knows what proxies write there.
var harmless = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(`accept accept-charset accept-encoding accept-language accept-ranges age allow
		cache-control connection content-disposition content-encoding content-language content-length content-location content-type
		date etag expect expires forwarded from host if-match if-modified-since if-none-match if-range if-unmodified-since keep-alive
		last-modified location origin pragma prefer preference-applied range retry-after server strict-transport-security te trailer transfer-encoding
		upgrade user-agent vary via warning x-content-type-options x-forwarded-for x-forwarded-host x-forwarded-port
		x-forwarded-prefix x-forwarded-proto x-frame-options x-real-ip x-request-id x-correlation-id traceparent deprecation sunset
		ratelimit ratelimit-policy ratelimit-limit ratelimit-remaining ratelimit-reset content-security-policy referrer-policy
		referer x-original-uri x-original-url x-rewrite-url x-envoy-original-path x-forwarded-uri www-authenticate`) {
		m[name] = true
	}
	return m
}()

// fieldName is what is known of the name of a header field.
type fieldName struct {
	lower    string
	harmless bool
	private  bool
}

// fieldNames remembers them.
type fieldNames map[string]*fieldName

func (r *redaction) fieldName(name string) *fieldName {
	if f, ok := r.fieldNames[name]; ok {
		return f
	}
	lower := strings.ToLower(name)
	f := &fieldName{lower, harmless[lower], slices.ContainsFunc(private, func(part string) bool { return strings.Contains(lower, part) }) || tells(name)}
	if r.fieldNames != nil && len(name) <= 100 {
		if len(r.fieldNames) >= mostWordsKept {
			clear(r.fieldNames)
		}
		r.fieldNames[name] = f
	}
	return f
}

// header returns a header field as it is kept.
func (r *redaction) header(name, value string) Header {
	f := r.fieldName(name)
	switch {
	case f.harmless && !looksSecret(value) || f.lower == "www-authenticate":
		return Header{name, r.line(value)}
	case f.private:
		r.hideHeader(f.lower, value)
		return Header{name, maskHeader(value)}
	case looksSecret(value):
		r.hideHeader(f.lower, value)
		return Header{name, mask}
	}
	r.line(value) // notes what it has
	if value == "" {
		return Header{name, value}
	}
	return Header{name, mask}
}

// maskHeader masks a credential and leaves its scheme, which is no secret and
// often the fault.
func maskHeader(value string) string {
	value = strings.TrimLeft(value, " \t")
	at := blank(value)
	if at < 0 {
		return mask
	}
	if scheme, rest := value[:at], strings.TrimSpace(value[at:]); rest != "" && isScheme(scheme) {
		return scheme + " " + mask
	}
	return mask
}

// schemes are authorization schemes: no secrets.
var schemes = []string{"bearer", "basic", "digest", "dpop", "negotiate", "apikey", "token", "ssws"}

func isScheme(s string) bool {
	return len(s) <= len("negotiate") && slices.Contains(schemes, strings.ToLower(s))
}

// blank is where the first blank or tabulator of s is, or -1.
func blank(s string) int {
	return strings.IndexFunc(s, func(c rune) bool { return c == ' ' || c == '\t' })
}

// looksSecret reports whether a value of any header is a credential by its
// looks: a scheme with something after it, or a JSON Web Token.
func looksSecret(value string) bool {
	value = strings.TrimLeft(value, " \t")
	if at := blank(value); at > 0 && isScheme(value[:at]) {
		return true
	}
	return strings.Contains(value, "eyJ") && strings.Count(value, ".") >= 2
}

// hideHeader hides the parts of a masked field: credentials, the values of
// cookies, and what Basic authentication encodes (RFC 7617 §2).
func (r *redaction) hideHeader(lower, value string) {
	if !isScheme(value) {
		r.hide(value)
	}
	if strings.Contains(lower, "cookie") {
		for part := range strings.SplitSeq(value, ";") {
			if _, v, ok := strings.Cut(part, "="); ok {
				v = strings.Trim(strings.TrimSpace(v), `"`)
				r.hide(v)
				if plain, err := url.QueryUnescape(v); err == nil {
					r.hide(plain)
				}
			}
		}
		return
	}
	fields := strings.Fields(strings.ReplaceAll(value, ",", " "))
	for i, f := range fields {
		if i == 0 && len(fields) > 1 || isScheme(f) {
			continue
		}
		r.hide(strings.Trim(f, `"`))
		if _, v, ok := strings.Cut(f, `="`); ok {
			r.hide(strings.Trim(v, `"`))
		}
		if plain, err := base64.StdEncoding.DecodeString(f); err == nil && strings.HasPrefix(strings.ToLower(value), "basic ") {
			r.hide(string(plain))
			if _, password, ok := strings.Cut(string(plain), ":"); ok {
				r.hide(password)
			}
		}
	}
}

// user hides the password of a URL.
func (r *redaction) user(u *url.Userinfo) {
	if password, ok := u.Password(); ok {
		r.hide(password)
		r.hide(url.QueryEscape(password))
	}
	r.hide(u.String())
}

// shown are the query parameters whose values are shown: those of SCIM, in
// lower case (RFC 7644 §3.4.2, RFC 9865 §2), and our own.
var shown = []string{"filter", "sortby", "sortorder", "startindex", "count", "cursor", "attributes", "excludedattributes", "dryrun"}

// flags are parameters without a value that are known.
var flags = []string{"aadoptscim062020", "azureadscimpatch062020", "dryrun"}

// query returns a query string decoded for reading, and as it can be sent
// again, both without what may be secret.
func (r *redaction) query(raw string) (reading, sent string) {
	if raw == "" {
		return "", ""
	}
	var read, send []string
	for part := range strings.SplitSeq(raw, "&") {
		name, value, has := strings.Cut(part, "=")
		plainName, err := url.QueryUnescape(name)
		plain, err2 := url.QueryUnescape(value)
		lower := strings.ToLower(plainName)
		switch {
		case err != nil, err2 != nil, !has && part != "" && !slices.Contains(flags, lower), !decent(plainName):
			r.hide(part)
			r.hide(value)
			r.hide(plain)
			plainName, plain, has = mask, "", false
		case !has:
		case lower == "filter":
			plain = r.filter(plain)
		case !slices.Contains(shown, lower) && !slices.Contains(flags, lower) || r.names.in(plain) || tells(plain) || r.assigns(plain), (lower == "count" || lower == "startindex") && !numeric(plain):
			if plain != "" {
				r.hideShort(plain)
				r.hide(value)
				plain = mask
			}
		}
		if has {
			read = append(read, plainName+"="+plain)
			send = append(send, url.QueryEscape(plainName)+"="+url.QueryEscape(plain))
		} else {
			read, send = append(read, plainName), append(send, url.QueryEscape(plainName))
		}
	}
	return strings.Join(read, "&"), strings.Join(send, "&")
}

// numeric reports whether s can be shown as a number: it has no letters.
func numeric(s string) bool {
	return len(s) <= 20 && !strings.ContainsFunc(s, unicode.IsLetter)
}

// decent reports whether the name of a parameter can be no secret itself.
func decent(name string) bool {
	return len(name) <= 24 && !strings.ContainsFunc(name, func(c rune) bool {
		return c > '~' || c != '_' && c != '-' && c != '.' && !('0' <= c && c <= '9') && !('a' <= c|0x20 && c|0x20 <= 'z')
	})
}

// path returns the path of a request as the client wrote it, from the request's
// target, which may be a whole URL with a password in it.
func (r *redaction) path(target string, u *url.URL) string {
	if u != nil && u.User != nil {
		r.user(u.User)
	}
	if !strings.HasPrefix(target, "/") {
		if full, err := url.Parse(target); err == nil && full.Host != "" {
			if full.User != nil {
				r.user(full.User)
			}
			return full.EscapedPath()
		}
		if u == nil {
			return mask
		}
		return u.EscapedPath()
	}
	path, query, asked := strings.Cut(target, "?")
	if asked && query == "" {
		path += "?" // some clients always have one
	}
	return path
}

// fields returns header fields as they are kept, in the order of their names, in
// the memory of out if that is enough.
func (r *redaction) fields(out, list []Header) []Header {
	out = slices.Grow(out, len(list))
	for _, h := range list {
		out = append(out, r.header(h.Name, h.Value))
	}
	slices.SortStableFunc(out, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// copyHeader returns the fields of h, unredacted.
func copyHeader(h http.Header) []Header {
	if len(h) == 0 {
		return nil
	}
	list := make([]Header, 0, len(h)+2)
	for name, values := range h {
		for _, v := range values {
			list = append(list, Header{name, v})
		}
	}
	return list
}
