package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// instances starts so many servers on one database of PostgreSQL, and returns
// them with its URL.
func instances(t *testing.T, n int, environ ...string) ([]*running, string) {
	t.Helper()
	db := pgtest.Database(t)
	var list []*running
	for range n {
		list = append(list, instance(t, db, environ...))
	}
	return list, db
}

// instance starts one more server on a database.
func instance(t *testing.T, db string, environ ...string) *running {
	t.Helper()
	r, err := tryStartAs(t, func(s *server.Settings) { s.SetBeat(50 * time.Millisecond) },
		append([]string{"ROLLCALL_DATABASE_URL=" + db, "ROLLCALL_BASE_URL=https://id.example.com"}, environ...)...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// as is a server's client in another test or goroutine: it shares nothing of it.
func (r *running) as(t *testing.T) *running { return &running{t: t, url: r.url, log: r.log} }

const patchOp = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[%s]}`

// TestInstances: two instances on one database are one server.
func TestInstances(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 2)
	one, two := both[0], both[1]
	id := one.create("ada")
	first, second := one.do("GET", "/scim/v2/Users/"+id, ""), two.do("GET", "/scim/v2/Users/"+id, "")
	if second.status != 200 || first.body != second.body || first.header.Get("ETag") != second.header.Get("ETag") || first.header.Get("ETag") == "" {
		t.Errorf("one says %s\nthe other %d %s", first.body, second.status, second.body)
	}
	if a := two.do("POST", "/scim/v2/Users", `{"userName":"ADA"}`); a.status != 409 {
		t.Errorf("a name that is taken at the other instance: %d %s", a.status, a.body)
	}
	title := fmt.Sprintf(patchOp, `{"op":"replace","path":"title","value":"Countess"}`)
	if a := two.do("PATCH", "/scim/v2/Users/"+id, title, "If-Match: "+first.header.Get("ETag")); a.status != 200 {
		t.Errorf("PATCH with the version that the other gave: %d %s", a.status, a.body)
	}
	if a := one.do("PATCH", "/scim/v2/Users/"+id, title, "If-Match: "+first.header.Get("ETag")); a.status != 412 {
		t.Errorf("PATCH with a version that is past: %d %s", a.status, a.body)
	}
	if a := one.do("GET", "/scim/v2/Users/"+id, "", "If-None-Match: "+first.header.Get("ETag")); a.status != 200 || !strings.Contains(a.body, "Countess") {
		t.Errorf("GET after a change at the other: %d %s", a.status, a.body)
	}
	bulk := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`
	for i := range 24 {
		bulk += fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"u%d","data":{"userName":"user%02[1]d"}},`, i)
	}
	a := one.do("POST", "/scim/v2/Bulk", bulk+`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"Crew","members":[{"value":"bulkId:u3"},{"value":"`+id+`"}]}}]}`)
	if a.status != 200 || strings.Count(a.body, `"status":"201"`) != 25 {
		t.Fatalf("Bulk: %d %s\n%s", a.status, a.body, one.log)
	}
	if a := two.do("GET", "/scim/v2/Groups?filter="+url.QueryEscape(`displayName eq "crew"`), ""); !strings.Contains(a.body, `"totalResults":1`) || strings.Count(a.body, `"value"`) != 2 {
		t.Errorf("what Bulk made at the other: %s", a.body)
	}

	// A scan that changes the instance with each page.
	seen := map[string]int{}
	cursor := ""
	for page := range 20 {
		var list struct {
			NextCursor   string
			TotalResults int
			Resources    []struct{ UserName string }
		}
		a := both[page%2].do("GET", "/scim/v2/Users?sortBy=userName&count=4&cursor="+cursor, "")
		if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != 200 || list.TotalResults != 25 {
			t.Fatalf("page %d: %d %s", page, a.status, a.body)
		}
		for _, u := range list.Resources {
			seen[u.UserName]++
		}
		if cursor = list.NextCursor; cursor == "" {
			break
		}
	}
	if len(seen) != 25 || cursor != "" {
		t.Errorf("a scan over both instances saw %d of 25: %v", len(seen), seen)
	}

	// Nobody needs a data folder.
	for _, r := range both {
		if _, err := os.Stat(r.data); !os.IsNotExist(err) {
			t.Errorf("a data folder was made: %v", err)
		}
	}
	run := asking(t, "ROLLCALL_DATABASE_URL="+db, "ROLLCALL_DATA_DIR="+filepath.Join(t.TempDir(), "none"))
	var text string
	waitFor(t, "both in the status", func() bool {
		_, text = run("status")
		return strings.Contains(text, one.srv.Addr().String()) && strings.Contains(text, two.srv.Addr().String())
	})
	if code, text := run("why", "ada"); code != 0 || !strings.Contains(text, "is here and active") {
		t.Errorf("why: %d %s", code, text)
	}
	one.do("DELETE", "/scim/v2/Users/"+id, "")
	if code, text := run("users", "restore", "ada"); code != 0 || !strings.Contains(text, "groups: 1") {
		t.Errorf("users restore: %d %s", code, text)
	}
	if a := two.do("GET", "/scim/v2/Users/"+id, ""); a.status != 200 {
		t.Errorf("what the command restored: %d %s", a.status, a.body)
	}
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	if _, text := run("status"); strings.Contains(text, one.srv.Addr().String()) || !strings.Contains(text, two.srv.Addr().String()) {
		t.Errorf("status after one has stopped: %s", text)
	}
	if a := two.do("GET", "/health/ready", ""); a.status != 200 {
		t.Errorf("the other one: %d %s", a.status, a.body)
	}
	if err := two.stop(); err != nil {
		t.Fatal(err)
	}
	if code, text := run("status"); code != 1 || !strings.Contains(text, "no rollcall serves postgres://") {
		t.Errorf("status after both have stopped: %d %s", code, text)
	}
}

// TestInstancesPatch: 16 clients at each of two instances change one user
// without a version: each change is there, none is refused.
func TestInstancesPatch(t *testing.T) {
	t.Parallel()
	const clients, each = 16, 5
	both, _ := instances(t, 2, "ROLLCALL_LOG_LEVEL=ERROR")
	id := both[0].create("ada")
	var again atomic.Int64
	var wg sync.WaitGroup
	for i, r := range both {
		for c := range clients {
			r := r.as(t)
			wg.Go(func() {
				for n := range each {
					body := fmt.Sprintf(patchOp, fmt.Sprintf(`{"op":"add","path":"emails","value":[{"value":"m-%d-%d-%d@example.com"}]}`, i, c, n))
					for {
						a := r.do("PATCH", "/scim/v2/Users/"+id, body)
						if a.status == 503 && a.header.Get("Retry-After") != "" {
							again.Add(1)
							continue
						}
						if a.status != 200 {
							t.Errorf("PATCH: %d %s", a.status, a.body)
						}
						break
					}
				}
			})
		}
	}
	wg.Wait()
	a := both[1].do("GET", "/scim/v2/Users/"+id, "")
	for i := range both {
		for c := range clients {
			for n := range each {
				if !strings.Contains(a.body, fmt.Sprintf(`"m-%d-%d-%d@example.com"`, i, c, n)) {
					t.Errorf("the change %d of client %d at instance %d is lost", n, c, i)
				}
			}
		}
	}
	if again.Load() > 5 {
		t.Errorf("%d of %d requests were told to try again", again.Load(), 2*clients*each)
	}
}

// TestInstancesSession: who logs in to the console of one instance is known to
// the other, until they log out at either, and only while the token is good.
func TestInstancesSession(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 2)
	one, two := &glassBrowser{r: both[0]}, &glassBrowser{r: both[1]}
	if a := one.login(testToken); a.status != http.StatusSeeOther || one.cookie == "" {
		t.Fatalf("login: %d %s", a.status, a.body)
	}
	two.cookie = one.cookie
	for i, b := range []*glassBrowser{one, two} {
		if a := b.do("GET", "/looking-glass/directory", ""); a.status != 200 {
			t.Errorf("instance %d: %d %s", i+1, a.status, a.header.Get("Location"))
		}
	}
	other := &glassBrowser{r: instance(t, db, "ROLLCALL_TOKEN=another-token-0123456789"), cookie: one.cookie}
	if a := other.do("GET", "/looking-glass", ""); a.status != http.StatusSeeOther {
		t.Errorf("an instance that does not know the token: %d", a.status)
	}
	kept := two.cookie
	if a := two.do("POST", "/looking-glass/logout", "x=y", "Origin: "+both[1].url); a.status != http.StatusSeeOther {
		t.Errorf("logout: %d %s", a.status, a.body)
	}
	two.cookie = kept
	if a := two.do("GET", "/looking-glass", ""); a.status != http.StatusSeeOther {
		t.Errorf("after the logout, there: %d", a.status)
	}
	waitFor(t, "the logout at the other instance", func() bool { return one.do("GET", "/looking-glass", "").status == http.StatusSeeOther })
}

// TestInstancesLateLogout: a logout that the database could not be told at once
// is told later, and an instance that begins later knows of it from the start.
func TestInstancesLateLogout(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 2)
	one, two := &glassBrowser{r: both[0]}, &glassBrowser{r: both[1]}
	if a := one.login(testToken); a.status != http.StatusSeeOther {
		t.Fatalf("login: %d %s", a.status, a.body)
	}
	kept := one.cookie
	two.cookie = kept
	if a := two.do("GET", "/looking-glass", ""); a.status != 200 {
		t.Fatalf("at the other: %d", a.status)
	}
	pgtest.Exec(t, db, `ALTER TABLE ended RENAME TO away`)
	if a := one.do("POST", "/looking-glass/logout", "x=y", "Origin: "+both[0].url); a.status != http.StatusSeeOther {
		t.Errorf("logout: %d %s", a.status, a.body)
	}
	one.cookie = kept
	if a := one.do("GET", "/looking-glass", ""); a.status != http.StatusSeeOther {
		t.Errorf("after the logout, there: %d", a.status)
	}
	if !strings.Contains(both[0].log.String(), "a logout could not be made known to the other instances yet") {
		t.Error("nothing is said")
	}
	blind := &glassBrowser{r: instance(t, db), cookie: kept}
	if a := blind.do("GET", "/looking-glass", ""); a.status != http.StatusSeeOther {
		t.Errorf("an instance that can't know which logins have ended takes them for good: %d", a.status)
	}
	pgtest.Exec(t, db, `ALTER TABLE away RENAME TO ended`)
	waitFor(t, "the logout at the other instance", func() bool { return two.do("GET", "/looking-glass", "").status == http.StatusSeeOther })
	late := &glassBrowser{r: instance(t, db), cookie: kept}
	if a := late.do("GET", "/looking-glass", ""); a.status != http.StatusSeeOther {
		t.Errorf("an instance that began after the logout: %d", a.status)
	}
}

// TestInstancesKeys: new keys for cursors reach all instances without a restart.
func TestInstancesKeys(t *testing.T) {
	t.Parallel()
	both, db := instances(t, 2)
	both[0].create("ada")
	both[0].create("grace")
	next := func(r *running) string {
		return regexp.MustCompile(`"nextCursor":"([^"]+)"`).FindStringSubmatch(r.do("GET", "/scim/v2/Users?cursor&count=1", "").body)[1]
	}
	old := next(both[0])
	pgtest.Exec(t, db, `DELETE FROM meta WHERE key = 'cursor keys'`)
	for _, r := range both {
		waitFor(t, "the end of the old key", func() bool {
			return r.do("GET", "/scim/v2/Users?count=1&cursor="+old, "").status == 400
		})
	}
	for i, r := range both {
		if a := both[1-i].do("GET", "/scim/v2/Users?count=1&cursor="+next(r), ""); a.status != 200 || !strings.Contains(a.body, "grace") {
			t.Errorf("a cursor of instance %d at the other: %d %s", i+1, a.status, a.body)
		}
	}
}

