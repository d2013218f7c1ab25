package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// folder holds the schema of an extension that has secrets of each kind.
func folder() fstest.MapFS {
	return fstest.MapFS{"locker.json": {Data: []byte(`[
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:2.0:Locker","name":"Locker","attributes":[
			{"name":"number","type":"integer"},
			{"name":"code","type":"string","mutability":"writeOnly","returned":"never"},
			{"name":"note","type":"string","returned":"request"},
			{"name":"keys","type":"complex","multiValued":true,"subAttributes":[
				{"name":"value","type":"string"},{"name":"copy","type":"string","returned":"never"}]}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"User","schema":"urn:ietf:params:scim:schemas:core:2.0:User",
			"schemaExtensions":[{"schema":"urn:example:2.0:Locker","required":false}]}]`)}}
}

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

var inSQLite = database{
	name:  "sqlite",
	place: func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "rollcall.db") },
	tenant: func(t *testing.T, place, name string) (store, [][]byte, func()) {
		t.Helper()
		db := openSQLite(t, place)
		keys, err := db.CursorKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return db.Tenant(name), keys, func() { _ = db.Close() }
	},
	source: func(t *testing.T, place string) transfer.Source {
		t.Helper()
		s, err := sqlite.OpenSource(t.Context(), place, sqlite.SourceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	},
	target: func(ctx context.Context, t *testing.T, place string) transfer.Target {
		t.Helper()
		to, err := sqlite.OpenTarget(ctx, place, options)
		if err != nil {
			t.Fatal(err)
		}
		return to
	},
}

var inPostgres = database{
	name:  "postgres",
	place: func(t *testing.T) string { t.Helper(); return pgtest.Database(t) },
	tenant: func(t *testing.T, place, name string) (store, [][]byte, func()) {
		t.Helper()
		db, err := postgres.Open(t.Context(), place, postgresOptions)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		keys, err := db.CursorKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return db.Tenant(name), keys, func() { _ = db.Close() }
	},
	source: func(t *testing.T, place string) transfer.Source {
		t.Helper()
		s, err := postgres.OpenSource(t.Context(), place, postgres.SourceOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	},
	target: func(ctx context.Context, t *testing.T, place string) transfer.Target {
		t.Helper()
		to, err := postgres.OpenTarget(ctx, place, postgresOptions)
		if err != nil {
			t.Fatal(err)
		}
		return to
	},
}

var postgresOptions = postgres.Options{Load: schema.Load, Encode: schema.Encode, Type: typeNamed, UndeleteDays: 30, MaxConns: 4}

// databases are the kinds of databases there are.
func databases() []database { return []database{inSQLite, inPostgres} }

// steps is how much happens in a test, less in a short one.
func steps(n int) int {
	if testing.Short() {
		return n / 3
	}
	return n
}

// TestCopy: a copy of a directory with a history is answered from as the
// directory itself, exports the same, and goes on living like it.
func TestCopy(t *testing.T) {
	t.Parallel()
	for i, from := range databases() {
		for j, to := range databases() {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				t.Parallel()
				if testing.Short() && from.name == to.name {
					return // the two others go through the same
				}
				testCopy(t, from, to, uint64(10*i+j)) //nolint:gosec // small
			})
		}
	}
}

