package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestPagesFromBothEnds: a page by index is the same whether what is skipped is
// counted from the beginning or from the end, and the cursor that follows it too.
func TestPagesFromBothEnds(t *testing.T) {
	t.Parallel()
	s := fresh(t, sqlite.Options{}).Tenant("a")
	var ids []string
	if err := s.Batch(t.Context(), func(b scim.Backend) error {
		for i := range 330 {
			ids = append(ids, create(t, b, user(t, fmt.Sprintf("u%03d", i))).ID)
			create(t, b, group(t, fmt.Sprintf("g%03d", i))) // others are in between
		}
		for i := 300; i >= 0; i -= 10 {
			if err := b.Delete(context.Background(), scim.Ref{Type: types[0], ID: ids[i]}, ""); err != nil {
				return err
			}
			ids = slices.Delete(ids, i, i+1)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, count := range []int{0, 1, 7, 100} {
		for _, start := range []int{1, 2, 100, 101, 102, 149, 150, 151, 152, 200, 250, 290, len(ids) - 7, len(ids) - 6, len(ids), len(ids) + 1, len(ids) + 200} {
			q := scim.Query{Type: types[0], StartIndex: start, Count: count}
			p, err := s.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			want := ids[min(start-1, len(ids)):min(start-1+count, len(ids))]
			if got := idsOf(p); !slices.Equal(got, want) || p.Total != len(ids) {
				t.Errorf("from %d, %d: %d of %d, want %d of %d", start, count, len(got), p.Total, len(want), len(ids))
			}
			if (p.Last != nil) != (count > 0 && start-1+count < len(ids)) {
				t.Errorf("from %d, %d: the position after which others follow is %v", start, count, p.Last)
			}
			if p.Last == nil {
				continue
			}
			next, err := s.List(t.Context(), scim.Query{Type: types[0], Count: 5, After: p.Last})
			if err != nil {
				t.Fatal(err)
			}
			at := start - 1 + count
			if got := idsOf(next); !slices.Equal(got, ids[at:min(at+5, len(ids))]) {
				t.Errorf("after %d, %d: %v", start, count, got)
			}
		}
	}
}

func idsOf(p *scim.Page) (ids []string) {
	for _, r := range p.Resources {
		ids = append(ids, r.ID)
	}
	return ids
}
