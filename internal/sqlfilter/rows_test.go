package sqlfilter_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
)

func TestRows(t *testing.T) {
	t.Parallel()
	born, _ := scim.ParseDateTime("1970-01-01T00:00:01+00:00")
	long := strings.Repeat("x", 255) + "éz"
	r := &scim.Resource{Type: person(), ID: "p", ExternalID: "e", Groups: []scim.MemberRef{{ID: "g"}}, Attrs: scim.Object{
		{Name: "userName", Value: "ANNA"},
		{Name: "displayName", Value: long},
		{Name: "code", Value: "Ab"},
		{Name: "password", Value: "secret"},
		{Name: "active", Value: false},
		{Name: "weight", Value: 1.5},
		{Name: "born", Value: born},
		{Name: "cert", Value: []byte("hello")},
		{Name: "tags", Value: []any{"B", "b"}},
		{Name: "addr", Value: scim.Object{{Name: "codes", Value: []any{"X", "y"}}}},
		{Name: "mails", Value: []any{
			scim.Object{{Name: "value", Value: "A@x"}, {Name: "pin", Value: "0000"}},
			scim.Object{{Name: "value", Value: "b@x"}, {Name: "primary", Value: true}},
		}},
		{Name: "keys", Value: []any{scim.Object{}}},
		{Name: "boss", Value: scim.Object{{Name: "value", Value: "u1"}, {Name: "display", Value: "never stored"}}},
		{Name: extension, Value: scim.Object{{Name: "level", Value: int64(3)}}},
	}}
	want := []sqlfilter.Row{
		{Path: "userName", Text: "anna"},
		{Path: "displayName", Text: strings.Repeat("x", 255), Long: long},
		{Path: "code", Text: "Ab"},
		{Path: "active", Text: "false", Num: int64(0)},
		{Path: "weight", Text: "1.5", Num: 1.5},
		{Path: "born", Text: "1970-01-01T00:00:01+00:00", Num: int64(1000000)},
		{Path: "cert", Text: "aGVsbG8="},
		{Path: "tags", Text: "b"},
		{Path: "tags", Elem: 1, Text: "b"},
		{Path: "addr.codes", Text: "x"},
		{Path: "addr.codes", Elem: 1 << 20, Text: "y"},
		{Path: "mails.value", Text: "b@x"},
		{Path: "mails.primary", Text: "true", Num: int64(1)},
		{Path: "mails.value", Elem: 1, Text: "a@x"},
		{Path: "mails.primary", Elem: 1, Num: int64(0)},
		{Path: "keys"},
		{Path: "boss.value", Text: "u1"},
		{Path: extension + ":level", Text: "3", Num: int64(3)},
	}
	if diff := cmp.Diff(want, sqlfilter.Rows(r)); diff != "" {
		t.Error(diff)
	}
	unique := []sqlfilter.Unique{{Path: "userName", Text: "anna"}, {Path: extension + ":level", Text: "3"}}
	if diff := cmp.Diff(unique, sqlfilter.Uniques(r)); diff != "" {
		t.Error(diff)
	}
	g := &scim.Resource{Type: team(), Attrs: scim.Object{{Name: "displayName", Value: "T"}, {Name: "members", Value: []scim.MemberRef{{ID: "p"}}}}}
	if diff := cmp.Diff([]sqlfilter.Row{{Path: "displayName", Text: "t"}}, sqlfilter.Rows(g)); diff != "" {
		t.Error(diff)
	}
}

// TestRowPlaces: path and elem together are a key.
func TestRowPlaces(t *testing.T) {
	t.Parallel()
	type place struct {
		path sqlfilter.Path
		elem int
	}
	g := generator{seeded(7)}
	for range 500 {
		seen := map[place]bool{}
		r := g.resource(person(), "p")
		for _, row := range sqlfilter.Rows(r) {
			at := place{row.Path, row.Elem}
			if seen[at] {
				t.Fatalf("two rows at %v of %s", at, r.Attrs.AppendJSON(nil))
			}
			seen[at] = true
			if len(row.Text) > scim.SortLength || row.Long != "" && !strings.HasPrefix(row.Long, row.Text) {
				t.Fatalf("%+v", row)
			}
			if strings.Contains(string(row.Path), "password") || strings.Contains(string(row.Path), "pin") {
				t.Fatalf("a secret has a row: %s", row.Path)
			}
		}
	}
}
