package conformance_test

import (
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/conformance"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

// TestFixtures holds every conversation of testdata with a server, over HTTP,
// in each profile the fixture names and on each backend. The names of its
// subtests, FILE/PROFILE/BACKEND, are what the conformance report reads.
func TestFixtures(t *testing.T) {
	t.Parallel()
	backends := stores(t)
	rules := switched()
	for name, f := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, profile := range f.Profiles {
				for _, b := range backends {
					if f.Backends != nil && !slices.Contains(f.Backends, b.name) {
						continue
					}
					t.Run(profile+"/"+b.name, func(t *testing.T) {
						t.Parallel()
						conv := conformance.New(f)
						srv := serve(t, f, conv, profile, b)
						if err := conv.Run(t.Context(), srv.Target); err != nil {
							t.Errorf("testdata/%s.txtar: %s\n%v", name, f.Title, err)
							return
						}
						leans(t, f, profile, rules, srv.fired())
					})
				}
			}
		})
	}
}

// switched returns the rules that a switch turns on.
func switched() map[string]compat.Rule {
	rules := map[string]compat.Rule{}
	for _, r := range compat.Rules() {
		if len(r.Switches) > 0 {
			rules[r.ID] = r
		}
	}
	return rules
}

// leans demands that the server named each rule with a switch that a fixture
// shows at work, and that it leaned on none in strict.
func leans(t *testing.T, f *conformance.Fixture, profile string, rules map[string]compat.Rule, fired map[string]bool) {
	t.Helper()
	for id := range fired {
		if _, ok := rules[id]; ok && profile == "strict" {
			t.Errorf("strict leaned on %s", id)
		}
	}
	for _, id := range f.Rules {
		if _, ok := rules[id]; ok && profile != "strict" && !fired[id] {
			t.Errorf("%s was not named among the rules that an answer leaned on: %v", id, fired)
		}
	}
}
