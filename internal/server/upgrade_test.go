package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// newer returns the program's migrations and further ones, as a newer program
// has them.
func newer(t *testing.T, more map[string]string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	own := os.DirFS("../../backend/postgres/migrations")
	names, err := fs.Glob(own, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(own, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	for name, text := range more {
		files[name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
	}
	return files
}

// balancer sends requests to instances that say they are ready, as a load
// balancer does that asks them now and then.
type balancer struct {
	mu    sync.Mutex
	all   []*running
	ready []*running
	turn  int
}

func (b *balancer) add(r *running) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, r)
}

func (b *balancer) poll(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		b.mu.Lock()
		all := b.all
		b.mu.Unlock()
		var ready []*running
		for _, r := range all {
			resp, err := noRedirect.Get(r.url + "/health/ready") //nolint:noctx // short
			if err != nil {
				continue
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				ready = append(ready, r)
			}
		}
		b.mu.Lock()
		b.ready = ready
		b.mu.Unlock()
	}
}

func (b *balancer) pick() *running {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return nil
	}
	b.turn++
	return b.ready[b.turn%len(b.ready)]
}

// serves reports whether an instance is among those that get requests.
func (b *balancer) serves(r *running) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, other := range b.ready {
		if other == r {
			return true
		}
	}
	return false
}

