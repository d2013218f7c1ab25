package postgres_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// long is a text far longer than an index entry may be, which does not shrink.
func long(seed string) string {
	var b strings.Builder
	for sum := sha256.Sum256([]byte(seed)); b.Len() < 20_000; sum = sha256.Sum256(sum[:]) {
		b.WriteString(hex.EncodeToString(sum[:]))
	}
	return b.String()
}

// TestLongTexts stores, finds, deletes and restores what is longer than an entry
// of any index may be.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	db := fresh(t, postgres.Options{UndeleteDays: 1})
	s := db.Tenant("a")
	const body = `{"userName":%q,"externalId":%q,"title":%q,"emails":[{"value":%q}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":%q}}}`
	name, external, title, mail, boss := long("name"), long("external"), long("title"), long("mail"), long("boss")
	u := create(t, s, resource(t, types[0], body, name, external, title, mail, boss))
	create(t, s, resource(t, types[0], body, name+"2", external+"2", title, mail, boss))
	if _, err := s.Create(t.Context(), resource(t, types[0], `{"userName":%q}`, strings.ToUpper(name))); !errors.Is(err, scim.ErrUniqueness) {
		t.Errorf("a long userName twice: %v", err)
	}
	g := create(t, s, resource(t, types[1], `{"displayName":%q,"externalId":%q}`, name, external))
	for text, want := range map[string]int{
		`userName eq "` + name + `"`:             1,
		`externalId eq "` + external + `"`:       1,
		`externalId sw "` + external + `"`:       2,
		`externalId gt "` + external + `"`:       1,
		`externalId ne "` + external + `"`:       1,
		`externalId co "` + external[100:] + `"`: 2,
		`emails.value eq "` + mail + `"`:         2,
	} {
		f, err := filter.Parse(text, filter.Options{MaxLength: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if f, err = filter.Bind(types[0], f, filter.Options{}); err != nil {
			t.Fatal(err)
		}
		p, err := s.List(t.Context(), scim.Query{Type: types[0], Filter: f, Count: 10})
		if err != nil || p.Total != want {
			t.Errorf("%.20s…: %d, %v; want %d", text, p.Total, err, want)
		}
	}
	if _, err := replace(t, s, u, func(r *scim.Resource) { r.ExternalID = external + "3" }); err != nil {
		t.Error(err)
	}
	for _, r := range []*scim.Resource{u, g} {
		if err := s.Delete(t.Context(), r.Ref(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.Deleted(t.Context(), scim.DeletedQuery{Type: types[0], Name: strings.ToUpper(name)}); err != nil || len(list) != 1 {
		t.Errorf("%d deleted, %v", len(list), err)
	}
	if _, err := s.Restore(t.Context(), u.Ref(), asItWas); err != nil {
		t.Errorf("Restore: %v", err)
	}
	far := resource(t, types[0], `{"userName":"far"}`)
	far.ID = long("id")
	var e *scim.Error
	if err := s.Import(t.Context(), far); !errors.As(err, &e) || e.Status != 400 {
		t.Errorf("an id of %d bytes is imported: %v", len(far.ID), err)
	}
	noTraces(t, db, "refs")
}
