package conformance_test

import (
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/conformance"
)

// TestFixtures holds every conversation of testdata with a server, over HTTP,
// in each profile the fixture names and on each backend. The names of its
// subtests, FILE/PROFILE/BACKEND, are what the conformance report reads.
func TestFixtures(t *testing.T) {
	t.Parallel()
	backends := stores(t)
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
						if err := conv.Run(t.Context(), serve(t, f, conv, profile, b)); err != nil {
							t.Errorf("testdata/%s.txtar: %s\n%v", name, f.Title, err)
						}
					})
				}
			}
		})
	}
}
