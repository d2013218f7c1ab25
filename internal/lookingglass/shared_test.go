package lookingglass_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// exchanges opens the place in a database where the instances keep what they
// record.
func exchanges(t testing.TB, url, instance string) *postgres.Exchanges {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, postgres.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	e, err := db.Exchanges("default", instance, "name of "+instance)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// together starts an instance that records into a database with others.
func together(t testing.TB, url, instance string, o lookingglass.Options) *site {
	t.Helper()
	o.Shared, o.Instance = exchanges(t, url, instance), "name of "+instance
	return watch(t, o)
}

// both runs a test on each kind of journal. open opens the same one anew with
// each call.
func both(t *testing.T, test func(t *testing.T, open func(lookingglass.Options) *site)) {
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "lg.db")
		test(t, func(o lookingglass.Options) *site {
			o.Journal = path
			return watch(t, o)
		})
	})
	t.Run("shared", func(t *testing.T) {
		t.Parallel()
		url, n := pgtest.Quick(t), 0
		test(t, func(o lookingglass.Options) *site {
			n++
			return together(t, url, fmt.Sprint("i", n), o)
		})
	})
}

// Both journals keep the same, and give it back after a restart.
func TestJournals(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open func(lookingglass.Options) *site) {
		s := open(lookingglass.Options{})
		id := s.user("alice")
		s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"bob","title":"`+strings.Repeat("long ", 5000)+`"}`)
		s.do("GET", `/Users?filter=userName+eq+%22carol%22`, "")
		s.do("GET", `/Users?filter=userName+eq+%22Carol%22`, "")
		s.do("GET", "/Users/nobody%00", "")
		before := s.find(lookingglass.Query{})
		if len(before) != 5 || !slices.IsSortedFunc(before, func(a, b *lookingglass.Exchange) int { return int(b.Seq - a.Seq) }) {
			t.Fatalf("%d exchanges", len(before))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		s = open(lookingglass.Options{})
		if d := cmp.Diff(before, s.find(lookingglass.Query{})); d != "" {
			t.Errorf("after a restart: %s", d)
		}
		if st := s.Stats(); st.Kept != 5 || !st.Oldest.Equal(before[4].Time) {
			t.Errorf("%+v", st)
		}
		if list, err := s.Sought(t.Context(), "CAROL"); err != nil || len(list) != 1 || list[0].Times != 2 || list[0].Value != "Carol" || list[0].Client.Kind == "" {
			t.Errorf("%+v, %v", list, err)
		}
		if list, err := s.AllSought(t.Context(), 1); err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
		}
		s.do("GET", "/Users", "")
		if x := s.last(); x.Seq <= before[0].Seq {
			t.Errorf("seq %d after %d", x.Seq, before[0].Seq)
		}
		for name, tt := range map[string]struct {
			q    lookingglass.Query
			want []*lookingglass.Exchange
		}{
			"touching": {lookingglass.Query{Touching: []string{id}, Op: "create"}, before[4:]},
			"oldest":   {lookingglass.Query{Oldest: true, Limit: 2}, []*lookingglass.Exchange{before[4], before[3]}},
			"between":  {lookingglass.Query{After: before[4].Seq, Before: before[1].Seq}, before[2:4]},
			"onwards":  {lookingglass.Query{After: before[3].Seq, Oldest: true, Limit: 1}, before[2:3]},
			"errors":   {lookingglass.Query{Status: "error"}, before[:1]},
			"text":     {lookingglass.Query{Text: "BOB"}, before[3:4]},
			"none":     {lookingglass.Query{Touching: []string{"nothing"}}, nil},
		} {
			if d := cmp.Diff(tt.want, s.find(tt.q)); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
		if x, err := s.Get(t.Context(), before[3].Seq); err != nil || !cmp.Equal(x, before[3]) {
			t.Errorf("%+v, %v", x, err)
		}
		for _, none := range []int64{77, 0, -1} {
			if x, err := s.Get(t.Context(), none); err != nil || x != nil {
				t.Errorf("%d: %+v, %v", none, x, err)
			}
		}
	})
}

// What is too much or too old goes, of both journals; of the one that is shared
// by whichever instance is first.
func TestJournalsPrune(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, open func(lookingglass.Options) *site) {
		s := open(lookingglass.Options{Keep: 100, Rate: 100_000, Ring: 10})
		for i := range 300 {
			s.do("GET", fmt.Sprintf("/Users?filter=userName+eq+%%22u%d%%22", i), "")
		}
		s.flush()
		poll(t, func() bool { return s.Stats().Kept <= 105 })
		list := s.find(lookingglass.Query{Limit: 1000})
		if n := len(list); n < 100 || n > 105 || list[0].Lookup.Value != "u299" {
			t.Errorf("%d exchanges", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if one, _ := open(lookingglass.Options{Keep: 100}).Sought(t.Context(), "u0"); len(one) != 1 {
			t.Errorf("a lookup went with its exchange: %+v", one)
		}
		later := time.Now().AddDate(0, 0, 8)
		s = open(lookingglass.Options{Now: func() time.Time { return later }})
		poll(t, func() bool {
			list, err := s.AllSought(t.Context(), 0)
			return s.Stats().Kept == 0 && err == nil && len(list) == 0
		})
	})
}

// Two instances that record at the same time have one journal: each shows what
// both recorded, in the order of time, and keeps to the bound of both.
func TestShared(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	o := lookingglass.Options{Rate: 100_000}
	one, two := together(t, url, "one", o), together(t, url, "two", o)
	const each = 300
	done := make(chan bool)
	go func() {
		defer close(done)
		for range each {
			one.do("GET", "/Users/of-one", "")
		}
	}()
	for range each {
		two.do("GET", "/Users/of-two", "")
	}
	<-done
	one.flush()
	two.flush()
	for name, s := range map[string]*site{"one": one, "two": two} {
		seen, count := map[int64]bool{}, map[string]int{}
		q := lookingglass.Query{Limit: 70}
		last := int64(1<<53 - 1)
		for {
			page := s.find(q)
			for _, x := range page {
				if x.Seq >= last || seen[x.Seq] || x.Instance != "name of "+strings.TrimPrefix(x.Target, "of-") {
					t.Fatalf("%s: %d of %s after %d", name, x.Seq, x.Instance, last)
				}
				last, seen[x.Seq] = x.Seq, true
				count[x.Target]++
			}
			if len(page) < q.Limit {
				break
			}
			q.Before = last
		}
		if count["of-one"] != each || count["of-two"] != each {
			t.Errorf("%s sees %v", name, count)
		}
		up := s.find(lookingglass.Query{Oldest: true, Limit: 2 * each})
		if len(up) != 2*each || !slices.IsSortedFunc(up, func(a, b *lookingglass.Exchange) int { return int(a.Seq - b.Seq) }) {
			t.Errorf("%s: %d exchanges, the oldest first", name, len(up))
		}
	}
	x := one.find(lookingglass.Query{Text: "of-two", Limit: 1})[0]
	if got, err := one.Get(t.Context(), x.Seq); err != nil || !cmp.Equal(x, got) {
		t.Errorf("the exchange of the other: %+v, %v", got, err)
	}
	if list, err := one.Sought(t.Context(), "of-two"); err != nil || len(list) != 1 || list[0].Times != each {
		t.Errorf("%+v, %v", list, err)
	}

	// Both prune at the same time.
	three, four := together(t, url, "three", lookingglass.Options{Keep: 120}), together(t, url, "four", lookingglass.Options{Keep: 120})
	poll(t, func() bool {
		return three.Stats().Kept <= 2*each && len(four.find(lookingglass.Query{Limit: 1000})) < 2*each
	})
	if n := len(three.find(lookingglass.Query{Limit: 1000})); n < 120 {
		t.Errorf("%d exchanges are left", n)
	}
}

// Who watches at one instance sees what others serve, soon.
func TestSharedLive(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	one, two := together(t, url, "one", lookingglass.Options{}), together(t, url, "two", lookingglass.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	live := one.Subscribe(ctx)
	two.user("ada")
	one.user("grace")
	seen := map[string]string{}
	for len(seen) < 2 {
		e, ok := <-live
		if !ok {
			t.Fatal("it did not arrive:", seen)
		}
		if seen[e.Exchange.Name] != "" {
			t.Errorf("%s came twice", e.Exchange.Name)
		}
		seen[e.Exchange.Name] = e.Exchange.Instance
	}
	if seen["ada"] != "name of two" || seen["grace"] != "name of one" {
		t.Errorf("%v", seen)
	}
	if at := one.last().Seq; one.Settled() >= at {
		t.Errorf("%d is settled, with %d just recorded", one.Settled(), at)
	}
}

// A clock that goes back does not take the order away, nor makes numbers come
// twice.
func TestSharedClock(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	var back atomic.Int64
	s := together(t, url, "one", lookingglass.Options{Rate: 100_000, Now: func() time.Time { return time.Now().Add(-time.Duration(back.Load())) }})
	for i := range 60 {
		if i == 30 {
			back.Store(int64(time.Hour))
		}
		s.do("GET", fmt.Sprintf("/Users/u%d", i), "")
	}
	for i, x := range s.find(lookingglass.Query{Oldest: true}) {
		if x.Target != fmt.Sprintf("u%d", i) {
			t.Fatalf("%d is %s", i, x.Target)
		}
	}
	// One whose clock is far behind goes by that of the database.
	behind := together(t, url, "two", lookingglass.Options{Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	behind.do("GET", "/Users/last", "")
	behind.flush()
	if x := s.last(); x.Target != "last" {
		t.Errorf("the newest is %s", x.Target)
	}
}

// slowly is a database that takes its time to let an instance join, by the clock
// of that one.
type slowly struct {
	shared.Store
	clock *atomic.Int64
}

func (s slowly) Join(ctx context.Context, have int) (int, time.Time, error) {
	s.clock.Add(int64(4 * time.Second))
	return s.Store.Join(ctx, have)
}

// However long an instance had to wait until it was connected, what it recorded
// is older than what another records that begins later.
func TestSharedSlowly(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	var clock atomic.Int64
	clock.Store(-int64(4 * time.Second))
	s := watch(t, lookingglass.Options{Shared: slowly{exchanges(t, url, "one"), &clock}, Now: func() time.Time { return time.Now().Add(time.Duration(clock.Load())) }})
	s.do("GET", "/Users/first", "")
	s.flush()
	two := together(t, url, "two", lookingglass.Options{})
	two.do("GET", "/Users/second", "")
	two.flush()
	if x := s.last(); x.Target != "second" {
		t.Errorf("the newest is %s", x.Target)
	}
}

// A database that is away takes nothing from requests: what is recorded waits,
// what is too much is counted, and it is written once the database is back.
func TestSharedAway(t *testing.T) {
	t.Parallel()
	server, err := pgtest.New(pgtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	var log bytes.Buffer
	s := together(t, server.URL("postgres"), "one", lookingglass.Options{Rate: 100_000, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.user("before")
	s.flush()
	if err := server.Stop("fast"); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	for range 6000 {
		s.do("GET", "/Users/nobody", "")
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("requests took %v", took)
	}
	poll(t, func() bool { return s.Stats().Dropped > 0 })
	if list := s.find(lookingglass.Query{Limit: 1}); len(list) != 1 || list[0].Target != "nobody" || !s.Stats().Alone {
		t.Errorf("what the instance remembers: %+v", list)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	poll(t, func() bool {
		list := s.find(lookingglass.Query{Oldest: true, Text: "before", Limit: 1})
		return len(list) == 1
	})
	poll(t, func() bool {
		return len(s.find(lookingglass.Query{Text: "nobody", Limit: 1000})) == 1000 && !s.Stats().Alone
	})
}

// One secret in every input is in none of the tables.
func TestSharedCanary(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	s := together(t, url, "one", lookingglass.Options{Rate: 100_000})
	id := s.user("u")
	all := leaks()
	for _, l := range all {
		s.do(l.method, strings.ReplaceAll(l.path, "{id}", id), strings.ReplaceAll(l.body, "{id}", id), l.headers...)
	}
	list := s.find(lookingglass.Query{Limit: 1000})
	if len(list) != len(all)+1 {
		t.Errorf("%d of %d exchanges", len(list), len(all)+1)
	}
	exports(t, list)
	absent(t, "lookups", must(s.AllSought(t.Context(), 0)))
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	rows := 0
	for _, table := range []string{"glass_blocks", "glass_lookups", "glass_writers"} {
		found, err := c.Query(t.Context(), `SELECT * FROM `+table)
		if err != nil {
			t.Fatal(err)
		}
		for found.Next() {
			rows++
			for _, v := range found.RawValues() {
				if bytes.Contains(v, []byte(canary)) {
					t.Errorf("%s has the canary", table)
				}
			}
		}
		if err := found.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if rows == 0 {
		t.Error("nothing was stored")
	}
}
