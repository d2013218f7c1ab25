package bench_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/bench"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// TestHistogram compares quantiles with those of the sorted values.
func TestHistogram(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	var all []time.Duration
	var parts [2]bench.Histogram
	for i := range 10_000 {
		d := time.Duration(rnd.ExpFloat64() * float64(time.Millisecond))
		if i%100 == 0 {
			d = time.Duration(rnd.Int64N(int64(time.Hour)))
		}
		all = append(all, d)
		parts[i%2].Add(d)
	}
	h := &parts[0]
	h.Merge(&parts[1])
	slices.Sort(all)
	for _, q := range []float64{0, .1, .5, .9, .99, .999, 1} {
		want := all[min(int(q*float64(len(all))), len(all)-1)]
		if got := h.Quantile(q); float64(got) < .98*float64(want) || float64(got) > 1.02*float64(want) {
			t.Errorf("quantile %g is %v, want %v", q, got, want)
		}
	}
	if h.Count() != len(all) || h.Max() != all[len(all)-1] || h.Quantile(1) > h.Max() || h.Quantile(0) < all[0] {
		t.Errorf("%d latencies, %v at most", h.Count(), h.Max())
	}
	var n uint64
	last := 0.0
	for _, b := range h.Buckets() {
		if b.BelowMS <= last {
			t.Errorf("bucket below %g after %g", b.BelowMS, last)
		}
		last, n = b.BelowMS, n+b.Count
	}
	if int(n) != len(all) {
		t.Errorf("the buckets hold %d of %d", n, len(all))
	}
	var none bench.Histogram
	none.Merge(new(bench.Histogram))
	if none.Quantile(.5) != 0 || none.Mean() != 0 || none.Count() != 0 || none.Buckets() != nil {
		t.Error("an empty histogram is not empty")
	}
	none.Add(-1)
	none.Add(1 << 62)
	if none.Quantile(0) != 0 || none.Max() != 1<<62 {
		t.Errorf("%v to %v", none.Quantile(0), none.Max())
	}
}

// TestPopulation holds that the members of groups follow from the parameters.
func TestPopulation(t *testing.T) {
	t.Parallel()
	for _, p := range []bench.Population{
		{Name: "a", Users: 1000, Memberships: 9000, Largest: 400, GroupSize: 50},
		{Name: "a", Users: 7919 * 2, Memberships: 90_000, Largest: 400, GroupSize: 100},
		{Name: "a", Users: 10, Memberships: 30, Largest: 10, GroupSize: 3},
		{Name: "a", Users: 1},
		{Name: "a", Users: 5, Memberships: 100, Largest: 50, GroupSize: 200},
	} {
		p = bench.Normal(p)
		in := make([]int, p.Users)
		sum := 0
		for i := range bench.Others(p) {
			members := bench.Members(p, i)
			slices.Sort(members)
			if len(slices.Compact(members)) != p.GroupSize || members[0] < 0 || members[len(members)-1] >= p.Users {
				t.Fatalf("%+v: group %d has %v", p, i, members)
			}
			for _, m := range members {
				in[m]++
				sum++
			}
		}
		if sum+p.Largest != p.Memberships {
			t.Errorf("%+v: %d memberships", p, sum+p.Largest)
		}
		if least, most := slices.Min(in), slices.Max(in); most-least > 3 {
			t.Errorf("%+v: somebody is in %d groups, and somebody in %d", p, least, most)
		}
	}
}

