package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// full is a user of about the size of those that identity providers send.
const full = `{"userName":"user%06[1]d@example.com","externalId":"00u%06[1]dexternal","displayName":"Person Number %[1]d","active":true,
	"name":{"formatted":"Ms. Person N %[1]d, III","familyName":"Family%[1]d","givenName":"Given%[2]d","middleName":"Jane"},
	"nickName":"P%[1]d","title":"Engineer %[2]d","userType":"Employee","preferredLanguage":"en-US","locale":"en-US","timezone":"Europe/Berlin",
	"emails":[{"value":"user%06[1]d@example.com","type":"work","primary":true},{"value":"p%06[1]d@home.example.org","type":"home"}],
	"phoneNumbers":[{"value":"tel:+49-30-555-%06[1]d","type":"work"}],
	"addresses":[{"type":"work","streetAddress":"100 Universal City Plaza","locality":"Berlin","region":"BE","postalCode":"%05[1]d","country":"DE"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E%06[1]d","costCenter":"CC%[2]d","organization":"Example",
	"division":"Research","department":"Department %[2]d"}}`

// BenchmarkCreate creates users of 34 values, durably, over two instances.
func BenchmarkCreate(b *testing.B) {
	for _, workers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			url := pgtest.Database(b)
			stores := []*postgres.Store{open(b, url, postgres.Options{MaxConns: 16}).Tenant("a"), open(b, url, postgres.Options{MaxConns: 16}).Tenant("a")}
			var next atomic.Int64
			inParallel(b, workers, func(w int) error {
				i := int(next.Add(1))
				_, err := stores[w%2].Create(context.Background(), resource(b, types[0], full, i, i%500))
				return err
			})
		})
	}
}

// BenchmarkAddMember adds a member to, and removes it from, groups of several
// sizes.
func BenchmarkAddMember(b *testing.B) {
	s := open(b, pgtest.Database(b), postgres.Options{}).Tenant("a")
	ids := people(b, s, 10_001)
	for _, size := range []int{0, 100, 10_000} {
		g := create(b, s, group(b, fmt.Sprint("g", size), ids[:size]...))
		b.Run(fmt.Sprintf("members=%d", size), func(b *testing.B) {
			for i := range b.N {
				added, removed := ids[10_000:], []string(nil)
				if i%2 == 1 {
					added, removed = removed, added
				}
				if _, err := s.UpdateMembers(b.Context(), change(g, added, removed)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// inParallel calls f b.N times from so many goroutines.
func inParallel(b *testing.B, workers int, f func(worker int) error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ResetTimer()
	for w := range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(w); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
