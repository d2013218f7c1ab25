package facade_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// teams is a shelf whose lists lack the members.
type teams struct {
	*shelf
	most    atomic.Int64 // completions at once
	now     atomic.Int64
	hold    chan struct{}
	compute func(id string) error
}

func newTeams(n int) *teams {
	s := &teams{shelf: newShelf(groupType)}
	for i := range n {
		g := &scim.Resource{Type: groupType, ID: fmt.Sprintf("g%02d", i)}
		g.Attrs.Set("displayName", fmt.Sprintf("Team %d", i%5))
		g.Attrs.Set("members", []scim.MemberRef{{ID: fmt.Sprint("u", i%3)}, {ID: fmt.Sprint("u", i%4+10)}})
		s.put(g)
	}
	return s
}

func (s *teams) List(ctx context.Context, yield func(*scim.Resource) bool) error {
	return s.shelf.List(ctx, func(r *scim.Resource) bool {
		r.Attrs.Set("members", nil)
		return yield(r)
	})
}

func (s *teams) Lacks(p scim.AttrPath) bool { return p.Name == "members" }

func (s *teams) Complete(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	now := s.now.Add(1)
	for p := s.most.Load(); now > p && !s.most.CompareAndSwap(p, now); p = s.most.Load() {
	}
	defer s.now.Add(-1)
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
		}
	}
	if s.compute != nil {
		if err := s.compute(r.ID); err != nil {
			return nil, err
		}
	}
	return s.Get(ctx, r.ID)
}

// seeker finds by a member without the list.
type seeker struct{ *teams }

func (s seeker) Seek(ctx context.Context, f scim.Filter) ([]*scim.Resource, bool, error) {
	e, ok := f.(*scim.AttrExp)
	if !ok || e.Path.String() != "members.value" || e.Op != scim.Eq {
		return nil, false, nil
	}
	var found []*scim.Resource
	for _, r := range s.items {
		found = append(found, copied(r)) // more than match
	}
	return found, true, ctx.Err()
}

// TestListMembers: a filter on what lists lack gives what the whole resources
// would, reading those alone that can match.
func TestListMembers(t *testing.T) {
	t.Parallel()
	const n = 40
	src := newTeams(n)
	s := facade.NewStore(facade.StoreOptions{}, src)
	for text, reads := range map[string]int{
		`members.value eq "u1"`:                                                                 n,
		`members[value eq "u1"]`:                                                                n,
		`displayName eq "Team 1" and members.value eq "u1"`:                                     8,
		`members.value eq "u1" and displayName eq "Team 1"`:                                     8,
		`displayName eq "Team 1" or members.value eq "u1"`:                                      n,
		`displayName eq "Team 1" and not (members.value eq "u1")`:                               8,
		`not (displayName eq "Team 1" or members.value eq "u1")`:                                32,
		`not (displayName eq "Team 1" and members.value eq "u1")`:                               n,
		`not (not (displayName eq "Team 1" and members.value eq "u1"))`:                         8,
		`(displayName eq "Team 1" or displayName eq "Team 2") and not (members.value eq "u2")`:  16,
		`displayName eq "Team 1" and (displayName eq "x" or members pr)`:                        8,
		`displayName eq "none" and members pr`:                                                  0,
		`not (displayName pr) or (displayName eq "Team 4" and id sw "g0" and members.value pr)`: 2,
		`displayName sw "Team"`:                                                                 n,
		`members.value ne "u1"`:                                                                 n,
		`not (not (displayName eq "Team 3"))`:                                                   8,
	} {
		q := scim.Query{Type: groupType, Filter: bound(t, groupType, text), Count: 1000}
		want := filter.Page(func(yield func(int64, *scim.Resource) bool) {
			for i, r := range src.items {
				if !yield(int64(i), r) {
					return
				}
			}
		}, q)
		page, err := s.List(as(t, token), q)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, r := range page.Resources {
			got[r.ID] = fmt.Sprint(r.Attrs.Get("members"))
		}
		if len(page.Resources) != len(want.Resources) || page.Total != want.Total {
			t.Errorf("%s finds %d of %d, want %d", text, len(page.Resources), page.Total, want.Total)
		}
		for _, r := range want.Resources {
			if got[r.ID] != fmt.Sprint(r.Attrs.Get("members")) {
				t.Errorf("%s: %s has members %s, want %v", text, r.ID, got[r.ID], r.Attrs.Get("members"))
			}
		}
		if l, g := src.counted("list"), src.counted("get"); l != 1 || g != reads {
			t.Errorf("%s: %d lists and %d reads, want 1 and %d", text, l, g, reads)
		}
	}
}

