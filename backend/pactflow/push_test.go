package pactflow_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestFirstPush counts the calls of an identity provider's first push: each
// person is looked up, created with a role, read, and put into a group. The list
// is read once in 30 s, by which time somebody else's new user is seen.
func TestFirstPush(t *testing.T) {
	t.Parallel()
	people := 5000
	if testing.Short() {
		people = 500
	}
	var passed atomic.Int64 // ms
	start := time.Now()
	r := newRig(t, pactflowtest.Options{Seed: "empty", NoDefaults: true}, pactflow.Options{IndexTime: 30 * time.Second,
		Now: func() time.Time { return start.Add(time.Duration(passed.Load()) * time.Millisecond) }})
	id := r.makeGroup("All")
	calls, lists := 0, 0
	count := func() {
		for _, c := range r.calls() {
			switch {
			case strings.HasPrefix(c, "GET /admin/users?page=1&"):
				lists++
			case strings.Contains(c, "?page="):
			default:
				calls++
			}
		}
	}
	var members []string
	for i := range people {
		passed.Add(60) // 1000 a minute
		name := fmt.Sprintf("p%05d", i)
		a := r.want(200, `GET /Users?filter=userName eq "`+name+`"&startIndex=1&count=100`, "")
		if fmt.Sprint(a.json["totalResults"]) != "0" {
			t.Fatalf("%s is there already", name)
		}
		a = r.want(201, "POST /Users", person(name, fmt.Sprintf(`"externalId":"e%d","roles":[{"type":"CI/CD","value":%q}]`, i, ciRole)))
		members = append(members, a.id())
		if i%100 == 99 {
			r.want(204, "PATCH /Groups/"+id, patchOf(`{"op":"add","path":"members","value":`+values(members...)+`}`))
			members = nil
			count()
		}
		if i%1000 == 0 {
			r.refused(409, "uniqueness", "POST /Users", person(strings.ToUpper(name)))
			a = r.want(200, `GET /Users?filter=externalId eq "e`+fmt.Sprint(i)+`"`, "")
			if fmt.Sprint(a.json["totalResults"]) != "1" {
				t.Fatalf("%s is not found again", name)
			}
		}
	}
	count()
	if most := int(passed.Load()/30_000) + 1; lists > most {
		t.Errorf("%d lists in %d s, want %d at most", lists, passed.Load()/1000, most)
	}
	if calls > 5*people {
		t.Errorf("%d calls for %d people", calls, people)
	}
	t.Logf("%d people: %d calls and %d lists in %d s", people, calls, lists, passed.Load()/1000)
	if got := len(r.membersOf(id)); got != people {
		t.Errorf("%d members", got)
	}
}

// TestIndex: what another writes is seen when the index is old, what goes
// through us at once, and a hit is confirmed by a read.
func TestIndex(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := newRig(t, pactflowtest.Options{Seed: "okta"}, pactflow.Options{IndexTime: 30 * time.Second, Now: func() time.Time { return now }})
	find := func(name string, want int, calls ...string) {
		t.Helper()
		a := r.want(200, `GET /Users?filter=userName eq "`+name+`"`, "")
		if fmt.Sprint(a.json["totalResults"]) != fmt.Sprint(want) {
			t.Errorf("%s: %s", name, a.text)
		}
		r.called(calls...)
	}
	find("ada.okta@example.com", 1, listUsers, getUser)
	find("ADA.okta@example.com", 1, getUser)
	find("new", 0)
	r.want(201, "POST /Users", person("new"))
	r.called(postUser)
	find("new", 1, getUser)
	if err := r.emu.Change(func(s *pactflowtest.State) {
		for i := range s.Users {
			if s.Users[i].UUID == adaID {
				s.Users[i].ExternalIdpUsername = "elsewhere"
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	find("elsewhere", 0)                     // not yet
	find("ada.okta@example.com", 0, getUser) // not any more: the read tells
	find("elsewhere", 1, getUser)            // which has told of the new name, too
	find("ada.okta@example.com", 0)          // and of the old one
	r.as(pactflowtest.AdminToken).do(`GET /Users?filter=userName eq "new"`, "")
	r.called(listUsers, getUser) // nothing of one token's index is another's
	now = now.Add(31 * time.Second)
	find("new", 1, listUsers, getUser)
}
