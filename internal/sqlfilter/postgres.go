package sqlfilter

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rollcall-scim/rollcall/scim"
)

// PostgreSQL is the Dialect of PostgreSQL with the extensions pg_trgm and
// btree_gin. Types and paths are texts in its tables, the type of what is being
// deleted is "", and tenants(tenant, nests) knows whether groups nest.
type PostgreSQL struct{}

var _ Dialect = PostgreSQL{}

// PostgreSQLGrams are the paths with a substring index, on attrs(tenant, type,
// path, text).
var PostgreSQLGrams = [...]Path{"userName", "displayName", "emails.value", "name.familyName", "name.givenName"}

// Placeholder implements Dialect.
func (PostgreSQL) Placeholder(n int) string { return "$" + strconv.Itoa(n) }

// Contains implements Dialect. The index serves LIKE alone.
func (PostgreSQL) Contains(text, long, term string, bind func(any) string) string {
	return like(text, long, bind("%"+literal.Replace(term)+"%"))
}

// HasSuffix implements Dialect.
func (PostgreSQL) HasSuffix(text, long, term string, bind func(any) string) string {
	return like(text, long, bind("%"+literal.Replace(term)))
}

// literal takes their meaning from the characters that have one in LIKE.
var literal = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// like compares both columns by themselves, so that an index serves each. What
// a cut text contains, the whole one does; but it ends otherwise.
func like(text, long, pattern string) string {
	if long == "" {
		return text + " LIKE " + pattern
	}
	return "(" + long + " IS NULL AND " + text + " LIKE " + pattern + " OR " + long + " LIKE " + pattern + " AND " + long + " IS NOT NULL)"
}

// Indexed implements Dialect. The index has the letters and digits of a text by
// three: a term without as many in a row finds nothing there.
func (PostgreSQL) Indexed(_ scim.CompareOp, path Path, term string) bool {
	if !slices.Contains(PostgreSQLGrams[:], path) {
		return false
	}
	row := 0
	for _, r := range term {
		if row++; !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			row = 0
		}
		if row == 3 {
			return true
		}
	}
	return false
}

// Grams implements Dialect: the index serves the condition itself.
func (PostgreSQL) Grams(Path, string, func(any) string) string { return "" }

// Exists implements Dialect. In this form PostgreSQL does not make it one of the
// relations that it joins: to find the best order of so many takes it minutes,
// and the one in which they were asked for is good.
func (PostgreSQL) Exists(query string) string { return "(EXISTS (" + query + ") IS TRUE)" }

// Live implements Dialect.
func (PostgreSQL) Live(alias string) string { return alias + ".type <> ''" }

// Nests implements Dialect. The sub-select is evaluated once.
func (PostgreSQL) Nests(tenant func() string) string {
	return " AND (SELECT nests FROM tenants WHERE tenant = " + tenant() + ")"
}
