package pactflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestRemoveAbsent: to remove who is not there, or not any more, changes nothing
// and hinders nothing, whether the token sees all members of the team or not.
func TestRemoveAbsent(t *testing.T) {
	t.Parallel()
	const nobody = "0000000c-0000-4000-8000-0000000000ff"
	removal := func(ids ...string) string { return `{"op":"remove","path":"members","value":` + values(ids...) + `}` }
	for _, strict := range []bool{false, true} {
		for _, version := range []string{"1.26.0", "1.31.0"} {
			for _, tt := range []struct {
				name string
				op   []string
				want []string // of 1 to 5, the deleted one being 5
			}{
				{"deleted alone", []string{removal(oktaID(5))}, []string{oktaID(1), oktaID(2), oktaID(3)}},
				{"unknown alone", []string{removal(nobody)}, []string{oktaID(1), oktaID(2), oktaID(3)}},
				{"no member", []string{removal(oktaID(4))}, []string{oktaID(1), oktaID(2), oktaID(3)}},
				{"among others", []string{removal(oktaID(1), oktaID(5), oktaID(4), oktaID(2), nobody)}, []string{oktaID(3)}},
				{"with an addition", []string{removal(oktaID(5), oktaID(1)), `{"op":"add","path":"members","value":` + values(oktaID(4)) + `}`}, []string{oktaID(2), oktaID(3), oktaID(4)}},
			} {
				t.Run(fmt.Sprint(tt.name, " ", strict, " ", version), func(t *testing.T) {
					t.Parallel()
					r := newRig(t, pactflowtest.Options{Seed: "okta", StrictPatch: strict, Version: version}, pactflow.Options{})
					id := r.makeGroup("G", oktaID(1), oktaID(2), oktaID(3))
					r.hide(id)
					r.want(204, "PATCH /Groups/"+id, patchOf(tt.op...))
					got := slices.Sorted(slices.Values(slices.DeleteFunc(r.membersOf(id), func(s string) bool { return s == hiddenID })))
					if !slices.Equal(got, tt.want) {
						t.Errorf("members %v, want %v", got, tt.want)
					}
					if !slices.Contains(r.membersOf(id), hiddenID) {
						t.Error("the member that is not shown is gone")
					}
				})
			}
		}
	}
	// Who is deleted between the reading and the change.
	r := okta(t, pactflow.Options{})
	id := r.makeGroup("G", oktaID(1), oktaID(2))
	if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: "PATCH"}, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: 400}}}); err != nil {
		t.Fatal(err)
	}
	r.want(204, "PATCH /Groups/"+id, patchOf(removal(oktaID(1))))
	r.called(getTeam, patchTeam, "DELETE /admin/teams/*/users/*")
	// An addition that is refused leaves the removals undone.
	r.hide(id)
	a := r.refused(400, "invalidValue", "PATCH /Groups/"+id, patchOf(removal(oktaID(5), oktaID(2)), `{"op":"add","path":"members","value":`+values(nobody)+`}`))
	if !strings.Contains(a.detail(), nobody) || !slices.Contains(r.membersOf(id), oktaID(2)) {
		t.Errorf("%s, members %v", a.detail(), r.membersOf(id))
	}
}

// hiddenID is a system account, which the SCIM role does not see.
const hiddenID = "0000000e-0000-4000-8000-000000000001"

// hide puts a member into a team that the token does not see, and deletes the
// fifth person.
func (r *rig) hide(team string) {
	r.Helper()
	if err := r.emu.Change(func(s *pactflowtest.State) {
		if !slices.ContainsFunc(s.Users, func(u pactflowtest.User) bool { return u.UUID == hiddenID }) {
			s.Users = append(s.Users, pactflowtest.User{UUID: hiddenID, Name: "CI", Type: pactflowtest.SystemAccount, Active: true, CreatedAt: s.Users[0].CreatedAt, UpdatedAt: s.Users[0].UpdatedAt})
		}
		for i := range s.Teams {
			s.Teams[i].Members = slices.DeleteFunc(slices.Clone(s.Teams[i].Members), func(m string) bool { return m == oktaID(5) })
			if s.Teams[i].UUID == team {
				s.Teams[i].Members = append(s.Teams[i].Members, hiddenID)
			}
		}
		for i := range s.Users {
			if s.Users[i].UUID == oktaID(5) {
				s.Users[i].DeletedAt = s.Users[i].CreatedAt
			}
		}
	}); err != nil {
		r.Fatal(err)
	}
}
