package pactflow_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestProvenStale: where PactFlow knows a name that the index does not, the index
// is old, and the look-up that follows finds whose it is.
func TestProvenStale(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, line, body, lookUp string
	}{
		{"create a user", "POST /Users", person("late"), `GET /Users?filter=userName eq "late"`},
		{"rename a user", "PATCH /Users/" + adaID, patchOf(`{"op":"replace","path":"userName","value":"late"}`), `GET /Users?filter=userName eq "late"`},
		{"create a team", "POST /Groups", group("late"), `GET /Groups?filter=displayName eq "late"`},
		{"rename a team", "PATCH /Groups/" + pactflowtest.SampleTeam, patchOf(`{"op":"replace","path":"displayName","value":"late"}`), `GET /Groups?filter=displayName eq "late"`},
	} {
		for _, status := range []int{400, 409} {
			t.Run(fmt.Sprint(tt.name, status), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, pactflowtest.Options{Seed: "okta", DuplicateStatus: status}, pactflow.Options{IndexTime: time.Hour})
				r.want(200, tt.lookUp, "") // reads the index
				if err := r.emu.Change(func(s *pactflowtest.State) {
					u, g := s.Users[1], s.Teams[0]
					u.UUID, u.ExternalIdpUsername, u.ExternalIdpID = "0000000c-0000-4000-8000-0000000000aa", "late", "late"
					g.UUID, g.Name, g.Members = "0000000c-0000-4000-8000-0000000000bb", "late", nil
					s.Users, s.Teams = append(s.Users, u), append(s.Teams, g)
				}); err != nil {
					t.Fatal(err)
				}
				r.refused(409, "uniqueness", tt.line, tt.body)
				if a := r.want(200, tt.lookUp, ""); fmt.Sprint(a.json["totalResults"]) != "1" {
					t.Errorf("it is not found: %s", a.text)
				}
			})
		}
	}
}