// TestBuild fills stores from inside, and a run over HTTP takes what it made for
// its own population.
func TestBuild(t *testing.T) {
	t.Parallel()
	stores := map[string]func() bench.Store{
		"memory": func() bench.Store { return new(memory.Store) },
		"sqlite": func() bench.Store {
			db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{Load: schema.Load, Encode: schema.Encode})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return db.Tenant("default")
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := open()
			var out strings.Builder
			o := few(&out)
			o.Name, o.Users, o.Fillers = "built", 620, 3
			ctx, cancel := context.WithCancel(t.Context())
			one := o
			one.Fillers = 1
			if err := bench.Build(ctx, one, &interrupting{store, cancel, 2}); err == nil {
				t.Fatal("it was not interrupted")
			}
			for range 2 { // completed, and found complete
				if err := bench.Build(t.Context(), o, store); err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range []string{"people are there from an earlier run", `the population "built" is there`} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output lacks %q:\n%s", want, out.String())
				}
			}
			d := serveStore(t, store)
			o.Only = []string{"get", "group-*", "username-eq"}
			report, err := bench.Run(t.Context(), o, d)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), `uses the population "built" that is there`) {
				t.Error(out.String())
			}
			for _, o := range report.Scenarios {
				if r := o.Results[0]; r.Requests == 0 || len(r.Faults) > 0 {
					t.Errorf("%s: %+v", o.Name, r)
				}
			}
		})
	}
}

// TestBuildAlone: a store with others in it is left alone, unless that is allowed.
func TestBuildAlone(t *testing.T) {
	t.Parallel()
	stores := map[string]func(bench.Options) bench.Options{
		"other people": func(o bench.Options) bench.Options { o.Name = "other"; return o },
		"all the same": func(o bench.Options) bench.Options { o.Name, o.Yes = "other", true; return o },
	}
	for name, second := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{Load: schema.Load, Encode: schema.Encode})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			store := db.Tenant("default")
			var out strings.Builder
			o := few(&out)
			o.Name = "one"
			if err := bench.Build(t.Context(), o, store); err != nil {
				t.Fatal(err)
			}
			o = second(o)
			err = bench.Build(t.Context(), o, store)
			if refused := err != nil && strings.Contains(err.Error(), "holds others than the people of this population"); refused == o.Yes || o.Yes && err != nil {
				t.Errorf("a second population: %v", err)
			}
		})
	}
}

// TestIDAt: an id is what a location ends with, without escapes.
func TestIDAt(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"":                                 "",
		"https://x.test/v2/Users/1":        "1",
		"https://x.test/v2/Users/1/":       "1",
		"/Users/a%20b%2Fc%25":              "a b/c%",
		"https://x.test/Users/ada@x.test":  "ada@x.test",
		"https://x.test/Users/1?version=2": "1",
		"https://x.test":                   "",
		"%zz":                              "",
	} {
		if got := bench.IDAt(location); got != want {
			t.Errorf("%q ends with %q, want %q", location, got, want)
		}
	}
}

// TestStorage: a database may be named by words as well as by a URL.
func TestStorage(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"postgres://x/y", "host=x dbname=y"} {
		if got := bench.StorageOf(bench.Own{Database: database}, database); got != "ROLLCALL_DATABASE_URL="+database {
			t.Error(got)
		}
	}
	if got := bench.StorageOf(bench.Own{}, "/tmp/x"); got != "ROLLCALL_DATA_DIR=/tmp/x" {
		t.Error(got)
	}
}

// interrupting is a store that interrupts after some transactions.
type interrupting struct {
	bench.Store
	cancel func()
	left   int
}

func (s *interrupting) Batch(ctx context.Context, f func(scim.Backend) error) error {
	if s.left--; s.left == 0 {
		s.cancel()
	}
	return s.Store.Batch(ctx, f)
}

func TestYardstick(t *testing.T) {
	t.Parallel()
	yard := httptest.NewServer(bench.Yardstick("secret"))
	defer yard.Close()
	for token, want := range map[string]int{"secret": 200, "another": 401, "": 401} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, yard.URL, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || want == 200 && resp.ContentLength != 1513 {
			t.Errorf("%q: status %d, %d bytes", token, resp.StatusCode, resp.ContentLength)
		}
	}
}

