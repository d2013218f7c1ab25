// Package sqlfilter compiles bound filters and sorts to SQL, and resources to
// the rows that such SQL looks at (RFC 7644 §3.4.2.2, §3.4.2.3). It knows no
// driver: a backend runs the text.
//
// The tables, in both databases:
//
//	resources(pk, tenant, type, id, external, external_sort, seq, version,
//	          created, modified, schemas, display_fold, …)
//	attrs(tenant, type, path, text, num, res, elem, long)
//	members(tenant, grp, member, …)
//
// pk identifies a row of resources; attrs.res, members.grp and members.member
// refer to it. Texts compare as bytes. external is NULL if there is none and
// else holds the [scim.KeyOf] text, and external_sort the same cut by
// [scim.SortText]; created and modified are microseconds since
// 1970 ([scim.Instant]); version is any type that prints as Meta.Version;
// schemas lists URNs with one space between; display_fold is the folded display
// name ([scim.Fold]), "" if none. A row of resources whose type is 0 is being
// deleted: it has no attrs any more, and counts as no member and no group.
// attrs holds what [Rows] returns.
//
// The statements look up attrs by (tenant, type, path, text), by (tenant, type,
// path, num) and by (res, path), members by grp and by member, and resources by
// pk, (tenant, id), (tenant, type, external), (tenant, type, external_sort, seq)
// and (tenant, type, seq).
package sqlfilter

import "github.com/rollcall-scim/rollcall/scim"

// Path and Type stand among the arguments of a [Clause] for the numbers under
// which a backend keeps a canonical attribute path and the name of a resource
// type. A path or type that no row has yet is any number that no row has, such
// as -1.
type (
	Path string
	Type string
)

// Dialect is what differs between the databases.
type Dialect interface {
	// Placeholder returns the text of the nth placeholder of a statement,
	// counted from 1.
	Placeholder(n int) string

	// Contains returns a condition, true or false and never NULL, that holds
	// if the text contains term, byte for byte. text is an expression of it, but
	// where that is cut long is one of the whole, and else NULL; "" if text is
	// never cut. bind takes an argument and returns its placeholder.
	Contains(text, long, term string, bind func(any) string) string

	// HasSuffix is Contains for the end of the text.
	HasSuffix(text, long, term string, bind func(any) string) string

	// Indexed reports whether an index finds the values at path whose folded
	// text contains term (op is Co), or ends in it (Ew).
	Indexed(op scim.CompareOp, path Path, term string) bool

	// Grams returns a sub-select with one column, res: every resource that may
	// have a value at path whose folded text contains term. More than those
	// do no harm, since the values are looked at again. "" says that the index
	// serves the condition itself. It is asked where Indexed reports true.
	Grams(path Path, term string, bind func(any) string) string

	// Exists returns a condition that holds if the query finds a row.
	Exists(query string) string

	// Live returns a condition that holds if a row of resources, or of a table
	// joined to it under alias, is not being deleted.
	Live(alias string) string

	// Nests returns a further condition, with "AND" before it, of recursions
	// into groups in groups: that some group of the tenant is in another. ""
	// where Options.Nested tells. tenant returns the tenant's placeholder.
	Nests(tenant func() string) string
}

// Options say for whom to compile.
type Options struct {
	Dialect Dialect
	Tenant  int64
	Nested  bool // some group of the tenant is a member of another
	SeqIsPK bool // resources.seq equals pk, so that attrs.res is in order of creation

	// TenantInKeys says that every key begins with the tenant: each table that a
	// statement looks into is then asked for rows of this one. The placeholders
	// must be numbered.
	TenantInKeys bool
}

// Clause is SQL text and the arguments of its placeholders, in their order:
// string, int64, float64, []byte, [Path] or [Type].
type Clause struct {
	SQL  string
	Args []any
}
