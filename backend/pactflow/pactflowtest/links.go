package pactflowtest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// parseBase reads an entry of PACTFLOW_BASE_URL.
func parseBase(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not an http or https URL with a host and at most a path", s)
	}
	return u, nil
}

// linkBase is what every link of the answer to r begins with: the one base
// address; of several the one that r came to, with forwarded headers or without,
// else the first; without any, the address of the request.
func (c *config) linkBase(r *http.Request) string {
	if c.LinkBase != "" {
		return c.LinkBase
	}
	plain := "http"
	if r.TLS != nil {
		plain = "https"
	}
	forwarded := origin(forwardedOrigin(r, plain))
	if len(c.bases) == 0 {
		return forwarded
	}
	if len(c.bases) > 1 {
		for _, from := range []string{forwarded, origin(plain, r.Host)} {
			for _, b := range c.bases {
				if origin(b.Scheme, b.Host) == from {
					return b.String()
				}
			}
		}
	}
	return c.bases[0].String()
}

// forwardedOrigin is the scheme and host that a proxy tells of.
func forwardedOrigin(r *http.Request, scheme string) (string, string) {
	first := func(name string) string {
		v, _, _ := strings.Cut(r.Header.Get(name), ",")
		return strings.TrimSpace(v)
	}
	host := r.Host
	if v := first("X-Forwarded-Proto"); v != "" {
		scheme = v
	}
	if v := first("X-Forwarded-Host"); v != "" {
		host = v
	}
	if v := first("X-Forwarded-Port"); v != "" {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		host = net.JoinHostPort(strings.Trim(host, "[]"), v)
	}
	return scheme, host
}

// origin is scheme://host, without the port that the scheme implies.
func origin(scheme, host string) string {
	scheme, host = strings.ToLower(scheme), strings.ToLower(host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host
}

// strip takes the path of a base address off a request's path.
func (c *config) strip(path string) string {
	longest := ""
	for _, b := range c.bases {
		if len(b.Path) > len(longest) && strings.HasPrefix(path+"/", b.Path+"/") {
			longest = b.Path
		}
	}
	if path = path[len(longest):]; path == "" {
		return "/"
	}
	return path
}
