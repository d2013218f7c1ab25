package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestResetBesideTombstone sets the members of a group one of whom is being
// deleted: the change log tells of everybody by the id that he had, once.
func TestResetBesideTombstone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "d.db")
	db := open(t, path, sqlite.Options{SliceRows: 1})
	s := db.Tenant("a")
	u, v := create(t, s, user(t, "u")), create(t, s, user(t, "v"))
	g := create(t, s, group(t, "g", u.ID))
	create(t, s, group(t, "h", u.ID))
	create(t, s, group(t, "i", u.ID))
	if err := db.Bury(t.Context(), "a", u.Ref()); err != nil {
		t.Fatal(err)
	}
	c := change(g, []string{v.ID}, nil)
	c.Deltas[0].Reset = true
	if _, err := s.UpdateMembers(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path, sqlite.Options{SliceRows: 1}).Tenant("a") // which finishes the delete
	removed := 0
	for end := time.Now().Add(20 * time.Second); removed < 2 && time.Now().Before(end); {
		log, err := s.Changes(t.Context(), scim.ChangeQuery{ID: g.ID})
		if err != nil {
			t.Fatal(err)
		}
		removed = 0
		for _, r := range log {
			text := fmt.Sprint(r.Changes)
			removed += strings.Count(text, u.ID)
			if strings.Contains(text, "deleted") {
				t.Fatalf("the log has %s", text)
			}
		}
	}
	if removed != 2 {
		t.Errorf("%s is named %d times; want when it came and when it went", u.ID, removed)
	}
}
