package audittest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/scim"
)

// words is what a page says, the newest first.
func words(p audit.Page) string {
	var list []string
	for _, e := range p.Events {
		list = append(list, e.Change.Op+" "+e.Change.Type+" "+e.Change.Actor)
	}
	return strings.Join(list, ", ")
}

func query(t *testing.T, rig *Rig) {
	s, l := rig.Store("a"), rig.Log("a")
	start := rig.Clock.Now()
	ada, bob, staff := life(t, s)
	seal(t, l)
	rig.Clock.Add(10 * day)
	if _, err := l.Erase(t.Context(), audit.Erasure{ID: ada.ID, Actor: "op"}); err != nil {
		t.Fatal(err)
	}
	rig.Clock.Add(10 * day)
	create(t, s, "okta", "cleo")
	for _, tt := range []struct {
		q    audit.Query
		want string
	}{
		{audit.Query{}, "create User okta, erase  op, update Group entra, delete User entra, update Group okta, create Group okta, update User entra, create User okta, create User okta"},
		{audit.Query{Limit: 2}, "create User okta, erase  op, update Group entra"},
		{audit.Query{Person: ada.ID}, "erase  op, update Group entra, delete User entra, update Group okta, update User entra, create User okta"},
		{audit.Query{Person: bob.ID}, "create User okta"},
		{audit.Query{Person: staff.ID, Actor: "okta"}, "update Group okta, create Group okta"},
		{audit.Query{Op: "erase"}, "erase  op"},
		{audit.Query{Op: "delete"}, "delete User entra"},
		{audit.Query{Actor: "op"}, "erase  op"},
		{audit.Query{Actor: "entra", Op: "update"}, "update Group entra, update User entra"},
		{audit.Query{Since: start.Add(5 * day)}, "create User okta, erase  op"},
		{audit.Query{Until: start.Add(5 * day), Op: "create"}, "create Group okta, create User okta, create User okta"},
		{audit.Query{Since: start.Add(5 * day), Until: start.Add(15 * day)}, "erase  op"},
		{audit.Query{Until: start}, ""},
		{audit.Query{Person: "nobody"}, ""},
	} {
		page, err := l.Query(t.Context(), tt.q)
		if got := words(page); err != nil || got != tt.want {
			t.Errorf("%+v: %s, %v\nwant %s", tt.q, got, err, tt.want)
		}
	}
	page, err := l.Query(t.Context(), audit.Query{Limit: 4})
	if err != nil || page.Events[0].N != 0 || page.Events[1].N != 8 || page.Events[2].N == 0 {
		t.Errorf("numbers of entries: %+v, %v", page.Events, err)
	}
}

// pages reads a longer log page by page, in all ways: nothing comes twice, and
// nothing is left out.
func pages(t *testing.T, rig *Rig) {
	s, l := rig.Store("a"), rig.Log("a")
	start := rig.Clock.Now()
	var want []string
	for i := range 60 {
		rig.Clock.Add(time.Hour)
		u := load(t, create(t, s, fmt.Sprint("actor", i%3), fmt.Sprint("u", i)))
		want = append(want, "create "+u.ID)
		if i%10 == 5 {
			remove(t, s, "actor0", u)
			if _, err := l.Erase(t.Context(), audit.Erasure{ID: u.ID, Actor: "op"}); err != nil {
				t.Fatal(err)
			}
			want = append(want, "delete "+u.ID, "erase "+u.ID)
		}
	}
	slices.Reverse(want)
	all := func(q audit.Query) (got []string) {
		for range 1000 {
			page, err := l.Query(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				got = append(got, e.Change.Op+" "+e.Change.ID)
			}
			if q.Before = page.Next; q.Before == 0 {
				return got
			}
		}
		t.Fatal("it does not end")
		return nil
	}
	for _, limit := range []int{1, 2, 7, 100} {
		if got := all(audit.Query{Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("by %d: %d events, want %d:\n%s", limit, len(got), len(want), strings.Join(got, "\n"))
		}
	}
	if got := all(audit.Query{Limit: 3, Actor: "actor1"}); len(got) != 20 {
		t.Errorf("of one actor: %d", len(got))
	}
	// The time is found without reading what is later.
	if got := all(audit.Query{Limit: 3, Until: start.Add(10*time.Hour + time.Minute), Since: start.Add(5*time.Hour - time.Minute), Op: "create"}); len(got) != 6 {
		t.Errorf("of six hours: %d", len(got))
	}
	u := load(t, create(t, s, "okta", "last"))
	var list []string
	for i := range 30 {
		u = update(t, s, "okta", u, fmt.Sprint(i))
		list = append(list, u.ID)
	}
	if got := all(audit.Query{Person: u.ID, Limit: 4}); len(got) != len(list)+1 {
		t.Errorf("of one person: %d, want %d", len(got), len(list)+1)
	}
	if _, err := s.Get(t.Context(), u.Ref(), scim.Selection{}); err != nil {
		t.Error(err)
	}
}
