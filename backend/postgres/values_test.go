package postgres_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// TestManyValuesGo takes ten thousand values from a person in tables that were
// never measured, by a server that joins in the worst of its ways: nothing may
// compare each row with each value.
func TestManyValuesGo(t *testing.T) {
	t.Parallel()
	at, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	q := at.Query()
	for _, better := range []string{"hashjoin", "mergejoin", "memoize"} {
		q.Set("enable_"+better, "off")
	}
	at.RawQuery = q.Encode()
	s := open(t, at.String(), postgres.Options{}).Tenant("a")
	var emails strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&emails, `,{"value":"user%d@example.com","type":"t%d"}`, i, i)
	}
	u0 := create(t, s, resource(t, types[0], `{"userName":"a","externalId":"x","emails":[%s]}`, emails.String()[1:]))
	before := get(t, s, u0)
	if err := schema.Load(before); err != nil {
		t.Fatal(err)
	}
	after := *resource(t, types[0], `{"userName":"a","externalId":"x","emails":[{"value":"user9999@example.com"}]}`)
	after.ID, after.Meta = u0.ID, before.Meta
	if _, err := s.Update(t.Context(), scim.Change{Before: before, After: &after, Deltas: patch.Diff(before, &after), Method: "PUT"}); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]int{"user9999": 1, "user0": 0, "user5000": 0} {
		names, err := found(t, s, `emails.value eq "`+address+`@example.com"`, "")
		if err != nil || len(names) != want {
			t.Errorf("%s finds %v, want %d, %v", address, names, want, err)
		}
	}
}
