package lookingglass

import (
	"slices"
	"strings"
)

// Curl returns the command line that sends the request again, with the token in
// the variable TOKEN. What is masked in the exchange is masked in it.
func Curl(x *Exchange) string {
	var b strings.Builder
	b.WriteString("curl")
	if x.Method != "GET" {
		b.WriteString(" -X " + quoted(x.Method))
	}
	b.WriteString(" " + quoted(address(x)))
	for _, h := range resent(x) {
		if strings.EqualFold(h.Name, "Authorization") {
			b.WriteString(` \` + "\n" + `  -H "Authorization: Bearer $TOKEN"`)
			continue
		}
		b.WriteString(` \` + "\n  -H " + quoted(h.Name+": "+h.Value))
	}
	if x.Request.Body != "" {
		b.WriteString(` \` + "\n  --data-binary " + quoted(x.Request.Body))
	}
	return b.String()
}

// quoted returns s as one word of a POSIX shell.
func quoted(s string) string {
	s = strings.ReplaceAll(s, "\x00", "")
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:._-", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// address returns the URL of a request as far as it is known.
func address(x *Exchange) string {
	url := x.Base + x.Local
	if x.Base == "" {
		url = "http://localhost" + x.Path
	}
	if x.Sent != "" {
		url += "?" + x.Sent
	}
	return url
}

// resendable are the header fields that say something of the request itself, in
// the order in which they are shown.
var resendable = []string{"Authorization", "Accept", "Content-Type", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Prefer", "User-Agent"}

// resent returns the header fields to send again.
func resent(x *Exchange) []Header {
	var list []Header
	for _, name := range resendable {
		i := slices.IndexFunc(x.Request.Headers, func(h Header) bool { return strings.EqualFold(h.Name, name) })
		if i >= 0 && (name != "Content-Type" || x.Request.Body != "") {
			list = append(list, Header{name, x.Request.Headers[i].Value})
		}
	}
	return list
}
