package sqlite_test

import (
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// TestUnsealed: how long the audit log lags behind is known, and so is that it
// does not.
func TestUnsealed(t *testing.T) {
	t.Parallel()
	db := fresh(t, sqlite.Options{})
	if at, err := db.Unsealed(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("before anything was changed: %v, %v", at, err)
	}
	before := time.Now().Add(-time.Second)
	s := db.Tenant("default")
	user := &scim.Resource{Type: schema.Core()[0], Attrs: scim.Object{{Name: "userName", Value: "ada"}}}
	schema.Encode(user)
	if _, err := s.Create(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if at, err := db.Unsealed(t.Context()); err != nil || at.Before(before) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("after a change: %v, %v", at, err)
	}
	if _, err := s.Audit().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if at, err := db.Unsealed(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("after it was sealed: %v, %v", at, err)
	}
	if l := db.Load(); l.InUse != 0 || l.Most == 0 {
		t.Errorf("the connections: %+v", l)
	}
}
