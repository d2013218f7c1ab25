package transfer_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// slow is a target of which each Put stores one record only, and tells it.
type slow struct {
	transfer.Target
	stored func()
}

// Put implements transfer.Target.
func (s *slow) Put(ctx context.Context, records []transfer.Record, next transfer.Position) error {
	for i, r := range records {
		at := r.Next
		if i == len(records)-1 {
			at = next
		}
		if err := s.Target.Put(ctx, []transfer.Record{r}, at); err != nil {
			return err
		}
		s.stored()
	}
	return nil
}

// pieces is a source whose edges come one by one.
func pieces(s transfer.Source) transfer.Source { return &cut{s} }

type cut struct{ transfer.Source }

// Records implements transfer.Source.
func (c *cut) Records(ctx context.Context, from transfer.Position) iter.Seq2[transfer.Record, error] {
	return func(yield func(transfer.Record, error) bool) {
		for r, err := range c.Source.Records(ctx, from) {
			if r.Edges == nil {
				if !yield(r, err) {
					return
				}
				continue
			}
			for _, to := range r.Edges.To {
				one := r
				one.Edges = &transfer.Edges{From: r.Edges.From, To: []int64{to}}
				one.Next.Then = to
				if !yield(one, err) {
					return
				}
			}
		}
	}
}

// unfinished fails the test if a half-done copy can be opened to serve it, or to
// read it as if it were whole.
func unfinished(t *testing.T, kind database, place string) {
	t.Helper()
	var src transfer.Source
	var err error
	if kind.name == "sqlite" {
		if db, err := sqlite.Open(t.Context(), place, options); err == nil {
			_ = db.Close()
			t.Error("a half-done copy is served")
		}
		src, err = sqlite.OpenSource(t.Context(), place, sqlite.SourceOptions{})
	} else {
		src, err = postgres.OpenSource(t.Context(), place, postgres.SourceOptions{})
	}
	if !errors.Is(err, transfer.ErrUnfinished) {
		t.Errorf("a half-done copy is a source: %v", err)
	}
	if err == nil {
		_ = src.Close()
	}
}

// undelete restores every user that can be.
func (a *api) undelete() (names []string) {
	a.Helper()
	gone, err := a.store.Deleted(a.Context(), scim.DeletedQuery{Type: a.Types()[0], Limit: 1000})
	if err != nil {
		a.Fatal(err)
	}
	for i, d := range gone {
		u, err := a.Restore(a.Context(), scim.Ref{Type: a.Types()[0], ID: d.ID}, "back"+d.Name)
		if err != nil {
			a.Fatalf("restoring %d: %v", i, err)
		}
		names = append(names, u.ID)
	}
	return names
}

func parseList(t *testing.T, text string) (list []scim.Object) {
	t.Helper()
	o, err := scim.ParseObject([]byte(text), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	found, _ := o.Get("Resources").([]any)
	for _, r := range found {
		one, _ := r.(scim.Object)
		list = append(list, one)
	}
	return list
}

// taken returns the userName of somebody, written otherwise.
func (a *api) taken() string {
	a.Helper()
	_, _, text := a.do("GET", "/Users", "count=1&startIndex=4", nil)
	name, _ := parseList(a.T, text)[0].Get("userName").(string)
	return strings.ToUpper(name)
}
