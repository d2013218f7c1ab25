package stored_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/stored"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func TestNextVersion(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]string{"1": "2", "99": "100", "v-1": "1", "007": "1", "": "1"} {
		if got := stored.NextVersion(v); got != want {
			t.Errorf("NextVersion(%q) = %q, want %q", v, got, want)
		}
	}
}

func TestLater(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_000)
	for _, tt := range []struct{ before, now, want time.Time }{
		{at, at.Add(time.Second), at.Add(time.Second)},
		{at, at, at.Add(time.Millisecond)},
		{at, at.Add(-time.Hour), at.Add(time.Millisecond)},
		{at.Add(500 * time.Microsecond), at, at.Add(time.Millisecond)},
	} {
		if got := stored.Later(tt.before, tt.now); !got.Equal(tt.want) {
			t.Errorf("Later(%v, %v) = %v, want %v", tt.before, tt.now, got, tt.want)
		}
	}
}

func TestUniqueText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", scim.SortLength)
	if got := stored.UniqueText(long); got != long {
		t.Errorf("%q", got)
	}
	a, b := stored.UniqueText(long+"a"), stored.UniqueText(long+"b")
	if a == b || len(a) != 65 || stored.UniqueText(a) == a {
		t.Errorf("%q, %q: long values have hashes of their own", a, b)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	r := &scim.Resource{Type: schema.Core()[0], ExternalID: "e\u0301", Schemas: []string{"a", "b"},
		Attrs: scim.Object{{Name: "userName", Value: "Ada"}}}
	want := stored.Columns{External: "é", ExternalSort: "é", ExternalSent: "e\u0301", Display: "Ada", DisplayFold: "ada", Schemas: "a b"}
	if got := stored.ColumnsOf(r); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	r.ExternalID = ""
	if got := stored.ColumnsOf(r); got.External != "" || got.ExternalSort != "" || got.ExternalSent != "" {
		t.Errorf("%+v of no externalId", got)
	}
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

func TestDropReferences(t *testing.T) {
	t.Parallel()
	manager := func(more ...scim.Member) scim.Object {
		return append(scim.Object{{Name: "manager", Value: scim.Object{{Name: "value", Value: "boss"}}}}, more...)
	}
	r := &scim.Resource{Type: schema.Core()[0], Schemas: []string{"u", enterprise},
		Attrs: scim.Object{{Name: "userName", Value: "a"}, {Name: enterprise, Value: manager()}}}
	if deltas := stored.DropReferences(r, "other"); deltas != nil || len(r.Schemas) != 2 {
		t.Errorf("a reference to another resource: %v", deltas)
	}
	deltas := stored.DropReferences(r, "boss")
	if len(deltas) != 1 || deltas[0].Path.String() != enterprise+":manager" || len(deltas[0].Removed) != 1 || len(deltas[0].Added) != 0 {
		t.Errorf("deltas %+v", deltas)
	}
	if len(r.Schemas) != 1 || r.Attrs.Get(enterprise) != nil {
		t.Errorf("an extension that is left empty stays: %v, %v", r.Schemas, r.Attrs)
	}
	r.Attrs.Set(enterprise, manager(scim.Member{Name: "department", Value: "d"}))
	r.Schemas = []string{"u", enterprise}
	stored.DropReferences(r, "boss")
	if o, _ := r.Attrs.Get(enterprise).(scim.Object); len(o) != 1 || o.Get("department") != "d" || len(r.Schemas) != 2 {
		t.Errorf("what is left of the extension: %v, %v", o, r.Schemas)
	}
}
