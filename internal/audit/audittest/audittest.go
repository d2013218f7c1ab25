// Package audittest is what every database must do as an audit.Log.
package audittest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Store is a tenant.
type Store interface {
	scim.Backend
	scim.MemberUpdater
	scim.Undeleter
}

// Rig is a database under test, empty, with a change log of HistoryDays.
type Rig struct {
	Store  func(tenant string) Store
	Log    func(tenant string) audit.Log
	Exec   func(statement string) error // which both dialects of SQL know
	Number func(tenant string) string   // an expression for the number of a tenant
	Blob   func(b []byte) string        // a literal
	Prune  func(ctx context.Context) error
	Reopen func() // as after a crash; nil: not at all
	Clock  *Clock
}

// HistoryDays is how long a Rig keeps the change log.
const HistoryDays = 100

// Clock is a time that a test sets. Safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

// Now returns its time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves it.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

const day = 24 * time.Hour

// Run runs the suite.
func Run(t *testing.T, open func(t *testing.T) *Rig) {
	for name, test := range map[string]func(*testing.T, *Rig){
		"Chain": chain, "Tampering": tampering, "Erasure": erasure, "Retention": retention, "Query": query, "Pages": pages, "Histories": histories,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

var types = schema.Core()

func resource(t *testing.T, rt *scim.ResourceType, body string, args ...any) *scim.Resource {
	t.Helper()
	raw, err := scim.ParseObject(fmt.Appendf(nil, body, args...), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := schema.Decode(rt, raw, schema.Options{AnySchemas: true})
	if err != nil {
		t.Fatal(err)
	}
	schema.Encode(r)
	return r
}

// as is a context of a request.
func as(t *testing.T, actor string) context.Context {
	return scim.WithOrigin(t.Context(), scim.Origin{Actor: actor, RequestID: "r-" + actor, Address: "192.0.2.7"})
}

func create(t *testing.T, s Store, actor, name string) *scim.Resource {
	t.Helper()
	u, err := s.Create(as(t, actor), resource(t, types[0], `{"userName":%q,"title":"Clerk"}`, name))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func update(t *testing.T, s Store, actor string, u *scim.Resource, title string) *scim.Resource {
	t.Helper()
	after := *u
	after.Attrs = scim.Clone(u.Attrs)
	old, _ := after.Attrs.Get("title").(string)
	after.Attrs.Set("title", title)
	schema.Encode(&after)
	a := types[0].Schema.Attribute("title")
	d := scim.Delta{Path: scim.AttrPath{Name: "title", Attr: a}, Added: []any{title}, Removed: []any{old}}
	out, err := s.Update(as(t, actor), scim.Change{Before: u, After: &after, Deltas: []scim.Delta{d}, Method: "PUT"})
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Load(out); err != nil {
		t.Fatal(err)
	}
	return out
}

func remove(t *testing.T, s Store, actor string, u *scim.Resource) {
	t.Helper()
	if err := s.Delete(as(t, actor), u.Ref(), ""); err != nil {
		t.Fatal(err)
	}
}

// load is a resource with Attrs.
func load(t *testing.T, r *scim.Resource) *scim.Resource {
	t.Helper()
	if err := schema.Load(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// life is what happens to two people and a group: seven rows.
func life(t *testing.T, s Store) (ada, bob, staff *scim.Resource) {
	t.Helper()
	ada, bob = load(t, create(t, s, "okta", "ada")), create(t, s, "okta", "bob")
	ada = update(t, s, "entra", ada, "Countess")
	staff, err := s.Create(as(t, "okta"), resource(t, types[1], `{"displayName":"staff"}`))
	if err != nil {
		t.Fatal(err)
	}
	d := scim.Delta{Path: scim.AttrPath{Name: "members", Attr: types[1].Membership()}, Added: []any{scim.MemberRef{ID: ada.ID}}}
	if _, err = s.UpdateMembers(as(t, "okta"), scim.Change{Before: staff, After: staff, Deltas: []scim.Delta{d}, Method: "PATCH", Touched: []string{"members"}}); err != nil {
		t.Fatal(err)
	}
	remove(t, s, "entra", ada) // and takes her out of the group
	return ada, bob, staff
}

func seal(t *testing.T, l audit.Log) audit.Head {
	t.Helper()
	h, err := l.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func verify(t *testing.T, tenant string, l audit.Log, noted *audit.Head) audit.Verdict {
	t.Helper()
	v, err := audit.Verify(t.Context(), tenant, l, noted)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func chain(t *testing.T, rig *Rig) {
	s, l := rig.Store("a"), rig.Log("a")
	if h := seal(t, l); h != audit.Start("a") {
		t.Errorf("the head of nothing is %v", h)
	}
	if v := verify(t, "a", l, nil); !v.Good {
		t.Errorf("nothing: %+v", v)
	}
	life(t, s)
	first := seal(t, l)
	if again := seal(t, l); again != first || first.N != 7 {
		t.Errorf("sealed up to %v, then %v; want 7 entries", first, again)
	}
	create(t, rig.Store("b"), "okta", "ada")
	create(t, s, "okta", "cleo")
	seal(t, rig.Log("b"))
	v := verify(t, "a", l, &first)
	if seal(t, l); !v.Good || v.Entries != 7 {
		t.Errorf("with a row that is not sealed: %+v", v)
	}
	if v = verify(t, "a", l, &first); !v.Good || v.Entries != 8 || v.Changes != 8 || v.First != 1 || v.Head == first.String() {
		t.Errorf("%+v", v)
	}
	if v := verify(t, "b", l, nil); v.Good || v.Bad != 1 {
		t.Errorf("the chain of one tenant as another's: %+v", v)
	}
	list, err := l.Entries(t.Context(), 0, 1)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	c := list[0].Change
	if c == nil || c.Actor != "okta" || c.Request != "r-okta" || c.Address != "192.0.2.7" || c.Op != "create" || !strings.Contains(string(c.Deltas), "ada") {
		t.Errorf("the first row: %+v", c)
	}
}

func tampering(t *testing.T, rig *Rig) {
	row := func(n int) string {
		return fmt.Sprintf("seq = (SELECT change FROM audit WHERE tenant = T AND kind = 0 AND n = %d)", n)
	}
	for i, tt := range []struct {
		sql string
		bad int64
	}{
		{`UPDATE changes SET actor = 'nobody' WHERE tenant = T AND ` + row(2), 2},
		{`UPDATE changes SET time = time + 1 WHERE tenant = T AND ` + row(4), 4},
		{`UPDATE changes SET address = '' WHERE tenant = T AND ` + row(7), 7},
		{`UPDATE changes SET deltas = replace(deltas, 'Countess', 'Duchess') WHERE tenant = T AND ` + row(3), 3},
		{`UPDATE changes SET deltas = '{"deltas":[]}' WHERE tenant = T AND ` + row(3), 3},
		{`UPDATE changes SET version = '9' WHERE tenant = T AND ` + row(1), 1},
		{`DELETE FROM changes WHERE tenant = T AND ` + row(5), 5},
		{`DELETE FROM audit WHERE tenant = T AND n = 5`, 5},
		{`DELETE FROM audit WHERE tenant = T AND n > 5`, 6},
		{`DELETE FROM audit WHERE tenant = T`, 1},
		{`DELETE FROM audit_heads WHERE tenant = T`, 7},
		{`UPDATE audit SET salt = ` + rig.Blob(make([]byte, audit.SaltSize)) + ` WHERE tenant = T AND n = 6`, 6},
		{`UPDATE audit SET salt = NULL WHERE tenant = T AND n = 6`, 6},
		{`UPDATE audit SET sum = salt WHERE tenant = T AND n = 2`, 2},
		{`UPDATE audit SET change = 1000000 - change WHERE tenant = T AND kind = 0`, 1},
		{`UPDATE audit SET n = n + 100 WHERE tenant = T AND n = 7`, 7},
		{`UPDATE audit SET link = (SELECT link FROM audit WHERE tenant = T AND n = 1) WHERE tenant = T AND n = 4`, 4},
	} {
		name := fmt.Sprint("t", i)
		life(t, rig.Store(name))
		l := rig.Log(name)
		head := seal(t, l)
		if v := verify(t, name, l, &head); !v.Good || v.Entries != 7 {
			t.Fatalf("%+v", v)
		}
		if err := rig.Exec(strings.ReplaceAll(tt.sql, "= T", "= "+rig.Number(name))); err != nil {
			t.Fatal(err)
		}
		if v := verify(t, name, l, nil); v.Good || v.Bad != tt.bad || v.Why == "" {
			t.Errorf("%s: %+v; want entry %d", tt.sql, v, tt.bad)
		}
	}
	// Cut off cleanly, only a head that was noted tells.
	life(t, rig.Store("cut"))
	l := rig.Log("cut")
	head := seal(t, l)
	for _, q := range []string{`DELETE FROM changes WHERE tenant = T AND ` + row(7), `DELETE FROM audit WHERE tenant = T AND n = 7`,
		`UPDATE audit_heads SET n = 6, link = (SELECT link FROM audit WHERE tenant = T AND n = 6) WHERE tenant = T`} {
		if err := rig.Exec(strings.ReplaceAll(q, "= T", "= "+rig.Number("cut"))); err != nil {
			t.Fatal(err)
		}
	}
	if v := verify(t, "cut", l, nil); !v.Good {
		t.Errorf("cut off cleanly: %+v", v)
	}
	if v := verify(t, "cut", l, &head); v.Good || v.Bad != 7 {
		t.Errorf("cut off cleanly, with a head that was noted: %+v", v)
	}
}

func erasure(t *testing.T, rig *Rig) {
	s, l := rig.Store("a"), rig.Log("a")
	ada, bob, _ := life(t, s)
	rig.Clock.Add(time.Minute)
	before := seal(t, l)
	if _, err := l.Erase(t.Context(), audit.Erasure{ID: bob.ID}); !errors.Is(err, audit.ErrThere) {
		t.Errorf("somebody who exists: %v", err)
	}
	out, err := l.Erase(t.Context(), audit.Erasure{ID: ada.ID, Actor: "op", Address: "192.0.2.9"})
	if err != nil || out.Rows != 3 || !out.Stored || out.N != 8 || !out.Time.Equal(rig.Clock.Now()) {
		t.Errorf("%+v, %v; want three rows", out, err)
	}
	rig.Clock.Add(time.Minute)
	again, err := l.Erase(t.Context(), audit.Erasure{ID: ada.ID, Actor: "op"})
	if err != nil || again.Rows != 0 || again.Stored || again.N != 8 || !again.Time.Equal(out.Time) {
		t.Errorf("again: %+v, %v", again, err)
	}
	if out, err := l.Erase(t.Context(), audit.Erasure{ID: "nobody"}); err != nil || out != (audit.Outcome{}) {
		t.Errorf("nobody: %+v, %v", out, err)
	}
	if v := verify(t, "a", l, &before); !v.Good || v.Erased != 3 || v.Entries != 8 {
		t.Errorf("%+v", v)
	}
	if left, err := s.Deleted(t.Context(), scim.DeletedQuery{Type: types[0]}); err != nil || len(left) != 0 {
		t.Errorf("can be restored: %+v, %v", left, err)
	}
	page, err := l.Query(t.Context(), audit.Query{Person: ada.ID})
	if err != nil || len(page.Events) == 0 || page.Events[0].Change.Op != audit.OpErase || page.Events[0].Change.Actor != "op" || page.Events[0].Rows != 3 {
		t.Errorf("%+v, %v", page.Events, err)
	}
	for _, e := range page.Events {
		if strings.Contains(string(e.Change.Deltas), "ada\"") || strings.Contains(string(e.Change.Deltas), "Countess") {
			t.Errorf("left: %s", e.Change.Deltas)
		}
	}
	// Without the note the values would just be missing.
	if err := rig.Exec(strings.ReplaceAll(`UPDATE audit SET note = replace(note, 'op', 'me') WHERE tenant = T AND n = 8`, "= T", "= "+rig.Number("a"))); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, "a", l, nil); v.Good {
		t.Errorf("with another note: %+v", v)
	}
}

func retention(t *testing.T, rig *Rig) {
	s, l := rig.Store("a"), rig.Log("a")
	prune := func() {
		t.Helper()
		if err := rig.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ada, _, _ := life(t, s)
	first := seal(t, l)
	rig.Clock.Add(60 * day)
	if _, err := l.Erase(t.Context(), audit.Erasure{ID: ada.ID}); err != nil {
		t.Fatal(err)
	}
	create(t, s, "okta", "cleo")
	prune()
	if v := verify(t, "a", l, &first); !v.Good || v.Entries != 9 || v.Expired != 0 {
		t.Errorf("after 60 days: %+v", v)
	}
	rig.Clock.Add(60 * day)
	prune()
	second := seal(t, l)
	v := verify(t, "a", l, &second)
	if !v.Good || v.First != 8 || v.Expired != 7 || v.Entries != 3 || v.Changes != 1 {
		t.Errorf("after 120 days: %+v", v)
	}
	if v := verify(t, "a", l, &first); !v.Good {
		t.Errorf("the head at the anchor: %+v", v)
	}
	prune()
	if again := verify(t, "a", l, nil); again != v {
		t.Errorf("pruned for nothing: %+v, was %+v", again, v)
	}
	rig.Clock.Add(60 * day)
	prune()
	if v := verify(t, "a", l, &second); !v.Good || v.Expired != 9 || v.Entries != 2 || v.Changes != 0 {
		t.Errorf("after 180 days: %+v", v)
	}
	create(t, s, "okta", "dora")
	seal(t, l)
	if v := verify(t, "a", l, &second); !v.Good || v.Changes != 1 {
		t.Errorf("and on: %+v", v)
	}
	if err := rig.Exec(strings.ReplaceAll(`DELETE FROM audit WHERE tenant = T AND kind = 2 AND n = 11`, "= T", "= "+rig.Number("a"))); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, "a", l, nil); v.Good {
		t.Errorf("without the anchor: %+v", v)
	}
}

// histories does random things, with erasures, retention and crashes, and then
// changes one bit.
func histories(t *testing.T, rig *Rig) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 6 {
		name := fmt.Sprint("t", round)
		s, l := rig.Store(name), rig.Log(name)
		var present, gone []*scim.Resource
		var noted *audit.Head
		for i := range 30 {
			switch k := r.IntN(12); {
			case k < 4 || len(present) == 0:
				present = append(present, load(t, create(t, s, "okta", fmt.Sprintf("u%d-%d", round, i))))
			case k < 7:
				u := r.IntN(len(present))
				present[u] = update(t, s, "entra", present[u], fmt.Sprint("title", i))
			case k < 9:
				u := r.IntN(len(present))
				remove(t, s, "okta", present[u])
				gone, present = append(gone, present[u]), slices.Delete(present, u, u+1)
			case k < 10 && len(gone) > 0:
				if _, err := l.Erase(t.Context(), audit.Erasure{ID: gone[r.IntN(len(gone))].ID, Actor: "op"}); err != nil {
					t.Fatal(err)
				}
			case k < 11:
				rig.Clock.Add(40 * day)
				if err := rig.Prune(t.Context()); err != nil {
					t.Fatal(err)
				}
				noted = nil
			default:
				if h := seal(t, l); noted == nil {
					noted = &h
				}
				if rig.Reopen != nil && r.IntN(4) == 0 {
					rig.Reopen()
					s, l = rig.Store(name), rig.Log(name)
				}
			}
		}
		seal(t, l)
		v := verify(t, name, l, nil)
		if !v.Good {
			t.Fatalf("round %d: %+v", round, v)
		}
		if noted != nil && noted.N >= v.Expired {
			if v := verify(t, name, l, noted); !v.Good {
				t.Fatalf("round %d, with a head that was noted: %+v", round, v)
			}
		}
		list, err := l.Entries(t.Context(), v.Expired, 1000)
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		e := list[r.IntN(len(list))]
		set := map[string][]byte{"link": e.Link[:], "sum": e.Sum, "salt": e.Salt}
		for column, b := range set {
			if len(b) == 0 {
				continue
			}
			bad := slices.Clone(b)
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			put := func(b []byte) {
				t.Helper()
				if err := rig.Exec(fmt.Sprintf(`UPDATE audit SET %s = %s WHERE tenant = %s AND n = %d`, column, rig.Blob(b), rig.Number(name), e.N)); err != nil {
					t.Fatal(err)
				}
			}
			if put(bad); verify(t, name, l, nil).Good {
				t.Errorf("round %d: one bit of %s of entry %d (%s) is changed, and all is well", round, column, e.N, hex.EncodeToString(b))
			}
			put(b)
		}
		if v := verify(t, name, l, nil); !v.Good {
			t.Fatalf("round %d, as it was: %+v", round, v)
		}
	}
}