func testCopy(t *testing.T, from, to database, seed uint64) {
	place := from.place(t)
	type world struct {
		users, groups []string
		seen          []string
		cursor        string
	}
	worlds := map[string]*world{}
	for _, tenant := range []string{"default", "other"} {
		s, keys, stop := from.tenant(t, place, tenant)
		a := newAPI(t, s, tenant, keys)
		w := &world{}
		w.users, w.groups = a.live(seed+uint64(len(tenant)), steps(150)) //nolint:gosec // small
		w.seen = a.see(w.users, w.groups)
		_, first, text := a.do("GET", "/Users", "count=3&cursor=", nil)
		if w.cursor, _ = first.Get("nextCursor").(string); w.cursor == "" {
			t.Fatalf("no cursor: %s", text)
		}
		worlds[tenant] = w
		stop()
	}
	src := from.source(t, place)
	aim := to.place(t)
	target := to.target(t.Context(), t, aim)
	if err := transfer.Copy(t.Context(), src, target, schemas(t).Prepare, quiet); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	made := to.source(t, aim)
	sums, differ, err := transfer.Verify(t.Context(), src, made, quiet)
	if err != nil || len(differ) > 0 || len(sums) < 12 {
		t.Fatalf("verify: %v, %v, %v", sums, differ, err)
	}
	if got, want := exported(t, made), exported(t, src); got != want {
		t.Errorf("the exports differ:\n%.3000s\n\n%.3000s", got, want)
	}
	_ = made.Close()
	for tenant, w := range worlds {
		s, keys, stop := to.tenant(t, aim, tenant)
		a := newAPI(t, s, tenant, keys)
		same(t, tenant, a.see(w.users, w.groups), w.seen)
		before, keysBefore, stopBefore := from.tenant(t, place, tenant)
		b := newAPI(t, before, tenant, keysBefore)
		query := "count=3&cursor=" + w.cursor
		_, _, got := a.do("GET", "/Users", query, nil)
		_, want, _ := b.do("GET", "/Users", query, nil)
		if page, _ := want.Get("Resources").([]any); len(page) == 0 || ids(t, got) != ids(t, string(want.AppendJSON(nil))) {
			t.Errorf("a cursor from before the copy gives %.300s, want %.300v", got, want)
		}
		// Both live on, and stay the same but for the new ids and times.
		if m, n := len(a.undelete()), len(b.undelete()); m != n || m == 0 {
			t.Errorf("%d users can be restored, %d before", m, n)
		}
		if status, _, text := a.do("POST", "/Users", "", object{"userName": a.taken()}); status != 409 {
			t.Errorf("a userName that is taken: %d %s", status, text)
		}
		if users, _ := a.live(99, 40); len(users) == 0 {
			t.Error("the copy does not live on")
		}
		stop()
		stopBefore()
	}
	// The tables are whole: what was kept beside the documents serves writes too.
	if got, want := sorted(exported(t, to.source(t, aim))), ""; got == want {
		t.Error("nothing to export")
	}
}

// ids returns the ids of a list.
func ids(t *testing.T, text string) string {
	t.Helper()
	var list []string
	for _, r := range parseList(t, text) {
		list = append(list, fmt.Sprint(r.Get("id")))
	}
	return fmt.Sprint(list)
}

// TestResume: a copy that was interrupted anywhere goes on from there, and ends
// as one that was not.
func TestResume(t *testing.T) {
	t.Parallel()
	for _, to := range databases() {
		t.Run(to.name, func(t *testing.T) {
			t.Parallel()
			place := inSQLite.place(t)
			s, keys, stop := inSQLite.tenant(t, place, "default")
			newAPI(t, s, "default", keys).live(5, steps(400))
			stop()
			src := inSQLite.source(t, place)
			want := exported(t, src)
			g := rand.New(rand.NewPCG(7, 7))
			aim := to.place(t)
			for tries := 0; ; tries++ {
				if tries > 200 {
					t.Fatal("it never ends")
				}
				ctx, cancel := context.WithCancel(t.Context())
				left := g.IntN(120)
				target := &slow{to.target(t.Context(), t, aim), func() {
					if left--; left == 0 {
						cancel()
					}
				}}
				err := transfer.Copy(ctx, pieces(src), target, schemas(t).Prepare, quiet)
				cancel()
				if e := target.Close(); e != nil {
					t.Fatal(e)
				}
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("try %d: %v", tries, err)
				}
				if tries == 0 {
					unfinished(t, to, aim)
				}
			}
			if got := exported(t, to.source(t, aim)); got != want {
				t.Errorf("a copy that was interrupted differs:\n%.2000s\n\n%.2000s", got, want)
			}
		})
	}
}

// TestRefused: a target that holds something else is left alone, and of two
// copies at once one is refused.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, to := range databases() {
		t.Run(to.name, func(t *testing.T) {
			t.Parallel()
			place, other := inSQLite.place(t), inSQLite.place(t)
			for i, p := range []string{place, other} {
				s, keys, stop := inSQLite.tenant(t, p, "default")
				newAPI(t, s, "default", keys).live(uint64(i), 60) //nolint:gosec // small
				stop()
			}
			src, another := inSQLite.source(t, place), inSQLite.source(t, other)
			run := func(s transfer.Source, aim transfer.Target) error {
				return transfer.Copy(t.Context(), s, aim, schemas(t).Prepare, quiet)
			}
			full := to.place(t)
			s, keys, stop := to.tenant(t, full, "default")
			newAPI(t, s, "default", keys).live(1, 10)
			stop()
			target := to.target(t.Context(), t, full)
			if err := run(src, target); !errors.Is(err, transfer.ErrNotEmpty) {
				t.Errorf("into a directory with people: %v", err)
			}
			_ = target.Close()

			half := to.place(t)
			ctx, cancel := context.WithCancel(t.Context())
			target = &slow{to.target(t.Context(), t, half), cancel}
			if err := transfer.Copy(ctx, pieces(src), target, schemas(t).Prepare, quiet); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			_ = target.Close()
			target = to.target(t.Context(), t, half)
			if err := run(another, target); !errors.Is(err, transfer.ErrOtherSource) {
				t.Errorf("into the half-done copy of another directory: %v", err)
			}
			_ = target.Close()
		})
	}
}

