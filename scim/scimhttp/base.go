package scimhttp

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// base returns the URI that the request's path is relative to. version is the
// version segment that the path began with.
func (h *Handler) base(r *http.Request, version string) (string, error) {
	var from forwarded
	if h.o.TrustedProxies != nil && Trusted(h.o.TrustedProxies, r.RemoteAddr) {
		from = forwardedFor(r)
	}
	if h.o.Base != nil {
		if base := h.o.Base(r); base != "" {
			return withPrefix(base, from.prefix), nil
		}
	}
	if h.o.BaseURL != "" {
		return withPrefix(h.o.BaseURL, from.prefix), nil
	}
	if h.o.Origin != "" {
		return withPrefix(h.o.Origin, from.prefix) + mount(r) + version, nil
	}
	host, scheme := r.Host, "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if from.host != "" {
		host = from.host
	}
	if from.proto != "" {
		scheme = from.proto
	}
	if !validHost(host) {
		return "", scim.Errorf(scim.TypeInvalidValue, "the Host header is not a host name or address")
	}
	return scheme + "://" + host + from.prefix + mount(r) + version, nil
}

// mount returns what http.StripPrefix took off the path: the request line
// still has it.
func mount(r *http.Request) string {
	line, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(line, "/") { // absolute form
		u, err := url.ParseRequestURI(line)
		if err != nil {
			return ""
		}
		line = u.EscapedPath()
	}
	prefix, ok := strings.CutSuffix(line, r.URL.EscapedPath())
	if !ok {
		return ""
	}
	if prefix = Clean(prefix); prefix == "/" {
		return ""
	}
	return prefix
}

// withPrefix puts a proxy's path prefix before the path of a base URL, unless
// the operator has already written it there.
func withPrefix(base, prefix string) string {
	scheme, rest, ok := strings.Cut(base, "://")
	if prefix == "" || !ok {
		return base
	}
	host, path, slash := strings.Cut(rest, "/")
	if slash {
		path = "/" + path
	}
	if path == prefix || strings.HasPrefix(path, prefix+"/") {
		return base
	}
	return scheme + "://" + host + prefix + path
}

// forwarded is what a proxy says about the request as it reached it.
type forwarded struct{ proto, host, prefix string }

// forwardedFor reads the Forwarded header (RFC 7239) or, without one, those
// that came before it. Of several values the last counts: the nearest proxy,
// the one that is trusted, wrote it. What does not have its form is not there.
func forwardedFor(r *http.Request) forwarded {
	f := forwarded{
		proto:  last(r.Header.Values("X-Forwarded-Proto")),
		host:   last(r.Header.Values("X-Forwarded-Host")),
		prefix: last(r.Header.Values("X-Forwarded-Prefix")),
	}
	if element := last(r.Header.Values("Forwarded")); element != "" {
		for pair := range strings.SplitSeq(element, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(key) {
			case "proto":
				f.proto = value
			case "host":
				f.host = value
			}
		}
	}
	f.proto = strings.ToLower(f.proto)
	if f.proto != "http" && f.proto != "https" {
		f.proto = ""
	}
	if !validHost(f.host) {
		f.host = ""
	}
	if f.prefix = Clean(f.prefix); f.prefix == "/" || !validPath(f.prefix) {
		f.prefix = ""
	}
	return f
}

// Trusted reports whether the peer of a connection, "address:port", is one of
// the proxies.
func Trusted(proxies []netip.Prefix, remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	addr := peer.Addr().Unmap().WithZone("")
	for _, p := range proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	value := values[len(values)-1]
	return strings.TrimSpace(value[strings.LastIndexByte(value, ',')+1:])
}

// validHost reports whether s is a host with an optional port, made only of
// characters that mean nothing else in a URI.
func validHost(s string) bool {
	if s == "" || len(s) > 261 || s[0] == ':' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("-._:[]", rune(c)) {
			return false
		}
	}
	name, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		name, port = s[:i], s[i+1:]
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n > 65535) {
		return false
	}
	return strings.Trim(name, "-._:[]") != "" || name == "[::]"
}

func validPath(s string) bool {
	if len(s) > 256 || strings.Contains(s, "/..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("-._~/", rune(c)) {
			return false
		}
	}
	return true
}
