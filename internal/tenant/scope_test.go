package tenant_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

func TestVerbOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, path string
		want         tenant.Verb
	}{
		{"GET", "Users", tenant.Read}, {"HEAD", "Users/1", tenant.Read}, {"GET", "", tenant.Read},
		{"POST", "Users/.search", tenant.Read}, {"POST", ".search", tenant.Read}, {"POST", "Users/.SEARCH", tenant.Read},
		{"POST", "Users", tenant.Write}, {"PUT", "Users/1", tenant.Write}, {"PATCH", "Users/1", tenant.Write},
		{"DELETE", "Groups/1", tenant.Write}, {"PUT", "Users/.search", tenant.Write}, {"DELETE", ".search", tenant.Write},
		{"GET", "Me", tenant.Read}, {"PATCH", "Me", tenant.Write},
		{"POST", "Bulk", tenant.Bulk}, {"POST", "bulk", tenant.Bulk}, {"GET", "Bulk", tenant.Bulk}, {"POST", "Bulk/.search", tenant.Bulk},
		{"GET", "ServiceProviderConfig", tenant.Discover}, {"GET", "serviceproviderconfig", tenant.Discover},
		{"GET", "Schemas/urn:x", tenant.Discover}, {"HEAD", "ResourceTypes/User", tenant.Discover},
		{"POST", "Schemas", tenant.Write}, {"DELETE", "ResourceTypes/User", tenant.Write}, {"POST", "Schemas/.search", tenant.Write},
		{"OPTIONS", "Users", tenant.Write}, {"", "Users", tenant.Write}, {"get", "Users", tenant.Write}, {"PROPFIND", "Users", tenant.Write},
	} {
		var path []string
		if tt.path != "" {
			path = strings.Split(tt.path, "/")
		}
		if got := tenant.VerbOf(tt.method, path); got != tt.want {
			t.Errorf("%s /%s is %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

// TestScopesAllow is the table of what each scope permits (SEC-004, SEC-010).
func TestScopesAllow(t *testing.T) {
	t.Parallel()
	type ask struct {
		do  tenant.Verb
		typ string
	}
	asks := []ask{{tenant.Discover, ""}, {tenant.Read, "User"}, {tenant.Read, "Group"}, {tenant.Read, ""}, {tenant.Write, "User"},
		{tenant.Write, "Group"}, {tenant.Write, ""}, {tenant.Bulk, ""}}
	for scopes, want := range map[string]string{ // a letter for each of asks
		"":                        "y.......",
		"read":                    "yyyy....",
		"write":                   "y...yyy.",
		"bulk":                    "y......y",
		"read write bulk":         "yyyyyyyy",
		"read:User":               "yy......",
		"read:user":               "yy......",
		"write:Group":             "y....y..",
		"read write:User":         "yyyyy...",
		"bulk write:User":         "y...y..y",
		"read:User read:Group":    "yyy.....",
		"write:Users":             "y.......",
		"read:Use":                "y.......",
		"write:User,bulk,bulk":    "y...y..y",
		"  write   ,, read:Group": "y.y.yyy.",
	} {
		s, err := tenant.ParseScopes(scopes)
		if err != nil {
			t.Fatalf("%q: %v", scopes, err)
		}
		got := ""
		for _, a := range asks {
			if s.Allows(a.do, a.typ) {
				got += "y"
			} else {
				got += "."
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", scopes, got, want)
		}
		if again, err := tenant.ParseScopes(s.String()); err != nil || again.String() != s.String() {
			t.Errorf("%q is written %q, which reads %q, %v", scopes, s, again, err)
		}
	}
	all := tenant.DefaultScopes()
	if all.String() != "read write bulk" || !all.Allows(tenant.Write, "Device") {
		t.Errorf("the default is %q", all)
	}
	if all.Allows(0, "User") || (tenant.Scopes{{}}).Allows(0, "") || (tenant.Scopes{{Verb: tenant.Bulk, Type: "User"}}).Allows(tenant.Bulk, "User") {
		t.Error("what has no meaning is permitted")
	}
}

func TestParseScopesRefuses(t *testing.T) {
	t.Parallel()
	many := ""
	for i := range 60 {
		many += " read:T" + strings.Repeat("x", i)
	}
	for _, text := range []string{"admin", "READ", "read:", "write:*", "bulk:User", "bulk:", ":User", "read:User:x", "read:a\tb", "*", "read;write", "read:" + strings.Repeat("x", 101), many} {
		if s, err := tenant.ParseScopes(text); !errors.Is(err, tenant.ErrInvalid) || s != nil {
			t.Errorf("ParseScopes(%.40q) = %v, %v; want an error", text, s, err)
		}
	}
}
