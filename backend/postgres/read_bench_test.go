package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// BenchmarkRead reads out of 20,000 people.
func BenchmarkRead(b *testing.B) {
	url := pgtest.Quick(b)
	db := open(b, url, postgres.Options{})
	s := db.Tenant("a")
	ids := populate(b, db)
	pgtest.Exec(b, url, `VACUUM ANALYZE`)
	g := create(b, s, group(b, "g", ids[:10]...))
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Get(b.Context(), scim.Ref{Type: types[0], ID: ids[rand.IntN(crowd)]}, scim.Selection{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get group", func(b *testing.B) {
		for b.Loop() {
			get(b, s, g)
		}
	})
	for _, text := range []string{`userName eq "user%06d@example.com"`, `externalId eq "00u%06dexternal"`, `emails.value co "ser%06d@"`, ""} {
		b.Run("list "+text, func(b *testing.B) {
			for b.Loop() {
				q := scim.Query{Type: types[0], StartIndex: 1, Count: 100}
				if text != "" {
					f, err := filter.Parse(fmt.Sprintf(text, rand.IntN(crowd)), filter.Options{})
					if err != nil {
						b.Fatal(err)
					}
					if q.Filter, err = filter.Bind(types[0], f, filter.Options{}); err != nil {
						b.Fatal(err)
					}
				}
				if p, err := s.List(b.Context(), q); err != nil || len(p.Resources) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
