package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// A create runs without a savepoint. One that is refused must not take those
// that share its transaction along, whatever it looked at first: here a name
// that became unique only now, and members that do not exist.
func TestRefusedCreateAmongOthers(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	groups := func(profile compat.Profile) func(name, members string) engine.Response {
		e, err := engine.New(db.Tenant("default"), engine.Config{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		return func(name, members string) engine.Response {
			return e.Do(t.Context(), engine.Request{Method: "POST", Base: "http://h", Path: "/Groups",
				Body: fmt.Appendf(nil, `{"schemas":[%q],"displayName":%q,"members":[%s]}`, scim.GroupURN, name, members)})
		}
	}
	if r := groups(compat.Strict())("taken", ""); r.Status != 201 {
		t.Fatalf("status %d: %v", r.Status, r.Err)
	}
	create := groups(compat.Auto())
	if r := create("Taken", ""); r.Status != 409 || !errors.Is(r.Err, scim.ErrUniqueness) {
		t.Fatalf("a name that was not unique when it was given: status %d: %v, want 409", r.Status, r.Err)
	}
	var wg sync.WaitGroup
	for n := range 60 {
		wg.Go(func() {
			name, members, want := fmt.Sprintf("g%d", n), "", 201
			switch n % 3 {
			case 1:
				name, want = "TAKEN", 409
			case 2:
				members, want = `{"value":"nobody"}`, 400
			}
			if r := create(name, members); r.Status != want {
				t.Errorf("group %d: status %d: %v, want %d", n, r.Status, r.Err, want)
			}
		})
	}
	wg.Wait()
}

// The first group of all is refused as any other is: with what is wrong.
func TestRefusedFirstGroup(t *testing.T) {
	t.Parallel()
	e, err := engine.New(open(t, filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{}).Tenant("default"), engine.Config{Profile: compat.Auto()})
	if err != nil {
		t.Fatal(err)
	}
	r := e.Do(t.Context(), engine.Request{Method: "POST", Base: "http://h", Path: "/Groups",
		Body: fmt.Appendf(nil, `{"schemas":[%q],"displayName":"g","members":[{"value":"nobody"}]}`, scim.GroupURN)})
	if r.Status != 400 {
		t.Errorf("status %d: %v, want 400", r.Status, r.Err)
	}
}
