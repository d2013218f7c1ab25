package scim_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func TestResolve(t *testing.T) { // SCH-005, COM-016, FLT-014, FLT-016, PRJ-009, PRJ-010, PAT-012
	t.Parallel()
	user := schema.Core()[0]
	const ext, core = scim.EnterpriseUserURN, scim.UserURN
	tests := []struct{ urn, name, sub, want string }{ // want "": no such attribute
		{"", "userName", "", "userName"},
		{"", "USERNAME", "", "userName"},
		{"", "Name", "GIVENNAME", "name.givenName"},
		{core, "userName", "", "userName"},
		{"URN:IETF:PARAMS:scim:schemas:core:2.0:USER", "emails", "type", "emails.type"},
		{core, "id", "", "id"},
		{"", "meta", "LASTMODIFIED", "meta.lastModified"},
		{"", "schemas", "", "schemas"},
		{ext, "employeeNumber", "", ext + ":employeeNumber"},
		{ext, "Manager", "value", ext + ":manager.value"},
		{ext, "manager", "$ref", ext + ":manager.$ref"},
		{"", "employeeNumber", "", ext + ":employeeNumber"}, // unambiguous
		{"", "manager", "value", ext + ":manager.value"},
		{"urn:ietf:params:scim:schemas:extension:enterprise:2.0", "user", "", ext}, // split at its last colon
		{ext, "", "", ext},
		{"urn:ietf:params:scim:schemas:extension:enterprise:2.0", "User", "department", ext + ":department"},
		{"", "nope", "", ""},
		{"", "name", "nope", ""},
		{"", "userName", "x", ""},
		{"", "", "", ""},
		{core, "employeeNumber", "", ""},
		{ext, "userName", "", ""},
		{ext, "id", "", ""},
		{"urn:x", "userName", "", ""},
		{scim.GroupURN, "displayName", "", ""},
	}
	for _, tt := range tests {
		p, ok := user.Resolve(scim.AttrPath{URN: tt.urn, Name: tt.name, Sub: tt.sub})
		if ok != (tt.want != "") || p.String() != tt.want {
			t.Errorf("Resolve(%q, %q, %q) = %q, %v; want %q", tt.urn, tt.name, tt.sub, p, ok, tt.want)
		}
		if !ok {
			continue
		}
		if whole := p.Name == ""; whole != (p.Leaf() == nil) || (p.Sub != "") != (p.SubAttr != nil) {
			t.Errorf("%s is bound to %v and %v", p, p.Attr, p.SubAttr)
		}
		if again, ok := user.Resolve(p); !ok || again != p {
			t.Errorf("%s resolves to %s the second time", p, again)
		}
	}
}

func TestResolveAmbiguous(t *testing.T) {
	t.Parallel()
	x := func(urn string) scim.Extension {
		return scim.Extension{Schema: &scim.Schema{ID: urn, Attributes: []*scim.Attribute{{Name: "a"}}}}
	}
	rt := &scim.ResourceType{Schema: &scim.Schema{ID: "urn:x:T"}, Extensions: []scim.Extension{x("urn:x:A"), x("urn:x:B:2.0")}}
	if p, ok := rt.Resolve(scim.AttrPath{Name: "a"}); ok {
		t.Errorf("a resolves to %s", p)
	}
	if p, ok := rt.Resolve(scim.AttrPath{URN: "urn:x:B:2.0", Name: "a"}); !ok || p.String() != "urn:x:B:2.0:a" {
		t.Errorf("urn:x:B:2.0:a resolves to %s, %v", p, ok)
	}
	// As a parser splits it that knows no URNs: at the last colon and the dot.
	if p, ok := rt.Resolve(scim.AttrPath{URN: "urn:x:B", Name: "2", Sub: "0"}); !ok || p.String() != "urn:x:B:2.0" {
		t.Errorf("urn:x:B:2.0 resolves to %s, %v", p, ok)
	}
}

func TestPathString(t *testing.T) {
	t.Parallel()
	eq := &scim.AttrExp{Path: scim.AttrPath{Name: "type"}, Op: scim.Eq, Value: "work"}
	for want, p := range map[string]scim.Path{
		"emails":                               {AttrPath: scim.AttrPath{Name: "emails"}},
		"name.givenName":                       {AttrPath: scim.AttrPath{Name: "name", Sub: "givenName"}},
		"urn:x:y":                              {AttrPath: scim.AttrPath{URN: "urn:x:y"}},
		`emails[type eq "work"]`:               {AttrPath: scim.AttrPath{Name: "emails"}, Filter: eq},
		`urn:x:y:emails[type eq "work"].value`: {AttrPath: scim.AttrPath{URN: "urn:x:y", Name: "emails", Sub: "value"}, Filter: eq},
	} {
		if p.String() != want {
			t.Errorf("%+v is %s, want %s", p, p, want)
		}
	}
}

func TestSelectionWants(t *testing.T) {
	t.Parallel()
	paths := func(names ...string) (list []scim.AttrPath) {
		for _, n := range names {
			list = append(list, scim.AttrPath{Name: n})
		}
		return list
	}
	sub := []scim.AttrPath{{Name: "members", Sub: "value"}}
	for i, tt := range []struct {
		s    scim.Selection
		want bool
	}{
		{scim.Selection{}, true},
		{scim.Selection{Attributes: paths("displayName")}, false},
		{scim.Selection{Attributes: paths("displayName", "members")}, true},
		{scim.Selection{Attributes: sub}, true},
		{scim.Selection{Excluded: paths("members")}, false},
		{scim.Selection{Excluded: sub}, true},
		{scim.Selection{Excluded: paths("displayName")}, true},
		{scim.Selection{Attributes: []scim.AttrPath{{URN: "urn:x", Name: "members"}}}, false},
	} {
		if got := tt.s.Wants("members"); got != tt.want {
			t.Errorf("%d: Wants is %v", i, got)
		}
	}
}

func TestDisplayName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		attrs scim.Object
		want  string
	}{
		{object("userName", "u", "displayName", "d"), "d"},
		{object("userName", "u", "displayName", ""), "u"},
		{object("userName", "u"), "u"},
		{nil, ""},
		{object("displayName", 7), ""},
	} {
		if got := scim.DisplayName(tt.attrs); got != tt.want {
			t.Errorf("DisplayName(%v) = %q, want %q", tt.attrs, got, tt.want)
		}
	}
}

func TestResourceType(t *testing.T) {
	t.Parallel()
	user, group := schema.Core()[0], schema.Core()[1]
	if user.Membership() != nil || user.Groups().Name != "groups" || group.Membership().Name != "members" || group.Groups() != nil {
		t.Error("members and groups are not where they belong")
	}
	if user.Extension("URN:ietf:params:scim:schemas:extension:enterprise:2.0:USER") == nil || user.Extension("x") != nil {
		t.Error("extensions are not found as they should be")
	}
	if p := user.Schema.Attribute("PASSWORD"); p == nil || p.Filterable() || !user.Schema.Attribute("userName").Filterable() {
		t.Error("password can be filtered by, or userName can't")
	}
	r := scim.Resource{Type: user, ID: "7"}
	if r.Ref().String() != "User/7" {
		t.Errorf("ref is %s", r.Ref())
	}
}
