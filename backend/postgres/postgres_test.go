package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// types are those of RFC 7643 §4.
var types = schema.Core()

func TestMain(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// fresh opens an empty database of the test's own.
func fresh(t testing.TB, o postgres.Options) *postgres.DB {
	t.Helper()
	return open(t, pgtest.Database(t), o)
}

// open opens a database as the program does, and closes it when the test ends.
func open(t testing.TB, url string, o postgres.Options) *postgres.DB {
	t.Helper()
	o.Load, o.Encode = schema.Load, schema.Encode
	db, err := postgres.Open(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// resource makes a resource of a JSON object, as the engine does.
func resource(t testing.TB, rt *scim.ResourceType, body string, args ...any) *scim.Resource {
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

func user(t testing.TB, name string) *scim.Resource {
	t.Helper()
	return resource(t, types[0], `{"userName":%q,"externalId":"x-%s","active":true,"name":{"givenName":"Barbara","familyName":"Jensen"},
		"emails":[{"value":"%s@example.com","type":"work","primary":true}]}`, name, name, name)
}

func group(t testing.TB, name string, members ...string) *scim.Resource {
	t.Helper()
	r := resource(t, types[1], `{"displayName":%q}`, name)
	var refs []scim.MemberRef
	for _, id := range members {
		refs = append(refs, scim.MemberRef{ID: id})
	}
	if refs != nil {
		r.Attrs.Set("members", refs)
	}
	schema.Encode(r)
	return r
}

func create(t testing.TB, s scim.Backend, r *scim.Resource) *scim.Resource {
	t.Helper()
	out, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return out
}

func get(t testing.TB, s scim.Backend, r *scim.Resource) *scim.Resource {
	t.Helper()
	out, err := s.Get(t.Context(), r.Ref(), scim.Selection{})
	if err != nil {
		t.Fatalf("Get %s: %v", r.Ref(), err)
	}
	return out
}

func memberIDs(t testing.TB, r *scim.Resource) (ids []string) {
	t.Helper()
	for m, err := range r.Members {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.ID)
	}
	return ids
}

// change is how the engine changes the members of a group.
func change(g *scim.Resource, added, removed []string) scim.Change {
	d := scim.Delta{Path: scim.AttrPath{Name: "members", Attr: types[1].Membership()}}
	for _, id := range added {
		d.Added = append(d.Added, scim.MemberRef{ID: id})
	}
	for _, id := range removed {
		d.Removed = append(d.Removed, scim.MemberRef{ID: id})
	}
	return scim.Change{Before: g, After: g, Deltas: []scim.Delta{d}, Method: "PATCH", Touched: []string{"members"}}
}

// people makes n users, and returns their ids.
func people(t testing.TB, s *postgres.Store, n int) (ids []string) {
	t.Helper()
	for len(ids) < n {
		err := s.Batch(context.Background(), func(b scim.Backend) error {
			for range min(n-len(ids), 1_000) {
				out, err := b.Create(context.Background(), resource(t, types[0], `{"userName":"p%d"}`, len(ids)))
				if err != nil {
					return err
				}
				ids = append(ids, out.ID)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids
}
