package server_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// away is what the server must say while its database can't be reached.
func away(t *testing.T, r *running, within time.Duration) {
	t.Helper()
	for _, request := range [][3]string{{"GET", "/scim/v2/Users", ""}, {"POST", "/scim/v2/Users", `{"userName":"lost"}`}, {"GET", "/scim/v2/Users/1", ""},
		{"POST", "/scim/v2/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Users/1"}]}`}} {
		began := time.Now()
		a := r.do(request[0], request[1], request[2])
		inside := strings.HasSuffix(request[1], "/Bulk") && a.status == 200 && strings.Contains(a.body, `"status":"503"`)
		if !inside && (a.status != 503 || a.header.Get("Retry-After") == "") {
			t.Errorf("%s %s: %d, Retry-After %q: %s", request[0], request[1], a.status, a.header.Get("Retry-After"), a.body)
		}
		if a.status == 503 {
			scimError(t, request[1], a)
		}
		if took := time.Since(began); took > within {
			t.Errorf("%s %s: answered after %s", request[0], request[1], took)
		}
	}
	waitFor(t, "not ready", func() bool { return r.do("GET", "/health/ready", "", "Authorization:").status == 503 })
	waitFor(t, "an answer at once", func() bool {
		began := time.Now()
		return r.do("GET", "/scim/v2/Users", "").status == 503 && time.Since(began) < 200*time.Millisecond
	})
	if a := r.do("GET", "/health/live", "", "Authorization:"); a.status != 200 {
		t.Errorf("alive: %d %s", a.status, a.body)
	}
	for _, path := range []string{"/looking-glass", "/looking-glass/directory"} {
		if a := r.do("GET", path, ""); a.status >= 500 && a.status != 503 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// back waits until the server is ready again and answers.
func back(t *testing.T, r *running) {
	t.Helper()
	waitFor(t, "ready", func() bool { return r.do("GET", "/health/ready", "", "Authorization:").status == 200 })
	if a := r.do("GET", "/scim/v2/Users", ""); a.status != 200 {
		t.Errorf("when it is ready again: %d %s", a.status, a.body)
	}
}

// TestUnreachable: a database that is not there yet, that stops, that is killed
// and that says nothing any more: each is 503 within a bound, and over when the
// database is back.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, pgtest.Options{})
	pgtest.Exec(t, pg.URL("postgres"), `CREATE DATABASE people`)
	if err := pg.Stop("fast"); err != nil {
		t.Fatal(err)
	}
	way, url := newRelay(t, pg.URL("people"))
	began := time.Now()
	r, err := tryStartAs(t, func(s *server.Settings) { s.SetBeat(50 * time.Millisecond) },
		"ROLLCALL_DATABASE_URL="+url, "ROLLCALL_DATABASE_TIMEOUT=3s")
	if err != nil {
		t.Fatalf("a start without the database: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the start took %s", took)
	}
	if !strings.Contains(r.log.String(), "not ready: the database can't be reached yet: postgres://127.0.0.1:") {
		t.Errorf("the log of the start: %s", r.log.String())
	}
	if a := r.do("GET", "/health", ""); !strings.Contains(a.body, `"starting"`) || !strings.Contains(a.body, `"database":"unhealthy"`) {
		t.Errorf("health: %s", a.body)
	}
	if err := r.srv.LoadSchemas(); err == nil {
		t.Error("schemas are read before anything is served")
	}
	away(t, r, 10*time.Second)
	if err := pg.Resume(); err != nil {
		t.Fatal(err)
	}
	back(t, r)
	r.create("ada")

	if err := pg.Stop("fast"); err != nil { // connections are told
		t.Fatal(err)
	}
	away(t, r, 10*time.Second)
	if err := pg.Resume(); err != nil {
		t.Fatal(err)
	}
	back(t, r)
	if err := pg.Stop("immediate"); err != nil {
		t.Fatal(err)
	}
	away(t, r, 10*time.Second)
	if err := pg.Resume(); err != nil {
		t.Fatal(err)
	}
	back(t, r)
	r.create("grace")

	way.mute.Store(true)
	away(t, r, 20*time.Second)
	way.mute.Store(false)
	way.cut() // what was lost on the way does not come any more
	back(t, r)
	if a := r.do("GET", "/scim/v2/Users", ""); !strings.Contains(a.body, "ada") || !strings.Contains(a.body, "grace") {
		t.Errorf("what was there before: %s", a.body)
	}
	if text := r.log.String(); strings.Count(text, "not ready: the database does not answer") < 3 || !strings.Contains(text, "ready again") {
		t.Errorf("the log does not tell: %s", text)
	}
}

// TestStopBeforeStart: a server that never found its database stops at once, and
// one that may not log in does not start.
func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	r, err := tryStart(t, "ROLLCALL_DATABASE_URL=postgres://u@"+freeAddress(t)+"/people", "ROLLCALL_DRAIN=1m")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := r.stop(); err != nil || time.Since(began) > 30*time.Second {
		t.Errorf("stopping: %v, after %s", err, time.Since(began))
	}
	db := pgtest.Database(t)
	for _, url := range []string{strings.Replace(db, "/rollcall_", "/nowhere_", 1)} {
		_, err := tryStart(t, "ROLLCALL_DATABASE_URL="+url)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("a database that does not exist: %v", err)
		}
	}
}

// TestDrain: a server that is told to stop says first that it is not ready, and
// answers on meanwhile.
func TestDrain(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_DRAIN=10s")
	id := r.create("ada")
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	waitFor(t, "not ready", func() bool { return r.do("GET", "/health/ready", "").status == 503 })
	a := r.do("GET", "/scim/v2/Users/"+id, "")
	if a.status != 200 {
		t.Errorf("while it drains: %d %s", a.status, a.body)
	}
	// Go's client takes the field away, and says so.
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/scim/v2/ServiceProviderConfig", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := noRedirect.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !resp.Close {
		t.Error("a connection stays open for more requests")
	}
	if a := r.do("POST", "/scim/v2/Users", fmt.Sprintf(`{"userName":%q}`, "late")); a.status != 201 {
		t.Errorf("a write while it drains: %d %s", a.status, a.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestReadOnly: a database that can't be written to, such as a standby, is 503
// to writers and not ready; who reads is served.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 1)
	r := both[0]
	id := r.create("ada")
	name := db[strings.LastIndex(db, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	end := `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`
	pgtest.Exec(t, db, `ALTER DATABASE `+name+` SET default_transaction_read_only = on`, end)
	waitFor(t, "not ready", func() bool { return r.do("GET", "/health/ready", "").status == 503 })
	a := r.do("POST", "/scim/v2/Users", `{"userName":"grace"}`)
	if a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "read-only") {
		t.Errorf("a write: %d %s", a.status, a.body)
	}
	if a := r.do("GET", "/scim/v2/Users/"+id, ""); a.status != 200 {
		t.Errorf("a read: %d %s", a.status, a.body)
	}
	pgtest.Exec(t, db, `SET default_transaction_read_only = off`, `ALTER DATABASE `+name+` RESET default_transaction_read_only`, end)
	back(t, r)
	r.create("grace")
}

// TestLockedRow: a row that somebody else holds is 503 in time to who wants to
// change it, and holds up nobody else.
func TestLockedRow(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	r := instance(t, db, "ROLLCALL_DATABASE_TIMEOUT=3s", "ROLLCALL_DATABASE_CONNECTIONS=4")
	id, other := r.create("ada"), r.create("grace")
	c, err := pgx.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	if _, err := c.Exec(t.Context(), `BEGIN`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), `SELECT 1 FROM resources WHERE id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 5 {
		r := r.as(t)
		wg.Go(func() {
			began := time.Now()
			a := r.do("PATCH", "/scim/v2/Users/"+id, fmt.Sprintf(patchOp, fmt.Sprintf(`{"op":"replace","path":"title","value":"T%d"}`, i)))
			if a.status != 503 || a.header.Get("Retry-After") == "" || time.Since(began) > 25*time.Second {
				t.Errorf("PATCH of a row that is held: %d after %s: %s", a.status, time.Since(began), a.body)
			}
		})
	}
	for range 5 {
		if a := r.do("GET", "/scim/v2/Users/"+id, ""); a.status != 200 {
			t.Errorf("GET: %d %s", a.status, a.body)
		}
		if a := r.do("PATCH", "/scim/v2/Users/"+other, fmt.Sprintf(patchOp, `{"op":"replace","path":"title","value":"T"}`)); a.status != 200 {
			t.Errorf("PATCH of another: %d %s", a.status, a.body)
		}
	}
	wg.Wait()
	if _, err := c.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if a := r.do("PATCH", "/scim/v2/Users/"+id, fmt.Sprintf(patchOp, `{"op":"replace","path":"title","value":"T"}`)); a.status != 200 {
		t.Errorf("PATCH afterwards: %d %s", a.status, a.body)
	}
}
