package pactflow_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
)

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/diagnostic/status/heartbeat": "health",
		"/admin/users":                 "users",
		"/admin/users/7f2b":            "user",
		"/admin/users/7f2b/roles":      "user_roles",
		"/admin/users/7f2b/role/9":     "user_roles",
		"/admin/system-accounts":       "users",
		"/admin/system-accounts/7f2b":  "user",
		"/admin/teams":                 "teams",
		"/admin/teams/9":               "team",
		"/admin/teams/9/users":         "team_users",
		"/admin/teams/9/pacticipants":  "other",
		"/admin/roles":                 "roles",
		"/admin/roles/3":               "role",
		"/admin/ada@example.com":       "other",
		"/teams/9":                     "other",
		"/":                            "other",
		"":                             "other",
		"/somewhere/users":             "other",
	} {
		if got := pactflow.Endpoint(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}
