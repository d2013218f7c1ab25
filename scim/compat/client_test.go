package compat_test

import (
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/scim/compat"
)

func TestClientOf(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"":                                    "other",
		"Okta SCIM Client 1.0.0":              "okta",
		"Microsoft-Azure-AD-Provisioning/1.0": "entra",
		"curl/8.5.0":                          "curl",
		"Go-http-client/1.1":                  "go",
		"Apache-HttpClient/4.5.13 (Java/17)":  "java",
		"something else\x1b[31m":              "other",
	}
	for agent, want := range tests {
		if got := compat.ClientOf(agent); got != want {
			t.Errorf("ClientOf(%q) = %q, want %q", agent, got, want)
		}
	}
}

func TestClientKinds(t *testing.T) {
	t.Parallel()
	all := compat.Clients()
	if all[0] != "other" || len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
		t.Errorf("not each once, or not other first: %v", all)
	}
	for _, agent := range []string{"Okta SCIM Client 1.0.0", "curl/8.5.0", "Mozilla/5.0", ""} {
		if c := compat.ClientOf(agent); !slices.Contains(all, c) {
			t.Errorf("%q of %q is not in %v", c, agent, all)
		}
	}
}
