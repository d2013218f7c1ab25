package sqlfilter

import (
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Membership is rows of members. In what follows x is the row of resources of
// one member of r, or of one group that r is in.

// member compiles an expression about members.… or groups.….
func (b *builder) member(f *scim.AttrExp) string {
	if presence(f) && (f.Path.SubAttr == nil || f.Path.Sub != "display") {
		return not(f.Op == scim.Eq, b.someMember(f.Path.Attr, nil))
	}
	if positive(f) {
		return b.someMember(f.Path.Attr, f)
	}
	if presence(f) {
		return not(true, b.someMember(f.Path.Attr, &scim.AttrExp{Path: f.Path, Op: scim.Pr}))
	}
	// One that differs, or none with a value at all.
	some := b.someMember(f.Path.Attr, conjoin(&scim.AttrExp{Path: f.Path, Op: scim.Pr}, f))
	return "(" + some + " OR NOT " + b.someMember(f.Path.Attr, &scim.AttrExp{Path: f.Path, Op: scim.Pr}) + ")"
}

func conjoin(left, right scim.Filter) scim.Filter {
	return &scim.LogExp{Op: scim.And, Left: left, Right: right}
}

// someMember says that r has a member, or is in a group, that satisfies the
// filter; nil is satisfied by any.
func (b *builder) someMember(a *scim.Attribute, f scim.Filter) string {
	switch {
	case a.Membership:
		return b.exists("SELECT 1 FROM members m JOIN resources x ON x.pk = m.member WHERE " + b.own("m") + "m.grp = r.pk AND " + b.other(a, f, ""))
	case !b.o.Nested || f == nil:
		// Who is in any group is in one directly.
		return b.exists("SELECT 1 FROM members m JOIN resources x ON x.pk = m.grp WHERE " + b.own("m") + "m.member = r.pk AND " + b.other(a, f, ""))
	case !b.driven && typeless(f):
		return "r.pk IN (" + b.descendants(a, f) + ")"
	}
	// What is bound is bound in the order of the text, so it grows piece by piece.
	up := "WITH RECURSIVE up(pk, depth) AS (SELECT m.grp, 1 FROM members m JOIN resources g ON " + b.own("g") + "g.pk = m.grp"
	up += " WHERE " + b.own("m") + "m.member = r.pk AND " + b.live("g") + " UNION SELECT m.grp, up.depth + 1 FROM up"
	up += " JOIN members m ON " + b.own("m") + "m.member = up.pk JOIN resources g ON " + b.own("g") + "g.pk = m.grp WHERE " + b.live("g")
	up += " AND up.depth < " + strconv.Itoa(scim.MaxGroupDepth) + b.nests() + ")"
	up += " SELECT 1 FROM (SELECT pk, min(depth) AS depth FROM up GROUP BY pk) u JOIN resources x ON x.pk = u.pk WHERE "
	return b.exists(up + b.other(a, f, "u.depth"))
}

// nests is a further condition of each recursion: that it is needed at all.
func (b *builder) nests() string { return b.o.Dialect.Nests(b.bindTenant) }

// descendants is a sub-select of all that are, directly or not, in a group that
// satisfies f. It is made once, where to ascend is done for every resource; but
// it can't tell direct from indirect.
func (b *builder) descendants(a *scim.Attribute, f scim.Filter) string {
	down := "WITH RECURSIVE down(pk, depth) AS (SELECT m.member, 1 FROM members m JOIN resources x ON x.pk = m.grp WHERE " + b.own("m")
	down += b.other(a, f, "") + " UNION SELECT m.member, down.depth + 1 FROM down JOIN resources g ON " + b.own("g") + "g.pk = down.pk"
	down += " JOIN members m ON " + b.own("m") + "m.grp = g.pk WHERE " + b.live("g")
	down += " AND down.depth < " + strconv.Itoa(scim.MaxGroupDepth) + b.nests() + ")"
	return down + " SELECT DISTINCT pk AS res FROM down"
}

// typeless reports whether f can be decided without knowing how far away a
// group is.
func typeless(f scim.Filter) bool {
	ok := true
	scim.Walk(f, func(f scim.Filter) {
		if e, is := f.(*scim.AttrExp); is && e.Path.Sub == "type" {
			ok = false
		}
	})
	return ok
}

// other is a condition on x. depth is the SQL expression of how far away the
// group x is; "" where all are direct.
func (b *builder) other(a *scim.Attribute, f scim.Filter, depth string) string {
	s := "x.tenant = " + b.bindTenant() + " AND " + b.live("x")
	if f == nil {
		return s
	}
	return s + " AND " + b.aboutMember(a, f, depth)
}

func (b *builder) aboutMember(a *scim.Attribute, f scim.Filter, depth string) string {
	switch f := f.(type) {
	case *scim.LogExp:
		return "(" + b.aboutMember(a, f.Left, depth) + " " + strings.ToUpper(f.Op) + " " + b.aboutMember(a, f.Right, depth) + ")"
	case *scim.NotExp:
		return "NOT (" + b.aboutMember(a, f.Filter, depth) + ")"
	case *scim.AttrExp:
		switch f.Path.Sub {
		case "type":
			return b.memberType(a, f, depth)
		case "display":
			return b.memberDisplay(f)
		}
		if presence(f) {
			return constant(f.Op != scim.Eq)
		}
		return b.holds(column{text: "x.id"}, f.Path.Leaf(), f.Op, f.Value)
	}
	return never
}

// memberDisplay: who has no name has no display.
func (b *builder) memberDisplay(f *scim.AttrExp) string {
	c := column{text: "x.display_fold"}
	switch {
	case presence(f) && f.Op == scim.Eq:
		return c.text + " = ''"
	case presence(f):
		return c.text + " <> ''"
	case f.Op == scim.Ne:
		return "(" + c.text + " = '' OR " + b.holds(c, f.Path.SubAttr, f.Op, f.Value) + ")"
	}
	return "(" + c.text + " <> '' AND " + b.holds(c, f.Path.SubAttr, f.Op, f.Value) + ")"
}

// memberType: a member's type is one of few names, a group's is direct or
// indirect, so the comparison is made here.
func (b *builder) memberType(a *scim.Attribute, f *scim.AttrExp, depth string) string {
	if presence(f) {
		return constant(f.Op != scim.Eq)
	}
	is := func(name string) bool { return meets(f, f.Path.SubAttr, name) }
	if a.Derived {
		switch direct, indirect := is("direct"), is("indirect"); {
		case direct == indirect || depth == "":
			return constant(direct)
		case direct:
			return depth + " = 1"
		}
		return depth + " > 1"
	}
	var list []string
	for _, name := range a.Links {
		if is(name) {
			list = append(list, b.bind(Type(name)))
		}
	}
	if list == nil {
		return never
	}
	return "x.type IN (" + strings.Join(list, ", ") + ")"
}
