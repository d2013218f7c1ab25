package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// directory is a directory of 100,000 users, and groups of 10, 1,000 and almost
// all of them, made once for all benchmarks.
type directory struct {
	db     *sqlite.DB
	s      *sqlite.Store
	dir    string
	ids    []string
	groups map[int]*scim.Resource
	next   atomic.Int64
}

var populated struct {
	sync.Once
	*directory
}

// closePopulated removes the directory, if a benchmark has made it.
func closePopulated() {
	if d := populated.directory; d != nil {
		_ = d.db.Close()
		_ = os.RemoveAll(d.dir)
	}
}

const population = 100_000

// full is a user of about the size of those that identity providers send.
const full = `{"userName":"user%06[1]d@example.com","externalId":"00u%06[1]dexternal","displayName":"Person Number %[1]d","active":true,
	"name":{"formatted":"Ms. Person N %[1]d, III","familyName":"Family%[1]d","givenName":"Given%[2]d","middleName":"Jane"},
	"nickName":"P%[1]d","title":"Engineer %[2]d","userType":"Employee","preferredLanguage":"en-US","locale":"en-US","timezone":"Europe/Berlin",
	"emails":[{"value":"user%06[1]d@example.com","type":"work","primary":true},{"value":"p%06[1]d@home.example.org","type":"home"}],
	"phoneNumbers":[{"value":"tel:+49-30-555-%06[1]d","type":"work"}],
	"addresses":[{"type":"work","streetAddress":"100 Universal City Plaza","locality":"Berlin","region":"BE","postalCode":"%05[1]d","country":"DE"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E%06[1]d","costCenter":"CC%[2]d","organization":"Example",
	"division":"Research","department":"Department %[2]d"}}`

func load(b *testing.B) *directory {
	b.Helper()
	populated.Do(func() {
		d := &directory{groups: map[int]*scim.Resource{}}
		populated.directory = d
		var err error
		if d.dir, err = os.MkdirTemp("", "rollcall-bench"); err != nil {
			b.Fatal(err)
		}
		if d.db, err = sqlite.Open(context.Background(), filepath.Join(d.dir, "rollcall.db"), sqlite.Options{}); err != nil {
			b.Fatal(err)
		}
		d.s = d.db.Tenant("default")
		for len(d.ids) < population {
			err := d.s.Batch(context.Background(), func(in scim.Backend) error {
				for range 50 { // as many as a batch should have
					r, err := in.Create(context.Background(), resource(b, types[0], full, len(d.ids), len(d.ids)%100))
					if err != nil {
						return err
					}
					d.ids = append(d.ids, r.ID)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		for _, n := range []int{10, 1_000, population - 1} {
			d.groups[n] = create(b, d.s, group(b, fmt.Sprintf("group of %d", n), d.ids[:n]...))
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	return populated.directory
}

func BenchmarkCreate(b *testing.B) {
	for _, clients := range []int{1, 32} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			d := load(b)
			before := d.db.Commits()
			var wg sync.WaitGroup
			for c := range clients {
				wg.Go(func() {
					for range b.N/clients + min(1, max(0, b.N%clients-c)) {
						n := int(d.next.Add(1)) + population
						if _, err := d.s.Create(context.Background(), resource(b, types[0], full, n, n%100)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
			b.ReportMetric(float64(b.N)/float64(d.db.Commits()-before), "creates/commit")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	d := load(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ref := scim.Ref{Type: types[0], ID: d.ids[rand.IntN(population)]}
			if _, err := d.s.Get(b.Context(), ref, scim.Selection{}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkList(b *testing.B) {
	users := func(text string) func(*directory, int) (scim.Query, error) {
		return func(_ *directory, n int) (scim.Query, error) {
			f, err := filter.Parse(fmt.Sprintf(text, n), filter.Options{})
			if err != nil {
				return scim.Query{}, err
			}
			f, err = filter.Bind(types[0], f, filter.Options{})
			return scim.Query{Type: types[0], Filter: f, Count: 100}, err
		}
	}
	sorted := func(by string, after *scim.Keyset, start int) func(*directory, int) (scim.Query, error) {
		return func(*directory, int) (q scim.Query, err error) {
			q = scim.Query{Type: types[0], Count: 100, After: after, StartIndex: start}
			if by != "" {
				q.SortBy, err = filter.BindSort(types[0], by)
			}
			return q, err
		}
	}
	for _, bb := range []struct {
		name  string
		query func(d *directory, n int) (scim.Query, error)
	}{
		{"userName eq", users(`userName eq "user%06d@example.com"`)},
		{"externalId eq", users(`externalId eq "00u%06dexternal"`)},
		{"emails.value eq", users(`emails.value eq "p%06d@home.example.org"`)},
		{"emails.value co", users(`emails.value co "ser%06d@"`)},
		{"familyName sw", users(`name.familyName sw "Family%d"`)},
		{"department eq, 1000 match", func(d *directory, n int) (scim.Query, error) {
			return users(`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Department %d"`)(d, n%100)
		}},
		{"first page", sorted("", nil, 1)},
		{"cursor at 90000", sorted("", &scim.Keyset{Seq: population * 9 / 10}, 0)},
		{"index at 90000", sorted("", nil, 90_000)},
		{"userName first page", sorted("userName", nil, 1)},
		{"userName cursor at 90000", sorted("userName", &scim.Keyset{Text: "user090000@example.com", Seq: 90_001}, 0)},
		{"userName index at 90000", sorted("userName", nil, 90_000)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			d := load(b)
			for b.Loop() {
				q, err := bb.query(d, rand.IntN(population))
				if err != nil {
					b.Fatal(err)
				}
				p, err := d.s.List(b.Context(), q)
				if err != nil || len(p.Resources) == 0 {
					b.Fatalf("%d resources, %v", len(p.Resources), err)
				}
			}
		})
	}
}

func BenchmarkAddMember(b *testing.B) {
	for _, n := range []int{10, 1_000, population - 1} {
		b.Run(fmt.Sprint("group=", n), func(b *testing.B) {
			d := load(b)
			g, id := d.groups[n], []string{d.ids[population-1]}
			for b.Loop() {
				if _, err := d.s.UpdateMembers(b.Context(), change(g, id, nil)); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if _, err := d.s.UpdateMembers(b.Context(), change(g, nil, id)); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

func BenchmarkStreamMembers(b *testing.B) {
	d := load(b)
	for b.Loop() {
		if n := len(memberIDs(b, get(b, d.s, d.groups[population-1]))); n != population-1 {
			b.Fatal(n)
		}
	}
}
