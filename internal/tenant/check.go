package tenant

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim/compat"
)

// MostBody is how many bytes of one request a server reads, whatever the limits of
// a tenant.
const MostBody = 32 << 20

// Check returns an error that names every setting that can't be, or nil. What
// Schemas holds is Types' task.
func (s Settings) Check() error {
	var faults []error
	bad := func(name, format string, args ...any) {
		faults = append(faults, invalidf("settings: %s "+format, append([]any{name}, args...)...))
	}
	if s.Profile != "" {
		if _, err := compat.Parse(s.Profile); err != nil {
			bad("profile", "%s", err)
		}
	}
	if s.BaseURL != "" && !isURL(s.BaseURL, "http", "https") {
		bad("baseURL", `must be an http or https URL without user, query or fragment, such as "https://acme.example.com"`)
	}
	s.Limits.check(bad)
	whole := func(name string, n, most int) {
		if n < 0 || n > most {
			bad(name, "must be from 1 to %d", most)
		}
	}
	whole("rate.perSecond", s.Rate.PerSecond, 1_000_000)
	whole("rate.burst", s.Rate.Burst, 1_000_000)
	switch s.Breaker.Mode {
	case "", "off", "warn", "hold":
	default:
		bad("breaker.mode", "must be off, warn or hold")
	}
	whole("breaker.people", s.Breaker.People, 100_000_000)
	if p := s.Breaker.Percent; !(p >= 0 && p <= 100) {
		bad("breaker.percent", "must be from 0 to 100")
	}
	if w := s.Breaker.Window; w != 0 && (w < time.Minute || w > 7*24*time.Hour) {
		bad("breaker.window", `must be from "1m" to "168h"`)
	}
	for name, list := range map[string][]string{
		"protected":            s.Protected,
		"promotion.roles.only": s.Promotion.Roles.Only, "promotion.roles.never": s.Promotion.Roles.Never,
		"promotion.entitlements.only": s.Promotion.Entitlements.Only, "promotion.entitlements.never": s.Promotion.Entitlements.Never,
		"promotion.groups.only": s.Promotion.Groups.Only, "promotion.groups.never": s.Promotion.Groups.Never,
	} {
		if len(list) > mostListed {
			bad(name, "has %d values at most", mostListed)
		}
		for _, v := range list {
			typ, rest, ok := strings.Cut(v, ":")
			switch {
			case strings.TrimSpace(v) == "" || len(v) > 1024:
				bad(name, "holds a value that is empty or longer than 1024 bytes")
			case name == "protected" && (!ok || !typeName(typ) || strings.TrimSpace(rest) == ""):
				bad(name, `holds %q; each must be a resource type, a colon, and an id or name, such as "User:root@example.com"`, shown(v))
			}
		}
	}
	if len(s.Issuers) > mostIssuers {
		bad("issuers", "has %d values at most", mostIssuers)
	}
	for i, is := range s.Issuers {
		name := fmt.Sprintf("issuers.%d", i)
		if !isURL(is.URL, "https") {
			bad(name+".url", "must be an https URL without user, query or fragment")
		}
		if is.Audience == "" {
			bad(name+".audience", "must say for whom tokens have to be")
		}
		if _, err := ParseScopes(is.Scopes); err != nil {
			bad(name+".scopes", "can't be: %s", err)
		}
		if strings.ContainsAny(is.ScopePrefix, " ,") {
			bad(name+".scopePrefix", "must have no blank and no comma")
		}
		if len(is.Clients) > mostListed {
			bad(name+".clients", "has %d values at most", mostListed)
		}
		if slices.Contains(is.Clients, "") {
			bad(name+".clients", "holds a value that is empty")
		}
		if is.TenantValue != "" && is.TenantClaim == "" {
			bad(name+".tenantClaim", "must say which claim has the tenantValue")
		}
		if is.Leeway < 0 || is.Leeway > 10*time.Minute {
			bad(name+".leeway", `must be from "0s" to "10m"`)
		}
	}
	return errors.Join(faults...)
}

// check holds each limit to what a server can bear.
func (l Limits) check(bad func(name, format string, args ...any)) {
	for _, f := range []struct {
		name        string
		n           int64
		least, most int64
	}{
		{"defaultPage", int64(l.DefaultPage), 1, 10_000},
		{"maxPage", int64(l.MaxPage), 1, 10_000},
		{"body", l.Body, 1 << 10, MostBody},
		{"largeBody", l.LargeBody, 1 << 10, MostBody},
		{"bulkOperations", int64(l.BulkOperations), 1, 100_000},
		{"patchOperations", int64(l.PatchOperations), 1, 100_000},
		{"filterLength", int64(l.FilterLength), 64, 64 << 10},
		{"filterNodes", int64(l.FilterNodes), 1, 2_000},
		{"filterDepth", int64(l.FilterDepth), 1, 100},
		{"jsonDepth", int64(l.JSONDepth), 4, 200},
		{"jsonValues", int64(l.JSONValues), 100, 10_000_000},
		{"values", int64(l.Values), 1, 1_000_000},
	} {
		if f.n != 0 && (f.n < f.least || f.n > f.most) {
			bad("limits."+f.name, "must be from %d to %d", f.least, f.most)
		}
	}
	if d := l.Deadline; d != 0 && (d < time.Second || d > 5*time.Minute) {
		bad("limits.deadline", `must be from "1s" to "5m"`)
	}
}

func isURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(u.Path, "//") {
		return false
	}
	for _, s := range schemes {
		if u.Scheme == s {
			return true
		}
	}
	return false
}
