// Package sqlfilter compiles filters and orders to SQL over tables that are
// yours (RFC 7644 §3.4.2.2, §3.4.2.3).
//
// A [Table] says where the attributes of a resource type are: an attribute's
// path and a column, or any other SQL expression over a row. [New] checks it
// once, at the start. [Compiler.Where] then gives a condition for a bound
// filter, [Compiler.List] that and the order and position of a list; the SELECT
// around it, the tenant in its WHERE and the driver are yours. Values travel as
// arguments, never in the text.
//
// What a condition finds is exactly what filter.Match finds, or there is none:
// a filter that names what is not mapped is refused as invalidFilter, never
// answered with more. The other half of that promise is the table's, see
// [Kind]: above all, the text of an attribute that is not caseExact must be
// folded by [scim.Fold], by whoever writes the column, by a function that the
// expression calls, or by both sides of an index on an expression.
//
// It runs nothing and knows no driver. A store that is free to lay out its
// tables has a better choice in rows of attributes, as package sqlite keeps
// them. See examples/saas for a whole backend on this package.
package sqlfilter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Dialect is the SQL to write.
type Dialect int

// The dialects. SQLite has the placeholder ? and, for booleans and times,
// integers. PostgreSQL has $1, $2 …, boolean and timestamptz.
const (
	SQLite Dialect = iota
	PostgreSQL
)

// Kind is what a column holds. NULL always means that the resource has no
// value.
type Kind int

const (
	// KindText holds strings, references and binaries: the Text of
	// [scim.KeyOf], which is [scim.Fold] of a string and base64 of a binary, in
	// UTF-8. It is compared byte by byte, whatever the collation of the column.
	// In SQLite the column must have the type TEXT: of another one write
	// CAST(x AS TEXT). In PostgreSQL its collation must be deterministic, as all
	// are that were not asked to be otherwise; of a citext column write x::text.
	KindText Kind = iota
	// KindNumber holds integers and decimals. In PostgreSQL the column of a
	// decimal is double precision.
	KindNumber
	// KindBool holds booleans: in SQLite 0 and 1.
	KindBool
	// KindTime holds dateTimes: in PostgreSQL a timestamptz, in SQLite the
	// microseconds since 1970 as an integer ([scim.Instant]); of a column of
	// seconds write x * 1000000.
	KindTime
)

// Column is where the values of one attribute are.
type Column struct {
	SQL  string // a column or an expression; it may be repeated in a condition
	Kind Kind

	// Sort is what a list is sorted by where texts can be longer than
	// [scim.SortLength]: an expression for [scim.SortText] of the text. Empty:
	// SQL itself.
	Sort string
}

// Text is the Column of a text. An attribute for which no resource ever has a
// value is Text("NULL").
func Text(sql string) Column { return Column{SQL: sql, Kind: KindText} }

// Number is the Column of a number.
func Number(sql string) Column { return Column{SQL: sql, Kind: KindNumber} }

// Bool is the Column of a boolean.
func Bool(sql string) Column { return Column{SQL: sql, Kind: KindBool} }

// Time is the Column of a dateTime.
func Time(sql string) Column { return Column{SQL: sql, Kind: KindTime} }

// Rows is where the values of a multi-valued attribute are: one row for each.
type Rows struct {
	From  string // what follows FROM: "emails e", or a join, or a function of the outer row
	Where string // what ties a row to the resource: "e.user_id = u.id"

	// Columns are those of the sub-attributes, by name. The values of an
	// attribute that is not complex are called "value". A value without
	// "primary" counts as one whose primary is false (RFC 7643 §2.4): NULL says
	// just that.
	Columns map[string]Column
}

// Table says where the attributes of a resource type are. Paths are canonical,
// as [scim.AttrPath.String] spells them: "name.familyName", "meta.created",
// "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department".
// meta.resourceType needs no column.
type Table struct {
	Type    *scim.ResourceType
	Dialect Dialect
	Columns map[string]Column // by path, of attributes with one value and their sub-attributes
	Rows    map[string]Rows   // by path, of multi-valued attributes

	// Seq is a column or expression for the order of creation: an integer, for
	// each resource another one. Only List needs it.
	Seq string
}

// Compiler compiles for one Table. It is safe for concurrent use.
type Compiler struct {
	t       Table
	columns map[string]Column // those of rows too: path of the attribute, ".", name
}

// Clause is a piece of SQL and the arguments of all placeholders up to its end:
// string, bool, int64, float64, []byte or time.Time.
type Clause struct {
	SQL  string
	Args []any
}