// TestListPage: only what is on the page is completed, only if it is wanted, and
// not more at once than allowed.
func TestListPage(t *testing.T) {
	t.Parallel()
	src := newTeams(40)
	src.hold = make(chan struct{})
	s := facade.NewStore(facade.StoreOptions{Concurrent: 3}, src)
	ctx := as(t, token)
	q := scim.Query{Type: groupType, StartIndex: 11, Count: 10}
	done := make(chan []string)
	go func() { done <- ids(ctx, t, s, q) }()
	for src.now.Load() < 3 {
		runtime.Gosched()
	}
	for range 10 {
		src.hold <- struct{}{}
	}
	if got := strings.Join(<-done, " "); got != "g10 g11 g12 g13 g14 g15 g16 g17 g18 g19" {
		t.Errorf("the page is %s", got)
	}
	if src.most.Load() != 3 || src.counted("get") != 10 {
		t.Errorf("%d at once", src.most.Load())
	}
	close(src.hold)
	members := scim.AttrPath{Name: "members", Attr: groupType.Membership()}
	name := scim.AttrPath{Name: "displayName", Attr: groupType.Schema.Attribute("displayName")}
	for _, c := range []struct {
		sel   scim.Selection
		reads int
	}{
		{scim.Selection{Excluded: []scim.AttrPath{members}}, 0},
		{scim.Selection{Attributes: []scim.AttrPath{name}}, 0},
		{scim.Selection{Attributes: []scim.AttrPath{members}}, 10},
		{scim.Selection{Excluded: []scim.AttrPath{name}}, 10},
	} {
		q.Selection = c.sel
		ids(ctx, t, s, q)
		if n := src.counted("get"); n != c.reads {
			t.Errorf("%+v: %d reads, want %d", c.sel, n, c.reads)
		}
	}

	// Who is gone meanwhile is left out; what fails fails the page, and the rest
	// is not read.
	q.Selection = scim.Selection{}
	src.compute = func(id string) error {
		if id == "g12" || id == "g19" {
			return scim.ErrNotFound
		}
		return nil
	}
	page, err := s.List(ctx, q)
	if err != nil || len(page.Resources) != 8 || page.Total != 38 {
		t.Errorf("%d of %d, %v", len(page.Resources), page.Total, err)
	}
	src.compute = func(id string) error {
		if id == "g12" {
			return &facade.Failure{Reason: facade.Refused, Status: 503, Call: "GET /"}
		}
		return nil
	}
	if _, err := s.List(ctx, q); scim.AsError(err).Status != 503 {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	src.compute = func(string) error { cancel(); return nil }
	if _, err := s.List(gone, q); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestSeek: the Source's own short way is taken, and what it finds is looked at.
func TestSeek(t *testing.T) {
	t.Parallel()
	src := newTeams(6)
	s := facade.NewStore(facade.StoreOptions{}, seeker{src})
	q := scim.Query{Type: groupType, Filter: bound(t, groupType, `members.value eq "u1"`), Count: 10}
	if got := strings.Join(ids(as(t, token), t, s, q), " "); got != "g01 g04" || src.counted("list") != 0 || src.counted("get") != 0 {
		t.Errorf("finds %s", got)
	}
	q.Filter = bound(t, groupType, `members.value pr`)
	if got := ids(as(t, token), t, s, q); len(got) != 6 || src.counted("list") != 1 {
		t.Errorf("finds %s", got)
	}
}

// TestManyCalls: a filter that needs a call for each of very many is told of.
func TestManyCalls(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	for n, warns := range map[int]bool{200: false, 201: true} {
		log.Reset()
		s := facade.NewStore(facade.StoreOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))}, newTeams(n))
		ids(as(t, token), t, s, scim.Query{Type: groupType, Filter: bound(t, groupType, `members.value eq "u1"`)})
		if warned := strings.Contains(log.String(), "level=WARN"); warned != warns {
			t.Errorf("%d calls: %s", n, log.String())
		}
	}
}

// TestOrder: without sortBy the order is the application's, each resource comes
// once, and a position outlives what comes and goes before it.
func TestOrder(t *testing.T) {
	t.Parallel()
	people := newShelf(userType)
	for _, name := range []string{"d", "a", "c", "b", "a", "e", "d", "f"} {
		people.mu.Lock()
		people.items = append(people.items, user(name, "name "+name, "")) // two come twice
		people.mu.Unlock()
	}
	s := facade.NewStore(facade.StoreOptions{}, people)
	ctx := as(t, token)
	name := scim.AttrPath{Name: "userName", Attr: userType.Schema.Attribute("userName")}
	list := func(q scim.Query) (string, *scim.Keyset, int) {
		q.Type = userType
		p, err := s.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range p.Resources {
			got = append(got, r.ID)
		}
		return strings.Join(got, ""), p.Last, p.Total
	}
	for _, c := range []struct {
		q    scim.Query
		want string
	}{
		{scim.Query{Count: 100}, "dacbef"},
		{scim.Query{Count: 2, StartIndex: 3}, "cb"},
		{scim.Query{Count: 2, StartIndex: 3, NoTotal: true}, "cb"},
		{scim.Query{Count: 100, SortBy: &name}, "abcdef"},
		{scim.Query{Count: 100, SortBy: &name, Descending: true}, "fedcba"},
		{scim.Query{Count: 2, SortBy: &name, StartIndex: 2}, "bc"},
		{scim.Query{}, ""},
	} {
		got, _, total := list(c.q)
		if got != c.want || total != 6 && !c.q.NoTotal {
			t.Errorf("%+v: %s of %d, want %s of 6", c.q, got, total, c.want)
		}
	}
	for _, by := range []*scim.AttrPath{nil, &name} {
		first, at, _ := list(scim.Query{Count: 3, SortBy: by})
		people.mu.Lock()
		people.items = append([]*scim.Resource{user("z", "zz", "")}, people.items...)
		people.mu.Unlock()
		rest, last, _ := list(scim.Query{Count: 3, SortBy: by, After: at})
		if want := map[bool]string{true: "dacbef", false: "abcdef"}[by == nil]; first+rest != want {
			t.Errorf("with one more before: %s %s, want %s", first, rest, want)
		}
		if by == nil && last != nil {
			t.Errorf("something follows the last: %+v", last)
		}
		people.remove(at.ID)
		people.remove("z")
		rest, _, _ = list(scim.Query{Count: 3, SortBy: by, After: at})
		if want := map[bool]string{true: "bef", false: "def"}[by == nil]; rest != want {
			t.Errorf("with the position's own gone: %s, want %s", rest, want)
		}
		people.put(user("c", "name c", ""))
		people.mu.Lock()
		people.items = []*scim.Resource{user("d", "name d", ""), user("a", "name a", ""), user("c", "name c", ""), user("b", "name b", ""), user("e", "name e", ""), user("f", "name f", "")}
		people.mu.Unlock()
	}
}
