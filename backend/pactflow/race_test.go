package pactflow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestNoLostMember: who writes at the same time through one façade loses nothing.
func TestNoLostMember(t *testing.T) {
	t.Parallel()
	r := newRig(t, pactflowtest.Options{Seed: "large:60"}, pactflow.Options{})
	id := r.makeGroup("G")
	var ids []string
	for _, u := range r.emu.State().Users {
		if u.Type == pactflowtest.RegularUser {
			ids = append(ids, u.UUID)
		}
	}
	var group sync.WaitGroup
	for i, u := range ids {
		group.Go(func() {
			line, body := "PATCH /Groups/"+id, patchOf(`{"op":"add","path":"members","value":`+values(u)+`}`)
			if i%10 == 0 {
				body = patchOf(`{"op":"add","path":"members","value":`+values(u)+`}`, fmt.Sprintf(`{"op":"replace","path":"displayName","value":"G%d"}`, i))
			}
			if a := r.do(line, body); a.status != 204 {
				t.Errorf("%d: %s", a.status, a.text)
			}
		})
	}
	group.Wait()
	if got := r.membersOf(id); len(got) != len(ids) {
		t.Errorf("%d members of %d", len(got), len(ids))
	}
}

// TestNoLostAttribute: of two that change different attributes of a user, both
// are seen.
func TestNoLostAttribute(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	var group sync.WaitGroup
	for i, op := range []string{`{"op":"replace","path":"displayName","value":"D"}`, `{"op":"replace","path":"active","value":false}`,
		`{"op":"replace","path":"externalId","value":"E"}`, `{"op":"replace","path":"name.givenName","value":"G"}`,
		`{"op":"add","path":"roles","value":[{"value":"` + ciRole + `"}]}`, `{"op":"add","path":"roles","value":[{"value":"` + administrator + `"}]}`} {
		group.Go(func() {
			if a := r.do("PATCH /Users/"+adaID, patchOf(op)); a.status != 200 {
				t.Errorf("%d: %d %s", i, a.status, a.text)
			}
		})
	}
	group.Wait()
	a := r.want(200, "GET /Users/"+adaID, "")
	for _, want := range []string{`"displayName":"D"`, `"active":false`, `"externalId":"E"`, `"givenName":"G"`, ciRole, administrator, userRole} {
		if !strings.Contains(a.text, want) {
			t.Errorf("no %s in %s", want, a.text)
		}
	}
}

// TestOneOfManyCreates: of many creates of one name one wins, and PactFlow is
// asked once.
func TestOneOfManyCreates(t *testing.T) {
	t.Parallel()
	for _, index := range []time.Duration{0, time.Minute} {
		r := newRig(t, pactflowtest.Options{Seed: "okta", AllowSameUserName: true}, pactflow.Options{IndexTime: index})
		var group sync.WaitGroup
		var mu sync.Mutex
		made := map[int]int{}
		for i := range 10 {
			group.Go(func() {
				name := "same"
				if i%2 == 0 {
					name = "SAME"
				}
				a := r.do("POST /Users", person(name))
				mu.Lock()
				made[a.status]++
				mu.Unlock()
			})
		}
		group.Wait()
		if made[201] != 1 || made[409] != 9 {
			t.Errorf("statuses %v", made)
		}
	}
}

