package memory_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	scimtest.Run(t, scimtest.Harness{
		Open: func(*testing.T) (a, b scim.Backend) {
			return &memory.Store{UndeleteDays: 30}, &memory.Store{UndeleteDays: 30}
		},
		Short: testing.Short(),
	})
}

// TestFields is about the clock and the source of ids.
func TestFields(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 6, 7, 8, 9, 123456789, time.FixedZone("", 3600))
	n := 0
	s := &memory.Store{Now: func() time.Time { return now }, NewID: func() string { n++; return fmt.Sprintf("id%d", n) }}
	user := schema.Core()[0]
	create := func(s *memory.Store, name string) *scim.Resource {
		t.Helper()
		r, err := s.Create(t.Context(), &scim.Resource{Type: user, Schemas: []string{user.Schema.ID}, Attrs: scim.Object{{Name: "userName", Value: name}}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want := time.Date(2026, 5, 6, 6, 8, 9, 123e6, time.UTC)
	if r := create(s, "a"); r.ID != "id1" || r.Meta.Created != want || r.Meta.LastModified != want {
		t.Errorf("created as %s at %+v, want id1 at %v", r.ID, r.Meta, want)
	}
	now = now.Add(-time.Hour) // the clock is set back
	before := create(s, "b")
	after := *before
	after.Attrs = scim.Object{{Name: "userName", Value: "c"}}
	r, err := s.Update(t.Context(), scim.Change{Before: before, After: &after})
	if err != nil || r.Meta.LastModified != before.Meta.LastModified.Add(time.Millisecond) {
		t.Errorf("updated at %v, %v; want a millisecond after %v", r.Meta.LastModified, err, before.Meta.LastModified)
	}
	if records, err := s.Changes(t.Context(), scim.ChangeQuery{}); err != nil || len(records) != 3 || records[0].Time != want {
		t.Errorf("records %+v, %v; want three, the first at %v", records, err, want)
	}

	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	plain := new(memory.Store)
	for i := range 20 {
		if r := create(plain, fmt.Sprint(i)); !uuid.MatchString(r.ID) {
			t.Errorf("id %s is no random UUID (RFC 9562 §5.4)", r.ID)
		}
	}
}
