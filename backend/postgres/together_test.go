package postgres_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
)

// creates starts to create users of these names, all in one group, and returns
// how they ended, each once it has.
func creates(t *testing.T, db *postgres.DB, names ...string) map[string]chan error {
	t.Helper()
	s, depart := db.Tenant("a"), db.HoldCreates("a", "User")
	results := map[string]chan error{}
	for i, name := range names {
		r, result := user(t, name), make(chan error, 1)
		results[name] = result
		go func() {
			_, err := s.Create(t.Context(), r)
			result <- err
		}()
		until(t, func() bool { return db.Waiting("a", "User") == i+1 })
	}
	depart()
	return results
}

// TestTogetherHeldUp has one create of a group, and several by themselves, wait
// for another transaction: the others do not.
func TestTogetherHeldUp(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	db, other := open(t, url, postgres.Options{}), open(t, url, postgres.Options{})
	s := db.Tenant("a")
	create(t, s, user(t, "taken"))
	held, release := other.HoldName(t.Context(), "a", "held")
	release = sync.OnceFunc(release)
	defer release()
	<-held
	results := creates(t, db, "one", "held", "two", "taken", "three")
	for _, name := range []string{"one", "two", "three"} {
		if err := <-results[name]; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := <-results["taken"]; !errors.Is(err, scim.ErrUniqueness) {
		t.Errorf("a name that is taken: %v", err)
	}
	errs := make(chan error, 3)
	for _, name := range []string{"HELD", "Held"} {
		r := user(t, name)
		go func() {
			_, err := s.Create(t.Context(), r)
			errs <- err
		}()
	}
	blocked(t, db, 3)
	for i := range 5 {
		create(t, s, user(t, fmt.Sprint("later", i)))
	}
	select {
	case err := <-results["held"]:
		t.Errorf("it is held, and ended with %v", err)
	default:
	}
	release()
	errs <- <-results["held"]
	created := 0
	for range 3 {
		switch err := <-errs; {
		case err == nil:
			created++
		case !errors.Is(err, scim.ErrUniqueness):
			t.Error(err)
		}
	}
	if created != 1 {
		t.Errorf("%d of three of one name are created", created)
	}
	noTraces(t, db)
}

// TestTogetherPanics: what goes wrong on the way to the database is the error of
// all who were on it, and of nobody after them.
func TestTogetherPanics(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{Logger: slog.New(slog.DiscardHandler)})
	create(t, db.Tenant("a"), user(t, "before"))
	var armed atomic.Bool
	db.Spy(func(query string) {
		if strings.Contains(query, "INSERT INTO resources") && armed.Swap(false) {
			panic("a bug")
		}
	}, nil)
	armed.Store(true)
	for name, result := range creates(t, db, "one", "two", "three") {
		if err := <-result; err == nil || scim.AsError(err).Status != 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, result := range creates(t, db, "one", "two", "three") {
		if err := <-result; err != nil {
			t.Errorf("%s afterwards: %v", name, err)
		}
	}
	noTraces(t, db)
}
