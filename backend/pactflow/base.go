package pactflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/rollcall-scim/rollcall/scim"
)

// ParseURL normalizes the address of a PactFlow: scheme and host in lower case,
// no default port, no slash at the end. Its error says what is wrong.
func ParseURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil {
		// The text of url.Parse repeats the address, which may hold a password.
		return nil, errors.New("not a URL")
	}
	scheme := strings.ToLower(u.Scheme)
	switch {
	case scheme != "http" && scheme != "https":
		return nil, errors.New("an absolute http or https URL is expected, such as https://pactflow.example.com")
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case u.User != nil:
		return nil, errors.New("the URL must not hold a user or password")
	case u.RawQuery != "" || u.ForceQuery:
		return nil, errors.New("the URL must not have a query")
	case u.Fragment != "":
		return nil, errors.New("the URL must not have a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("the URL's port must be a number from 1 to 65535")
		}
	}
	return normalize(u), nil
}

// normalize returns the form in which addresses are compared.
func normalize(u *url.URL) *url.URL {
	n := &url.URL{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Host), Path: u.Path, RawPath: u.RawPath}
	if port := u.Port(); port == "" || n.Scheme == "http" && port == "80" || n.Scheme == "https" && port == "443" {
		n.Host = strings.TrimSuffix(strings.TrimSuffix(n.Host, ":"+port), ":")
	}
	n.Path, n.RawPath = strings.TrimRight(n.Path, "/"), strings.TrimRight(n.RawPath, "/")
	return n
}

// guard knows which links are PactFlow's own: those below the address that we
// call it by. PactFlow chooses the beginning of its links by the address of the
// request, and where it is told another one than its own, by the first of its
// list; the token must not go there.
type guard struct {
	base   string
	logger *slog.Logger

	mu      sync.Mutex
	foreign string              // the first base that was another
	told    map[slog.Level]bool // what has been logged
}

// ours reports whether href is a link to our PactFlow, or none.
func (g *guard) ours(href string) bool {
	if href == "" {
		return true
	}
	u, err := url.Parse(href)
	if err != nil {
		return false
	}
	if u.Host == "" && u.Scheme == "" {
		return true // relative to what we called
	}
	n := normalize(u).String()
	return n == g.base || strings.HasPrefix(n, g.base+"/")
}

// follow returns the error for a link that would have to be followed and leads
// elsewhere, or nil.
func (g *guard) follow(ctx context.Context, href string) error {
	if g.ours(href) {
		return nil
	}
	return &scim.Error{Status: 502, Detail: g.mismatch(ctx, href, slog.LevelError)}
}

// look notes where a resource says it is. Calls still work where it is wrong:
// their paths are fixed.
func (g *guard) look(ctx context.Context, href string) {
	if !g.ours(href) {
		g.mismatch(ctx, href, slog.LevelWarn)
	}
}

// mismatch tells, and logs once, what is wrong and how to mend it.
func (g *guard) mismatch(ctx context.Context, href string, level slog.Level) string {
	other := baseOf(href)
	text := fmt.Sprintf("PactFlow returned links for %s but PACTFLOW_URL is %s. Set PACTFLOW_URL to one of the URLs "+
		"in PactFlow's PACTFLOW_BASE_URL, or add %s to that list.", other, g.base, g.base)
	g.mu.Lock()
	if g.foreign == "" {
		g.foreign = other
	}
	if g.told == nil {
		g.told = map[slog.Level]bool{}
	}
	again := g.told[level]
	g.told[level] = true
	g.mu.Unlock()
	if !again {
		g.logger.Log(ctx, level, text)
	}
	return text
}

// warning returns what is known of foreign links, or "".
func (g *guard) warning() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.foreign == "" {
		return ""
	}
	return fmt.Sprintf("PactFlow returned links for %s but PACTFLOW_URL is %s", g.foreign, g.base)
}

// baseOf returns what comes before the part of a link that PactFlow's API fixes.
func baseOf(href string) string {
	u, err := url.Parse(href)
	if err != nil {
		return "an address that is none"
	}
	u.User = nil
	u = normalize(u)
	for _, fixed := range []string{"/admin/", "/diagnostic/", "/teams/"} {
		if before, _, found := strings.Cut(u.Path, fixed); found {
			u.Path = before
			break
		}
	}
	u.RawPath = ""
	return u.String()
}
