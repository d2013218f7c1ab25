package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// instances opens one database twice, as two programs do.
func instances(t *testing.T, o postgres.Options) (dbs [2]*postgres.DB, stores [2]*postgres.Store) {
	t.Helper()
	url := pgtest.Quick(t)
	for i := range dbs {
		dbs[i] = open(t, url, o)
		stores[i] = dbs[i].Tenant("a")
	}
	return dbs, stores
}

// TestUniquenessRace creates one user 200 times at once on two instances, by
// themselves, in batches and as imports: one of them is created.
func TestUniquenessRace(t *testing.T) {
	t.Parallel()
	dbs, stores := instances(t, postgres.Options{})
	errs := make([]error, 200)
	var wg sync.WaitGroup
	for i := range errs {
		r := user(t, []string{"Ada", "ADA", "ada"}[i%3])
		s := stores[i%2]
		wg.Go(func() {
			switch i % 10 {
			case 8:
				errs[i] = s.Batch(t.Context(), func(b scim.Backend) error {
					_, err := b.Create(t.Context(), r)
					return err
				})
			case 9:
				r.ID, r.Meta = fmt.Sprintf("import-%d", i), scim.Meta{Created: time.UnixMilli(1), LastModified: time.UnixMilli(1), Version: "1"}
				errs[i] = s.Import(t.Context(), r)
			default:
				_, errs[i] = s.Create(t.Context(), r)
			}
		})
	}
	wg.Wait()
	made := 0
	for i, err := range errs {
		switch {
		case err == nil:
			made++
		case !errors.Is(err, scim.ErrUniqueness):
			t.Errorf("create %d: %v", i, err)
		}
	}
	if made != 1 {
		t.Errorf("%d of 200 equal users were created", made)
	}
	noTraces(t, dbs[0])
}