// TestClientGone: a write that has begun is finished although nobody waits for it.
func TestClientGone(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gone, done := make(chan struct{}), make(chan struct{})
	r.emu.BeforeHandle(func(req *http.Request) {
		switch {
		case req.Method == "PUT" && strings.HasSuffix(req.URL.Path, adaID):
			cancel()
			<-gone
		case req.Method == "PUT" && strings.HasSuffix(req.URL.Path, "/roles"):
			close(done)
		}
	})
	req, err := http.NewRequestWithContext(ctx, "PUT", r.front.URL+"/scim/Users/"+adaID, strings.NewReader(adaBody(`"active":false,"roles":[]`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	close(gone)
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the roles were never changed")
	}
	r.emu.BeforeHandle(nil)
	deadline := time.Now().Add(20 * time.Second)
	for {
		s := r.emu.State()
		if u := userOf(&s, byID(adaID)); !u.Active && len(u.Roles) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the write was not finished")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestTakenBack: a group that could not get its members is taken back, or the
// client is told that it could not be.
func TestTakenBack(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	fault := func(method, path string, code int) {
		t.Helper()
		if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: method, Path: path}, Times: -1,
			Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: code}}}); err != nil {
			t.Fatal(err)
		}
	}
	fault("PUT", "/admin/teams/*/users", 403)
	a := r.refused(403, "", "POST /Groups", group("New", adaID))
	r.called(listTeams, postTeam, putUsers, "DELETE /admin/teams/*")
	if !strings.Contains(a.detail(), "was not created") {
		t.Errorf("%s", a.detail())
	}
	fault("DELETE", "/admin/teams/*", 500)
	a = r.refused(403, "", "POST /Groups", group("New", adaID))
	if !strings.Contains(a.detail(), "could not be taken back") || !strings.Contains(r.log.String(), "partial=true") {
		t.Errorf("%s", a.detail())
	}
	r.emu.ClearFaults()
	// The client's next try finds it by name, and fills it.
	found, _ := r.want(200, `GET /Groups?filter=displayName eq "New"`, "").json["Resources"].([]any)
	if len(found) != 1 {
		t.Fatalf("found %v", found)
	}
	o, _ := found[0].(map[string]any)
	r.want(200, fmt.Sprintf("PUT /Groups/%v", o["id"]), group("New", adaID))
}

// TestToldHonestly: what is done, and what is not, is in the answer and the log.
func TestToldHonestly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, line, body string
		match            pactflowtest.Match
		skip             int
		says             string
	}{
		{"created, still active", "POST /Users", person("x", `"active":false`), pactflowtest.Match{Method: "PUT"}, 0, "was created but is still active"},
		{"created, no roles", "POST /Users", person("x", `"roles":[]`), pactflowtest.Match{Method: "PUT"}, 0, "was created but has not the roles"},
		{"created, not read", "POST /Users", person("x", `"roles":[]`), pactflowtest.Match{Method: "GET", Path: "/admin/users/*"}, 0, "was created but can't be read"},
		{"attributes, no roles", "PUT /Users/" + adaID, adaBody(`"displayName":"X","roles":[]`), pactflowtest.Match{Method: "PUT", Path: "/admin/users/*/roles"}, 0, "the attributes of user " + adaID + " were changed but its roles were not"},
		{"roles, no attributes", "PUT /Users/" + benID, strings.ReplaceAll(adaBody(`"active":true,"roles":[]`), "ada.", "ben."), pactflowtest.Match{Method: "PUT", Path: "/admin/users/*"}, 0, "the roles of user " + benID + " were changed but its attributes were not"},
		{"changed, not read", "PUT /Users/" + adaID, adaBody(`"roles":[]`), pactflowtest.Match{Method: "GET", Path: "/admin/users/*"}, 1, "was changed but can't be read"},
		{"members, no name", "PUT /Groups/" + pactflowtest.SampleTeam, group("X", adaID), pactflowtest.Match{Method: "PUT", Path: "/admin/teams/*"}, 0, "were changed but it was not renamed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := okta(t, pactflow.Options{})
			if err := r.emu.Change(func(s *pactflowtest.State) { s.Users[1].Active = false }); err != nil {
				t.Fatal(err)
			}
			if err := r.emu.Inject(pactflowtest.Rule{Match: tt.match, Skip: tt.skip, Times: -1, Fault: pactflowtest.Fault{Status: &pactflowtest.Status{Code: 500}}}); err != nil {
				t.Fatal(err)
			}
			a := r.refused(502, "", tt.line, tt.body)
			if !strings.Contains(a.detail(), tt.says) {
				t.Errorf("no %q in %s", tt.says, a.detail())
			}
			if !strings.Contains(r.log.String(), "partial=true") {
				t.Error("the log does not say so")
			}
		})
	}
}