// TestProcesses reads what /proc says, of this process and of samples.
func TestProcesses(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	if got := bench.Listener(srv.URL); got != os.Getpid() {
		t.Errorf("process %d listens at %s, this is %d", got, srv.URL, os.Getpid())
	}
	for _, base := range []string{"http://192.0.2.1:80", "http://localhost:1", "not a URL\x00", "http://example.com/"} {
		if got := bench.Listener(base); got != 0 {
			t.Errorf("%s: process %d", base, got)
		}
	}
	pid, parent, used := bench.ParseStat("42 (a ) b (c) S 7 42 42 0 -1 4194560 100 200 0 0 1 2 3 4 20 0 1 0 5 6")
	if pid != 42 || parent != 7 || used != 100*time.Millisecond {
		t.Errorf("process %d of %d used %v", pid, parent, used)
	}
	for _, bad := range []string{"", "1", "1 (x", "1 (x) S 1"} {
		if pid, _, used := bench.ParseStat(bad); pid != 0 || used != 0 {
			t.Errorf("%q is process %d", bad, pid)
		}
	}
	if bench.StatusField(os.Getpid(), "VmRSS") < 1<<20 || bench.StatusField(os.Getpid(), "NoSuch") != 0 {
		t.Error("the resident memory of this process can't be read")
	}
}