// New returns a Compiler, or an error if a path is none of the type's, or a
// column's kind is not that of its attribute. It copies what it needs of t.
func New(t Table) (*Compiler, error) {
	c := &Compiler{t: t, columns: map[string]Column{}}
	paths := pathsOf(t.Type)
	for path, col := range t.Columns {
		p, ok := paths[path]
		switch {
		case !ok:
			return nil, fmt.Errorf("sqlfilter: %q is no attribute of %q, or not spelled as in its schema", path, t.Type.Name)
		case p.Attr.MultiValued:
			return nil, fmt.Errorf("sqlfilter: %q has several values: it belongs into Rows", path)
		}
		if err := c.add(path, p, col); err != nil {
			return nil, err
		}
	}
	c.t.Rows = map[string]Rows{}
	for path, rows := range t.Rows {
		p, ok := paths[path]
		if !ok || !p.Attr.MultiValued || p.SubAttr != nil {
			return nil, fmt.Errorf("sqlfilter: %q is no multi-valued attribute of %q", path, t.Type.Name)
		}
		if strings.TrimSpace(rows.From) == "" || strings.TrimSpace(rows.Where) == "" {
			return nil, fmt.Errorf("sqlfilter: the rows of %q need From and Where", path)
		}
		c.t.Rows[path] = rows
		for name, col := range rows.Columns {
			sub := p
			if p.Attr.Type == scim.TypeComplex {
				sub, ok = paths[path+"."+name]
			} else {
				ok = name == "value"
			}
			if !ok {
				return nil, fmt.Errorf("sqlfilter: %q has no sub-attribute %q", path, name)
			}
			if err := c.add(path+"."+name, sub, col); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func (c *Compiler) add(path string, p scim.AttrPath, col Column) error {
	leaf := p.Leaf()
	switch want, ok := kindOf(leaf.Type); {
	case p.SubAttr != nil && p.SubAttr.MultiValued:
		return fmt.Errorf("sqlfilter: %q has several values, which no column can hold", path)
	case !ok:
		return fmt.Errorf("sqlfilter: %q is complex: its sub-attributes have columns", path)
	case want != col.Kind:
		return fmt.Errorf("sqlfilter: %q is of type %s, which is not what its column holds", path, leaf.Type)
	case strings.TrimSpace(col.SQL) == "":
		return fmt.Errorf("sqlfilter: %q has no SQL", path)
	}
	c.columns[path] = Column{whole(col.SQL), col.Kind, whole(col.Sort)}
	return nil
}

func kindOf(t scim.AttributeType) (k Kind, ok bool) {
	switch t {
	case scim.TypeComplex:
		return 0, false
	case scim.TypeInteger, scim.TypeDecimal:
		return KindNumber, true
	case scim.TypeBoolean:
		return KindBool, true
	case scim.TypeDateTime:
		return KindTime, true
	}
	return KindText, true
}

// whole puts an expression in parentheses unless it is a name.
func whole(sql string) string {
	other := func(c rune) bool {
		return c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}
	if strings.ContainsFunc(sql, other) {
		return "(" + sql + ")"
	}
	return sql
}

// pathsOf returns the bound paths of a type by their text.
func pathsOf(t *scim.ResourceType) map[string]scim.AttrPath {
	paths := map[string]scim.AttrPath{}
	add := func(urn string, attrs []*scim.Attribute) {
		for _, a := range attrs {
			p := scim.AttrPath{URN: urn, Name: a.Name, Attr: a}
			paths[p.String()] = p
			for _, sub := range a.SubAttributes {
				p.Sub, p.SubAttr = sub.Name, sub
				paths[p.String()] = p
			}
		}
	}
	add("", scim.Common)
	add("", t.Schema.Attributes)
	for _, x := range t.Extensions {
		add(x.Schema.ID, x.Schema.Attributes)
	}
	return paths
}

// nameable lists the sub-attributes of a value that "pr" looks at: those that a
// filter may name.
func nameable(a *scim.Attribute) []*scim.Attribute {
	return slices.DeleteFunc(slices.Clone(a.SubAttributes), func(sub *scim.Attribute) bool {
		return !sub.Filterable() || derived(a, sub)
	})
}

// derived reports whether no resource stores the sub-attribute: it is made from
// the resource that the value refers to.
func derived(a, sub *scim.Attribute) bool {
	switch sub.Name {
	case "$ref":
		return len(a.Links) > 0 || membership(a)
	case "display", "displayName":
		return len(a.Links) > 0 && !membership(a)
	}
	return false
}

// membership reports whether the attribute's values are members or groups.
func membership(a *scim.Attribute) bool { return a.Membership || a.Derived }
