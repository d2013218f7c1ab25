package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/internal/bench"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// directory is a server to measure, and what is in it.
type directory struct {
	*httptest.Server
	store *memory.Store
	calls atomic.Int64
}

// serve serves our engine over memory; before, if not nil, may answer first.
func serve(t *testing.T, c engine.Config, before func(w http.ResponseWriter, r *http.Request) bool) *directory {
	t.Helper()
	d := &directory{store: new(memory.Store)}
	c.Limits.BulkOperations = 5 // the store looks through everybody for each
	e, err := engine.New(d.store, c)
	if err != nil {
		t.Fatal(err)
	}
	h := scimhttp.NewHandler(e, scimhttp.Options{})
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.calls.Add(1)
		if r.Header.Get("Authorization") != "Bearer the-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if before == nil || !before(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(d.Close)
	return d
}

// serveStore serves a store to measure.
func serveStore(t *testing.T, store scim.Backend) bench.Target {
	t.Helper()
	e, err := engine.New(store, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(scimhttp.NewHandler(e, scimhttp.Options{}))
	t.Cleanup(srv.Close)
	return bench.Target{URLs: []string{srv.URL}}
}

func (d *directory) target() bench.Target {
	return bench.Target{URLs: []string{d.URL}, Token: "the-token"}
}

// people returns the names of everything in the directory.
func (d *directory) people(t *testing.T) (names []string) {
	t.Helper()
	for _, typ := range schema.Core() {
		p, err := d.store.List(context.Background(), scim.Query{Type: typ, StartIndex: 1, Count: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Resources {
			if err := schema.Load(r); err != nil {
				t.Fatal(err)
			}
			names = append(names, scim.DisplayName(r.Attrs))
		}
	}
	return names
}

// few are options that are bound by counts, so that no test depends on time.
func few(out *strings.Builder) bench.Options {
	return bench.Options{
		Population: bench.Population{Users: 60, Memberships: 90, Largest: 40, GroupSize: 10},
		Requests:   12, Rounds: 2, Time: time.Hour, Workers: 3, Writers: 4, Fillers: 2, Out: out,
	}
}

func outcome(t *testing.T, r *bench.Report, name string) bench.Outcome {
	t.Helper()
	for _, o := range r.Scenarios {
		if o.Name == name {
			return o
		}
	}
	t.Fatalf("no scenario %s in the report", name)
	return bench.Outcome{}
}

func TestEveryScenario(t *testing.T) {
	t.Parallel()
	d := serve(t, engine.Config{}, nil)
	var out strings.Builder
	report, err := bench.Run(t.Context(), few(&out), d.target())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range report.Scenarios {
		if !slices.Contains(names, o.Name) {
			names = append(names, o.Name)
		}
		r := o.Results[0]
		if r.NotOffered != "" || r.Requests == 0 || len(r.Faults)+len(r.Lost) > 0 || r.Rate <= 0 || r.P50MS <= 0 || r.MaxMS < r.P99MS || r.P99MS < r.P50MS {
			t.Errorf("%s %s: %+v", o.Name, o.Class, r)
		}
		if o.Name == "get" && r.Requests != 24 { // two rounds of 12
			t.Errorf("GET: %d requests", r.Requests)
		}
	}
	if !slices.Equal(names, bench.Names()) {
		t.Errorf("measured %v, want %v", names, bench.Names())
	}
	if left := d.people(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if !report.Servers[0].Local {
		t.Error("the server's process, which is this one, was not found")
	}
	report.Print(&out)
	for _, want := range []string{"will create 60 people", "rollcall-bench-", "it is removed afterwards", "group-add 0", "list-cursor 99 %", "replace-members 59 members"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out.String())
		}
	}
}

// TestLacking measures servers that lack something: what needs it is reported
// as not offered, and the rest is measured.
func TestLacking(t *testing.T) {
	t.Parallel()
	refuse := func(prefixes ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			for _, p := range prefixes {
				if strings.HasPrefix(r.URL.Path, p) {
					w.WriteHeader(http.StatusNotFound)
					return true
				}
			}
			return false
		}
	}
	config := func(features string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/ServiceProviderConfig" {
				return false
			}
			fmt.Fprint(w, features)
			return true
		}
	}
	for _, test := range []struct {
		name   string
		c      engine.Config
		before func(http.ResponseWriter, *http.Request) bool
		lacks  []string
	}{
		{"no Bulk and no PATCH", engine.Config{NoBulk: true, NoPatch: true}, nil,
			[]string{"patch-active", "bulk", "group-add", "member-race", "replace-members"}},
		{"cursors only", engine.Config{CursorOnly: true}, nil, []string{"list-first", "list-deep", "noise"}},
		{"no filter, no cursors", engine.Config{}, config(`{"patch":{"supported":true},"filter":{"supported":false},"bulk":{"supported":true,"maxOperations":4,"maxPayloadSize":20000}}`),
			[]string{"username-eq", "externalid-eq", "email-co", "list-cursor"}},
		{"no groups, no discovery", engine.Config{}, refuse("/Groups", "/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/Bulk"),
			[]string{"list-cursor", "group-get", "group-members", "bulk", "group-add", "member-race", "replace-members"}},
		{"filters of one kind", engine.Config{}, func(w http.ResponseWriter, r *http.Request) bool {
			f := r.URL.Query().Get("filter")
			if f == "" || strings.Contains(f, " eq ") {
				return false
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"scimType":"invalidFilter","status":"400"}`)
			return true
		}, []string{"email-co"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := serve(t, test.c, test.before)
			var out strings.Builder
			report, err := bench.Run(t.Context(), few(&out), d.target())
			if err != nil {
				t.Fatal(err)
			}
			var lacks []string
			for _, o := range report.Scenarios {
				r := o.Results[0]
				if r.NotOffered != "" {
					lacks = append(lacks, o.Name)
				} else if len(r.Faults) > 0 && !(strings.HasPrefix(o.Name, "group-get") || o.Name == "group-members") || r.Requests == 0 {
					t.Errorf("%s: %+v", o.Name, r)
				}
			}
			if !slices.Equal(lacks, test.lacks) {
				t.Errorf("not offered: %v, want %v", lacks, test.lacks)
			}
			if left := d.people(t); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			report.Print(&out)
			if !strings.Contains(out.String(), "is not offered: ") {
				t.Errorf("the table does not say what is not offered:\n%s", out.String())
			}
		})
	}
}

// TestErring measures a server that fails now and then: what it answers is
// counted by status, with a sample, and nothing is left behind.
func TestErring(t *testing.T) {
	t.Parallel()
	var gets atomic.Int64
	d := serve(t, engine.Config{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/Users/") || gets.Add(1)%3 != 0 {
			return false
		}
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "out of \x1b[31mcoffee")
		return true
	})
	var out strings.Builder
	o := few(&out)
	o.Only = []string{"get", "username-eq"}
	report, err := bench.Run(t.Context(), o, d.target())
	if err != nil {
		t.Fatal(err)
	}
	r := outcome(t, report, "get").Results[0]
	if len(r.Faults) != 1 || r.Faults[0].Status != "500" || r.Faults[0].Count != 8 || r.Requests != 16 || !strings.Contains(r.Faults[0].Sample, "coffee") || strings.Contains(r.Faults[0].Sample, "\x1b") {
		t.Errorf("%+v", r)
	}
	if faults, lost := report.Faulty(); faults != 8 || lost != 0 {
		t.Errorf("%d faults and %d lost", faults, lost)
	}
	if left := d.people(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestHopeless measures a server that answers with nothing but errors: the
// workers give up before the time that they have.
func TestHopeless(t *testing.T) {
	t.Parallel()
	ready := new(atomic.Bool)
	d := serve(t, engine.Config{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/Users/") && ready.Swap(true) {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	})
	o := few(new(strings.Builder))
	o.Only, o.Requests = []string{"get"}, 1_000_000
	report, err := bench.Run(t.Context(), o, d.target())
	if err != nil {
		t.Fatal(err)
	}
	if r := outcome(t, report, "get").Results[0]; r.Requests != 0 || len(r.Faults) != 1 || r.Faults[0].Status != "502" || r.Faults[0].Count > 1000 {
		t.Errorf("%+v", r)
	}
}

// TestSlow measures a server that never answers some requests: each is given up
// after the time for one, and the run ends.
func TestSlow(t *testing.T) {
	t.Parallel()
	d := serve(t, engine.Config{}, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			_, _ = io.Copy(io.Discard, r.Body) // only then is the client's end seen
			<-r.Context().Done()
			return true
		}
		return false
	})
	o := few(new(strings.Builder))
	o.Only, o.Timeout, o.Requests, o.Workers = []string{"put", "get"}, 4*time.Second, 2, 2
	report, err := bench.Run(t.Context(), o, d.target())
	if err != nil {
		t.Fatal(err)
	}
	if r := outcome(t, report, "put").Results[0]; r.Requests != 0 || len(r.Faults) == 0 {
		t.Errorf("PUT: %+v", r)
	}
	if r := outcome(t, report, "get").Results[0]; r.Requests != 4 {
		t.Errorf("GET: %+v", r)
	}
}

// TestBusy prepares and tidies up at a server that is busy now and then, within
// Bulk and without.
func TestBusy(t *testing.T) {
	t.Parallel()
	for _, bulk := range []bool{true, false} {
		var calls atomic.Int64
		d := serve(t, engine.Config{NoBulk: !bulk}, func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet || calls.Add(1)%9 != 0 {
				return false
			}
			if r.URL.Path != "/Bulk" {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			var m struct{ Operations []any }
			if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
				t.Error(err)
			}
			fmt.Fprintf(w, `{"Operations":[%s{"status":503}]}`, strings.Repeat(`{"status":"503"},`, len(m.Operations)-1))
			return true
		})
		o := few(new(strings.Builder))
		o.Only = []string{"get"}
		report, err := bench.Run(t.Context(), o, d.target())
		if err != nil {
			t.Fatal(err)
		}
		if r := outcome(t, report, "get").Results[0]; r.Requests != 24 || len(r.Faults) > 0 {
			t.Errorf("%+v", r)
		}
		if left := d.people(t); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestLost measures a server that acknowledges a member and forgets it.
func TestLost(t *testing.T) {
	t.Parallel()
	var patches atomic.Int64
	d := serve(t, engine.Config{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPatch && patches.Add(1) == 5 {
			w.WriteHeader(http.StatusNoContent)
			return true
		}
		return false
	})
	var out strings.Builder
	o := few(&out)
	o.Only = []string{"member-race"}
	report, err := bench.Run(t.Context(), o, d.target())
	if err != nil {
		t.Fatal(err)
	}
	if r := outcome(t, report, "member-race").Results[0]; len(r.Lost) != 1 || !strings.Contains(r.Lost[0], "1 of 24 members") {
		t.Errorf("%+v", r)
	}
	report.Print(&out)
	if !strings.Contains(out.String(), "LOST: 1 of 24") {
		t.Error(out.String())
	}
}

// TestInterrupted ends a run in each of its parts: what it had created is gone
// in the end, that of the answer that it did not wait for as well.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{5, 9, 14, 60, 200} {
		for _, bulk := range []bool{true, false} {
			t.Run(fmt.Sprintf("at call %d, Bulk %t", at, bulk), func(t *testing.T) {
				t.Parallel()
				ctx, interrupt := context.WithCancel(t.Context())
				defer interrupt()
				var calls atomic.Int64
				d := serve(t, engine.Config{NoBulk: !bulk}, func(http.ResponseWriter, *http.Request) bool {
					if calls.Add(1) == at {
						interrupt()
					}
					return false
				})
				report, err := bench.Run(ctx, few(new(strings.Builder)), d.target())
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("%v; after %d calls", err, calls.Load())
				}
				if report == nil && at > 100 {
					t.Error("no report of what was measured until then")
				}
				// A request that was under way may still be carried out: the
				// server is closed first, which waits for it.
				d.Close()
				for _, name := range d.people(t) {
					t.Errorf("left behind: %s", name)
				}
			})
		}
	}
}

// TestKept keeps a population, and uses it again without creating anything.
func TestKept(t *testing.T) {
	t.Parallel()
	var posts atomic.Int64
	d := serve(t, engine.Config{}, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		return false
	})
	var out strings.Builder
	o := few(&out)
	o.Only, o.Keep, o.Name = []string{"get", "group-*"}, true, "large"
	for range 2 {
		posts.Store(0)
		if _, err := bench.Run(t.Context(), o, d.target()); err != nil {
			t.Fatal(err)
		}
	}
	if n := posts.Load(); n != 1 { // of the outsider
		t.Errorf("%d POSTs in the second run", n)
	}
	// 60 people and the marker; the largest group, the empty one of the ladder, five of ten.
	if n := len(d.people(t)); n != 61+7 {
		t.Errorf("%d resources are there:\n%s", n, strings.Join(d.people(t), "\n"))
	}
	other := o
	other.Population.Users = 61
	if _, err := bench.Run(t.Context(), other, d.target()); err == nil || !strings.Contains(err.Error(), "complete-u60-m90-l40-g10-full") {
		t.Errorf("another population at the same server: %v", err)
	}
	o.Remove = true
	if _, err := bench.Run(t.Context(), o, d.target()); err != nil {
		t.Fatal(err)
	}
	if left := d.people(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestResumed completes a population whose making was interrupted.
func TestResumed(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	var stop atomic.Pointer[context.CancelFunc]
	d := serve(t, engine.Config{NoBulk: true}, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && calls.Add(1) == 63 { // among the groups
			(*stop.Load())()
		}
		return false
	})
	ctx, cancel := context.WithCancel(t.Context())
	stop.Store(&cancel)
	var out strings.Builder
	o := few(&out)
	o.Only, o.Keep, o.Name, o.Fillers = []string{"group-members"}, true, "again", 1
	if _, err := bench.Run(ctx, o, d.target()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	report, err := bench.Run(t.Context(), o, d.target())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "60 people are there from an earlier run") {
		t.Error(out.String())
	}
	if r := outcome(t, report, "group-members").Results[0]; r.Requests == 0 || len(r.Faults) > 0 {
		t.Errorf("%+v", r)
	}
	if n := len(d.people(t)); n != 61+7 {
		t.Errorf("%d resources are there", n)
	}
}

// TestInhabited leaves a server with people alone, unless told otherwise, and
// in any case their data.
func TestInhabited(t *testing.T) {
	t.Parallel()
	d := serve(t, engine.Config{}, nil)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, d.URL+"/Users", strings.NewReader(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"rollcall-benchmark"}`))
	req.Header.Set("Authorization", "Bearer the-token")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 201 {
		t.Fatal(err, resp)
	}
	_ = resp.Body.Close()
	o := few(new(strings.Builder))
	o.Only = []string{"get", "list-*", "delete"}
	if _, err := bench.Run(t.Context(), o, d.target()); err == nil || !strings.Contains(err.Error(), "--yes") {
		t.Errorf("a server with people: %v", err)
	}
	if names := d.people(t); len(names) != 1 {
		t.Errorf("it was written to: %v", names)
	}
	o.Yes = true
	if _, err := bench.Run(t.Context(), o, d.target()); err != nil {
		t.Fatal(err)
	}
	if names := d.people(t); len(names) != 1 || names[0] != "rollcall-benchmark" {
		t.Errorf("there is now %v", names)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*bench.Options){
		"there is no scenario": func(o *bench.Options) { o.Only = []string{"get", "no-such"} },
		"lower-case":           func(o *bench.Options) { o.Name = `"; drop` },
		"negative":             func(o *bench.Options) { o.Rounds = -1 },
		"1,000 clients":        func(o *bench.Options) { o.Workers = 5000 },
		"--name":               func(o *bench.Options) { o.Remove = true },
		"deadline":             func(o *bench.Options) { o.Deadline = 1 },
	} {
		d := serve(t, engine.Config{}, nil)
		o := few(new(strings.Builder))
		change(&o)
		if _, err := bench.Run(t.Context(), o, d.target()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one about %q", err, want)
		}
		if left := d.people(t); len(left) > 0 {
			t.Errorf("%s: it was written to", want)
		}
	}
	d := serve(t, engine.Config{}, nil)
	if _, err := bench.Run(t.Context(), few(new(strings.Builder)), bench.Target{URLs: []string{d.URL}, Token: "wrong"}); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("a wrong token: %v", err)
	}
}
