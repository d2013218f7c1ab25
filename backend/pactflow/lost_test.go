package pactflow_test

import (
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestLookedFor: a creation whose answer was lost and that the list does not show
// is told as not made; where the list can't be read either, nobody knows.
func TestLookedFor(t *testing.T) {
	t.Parallel()
	lost := []pactflowtest.Fault{{Status: &pactflowtest.Status{Code: 500}}, {Status: &pactflowtest.Status{Code: 503}},
		{Drop: &pactflowtest.Drop{When: "headers"}}, {BadBody: &pactflowtest.BadBody{Kind: "html"}}, {BadBody: &pactflowtest.BadBody{Kind: "emptyJSON"}}}
	for _, tt := range []struct{ line, body, path string }{
		{"POST /Users", person("x"), "/admin/users"},
		{"POST /Users", `{"displayName":"X","userType":"System Account"}`, "/admin/users"},
		{"POST /Groups", group("x"), "/admin/teams"},
	} {
		for _, f := range lost {
			for _, seen := range []bool{true, false} {
				r := okta(t, pactflow.Options{})
				rules := []pactflowtest.Rule{{Match: pactflowtest.Match{Method: "POST"}, Times: -1, Fault: f}}
				if !seen {
					skip := 1 // the look-up of the name
					if strings.Contains(tt.body, "System") {
						skip = 0
					}
					rules = append(rules, pactflowtest.Rule{Match: pactflowtest.Match{Method: "GET", Path: tt.path}, Skip: skip, Times: -1, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: 500}}})
				}
				if err := r.emu.Inject(rules...); err != nil {
					t.Fatal(err)
				}
				a := r.do(tt.line, tt.body)
				if a.status != 502 && a.status != 503 {
					t.Errorf("%s: %d %s", tt.line, a.status, a.text)
				}
				if unknown, not := strings.Contains(a.detail(), "unknown"), strings.Contains(a.detail(), "was not created"); unknown == seen || not != seen {
					t.Errorf("%s, looked for %v: %s", tt.line, seen, a.detail())
				}
			}
		}
	}
}
