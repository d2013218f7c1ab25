package main_test

import (
	"os"
	"path/filepath"
	"testing"

	main "github.com/rollcall-scim/rollcall/examples/ownbackend"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

func open(t *testing.T, file string) *main.Journal {
	t.Helper()
	j, err := main.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// TestContractWithLacks is all it takes to hold a backend to the contract.
func TestContractWithLacks(t *testing.T) {
	t.Parallel()
	scimtest.Run(t, scimtest.Harness{
		Open: func(t *testing.T) (a, b scim.Backend) {
			dir := t.TempDir()
			return open(t, filepath.Join(dir, "a")), open(t, filepath.Join(dir, "b"))
		},
		Lacks: scimtest.Lacks{Types: []string{"Widget"}, Nesting: true},
		Short: true,
	})
}

// TestReopen: what was written is there again, and a line that was cut short is
// as if never begun.
func TestReopen(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "journal")
	j := open(t, file)
	types := schema.Core()
	create := func(j *main.Journal, r *scim.Resource) *scim.Resource {
		t.Helper()
		schema.Encode(r)
		r, err := j.Create(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	ann := create(j, &scim.Resource{Type: types[0], Attrs: scim.Object{{Name: "userName", Value: "ann"}}})
	bob := create(j, &scim.Resource{Type: types[0], Attrs: scim.Object{{Name: "userName", Value: "bob"}}})
	g := create(j, &scim.Resource{Type: types[1], Attrs: scim.Object{{Name: "displayName", Value: "g"}, {Name: "members", Value: []scim.MemberRef{{ID: ann.ID}, {ID: bob.ID}}}}})
	if err := j.Delete(t.Context(), bob.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`[{"Seq":9,"Type":"User"`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		j = open(t, file)
		r, err := j.Get(t.Context(), g.Ref(), scim.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		if m, _ := r.Attrs.Get("members").([]scim.MemberRef); len(m) != 1 || m[0].ID != ann.ID || m[0].Display != "ann" {
			t.Errorf("members %v", m)
		}
		if _, err := j.Get(t.Context(), bob.Ref(), scim.Selection{}); err == nil {
			t.Error("who was deleted is back")
		}
		create(j, &scim.Resource{Type: types[0], Attrs: scim.Object{{Name: "userName", Value: filepath.Base(t.TempDir())}}})
		_ = j.Close()
	}
}

// TestDamage: a journal that can't be read is not opened, rather than served in
// part.
func TestDamage(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"no JSON", `[{"Type":"Widget","ID":"x"}]`, `[{"Type":"User","ID":"x","Text":"YQ=="}]`, "[null]"} {
		file := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if j, err := main.Open(file); err == nil {
			_ = j.Close()
			t.Errorf("%s is opened", line)
		}
	}
}