// TestRenameRace gives many users one name at once, while that name is given up:
// nobody ever shares it.
func TestRenameRace(t *testing.T) {
	t.Parallel()
	dbs, stores := instances(t, postgres.Options{})
	var all []*scim.Resource
	for i := range 8 {
		all = append(all, create(t, stores[0], user(t, fmt.Sprintf("u%d", i))))
	}
	var wg sync.WaitGroup
	for i, r := range all {
		wg.Go(func() {
			for round := range 20 {
				name := "shared"
				if round%2 == 1 {
					name = fmt.Sprintf("u%d", i)
				}
				_, err := replace(t, stores[(i+round)%2], r, func(a *scim.Resource) { a.Attrs.Set("userName", name) })
				if err != nil && !errors.Is(err, scim.ErrUniqueness) {
					t.Errorf("rename of %d to %s: %v", i, name, err)
				}
				n, err := dbs[0].Int(t.Context(), `SELECT count(*) FROM attrs WHERE path = 'userName' AND text = 'shared'`)
				if err != nil || n > 1 {
					t.Errorf("%d users of one name, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	noTraces(t, dbs[0])
}

// replace reads a resource and stores it changed, until nobody came in between.
func replace(t *testing.T, s *postgres.Store, r *scim.Resource, change func(*scim.Resource)) (*scim.Resource, error) {
	for {
		before, err := s.Get(t.Context(), r.Ref(), scim.Selection{})
		if err != nil {
			return nil, err
		}
		if err := schema.Load(before); err != nil {
			return nil, err
		}
		after := *before
		after.Attrs = scim.Clone(before.Attrs)
		change(&after)
		schema.Encode(&after)
		deltas := patch.Diff(before, &after)
		if len(deltas) == 0 {
			return before, nil
		}
		out, err := s.Update(t.Context(), scim.Change{Before: before, After: &after, Deltas: deltas, Method: "PUT"})
		if !errors.Is(err, scim.ErrVersionMismatch) {
			return out, err
		}
	}
}

// TestVersions counts a number up by compare and swap on two instances: none of
// the steps is lost, and versions and times only go forward, although the clock
// of one instance is an hour behind.
func TestVersions(t *testing.T) {
	t.Parallel()
	url := pgtest.Quick(t)
	late := func() time.Time { return time.Now().Add(-time.Hour) }
	stores := [2]*postgres.Store{open(t, url, postgres.Options{}).Tenant("a"), open(t, url, postgres.Options{Now: late}).Tenant("a")}
	u := create(t, stores[0], resource(t, types[0], `{"userName":"u","title":"0"}`))
	const workers, steps = 8, 15
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			last := scim.Meta{}
			for range steps {
				out, err := replace(t, stores[w%2], u, func(r *scim.Resource) {
					n, _ := strconv.Atoi(r.Attrs.Get("title").(string))
					r.Attrs.Set("title", strconv.Itoa(n+1))
				})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[out.Meta.Version] {
					t.Errorf("version %s twice", out.Meta.Version)
				}
				seen[out.Meta.Version] = true
				mu.Unlock()
				if !out.Meta.LastModified.After(last.LastModified) {
					t.Errorf("lastModified %v after %v", out.Meta.LastModified, last.LastModified)
				}
				last = out.Meta
			}
		})
	}
	wg.Wait()
	got := get(t, stores[1], u)
	if err := schema.Load(got); err != nil {
		t.Fatal(err)
	}
	if n := workers * steps; got.Attrs.Get("title") != strconv.Itoa(n) || got.Meta.Version != strconv.Itoa(n+1) {
		t.Errorf("title %v at version %s; want %d", got.Attrs.Get("title"), got.Meta.Version, n)
	}
}

// TestOneGroup adds members to one group from 32 clients of two instances: no
// refusals, no losses.
func TestOneGroup(t *testing.T) {
	t.Parallel()
	dbs, stores := instances(t, postgres.Options{})
	const clients, each = 32, 6
	ids := people(t, stores[0], clients*each)
	g := create(t, stores[0], group(t, "g"))
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				if _, err := stores[c%2].UpdateMembers(t.Context(), change(g, ids[c*each+i:][:1], nil)); err != nil {
					t.Errorf("client %d: %v", c, err)
				}
			}
		})
	}
	wg.Wait()
	got := get(t, stores[0], g)
	if n := len(memberIDs(t, got)); n != len(ids) || got.Meta.Version != strconv.Itoa(len(ids)+1) {
		t.Errorf("%d members at version %s; want %d", n, got.Meta.Version, len(ids))
	}
	log, err := stores[1].Changes(t.Context(), scim.ChangeQuery{ID: g.ID, Limit: 1000})
	if err != nil || len(log) != len(ids)+1 {
		t.Fatalf("%d records, %v", len(log), err)
	}
	for i, r := range log {
		if r.Version != strconv.Itoa(i+1) {
			t.Errorf("record %d is of version %s", i, r.Version)
		}
	}
	noTraces(t, dbs[0])
}

