package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// found lists the names of the users that a filter finds.
func found(t *testing.T, s scim.Backend, text, sortBy string) (names []string, err error) {
	t.Helper()
	q := scim.Query{Type: types[0], StartIndex: 1, Count: 100}
	f, err := filter.Parse(text, filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if q.Filter, err = filter.Bind(types[0], f, filter.Options{}); err != nil {
		t.Fatal(err)
	}
	if sortBy != "" {
		if q.SortBy, err = filter.BindSort(types[0], sortBy); err != nil {
			t.Fatal(err)
		}
	}
	p, err := s.List(t.Context(), q)
	if err != nil {
		return nil, err
	}
	for _, r := range p.Resources {
		names = append(names, r.ExternalID)
	}
	return names, nil
}

// TestZero: U+0000, which PostgreSQL's texts can't hold, is stored, found and
// sorted like any other character.
func TestZero(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Quick(t), postgres.Options{}).Tenant("a\x00b")
	odd := resource(t, types[0], `{"userName":"a\u0000b","displayName":"x\u0000\u0001","externalId":"e\u0000","title":"\u0000"}`)
	odd.ID = "id\x00" + strings.Repeat("z", 5)
	odd.Meta.Version = "v\x00"
	if err := s.Import(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	create(t, s, resource(t, types[0], `{"userName":"a\u0001b","externalId":"one","title":"\u0001"}`))
	create(t, s, resource(t, types[0], `{"userName":"a","externalId":"none","title":"\u0002"}`))
	if _, err := s.Create(t.Context(), resource(t, types[0], `{"userName":"A\u0000B"}`)); !errors.Is(err, scim.ErrUniqueness) {
		t.Errorf("the name once more: %v", err)
	}
	g := resource(t, types[1], `{"displayName":"g\u0000"}`)
	g.Attrs.Set("members", []scim.MemberRef{{ID: odd.ID}})
	g = create(t, s, g)
	got := get(t, s, odd)
	if got.ExternalID != "e\x00" || got.Meta.Version != "v\x00" || !strings.Contains(string(got.Text), `a\u0000b`) ||
		len(got.Groups) != 1 || got.Groups[0].Display != "g\x00" {
		t.Errorf("%+v %s", got, got.Text)
	}
	for m, err := range get(t, s, g).Members {
		if err != nil || m.ID != odd.ID || m.Display != "x\x00\x01" {
			t.Errorf("member %+v, %v", m, err)
		}
	}
	for _, tt := range []struct{ filter, sort, want string }{
		{`userName eq "a\u0000b"`, "", "e\x00"},
		{`userName sw "a\u0000"`, "", "e\x00"},
		{`userName ew "\u0000b"`, "", "e\x00"},
		{`userName co "\u0000"`, "", "e\x00"},
		{`userName gt "a\u0000b"`, "", "one"},
		{`externalId eq "e\u0000"`, "", "e\x00"},
		{`id co "\u0000"`, "", "e\x00"},
		{`title pr`, "title", "e\x00 one none"},
		{`userName pr`, "userName", "none e\x00 one"},
	} {
		if names, err := found(t, s, tt.filter, tt.sort); err != nil || strings.Join(names, " ") != tt.want {
			t.Errorf("%s sorted by %q: %q, %v; want %q", tt.filter, tt.sort, names, err, tt.want)
		}
	}
	for _, id := range []string{"\xff", "id\x00", ""} {
		if _, err := s.Get(t.Context(), scim.Ref{Type: types[0], ID: id}, scim.Selection{}); !errors.Is(err, scim.ErrNotFound) {
			t.Errorf("Get %q: %v", id, err)
		}
	}
}

// TestLongFilters: what the parser lets through is answered, or refused as the
// client's error.
func TestLongFilters(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Quick(t), postgres.Options{}).Tenant("a")
	u := create(t, s, user(t, "u"))
	g := create(t, s, group(t, "g", u.ID))
	for _, term := range []string{`groups.value eq "` + g.ID + `"`, `emails[type eq "work"]`, `title ne "x"`} {
		for _, joint := range []string{" and ", " or "} {
			n := filter.DefaultMaxNodes
			if strings.Contains(term, "[") {
				n /= 2
			}
			n = min(n, 8_000/len(term+joint))
			if testing.Short() {
				n = min(n, 40)
			}
			text := strings.TrimSuffix(strings.Repeat(term+joint, n), joint)
			names, err := found(t, s, text, "")
			var e *scim.Error
			if !slices.Equal(names, []string{"x-u"}) && !(errors.As(err, &e) && e.Type == scim.TypeInvalidFilter) {
				t.Errorf("%d times %s%s: %q, %v", n, term, joint, names, err)
			}
		}
	}
}

// TestStreamOnOneConnection reads a group too large to be read with its page,
// while a member leaves that has not been read yet, which must find the only
// connection free; and one whose reader goes away.
func TestStreamOnOneConnection(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Quick(t), postgres.Options{MaxConns: 1}).Tenant("a")
	ids := people(t, s, 2_500)
	g := create(t, s, group(t, "g", ids...))
	got := get(t, s, g)
	n := 0
	for m, err := range got.Members {
		if err != nil || m.ID != ids[n] || m.Type != "User" || m.Display != fmt.Sprintf("p%d", n) {
			t.Fatalf("member %d: %+v, %v", n, m, err)
		}
		if n == 0 {
			if _, err := s.UpdateMembers(t.Context(), change(g, nil, ids[2_499:])); err != nil {
				t.Fatal(err)
			}
		}
		n++
	}
	if n != 2_499 {
		t.Errorf("%d members read", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, err := s.Get(ctx, g.Ref(), scim.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for _, err := range got.Members {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("members after the context ended: %v", err)
		}
		break
	}
}

// TestNestingOnAllInstances: the recursion begins with the first group in a group, on
// every instance at once.
func TestNestingOnAllInstances(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	s, other := open(t, url, postgres.Options{}).Tenant("a"), open(t, url, postgres.Options{}).Tenant("a")
	u := create(t, s, user(t, "u"))
	inner := create(t, s, group(t, "inner", u.ID))
	get(t, other, u)
	outer := create(t, s, group(t, "outer", inner.ID))
	if _, err := s.UpdateMembers(t.Context(), change(inner, []string{outer.ID}, nil)); err != nil {
		t.Fatal(err)
	}
	both := []scim.MemberRef{{ID: inner.ID, Type: "direct", Display: "inner"}, {ID: outer.ID, Type: "indirect", Display: "outer"}}
	for _, s := range []scim.Backend{s, other} {
		if got := get(t, s, u); !slices.Equal(got.Groups, both) {
			t.Errorf("groups in a circle: %+v", got.Groups)
		}
		names, err := found(t, s, `groups.value eq "`+outer.ID+`"`, "")
		if err != nil || !slices.Equal(names, []string{"x-u"}) {
			t.Errorf("who is in the outer group: %q, %v", names, err)
		}
	}
}
