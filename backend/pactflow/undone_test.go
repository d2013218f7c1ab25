package pactflow_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestNothingDone: a write to which something other than PactFlow's own answer
// comes, with a status of success, was not carried out and is never told as done.
func TestNothingDone(t *testing.T) {
	t.Parallel()
	add := patchOf(`{"op":"add","path":"members","value":` + values(benID) + `}`)
	for _, tt := range []struct {
		name, line, body string
		match            pactflowtest.Match
		bodiless         bool // the answer is documented to have no body: {} may be one
		delete           bool // Options.DeleteUsers
	}{
		{"make a user", "POST /Users", person("x"), pactflowtest.Match{Method: "POST"}, false, false},
		{"make an inactive user", "POST /Users", person("x", `"active":false`), pactflowtest.Match{Method: "PUT"}, false, false},
		{"change a user", "PUT /Users/" + adaID, adaBody(`"displayName":"X"`), pactflowtest.Match{Method: "PUT"}, false, false},
		{"deactivate by PUT", "PUT /Users/" + adaID, adaBody(`"active":false`), pactflowtest.Match{Method: "PUT"}, false, false},
		{"deactivate by PATCH", "PATCH /Users/" + adaID, patchOf(`{"op":"replace","value":{"active":false}}`), pactflowtest.Match{Method: "PUT"}, false, false},
		{"deactivate by DELETE", "DELETE /Users/" + adaID, "", pactflowtest.Match{Method: "PUT"}, false, false},
		{"delete a user", "DELETE /Users/" + adaID, "", pactflowtest.Match{Method: "DELETE"}, true, true},
		{"set roles", "PUT /Users/" + adaID, adaBody(`"roles":[]`), pactflowtest.Match{Method: "PUT", Path: "/admin/users/*/roles"}, true, false},
		{"give a role", "PATCH /Users/" + adaID, patchOf(`{"op":"add","path":"roles","value":[{"value":"` + ciRole + `"}]}`), pactflowtest.Match{Method: "PUT"}, true, false},
		{"take a role", "PATCH /Users/" + adaID, patchOf(`{"op":"remove","path":"roles"}`), pactflowtest.Match{Method: "DELETE"}, true, false},
		{"make a team", "POST /Groups", group("New"), pactflowtest.Match{Method: "POST"}, false, false},
		{"make a team with members", "POST /Groups", group("New", adaID), pactflowtest.Match{Method: "PUT"}, false, false},
		{"rename a team", "PATCH /Groups/%s", patchOf(`{"op":"replace","path":"displayName","value":"X"}`), pactflowtest.Match{Method: "PUT"}, false, false},
		{"replace members", "PUT /Groups/%s", group("G", benID), pactflowtest.Match{Method: "PUT"}, false, false},
		{"remove all members", "PATCH /Groups/%s", patchOf(`{"op":"remove","path":"members"}`), pactflowtest.Match{Method: "PUT"}, false, false},
		{"add a member", "PATCH /Groups/%s", add, pactflowtest.Match{Method: "PATCH"}, false, false},
		{"remove a member", "PATCH /Groups/%s", patchOf(`{"op":"remove","path":"members[value eq \"` + adaID + `\"]"}`), pactflowtest.Match{Method: "PATCH"}, false, false},
		{"delete a team", "DELETE /Groups/%s", "", pactflowtest.Match{Method: "DELETE"}, true, false},
	} {
		for _, kind := range []string{"html", "truncated", "emptyJSON", "wrongTypes", "notGzip"} {
			if tt.bodiless && (kind == "emptyJSON" || kind == "wrongTypes") {
				continue // JSON: as good as none
			}
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, pactflowtest.Options{Seed: "okta"}, pactflow.Options{DeleteUsers: tt.delete})
				line := tt.line
				if strings.Contains(line, "%s") {
					line = fmt.Sprintf(line, r.makeGroup("G", adaID))
				}
				before := fmt.Sprint(len(r.emu.State().Users), r.emu.State().Teams)
				if err := r.emu.Inject(pactflowtest.Rule{Match: tt.match, Times: -1, Fault: pactflowtest.Fault{BadBody: &pactflowtest.BadBody{Kind: kind}}}); err != nil {
					t.Fatal(err)
				}
				r.refused(502, "", line, tt.body)
				s := r.emu.State()
				if u := userOf(&s, byID(adaID)); !u.Active || u.Name != "Ada Okta" || !strings.HasPrefix(tt.name, "make") && fmt.Sprint(len(s.Users), s.Teams) != before {
					t.Error("something was done")
				}
			})
		}
	}
}