// TestRawCommit inserts as often as it is asked, and leaves nothing behind.
func TestRawCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := bench.RawCommitOf(t.Context(), dir, 5, 40)
	if err != nil || r.Rate <= 0 || r.Writers != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	f, err := bench.MeasureFsync(dir)
	if err != nil || f.P50MS <= 0 || f.P99MS < f.P50MS {
		t.Errorf("%+v, %v", f, err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := bench.RawCommitOf(t.Context(), filepath.Join(dir, "none"), 1, 1); err == nil {
		t.Error("a folder that is not there")
	}
}

// TestChecks holds reports against what is asked.
func TestChecks(t *testing.T) {
	t.Parallel()
	result := func(rate, p50, p99 float64) []bench.Result {
		return []bench.Result{{Requests: 1, Workers: 32, Rate: rate, P50MS: p50, P99MS: p99, Memory: &bench.Memory{Before: 50e6, Peak: 70e6}}, {}}
	}
	beside := func(o bench.Outcome, ratio float64) bench.Outcome {
		o.Ratio = &bench.Ratio{Rate: ratio}
		return o
	}
	r := &bench.Report{
		RawCommit: &bench.RawCommit{Rate: 10_000},
		Servers:   []bench.Server{{URLs: []string{"a", "b"}, Local: true, Peak: 200e6, Start: 501, Binary: 30e6}, {Yardstick: true}},
		Scenarios: []bench.Outcome{
			beside(bench.Outcome{Name: "get", Results: result(700, 1, 2)}, .7),
			beside(bench.Outcome{Name: "username-eq", Results: result(400, 1, 6)}, .4),
			{Name: "create", Results: result(4000, 8, 9)},
			{Name: "group-add", Class: "0", Results: result(1000, 1, 2)},
			{Name: "group-add", Class: "1000", Results: result(1000, 1.6, 2)},
			{Name: "member-race", Results: []bench.Result{{Requests: 10, Faults: []bench.Fault{{Status: "409", Count: 1}}, Lost: []string{"one"}}, {}}},
			{Name: "replace-members", Class: "100000 members", Results: result(1, 1500, 1600)},
			{Name: "group-members", Results: result(1, 900, 950)},
			{Name: "bulk", Class: "1000 a message", Results: result(1, 151, 160)},
			{Name: "noise", Class: "alone", Results: result(1000, 1, 1)},
			{Name: "noise", Class: "beside", Results: result(700, 1, 1)},
			{Name: "list-deep", Results: result(0, 0, 0)},
		},
	}
	r.Scenarios[11].Results[0].Requests = 0
	for database, want := range map[string]string{
		"sqlite": `start: 501 missed; binary: 30 met; GET by id: 0.7 met; userName eq: 0.4 missed; durable POST, 32 clients: 0.4 missed; ` +
			`add a member to a group of 0, p50: 1 met; add a member to a group of 1000, p50: 1.6 missed; add a member to a group of 1000, flat: 1.6 missed; ` +
			`32 clients: x; replace of 100000 members, one of whom is another, p50: 1500 met; memory for that: 20 met; GET of a group of 0, memory: 20 met; ` +
			`Bulk of 1,000 creates, p50: 151 missed; GET by id beside: 0.7 missed; resident memory, peak: 100 met`,
		"postgres": `start: 501 missed; binary: 30 met; userName eq, p99: 6 missed; durable POST, 32 clients: 4000 met; ` +
			`add a member to a group of 1000, flat: 1.6 missed; ` +
			`32 clients: x; replace of 100000 members, one of whom is another, p50: 1500 met; memory for that: 20 met; GET of a group of 0, memory: 20 met; ` +
			`Bulk of 1,000 creates, p50: 151 missed; GET by id beside: 0.7 missed; resident memory, peak: 100 met`,
	} {
		var got []string
		for _, c := range bench.ChecksOf(database, r) {
			verdict := "met"
			if !c.Met {
				verdict = "missed"
			}
			if strings.HasSuffix(c.Name, "clients adding to one group") {
				if c.Value != 2 || c.Met {
					t.Errorf("%+v", c)
				}
				got = append(got, "32 clients: x")
				continue
			}
			got = append(got, fmt.Sprintf("%s: %.3g %s", c.Name, c.Value, verdict))
		}
		// 1500 has four digits.
		if have := strings.NewReplacer("1.5e+03", "1500", "4e+03", "4000").Replace(strings.Join(got, "; ")); have != want {
			t.Errorf("%s:\n got %s\nwant %s", database, have, want)
		}
	}
}

// TestHelpNames holds the help of --only to the scenarios there are.
func TestHelpNames(t *testing.T) {
	t.Parallel()
	f, _ := reflect.TypeFor[bench.Command]().FieldByName("Run")
	only, ok := f.Type.FieldByName("Only")
	if want := strings.Join(bench.Names(), ", "); !ok || !strings.HasSuffix(only.Tag.Get("help"), ": "+want) {
		t.Errorf("the help lists %s\n      there are %s", only.Tag.Get("help"), want)
	}
}

// TestCommand runs the commands that need no process of their own.
func TestCommand(t *testing.T) {
	t.Parallel()
	d := serve(t, engine.Config{}, nil)
	dir := t.TempDir()
	token, file := filepath.Join(dir, "token"), filepath.Join(dir, "a.json")
	if err := os.WriteFile(token, []byte("# a comment\n\nthe-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	sys := bench.System{Stdout: &out, Stderr: &out}
	var c bench.Command
	c.Run.URLs, c.Run.TokenFile, c.Run.JSON, c.Run.Users, c.Run.Requests, c.Run.Only = []string{d.URL}, token, file, 40, 5, []string{"get", "put"}
	if err := c.Do(t.Context(), "run", sys); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	c.Compare.Before, c.Compare.After, c.Compare.Limit = file, file, 1.3
	if err := c.Do(t.Context(), "compare", sys); err != nil || !strings.Contains(out.String(), "1.00 ×") {
		t.Errorf("%v\n%s", err, out.String())
	}
	c.Compare.Limit = .9
	if err := c.Do(t.Context(), "compare", sys); err == nil {
		t.Error("twice the same is within 0.9 ×")
	}
	if err := c.Do(t.Context(), "yardstick", sys); err == nil {
		t.Error("a yardstick without a token")
	}
	if err := os.WriteFile(token, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Do(t.Context(), "run", sys); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Error(err)
	}
	c.Run.TokenFile, sys.Environ = "", []string{"ROLLCALL_TOKEN=the-token,another"}
	var fail atomic.Bool
	broken := serve(t, engine.Config{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && fail.Swap(true) {
			w.WriteHeader(http.StatusTeapot)
			return true
		}
		return false
	})
	c.Run.URLs = []string{broken.URL}
	if err := c.Do(t.Context(), "run", sys); err == nil || !strings.Contains(out.String(), "× 418") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
