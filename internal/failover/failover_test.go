package failover_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/internal/failover"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// directory is an instance over a store in memory.
func directory(t *testing.T, store *memory.Store) http.Handler {
	t.Helper()
	e, err := engine.New(store, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return http.StripPrefix("/scim/v2", scimhttp.NewHandler(e, scimhttp.Options{}))
}

// every returns a function that is true each nth time.
func every(n int64) func() bool {
	var i atomic.Int64
	return func() bool { return i.Add(1)%n == 0 }
}

// unavailable answers as Rollcall does without its database.
func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// body takes the body of a request and leaves it there.
func body(r *http.Request) []byte {
	data, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	return data
}

// liar stands in front of each of two instances over one store. What it still
// does after it has answered is under way.
type liar func(next http.Handler, under *sync.WaitGroup) http.HandlerFunc

// run lets a load write for a moment, waits for what is still under way, and
// returns the faults found.
func run(t *testing.T, writes int, lie liar) (audit, history, offences []string, load *failover.Load) {
	t.Helper()
	store, under := new(memory.Store), new(sync.WaitGroup)
	load = &failover.Load{Name: "t", Pause: time.Millisecond, Limit: 10 * time.Second}
	for range 2 {
		srv := httptest.NewServer(lie(directory(t, store), under))
		t.Cleanup(srv.Close)
		load.Instances = append(load.Instances, srv.URL)
	}
	if err := load.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); load.Record.Acknowledged() < writes && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	load.Stop()
	under.Wait()
	honest := httptest.NewServer(directory(t, store))
	t.Cleanup(honest.Close)
	audit, err := load.Ledger.Audit(t.Context(), honest.URL, "", "t-")
	if err != nil {
		t.Fatal(err)
	}
	return audit, load.History.Check(10 * time.Second), load.Record.Offences(), load
}

// TestHonest: nothing is found where nothing is lost, though clients are left
// in doubt all the time.
func TestHonest(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]liar{
		"at peace": func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc { return next.ServeHTTP },
		"in doubt": func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			before, after := every(11), every(7)
			return func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/Groups"):
					next.ServeHTTP(w, r)
				case before():
					unavailable(w)
				case after():
					next.ServeHTTP(httptest.NewRecorder(), r)
					unavailable(w)
				default:
					next.ServeHTTP(w, r)
				}
			}
		},
		"mostly in doubt": func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			before, after := every(2), every(9)
			return func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/Groups") || r.Method == "GET":
					next.ServeHTTP(w, r)
				case before():
					unavailable(w)
				case after():
					next.ServeHTTP(httptest.NewRecorder(), r)
					unavailable(w)
				default:
					next.ServeHTTP(w, r)
				}
			}
		},
		"carried out late": func(next http.Handler, under *sync.WaitGroup) http.HandlerFunc {
			late := every(9)
			return func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/Groups") || r.Method == "GET" || !late() {
					next.ServeHTTP(w, r)
					return
				}
				body(r)
				again := r.Clone(context.WithoutCancel(r.Context()))
				unavailable(w)
				under.Go(func() {
					<-time.After(30 * time.Millisecond)
					next.ServeHTTP(httptest.NewRecorder(), again)
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audit, history, offences, load := run(t, 300, lie)
			requests, users, doubts := load.History.Len()
			t.Logf("%d writes of %d people, %d conditional requests of %d users, %d in doubt, clients saw: %s",
				load.Record.Acknowledged(), load.Ledger.Len(), requests, users, doubts, load.Record.Troubles())
			if load.Record.Acknowledged() < 300 || requests < 50 || name != "at peace" && doubts == 0 {
				t.Error("the load did too little to show anything")
			}
			for _, f := range append(append(audit, history...), offences...) {
				t.Error(f)
			}
		})
	}
}

// patched rewrites the operations of a PATCH.
func patched(r *http.Request, rewrite func(ops []any) []any) {
	var b map[string]any
	if json.Unmarshal(body(r), &b) != nil {
		return
	}
	ops, _ := b["Operations"].([]any)
	b["Operations"] = rewrite(ops)
	data, _ := json.Marshal(b)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
}

