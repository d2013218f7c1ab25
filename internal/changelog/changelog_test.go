package changelog_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/scim"
)

var widget = &scim.ResourceType{Name: "Widget", Schema: &scim.Schema{Attributes: []*scim.Attribute{
	{Name: "label", Type: scim.TypeString, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault},
	{Name: "secret", Type: scim.TypeString, Mutability: scim.WriteOnly, Returned: scim.ReturnedNever},
	{Name: "parts", Type: scim.TypeComplex, MultiValued: true, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault, SubAttributes: []*scim.Attribute{
		{Name: "value", Type: scim.TypeString, Mutability: scim.ReadWrite, Returned: scim.ReturnedDefault},
		{Name: "code", Type: scim.TypeString, Mutability: scim.WriteOnly, Returned: scim.ReturnedNever},
	}},
}}}

// TestNoSecret: of what can't be filtered by the log says that it changed, not
// what it was.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	r := &scim.Resource{Type: widget, ExternalID: "E", Attrs: scim.Object{
		{Name: "label", Value: "l"}, {Name: "secret", Value: "s"},
		{Name: "parts", Value: []any{scim.Object{{Name: "value", Value: "v"}, {Name: "code", Value: "c"}}}},
	}}
	for _, tt := range []struct {
		added bool
		want  string
	}{
		{true, "[{externalId [E] []} {label [l] []} {secret [] []} {parts [[{value v}]] []}]"},
		{false, "[{externalId [] [E]} {label [] [l]} {secret [] []} {parts [] [[{value v}]]}]"},
	} {
		if got := fmt.Sprint(changelog.Values(r, tt.added)); got != tt.want {
			t.Errorf("Values(%v) = %s, want %s", tt.added, got, tt.want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	want := []scim.RecordDelta{
		{Path: "label", Added: []any{"\u0000 é"}, Removed: []any{true}},
		{Path: "parts", Added: []any{scim.Object{{Name: "n", Value: int64(1) << 60}, {Name: "f", Value: 1.5}}}},
		{Path: "members", Removed: []any{"a", "b"}},
	}
	got, err := changelog.Decode(changelog.Encode(want))
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for _, bad := range []string{"", "[]x", `{"deltas":[["a",[]]]}`} {
		if _, err := changelog.Decode([]byte(bad)); err == nil {
			t.Errorf("%q is decoded", bad)
		}
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	ids := make([]string, changelog.MostListed+1)
	d := changelog.Members(&scim.Attribute{Name: "members"}, ids, ids[:1])
	if d.Path != "members" || len(d.Added) != changelog.MostListed || len(d.Removed) != 1 {
		t.Errorf("%s: %d added, %d removed", d.Path, len(d.Added), len(d.Removed))
	}
}