// TestTwoAtOnce: of two copies into one database the second is refused, and
// what the first does is whole. (A file is locked by who opens it.)
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	place := inSQLite.place(t)
	s, keys, stop := inSQLite.tenant(t, place, "default")
	newAPI(t, s, "default", keys).live(3, 60)
	stop()
	aim := inPostgres.place(t)
	first, second := inPostgres.target(t.Context(), t, aim), inPostgres.target(t.Context(), t, aim)
	var refusal error
	meanwhile := &slow{first, sync.OnceFunc(func() {
		refusal = transfer.Copy(t.Context(), inSQLite.source(t, place), second, schemas(t).Prepare, quiet)
	})}
	err := transfer.Copy(t.Context(), pieces(inSQLite.source(t, place)), meanwhile, schemas(t).Prepare, quiet)
	if err != nil || !errors.Is(refusal, transfer.ErrBusy) {
		t.Errorf("the first: %v; the second: %v, want ErrBusy", err, refusal)
	}
	if e := errors.Join(first.Close(), second.Close()); e != nil {
		t.Fatal(e)
	}
	if got, want := exported(t, inPostgres.source(t, aim)), exported(t, inSQLite.source(t, place)); got != want {
		t.Errorf("two at once made something else:\n%.2000s\n\n%.2000s", got, want)
	}
}

// TestTombstone: a delete that is under way goes on where the copy is.
func TestTombstone(t *testing.T) {
	t.Parallel()
	place := inSQLite.place(t)
	s, keys, stop := inSQLite.tenant(t, place, "default")
	a := newAPI(t, s, "default", keys)
	create := func(path string, body object) string {
		t.Helper()
		status, o, text := a.do("POST", path, "", body)
		if status != 201 {
			t.Fatalf("%d %s", status, text)
		}
		id, _ := o.Get("id").(string)
		return id
	}
	boss := create("/Users", object{"userName": "boss"})
	worker := create("/Users", object{"userName": "worker",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": object{"manager": object{"value": boss}}})
	group := create("/Groups", object{"displayName": "all", "members": []object{{"value": boss}, {"value": worker}}})
	stop()
	// As a delete of the boss leaves it after its first transaction.
	dying := transfer.Changed(inSQLite.source(t, place), func(r *transfer.Record) error {
		if r.Kind == transfer.Resources && r.Resource.ID == boss {
			r.Kind, r.Tombstone = transfer.Tombstones, &transfer.Tombstone{Seq: r.Resource.Seq, Type: "User", ID: boss, Change: 3, Actor: "killer", Request: "r"}
			r.Resource = nil
		}
		return nil
	})
	var mu sync.Mutex // one uses it at a time
	for _, from := range databases() {
		for _, to := range databases() {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				t.Parallel()
				run := func(src transfer.Source, into database) string {
					t.Helper()
					place := into.place(t)
					target := into.target(t.Context(), t, place)
					if err := errors.Join(transfer.Copy(t.Context(), src, target, schemas(t).Prepare, quiet), target.Close()); err != nil {
						t.Fatal(err)
					}
					return place
				}
				mu.Lock()
				first := from.source(t, run(dying, from))
				mu.Unlock()
				last := run(first, to)
				if got, want := exported(t, to.source(t, last)), exported(t, first); got != want || !strings.Contains(got, `"kind":"tombstone"`) {
					t.Errorf("the copy of a copy:\n%s\nwant\n%s", got, want)
				}
				s, keys, _ := to.tenant(t, last, "default")
				a := newAPI(t, s, "default", keys)
				if status, _, _ := a.do("GET", "/Users/"+boss, "", nil); status != 404 {
					t.Errorf("who is being deleted: %d", status)
				}
				for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
					log, err := s.Changes(t.Context(), scim.ChangeQuery{})
					if err != nil {
						t.Fatal(err)
					}
					if len(log) == 5 && log[4].Actor == "killer" && log[3].Actor == "killer" {
						break
					}
					if time.Now().After(end) {
						t.Fatalf("the delete does not end: %+v", log)
					}
				}
				_, g, text := a.do("GET", "/Groups/"+group, "", nil)
				if members, _ := g.Get("members").([]any); len(members) != 1 {
					t.Errorf("the group: %s", text)
				}
				if _, _, text := a.do("GET", "/Users/"+worker, "", nil); strings.Contains(text, "manager") {
					t.Errorf("a reference to who was deleted: %s", text)
				}
			})
		}
	}
}