// TestLiars: each fault is found, by the check that is there for it. Without
// this, the silence of the others would mean nothing.
func TestLiars(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lie    liar
		by     string // audit, history or offences
		want   string // part of one of the faults
		writes int    // how many it takes, if more than usual
	}{
		"a user is acknowledged and not kept": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(25)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "POST" || !strings.HasSuffix(r.URL.Path, "/Users") || !lie() {
					next.ServeHTTP(w, r)
					return
				}
				w.Header().Set("ETag", `W/"1"`)
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"id":"none"}`))
			}
		}, "audit", "was acknowledged and is lost", 0},
		"a member is acknowledged and not kept": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(10)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PATCH" && strings.Contains(r.URL.Path, "/Groups/") && lie() {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "audit", "was acknowledged and is lost", 0},
		"a deletion is acknowledged and not kept": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(3)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "DELETE" && r.Header.Get("If-Match") == "" && lie() {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "audit", "though deleted", 0},
		"an update is carried out by halves": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PATCH" && strings.Contains(r.URL.Path, "/Users/") && r.Header.Get("If-Match") == "" {
					patched(r, func(ops []any) []any { return ops[:1] })
					next.ServeHTTP(httptest.NewRecorder(), r)
					unavailable(w)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "audit", "by halves", 0},
		"members are added by halves": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(3)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PATCH" && strings.Contains(r.URL.Path, "/Groups/") && lie() {
					patched(r, func(ops []any) []any {
						op := ops[0].(map[string]any)
						if list, ok := op["value"].([]any); ok {
							op["value"] = list[:1]
						}
						return ops
					})
					next.ServeHTTP(httptest.NewRecorder(), r)
					unavailable(w)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "audit", "of one request", 0},
		"versions are not compared": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				r.Header.Del("If-Match")
				next.ServeHTTP(w, r)
			}
		}, "history", "no order", 700},
		"versions are not compared now and then": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(3)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("If-Match") != "" && lie() {
					r.Header.Del("If-Match")
				}
				next.ServeHTTP(w, r)
			}
		}, "history", "no order", 700},
		"a conditional update is acknowledged and not kept": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(10)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PATCH" && r.Header.Get("If-Match") != "" && lie() {
					w.Header().Set("ETag", `W/"lost"`)
					w.WriteHeader(http.StatusOK)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "history", "no order", 700},
		"a read is old": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			type answer struct {
				header http.Header
				body   []byte
			}
			lie, old := every(15), map[string]answer{}
			mu := make(chan struct{}, 1)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "GET" || !strings.Contains(r.URL.Path, "/Users/") {
					next.ServeHTTP(w, r)
					return
				}
				rec := httptest.NewRecorder()
				next.ServeHTTP(rec, r)
				now := answer{rec.Header(), rec.Body.Bytes()}
				mu <- struct{}{}
				was, ok := old[r.URL.Path]
				if !ok {
					old[r.URL.Path], was = now, now
				}
				<-mu
				if !lie() || rec.Code != http.StatusOK {
					was = now
				}
				w.Header().Set("ETag", was.header.Get("ETag"))
				w.WriteHeader(rec.Code)
				_, _ = w.Write(was.body)
			}
		}, "history", "no order", 700},
		"an error is no 503": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(10)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PATCH" && lie() {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "offences", "500", 0},
		"a 503 has no Retry-After": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(10)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "PATCH" && lie() {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "offences", "without Retry-After", 0},
		"what was created is not there yet": {func(next http.Handler, _ *sync.WaitGroup) http.HandlerFunc {
			lie := every(2)
			return func(w http.ResponseWriter, r *http.Request) {
				if r.Method == "GET" && strings.Contains(r.URL.Path, "/Users/") && lie() {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				next.ServeHTTP(w, r)
			}
		}, "offences", "404 after that", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audit, history, offences, _ := run(t, max(tt.writes, 250), tt.lie)
			found := map[string][]string{"audit": audit, "history": history, "offences": offences}[tt.by]
			if !strings.Contains(strings.Join(found, "\n"), tt.want) {
				t.Errorf("%s has no %q: %q, %q, %q", tt.by, tt.want, audit, history, offences)
			}
		})
	}
}

// TestApart: two instances that are not one directory.
func TestApart(t *testing.T) {
	t.Parallel()
	load := &failover.Load{Name: "t", Pause: time.Millisecond}
	for range 2 {
		srv := httptest.NewServer(directory(t, new(memory.Store)))
		t.Cleanup(srv.Close)
		load.Instances = append(load.Instances, srv.URL)
	}
	if err := load.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); load.Record.Acknowledged() < 400 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	load.Stop()
	audit, err := load.Ledger.Audit(t.Context(), load.Instances[0], "", "t-")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"is lost", "was created 2 times"} {
		if !strings.Contains(strings.Join(audit, "\n"), want) {
			t.Errorf("no %q in %q", want, audit)
		}
	}
}

// TestRecord: gaps are those of an instance and of all, also at the end, and a
// late answer is an offence.
func TestRecord(t *testing.T) {
	t.Parallel()
	var slow atomic.Bool
	next := directory(t, new(memory.Store))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			select {
			case <-time.After(400 * time.Millisecond):
			case <-r.Context().Done():
			}
			unavailable(w)
			return
		}
		next.ServeHTTP(w, r)
	}))
	defer srv.Close()
	const dead = "http://127.0.0.1:1" // where nobody listens
	load := &failover.Load{Name: "t", Instances: []string{srv.URL, dead}, Limit: 200 * time.Millisecond}
	if err := load.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); load.Record.Acknowledged() < 20 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	slow.Store(true)
	for end := time.Now().Add(time.Minute); load.Record.Since("") < 500*time.Millisecond && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	load.Stop()
	r := load.Record
	if r.Gap("") < 500*time.Millisecond || r.Gap(srv.URL) < 500*time.Millisecond || r.Gap(dead) < r.Gap("") || r.Slowest() < 400*time.Millisecond {
		t.Errorf("gaps %v, %v, %v, slowest %v", r.Gap(""), r.Gap(srv.URL), r.Gap(dead), r.Slowest())
	}
	if s := r.Troubles(); !strings.Contains(s, "late") || !strings.Contains(s, "refused") {
		t.Errorf("clients saw %s", s)
	}
	if s := strings.Join(r.Offences(), "\n"); !strings.Contains(s, "more than 200ms") {
		t.Errorf("offences: %s", s)
	}
}