// TestTurmoil creates, joins, leaves, replaces and deletes users and groups that
// refer to each other, on two instances at once. No collision reaches a caller,
// and in the end all rows fit together.
func TestTurmoil(t *testing.T) {
	t.Parallel()
	dbs, stores := instances(t, postgres.Options{SliceRows: 7, UndeleteDays: 1})
	var mu sync.Mutex
	var users, groups []*scim.Resource
	pick := func(list *[]*scim.Resource, n int) (out []*scim.Resource) {
		mu.Lock()
		defer mu.Unlock()
		for range min(n, len(*list)) {
			out = append(out, (*list)[rand.IntN(len(*list))])
		}
		return out
	}
	put := func(list *[]*scim.Resource, r *scim.Resource) {
		mu.Lock()
		defer mu.Unlock()
		*list = append(*list, r)
	}
	take := func(list *[]*scim.Resource) *scim.Resource {
		mu.Lock()
		defer mu.Unlock()
		if len(*list) < 5 {
			return nil
		}
		i := rand.IntN(len(*list))
		r := (*list)[i]
		*list = slices.Delete(*list, i, i+1)
		return r
	}
	names := func(list []*scim.Resource) (ids []string) {
		for _, r := range list {
			ids = append(ids, r.ID)
		}
		return ids
	}
	for i := range 10 {
		users = append(users, create(t, stores[0], user(t, fmt.Sprint("first", i))))
		groups = append(groups, create(t, stores[0], group(t, fmt.Sprint("first", i))))
	}
	var serial atomic.Int64
	step := func(s *postgres.Store) error {
		n := serial.Add(1)
		switch rand.IntN(9) {
		case 0:
			r, err := s.Create(t.Context(), resource(t, types[0], report, fmt.Sprint("u", n), pick(&users, 1)[0].ID))
			if err == nil {
				put(&users, r)
			}
			return err
		case 1:
			r, err := s.Create(t.Context(), group(t, fmt.Sprint("g", n), names(append(pick(&users, 4), pick(&groups, 1)...))...))
			if err == nil {
				put(&groups, r)
			}
			return err
		case 2, 3:
			_, err := s.UpdateMembers(t.Context(), change(pick(&groups, 1)[0], names(append(pick(&users, 3), pick(&groups, 1)...)), nil))
			return err
		case 4:
			_, err := s.UpdateMembers(t.Context(), change(pick(&groups, 1)[0], nil, names(pick(&users, 3))))
			return err
		case 5:
			c := change(pick(&groups, 1)[0], names(pick(&users, 5)), nil)
			c.Deltas[0].Reset = true
			_, err := s.UpdateMembers(t.Context(), c)
			return err
		case 6:
			_, err := replace(t, s, pick(&users, 1)[0], func(r *scim.Resource) { r.Attrs.Set("title", fmt.Sprint(n)) })
			return err
		case 7:
			if r := take(&users); r != nil {
				if err := s.Delete(t.Context(), r.Ref(), ""); err != nil || n%2 == 0 {
					return err
				}
				_, err := s.Restore(t.Context(), r.Ref(), asItWas)
				return err
			}
		case 8:
			if r := take(&groups); r != nil {
				return s.Delete(t.Context(), r.Ref(), "")
			}
		}
		return nil
	}
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	var wg sync.WaitGroup
	for w := range 12 {
		wg.Go(func() {
			for range rounds {
				err := step(stores[w%2])
				var e *scim.Error
				switch {
				case err == nil, errors.Is(err, scim.ErrNotFound), errors.As(err, &e) && e.Type == scim.TypeInvalidValue:
				default:
					t.Errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
	noTraces(t, dbs[0], "refs") // a document may name whom a delete has just taken away
	n, err := dbs[0].Int(t.Context(), `SELECT count(*) FROM resources r WHERE r.version <> (
		SELECT c.version FROM changes c WHERE c.tenant = r.tenant AND c.id = r.id ORDER BY c.seq DESC LIMIT 1)`)
	if err != nil || n != 0 {
		t.Errorf("%d resources are not at the version that the change log tells, %v", n, err)
	}
}

// TestUniqueGroupNames lets one instance hold displayName of groups unique, as
// while a setting is changed on one after the other: what it takes is never
// taken twice by it, also not from before.
func TestUniqueGroupNames(t *testing.T) {
	t.Parallel()
	dbs, stores := instances(t, postgres.Options{})
	strict := *types[1]
	core := *strict.Schema
	strict.Schema = &core
	core.Attributes = slices.Clone(core.Attributes)
	for i, a := range core.Attributes {
		if a.Name == "displayName" {
			unique := *a
			unique.Uniqueness = scim.UniquenessServer
			core.Attributes[i] = &unique
		}
	}
	named := func(rt *scim.ResourceType, name string) *scim.Resource {
		return resource(t, rt, `{"displayName":%q}`, name)
	}
	refused := func(name string) {
		t.Helper()
		if _, err := stores[1].Create(t.Context(), named(&strict, name)); !errors.Is(err, scim.ErrUniqueness) {
			t.Errorf("a second group %q: %v", name, err)
		}
	}
	old, twin := create(t, stores[0], named(types[1], "Old")), create(t, stores[0], named(types[1], "old"))
	refused("OLD")
	mine := create(t, stores[1], named(&strict, "mine"))
	refused("Mine")
	create(t, stores[0], named(types[1], "mine")) // to that instance it need not be unique
	if _, err := replace(t, stores[0], mine, func(r *scim.Resource) { r.Attrs.Set("displayName", "other") }); err != nil {
		t.Fatal(err)
	}
	refused("mine")
	refused("other")
	mine.Type = &strict
	if _, err := replace(t, stores[1], mine, func(r *scim.Resource) { r.Attrs.Set("displayName", "old") }); !errors.Is(err, scim.ErrUniqueness) {
		t.Errorf("a rename to a name that two have: %v", err)
	}
	old.Type = &strict
	if _, err := replace(t, stores[1], old, func(r *scim.Resource) { r.Attrs.Set("externalId", nil); r.ExternalID = "e" }); err != nil {
		t.Errorf("a change of a group whose name another one has too: %v", err)
	}
	for _, r := range []*scim.Resource{old, twin} {
		refused("old")
		if err := stores[0].Delete(t.Context(), r.Ref(), ""); err != nil {
			t.Fatal(err)
		}
	}
	create(t, stores[1], named(&strict, "old"))
	noTraces(t, dbs[0])
}

// TestFinishedByAnother cuts an instance off in the middle of a delete in slices;
// the other one finishes it.
func TestFinishedByAnother(t *testing.T) {
	t.Parallel()
	dbs, stores := instances(t, postgres.Options{SliceRows: 2})
	u := create(t, stores[0], user(t, "u"))
	for i := range 20 {
		create(t, stores[0], group(t, fmt.Sprint("g", i), u.ID))
	}
	ctx, cancel := context.WithCancel(t.Context())
	slices, cut := 0, make(chan struct{})
	dbs[0].Spy(func(query string) {
		if query == "COMMIT" {
			if slices++; slices == 4 {
				cancel()
				close(cut)
			}
		}
	}, func() {})
	if err := stores[0].Delete(ctx, u.Ref(), ""); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Delete: %v", err)
	}
	<-cut
	if err := dbs[0].Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := stores[1].Get(t.Context(), u.Ref(), scim.Selection{}); !errors.Is(err, scim.ErrNotFound) {
		t.Errorf("the tombstone is got: %v", err)
	}
	create(t, stores[1], user(t, "u"))
	dbs[1].FinishDeletes()
	noTraces(t, dbs[1])
	if log, err := stores[1].Changes(t.Context(), scim.ChangeQuery{Person: u.ID, Limit: 100}); err != nil || len(log) != 1+20+1+20 {
		t.Errorf("%d records of the user, %v", len(log), err)
	}
}

// TestCutOff ends the connections of an instance again and again while it
// writes: what is acknowledged is there, what is refused is not, and what is not
// known is there wholly or not at all.
func TestCutOff(t *testing.T) {
	t.Parallel()
	dbs, stores := instances(t, postgres.Options{})
	ids := people(t, stores[1], 40)
	var wg sync.WaitGroup
	var mu sync.Mutex
	results := map[string]error{}
	stop := make(chan struct{})
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("w%d-%d", w, i)
				_, err := stores[0].Create(t.Context(), group(t, name, ids[w*5:][:5]...))
				if w%2 == 0 {
					_, err = stores[0].Create(t.Context(), user(t, name))
				}
				mu.Lock()
				results[name] = err
				mu.Unlock()
			}
		})
	}
	for range 10 {
		cutOff(t, dbs[1])
		time.Sleep(20 * time.Millisecond)
	}
	close(stop)
	wg.Wait()
	failed := 0
	for name, err := range results {
		var e *scim.Error
		if err != nil {
			failed++
			if !errors.As(err, &e) || e.Status != 503 || e.RetryAfter <= 0 {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		path := "displayName"
		if n, _ := strconv.Atoi(name[1:2]); n%2 == 0 {
			path = "userName"
		}
		if n, err := dbs[1].Int(t.Context(), `SELECT count(*) FROM attrs WHERE path = $1 AND text = $2`, path, name); err != nil || n != 1 {
			t.Errorf("%s was acknowledged and is there %d times, %v", name, n, err)
		}
	}
	t.Logf("%d writes, %d of them failed", len(results), failed)
	noTraces(t, dbs[1])
	create(t, stores[0], user(t, "after"))
}
