package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

func shares(t *testing.T, db *postgres.DB, tenant, id string) *postgres.Exchanges {
	t.Helper()
	e, err := db.Exchanges(tenant, id, "name of "+id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestExchanges: what one instance writes another one reads, in both orders; a
// number is one instance's alone; each statement keeps to its tenant.
func TestExchanges(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(), pgtest.Quick(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var mu sync.Mutex
	seen := map[string]bool{}
	db.Spy(func(q string) {
		mu.Lock()
		defer mu.Unlock()
		seen[q] = true
	}, nil)
	one, two, stranger := shares(t, db, "a", "one"), shares(t, db, "a", "two\x00"), shares(t, db, "b", "three")
	ctx := t.Context()

	first, now, err := one.Join(ctx, 7)
	if err != nil || time.Since(now).Abs() > time.Minute {
		t.Fatalf("%v, %v", now, err)
	}
	if again, _, err := one.Join(ctx, first); err != nil || again != first {
		t.Errorf("joined again: %d, %v", again, err)
	}
	if second, _, err := two.Join(ctx, first); err != nil || second == first || second < 0 {
		t.Errorf("two have number %d, %v", second, err)
	}
	if third, _, err := stranger.Join(ctx, first); err != nil || third != first {
		t.Errorf("another tenant's: %d, %v", third, err)
	}
	if err := one.Leave(ctx, first); err != nil {
		t.Error(err)
	}

	var blocks []shared.Block
	for i := range int64(5) {
		blocks = append(blocks, shared.Block{First: 10*i + 1, Last: 10*i + 8, Oldest: 1000 + i, Newest: 1001 + i, Count: 4,
			Touched: []int32{int32(i), -5}, Body: []byte(fmt.Sprint("block ", i)), Deflated: i == 2})
	}
	looked := []shared.Lookup{{Key: []byte("k"), Attribute: "userName", Value: "Ada\x00", Found: 1, Kind: "okta", How: "x", First: 5, Last: 5, Times: 1},
		{Key: []byte("a"), Attribute: "id", Value: "7", First: 6, Last: 6, Times: 1},
		{Key: []byte("k"), Attribute: "userName", Value: "ada", Kind: "entra", How: "y", First: 9, Last: 9, Times: 1}}
	if err := one.Write(ctx, blocks[:3], looked); err != nil {
		t.Fatal(err)
	}
	if err := two.Write(ctx, blocks[3:], looked[:1]); err != nil {
		t.Fatal(err)
	}
	if err := one.Write(ctx, blocks[:1], nil); err != nil {
		t.Errorf("written again: %v", err)
	}
	for i := range blocks {
		blocks[i].Instance = "name of one"
		if i >= 3 {
			blocks[i].Instance = "name of two\x00"
		}
	}
	backwards := slices.Clone(blocks)
	slices.Reverse(backwards)
	for name, tt := range map[string]struct {
		s    shared.Span
		want []shared.Block
	}{
		"newest":   {shared.Span{Before: 99, Beyond: 99, Limit: 2}, backwards[:2]},
		"older":    {shared.Span{Before: 99, Beyond: 38, Limit: 9}, backwards[2:]},
		"oldest":   {shared.Span{Before: 99, Oldest: true, Limit: 2}, blocks[:2]},
		"onwards":  {shared.Span{Before: 99, Oldest: true, Beyond: 11, Limit: 9}, blocks[2:]},
		"between":  {shared.Span{After: 8, Before: 31, Oldest: true, Limit: 9}, blocks[1:3]},
		"touching": {shared.Span{Before: 99, Beyond: 99, Touching: []int32{3, 77}, Limit: 9}, blocks[3:4]},
	} {
		got, err := two.Read(ctx, tt.s)
		if d := cmp.Diff(tt.want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
	if got, err := two.Fresh(ctx, []int64{11}, 9); err != nil || len(got) != 2 {
		t.Errorf("%d fresh blocks, %v", len(got), err)
	}
	if got, err := stranger.Fresh(ctx, nil, 9); err != nil || len(got) != 0 {
		t.Errorf("another tenant sees %d blocks, %v", len(got), err)
	}
	want := []shared.Lookup{{Attribute: "userName", Value: "ada", Kind: "entra", How: "y", First: 5, Last: 9, Times: 3}, {Attribute: "id", Value: "7", First: 6, Last: 6, Times: 1}}
	if got, err := one.Lookups(ctx, "", nil, 9); err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v %s", err, cmp.Diff(want, got))
	}
	if got, err := one.Lookups(ctx, "", []byte("a"), 9); err != nil || !cmp.Equal(want[1:], got) {
		t.Errorf("%v %s", err, cmp.Diff(want[1:], got))
	}

	// What is of another tenant is apart, and can be forgotten.
	theirs := shared.Lookup{Tenant: "acme", Key: []byte("t"), Attribute: "userName", Value: "bob", Found: 1, Kind: "okta", How: "x", First: 7, Last: 7, Times: 1}
	extra := shared.Block{First: 61, Last: 69, Oldest: 1, Newest: 2, Count: 2, Touched: []int32{9}, Body: []byte("both")}
	if err := one.Write(ctx, []shared.Block{extra, {First: 71, Last: 71, Oldest: 1, Newest: 2, Count: 1, Body: []byte("acme's")}}, []shared.Lookup{theirs}); err != nil {
		t.Fatal(err)
	}
	if got, err := two.Lookups(ctx, "acme", nil, 9); err != nil || len(got) != 1 || got[0].Attribute != "userName" || got[0].Value != "bob" {
		t.Errorf("lookups of a tenant: %v, %v", got, err)
	}
	if got, err := two.Lookups(ctx, "", nil, 9); err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v %s", err, cmp.Diff(want, got))
	}
	extra.Count, extra.Body, extra.Touched = 1, []byte("one"), []int32{}
	if err := two.Forget(ctx, []shared.Block{extra, {First: 71}}, "acme"); err != nil {
		t.Fatal(err)
	}
	if got, err := one.Read(ctx, shared.Span{After: 50, Before: 99, Beyond: 99, Limit: 9}); err != nil || len(got) != 1 || string(got[0].Body) != "one" || got[0].Count != 1 {
		t.Errorf("after Forget: %v, %v", got, err)
	}
	if got, err := one.Lookups(ctx, "acme", nil, 9); err != nil || len(got) != 0 {
		t.Errorf("lookups of a forgotten tenant: %v, %v", got, err)
	}
	if err := two.Forget(ctx, []shared.Block{{First: 61}}, "acme"); err != nil {
		t.Fatal(err)
	}

	// Both prune at the same time; what is left are the newest.
	var pruning sync.WaitGroup
	for _, e := range []*postgres.Exchanges{one, two, one, two} {
		pruning.Go(func() {
			if err := e.Prune(context.WithoutCancel(ctx), 9, 1, time.UnixMilli(0)); err != nil {
				t.Error(err)
			}
		})
	}
	pruning.Wait()
	if n, oldest, err := one.Measure(ctx); err != nil || n != 12 || oldest != 1002 {
		t.Errorf("%d are left, the oldest of %d, %v", n, oldest, err)
	}
	if got, err := one.Lookups(ctx, "", nil, 9); err != nil || len(got) != 2 {
		t.Errorf("lookups %v, %v", got, err)
	}
	if err := two.Prune(ctx, 100, 100, time.UnixMilli(1004)); err != nil {
		t.Error(err)
	}
	if n, _, err := one.Measure(ctx); err != nil || n != 8 {
		t.Errorf("%d are left of those that are not too old, %v", n, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for q := range seen {
		if missing := crosses(q); missing != "" {
			t.Errorf("the tenant of %s is not said:\n%s", missing, q)
		}
	}
	if len(seen) < 15 {
		t.Errorf("only %d statements were looked at", len(seen))
	}
}
