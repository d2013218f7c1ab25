package people_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// crowd is a desk over a directory of n people, who have a change log and no
// exchanges.
func crowd(b *testing.B, n int) *people.Desk {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "d.db"), sqlite.Options{Load: schema.Load, Encode: schema.Encode,
		UndeleteDays: 30, UnsafeSynchronousForTests: "OFF"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	store := db.Tenant("default")
	e, err := engine.New(store, engine.Config{})
	if err != nil {
		b.Fatal(err)
	}
	rec, err := lookingglass.New(lookingglass.Options{Types: e.Types})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = rec.Close() })
	for start := 0; start < n; start += 500 {
		err := store.Batch(b.Context(), func(in scim.Backend) error {
			for i := start; i < min(start+500, n); i++ {
				r := &scim.Resource{Type: e.Types()[0], ExternalID: fmt.Sprintf("x%d", i), Schemas: []string{scim.UserURN}, Attrs: scim.Object{
					{Name: "userName", Value: fmt.Sprintf("p%d@example.com", i)}, {Name: "displayName", Value: fmt.Sprintf("Person %d", i)},
					{Name: "active", Value: true},
					{Name: "emails", Value: []any{scim.Object{{Name: "value", Value: fmt.Sprintf("mail%d@example.com", i)}}}}}}
				schema.Encode(r)
				if _, err := in.Create(b.Context(), r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return people.NewDesk(people.Sources{Engine: func() *engine.Engine { return e }, Changes: store, Deleted: store, Log: rec})
}

// BenchmarkDesk shows that an answer does not cost more in a large directory.
func BenchmarkDesk(b *testing.B) {
	for _, n := range []int{200, 20_000} {
		d := crowd(b, n)
		find := func(name, format string) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for i := range b.N {
					v, err := d.Find(b.Context(), fmt.Sprintf(format, i%200))
					if err != nil {
						b.Fatal(err)
					}
					if _, err := d.Timeline(b.Context(), v, people.TimelineQuery{}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		find("present", "p%d@example.com")
		find("missing", "nobody%d@example.com")
		find("address", "mail%d@example.com")
		compare := func(name, format string) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				list := make([]string, b.N)
				for i := range list {
					list[i] = fmt.Sprintf(format, i%200)
				}
				if err := d.Compare(b.Context(), list, func(int, *people.Verdict) error { return nil }); err != nil {
					b.Fatal(err)
				}
			})
		}
		compare("list of present", "p%d@example.com")
		compare("list of missing", "nobody%d@example.com")
	}
}