// TestInstancesDiffer: instances that are set up differently say so, once, and
// when it is over.
func TestInstancesDiffer(t *testing.T) {
	t.Parallel()
	schemas := t.TempDir()
	both, db := instances(t, 2, "ROLLCALL_SCHEMAS="+schemas)
	one := both[0]
	const differently = "another instance of this database is set up differently"
	if text := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:2.0:Badge","name":"Badge","attributes":[{"name":"colour","type":"string"}]}`; os.WriteFile(filepath.Join(schemas, "badge.json"), []byte(text), 0o600) != nil {
		t.Fatal("can't write the schema")
	}
	types := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Badge","endpoint":"/Badges","schema":"urn:example:2.0:Badge"}`
	if err := os.WriteFile(filepath.Join(schemas, "type.json"), []byte(types), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := one.srv.LoadSchemas(); err != nil {
		t.Fatal(err)
	}
	for _, r := range both {
		waitFor(t, "a warning of the schemas", func() bool { return strings.Contains(r.log.String(), differently+": the schemas (ROLLCALL_SCHEMAS") })
	}
	if err := both[1].srv.LoadSchemas(); err != nil {
		t.Fatal(err)
	}
	for _, r := range both {
		waitFor(t, "the end of it", func() bool { return strings.Contains(r.log.String(), "agree again") })
		if n := strings.Count(r.log.String(), differently); n != 1 {
			t.Errorf("%d warnings, want 1", n)
		}
	}
	third := instance(t, db, "ROLLCALL_SCHEMAS="+schemas, "ROLLCALL_PROFILE=strict", "ROLLCALL_TOKEN=another-token-0123456789", "ROLLCALL_BASE_URL=https://other.example.com")
	waitFor(t, "warnings of the rest", func() bool {
		text := third.log.String()
		return strings.Contains(text, "the profile (ROLLCALL_PROFILE), the base URL (ROLLCALL_BASE_URL), the bearer tokens (ROLLCALL_TOKEN")
	})
	if text := third.log.String() + one.log.String(); strings.Contains(text, testToken) || strings.Contains(text, "another-token") {
		t.Error("the log tells a token")
	}
	var out bytes.Buffer
	if code := server.Main(context.Background(), []string{"status"}, []string{"ROLLCALL_DATABASE_URL=" + db}, &out, &out); code != 0 || strings.Count(out.String(), "process ") != 3 {
		t.Errorf("status: %d %s", code, out.String())
	}
}