// TestRollingUpgrade: two instances are replaced by newer ones, one after the
// other and across a migration, while clients write and read through a load
// balancer: nothing is refused, nothing is lost.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	files := newer(t, map[string]string{"00900_wider.sql": `
		ALTER TABLE resources ADD COLUMN badge text;
		CREATE INDEX resources_badge ON resources (tenant, badge);
		ALTER TABLE attrs ADD COLUMN badge integer NOT NULL DEFAULT 7;`})
	launch := func(program fs.FS, environ ...string) *running {
		t.Helper()
		r, err := tryStartAs(t, func(s *server.Settings) {
			s.SetBeat(50 * time.Millisecond)
			if program != nil {
				s.SetMigrations(program)
			}
		}, append(environ, "ROLLCALL_DATABASE_URL="+db, "ROLLCALL_BASE_URL=https://id.example.com", "ROLLCALL_DRAIN=5s", "ROLLCALL_LOG_LEVEL=WARN")...)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	lb := &balancer{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	old := []*running{launch(nil), launch(nil)}
	lb.add(old[0])
	lb.add(old[1])
	go lb.poll(ctx)
	waitFor(t, "two instances", func() bool { return lb.serves(old[0]) && lb.serves(old[1]) })

	var stop atomic.Bool
	var done atomic.Int64
	var wg sync.WaitGroup
	names := make([][]string, 6)
	for c := range names {
		wg.Go(func() {
			client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
			defer client.CloseIdleConnections()
			send := func(method, path, body string) (int, string) {
				r := lb.pick()
				for end := time.Now().Add(3 * time.Second); r == nil && time.Now().Before(end); r = lb.pick() {
					time.Sleep(5 * time.Millisecond) // a machine that stands still says that nobody is ready
				}
				if r == nil {
					t.Error("no instance is ready")
					return 0, ""
				}
				req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return 0, ""
				}
				req.Header.Set("Authorization", "Bearer "+testToken)
				req.Header.Set("Content-Type", "application/scim+json")
				resp, err := client.Do(req)
				if err != nil {
					t.Errorf("%s %s: %v", method, path, err)
					return 0, ""
				}
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				if err != nil || resp.StatusCode >= 300 {
					t.Errorf("%s %s: %d %s %v", method, path, resp.StatusCode, text, err)
				}
				return resp.StatusCode, string(text)
			}
			for n := 0; !stop.Load(); n++ {
				name := fmt.Sprintf("user-%d-%d", c, n)
				status, text := send("POST", "/scim/v2/Users", `{"userName":"`+name+`"}`)
				var u struct{ ID string }
				if status != 201 || json.Unmarshal([]byte(text), &u) != nil {
					return
				}
				names[c] = append(names[c], name)
				if status, _ := send("PATCH", "/scim/v2/Users/"+u.ID, fmt.Sprintf(patchOp, `{"op":"replace","path":"title","value":"T"}`)); status != 200 {
					return
				}
				if status, text := send("GET", "/scim/v2/Users/"+u.ID, ""); status != 200 || !strings.Contains(text, `"title":"T"`) {
					t.Errorf("what was written is not read: %d %s", status, text)
				}
				done.Add(1)
			}
		})
	}
	busy := func() { // until each client has gone on for a while
		t.Helper()
		want := done.Load() + 40
		waitFor(t, "requests", func() bool { return done.Load() >= want || stop.Load() || t.Failed() })
	}
	busy()
	var fresh []*running
	for _, r := range old {
		n := launch(files)
		fresh = append(fresh, n)
		lb.add(n)
		waitFor(t, "the new instance", func() bool { return lb.serves(n) })
		busy() // old and new side by side
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		busy()
	}
	stop.Store(true)
	wg.Wait()
	total := 0
	for _, list := range names {
		for _, name := range list {
			total++
			if a := fresh[0].do("GET", "/scim/v2/Users?filter=userName+eq+%22"+name+"%22", ""); !strings.Contains(a.body, `"totalResults":1`) || !strings.Contains(a.body, `"title":"T"`) {
				t.Errorf("%s is lost: %s", name, a.body)
			}
		}
	}
	t.Logf("%d users were made meanwhile", total)

	// A migration that the program from before can't live with ends its service.
	last := launch(newer(t, map[string]string{"00900_wider.sql": "SELECT 1;", "00901_other.sql": `
		INSERT INTO meta (tenant, key, value) VALUES (0, 'serves from', '901') ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value;`}))
	for _, r := range fresh {
		waitFor(t, "the end of service", func() bool { return r.do("GET", "/health/ready", "").status == 503 })
		if a := r.do("POST", "/scim/v2/Users", `{"userName":"refused"}`); a.status != 503 || !strings.Contains(a.body, "newer version") {
			t.Errorf("a write at a program that is too old: %d %s", a.status, a.body)
		}
	}
	if a := last.do("POST", "/scim/v2/Users", `{"userName":"taken"}`); a.status != 201 {
		t.Errorf("a write at the newest: %d %s", a.status, a.body)
	}
}

// TestInstanceKilled: of two instances under load one is killed, again and
// again. The other does not notice, and nothing acknowledged is lost.
func TestInstanceKilled(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	t.Setenv("ROLLCALL_DATABASE_URL", pgtest.Database(t))
	t.Setenv("ROLLCALL_BASE_URL", "https://id.example.com")
	dir := t.TempDir()
	stays := spawn(t, "full", dir, freeAddress(t))
	address := freeAddress(t)
	var mu sync.Mutex
	acknowledged, unknown := map[string]bool{}, map[string]bool{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	write := func(ctx context.Context, url, prefix string, done *atomic.Int64) {
		client := &http.Client{Transport: &http.Transport{}}
		defer client.CloseIdleConnections()
		for i := 0; ctx.Err() == nil; i++ {
			name := fmt.Sprintf("%s-%d", prefix, i)
			status, err := post(context.WithoutCancel(ctx), client, url, name)
			mu.Lock()
			switch {
			case err != nil && url == stays.url:
				t.Errorf("POST %s at the instance that stays: %v", name, err)
			case err != nil:
				unknown[name] = true
			case status == http.StatusCreated:
				acknowledged[name] = true
			default:
				t.Errorf("POST %s: %d", name, status)
			}
			mu.Unlock()
			if err != nil || status != http.StatusCreated {
				return
			}
			done.Add(1)
		}
	}
	var steady atomic.Int64
	for c := range 4 {
		wg.Go(func() { write(ctx, stays.url, fmt.Sprintf("steady-%d", c), &steady) })
	}
	for round := range rounds {
		p := spawn(t, "full", dir, address)
		var done atomic.Int64
		var clients sync.WaitGroup
		for c := range 4 {
			clients.Go(func() { write(ctx, p.url, fmt.Sprintf("round-%d-%d", round, c), &done) })
		}
		want := int64(20 + 7*round)
		waitFor(t, "writes", func() bool { return done.Load() >= want || t.Failed() })
		p.kill()
		clients.Wait()
		before := steady.Load()
		waitFor(t, "writes at the other", func() bool { return steady.Load() > before+5 || t.Failed() })
	}
	cancel()
	wg.Wait()
	found := map[string]bool{}
	for start, total := 1, 1; start <= total; start += 1000 {
		status, text := stays.get(fmt.Sprintf("/scim/v2/Users?attributes=userName&count=1000&startIndex=%d", start))
		var list struct {
			TotalResults int
			Resources    []struct{ UserName string }
		}
		if err := json.Unmarshal([]byte(text), &list); err != nil || status != 200 || len(list.Resources) == 0 {
			t.Fatalf("page from %d: %d %v", start, status, err)
		}
		total = list.TotalResults
		for _, u := range list.Resources {
			found[u.UserName] = true
		}
	}
	for name := range acknowledged {
		if !found[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	for name := range found {
		if !acknowledged[name] && !unknown[name] {
			t.Errorf("%s is there and nobody made it", name)
		}
	}
	t.Logf("%d rounds, %d writes acknowledged, %d unknown, %d found", rounds, len(acknowledged), len(unknown), len(found))
}