// TestDoneInSilence: a write that was carried out and answered without the body
// that is documented is looked at, and told as done.
func TestDoneInSilence(t *testing.T) {
	t.Parallel()
	for _, code := range []int{200, 202, 204} {
		for _, body := range []string{"", "{}"} {
			r := okta(t, pactflow.Options{})
			id := r.makeGroup("G", adaID)
			silent := true
			front := silenced(t, r, &silent, code, body)
			for _, tt := range []struct {
				line, body string
				calls      []string
			}{
				{"PATCH /Groups/" + id, patchOf(`{"op":"add","path":"members","value":` + values(benID) + `}`), []string{getTeam, patchTeam, getTeam}},
				{"PATCH /Groups/" + id, patchOf(`{"op":"replace","path":"members","value":` + values(oktaID(3)) + `}`), []string{getTeam, putUsers, getTeam}},
				{"PATCH /Groups/" + id, patchOf(`{"op":"replace","path":"displayName","value":"G2"}`), []string{getTeam, listTeams, putTeam, getTeam}},
				{"PATCH /Users/" + adaID, patchOf(`{"op":"replace","value":{"displayName":"X","active":false}}`), []string{getUser, putUser, getUser}},
				{"DELETE /Users/" + benID, "", []string{getUser, putUser, getUser}},
			} {
				r.calls()
				a := front.do(tt.line, tt.body)
				if a.status != 200 && a.status != 204 {
					t.Errorf("%d %q: %s: %d %s", code, body, tt.line, a.status, a.text)
				}
				r.called(tt.calls...)
			}
			s := r.emu.State()
			if !slices.Equal(r.membersOf(id), []string{oktaID(3)}) || userOf(&s, byID(adaID)).Name != "X" {
				t.Error("it was not done")
			}
		}
	}
}

// silenced is a façade of the same emulator, to which PUT, PATCH and POST are
// carried out but answered with this alone.
func silenced(t *testing.T, r *rig, silent *bool, code int, body string) *rig {
	t.Helper()
	other, _ := toy(t, func(w http.ResponseWriter, req *http.Request, _ string) {
		if req.Method == "GET" || !*silent {
			r.emu.ServeHTTP(w, req)
			return
		}
		r.emu.ServeHTTP(discard{http.Header{}}, req)
		w.WriteHeader(code)
		if code != 204 {
			_, _ = io.WriteString(w, body)
		}
	})
	return other
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// TestNotAsWanted: PactFlow answers with the resource, but not as it was to be.
func TestNotAsWanted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, line, body, says string
	}{
		{"still active", "DELETE /Users/" + adaID, "", "active"},
		{"still a member", "PATCH /Groups/%s", patchOf(`{"op":"remove","path":"members[value eq \"` + adaID + `\"]"}`), adaID},
		{"not a member", "PATCH /Groups/%s", patchOf(`{"op":"add","path":"members","value":` + values(benID) + `}`), benID},
		{"not replaced", "PUT /Groups/%s", group("G", benID), "members"},
		{"not renamed", "PUT /Groups/%s", group("X"), "name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := okta(t, pactflow.Options{})
			id := r.makeGroup("G", adaID)
			other, _ := toy(t, func(w http.ResponseWriter, req *http.Request, _ string) {
				// Whatever is asked for, the answer is what is there.
				req.Method = "GET"
				r.emu.ServeHTTP(w, req)
			})
			line := tt.line
			if strings.Contains(line, "%s") {
				line = fmt.Sprintf(line, id)
			}
			a := other.refused(502, "", line, tt.body)
			if !strings.Contains(a.detail(), tt.says) || strings.Contains(a.detail(), "unknown") {
				t.Errorf("no %q in %s", tt.says, a.detail())
			}
		})
	}
}
