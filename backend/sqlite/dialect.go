package sqlite

import (
	"strings"
	"unicode/utf8"

	"github.com/rollcall-scim/rollcall/internal/sqlfilter"
	"github.com/rollcall-scim/rollcall/scim"
)

// gramPaths are the attributes with a substring index, in the order of the
// columns of table grams after scope.
var gramPaths = [...]sqlfilter.Path{"userName", "displayName", "emails.value", "name.familyName", "name.givenName"}

var gramColumns = [...]string{"userName", "displayName", "emails", "familyName", "givenName"}

func gramColumn(p sqlfilter.Path) int {
	for i := range gramPaths {
		if gramPaths[i] == p {
			return i
		}
	}
	return -1
}

// scope returns three characters for a tenant, which are one trigram: with it
// the substring index finds the rows of one tenant among those of all.
func scope(tenant int64) string {
	const first, many = 0xE000, 6400 // the private use area
	return string([]rune{rune(first + tenant/many/many%many), rune(first + tenant/many%many), rune(first + tenant%many)})
}

// dialect is SQLite with the substring index of one tenant.
type dialect struct {
	sqlfilter.SQLite
	tenant int64
}

// Placeholder implements sqlfilter.Dialect. SQLite looks into a bare parameter
// that is compared with a column, to guess how many rows it selects, and then
// compiles the statement anew whenever another value is bound: four fifths of
// what a look-up costs. It does not look into an expression.
func (dialect) Placeholder(int) string { return "(SELECT ?)" }

// mostGrams bounds the trigrams looked up for one term. A few are as good as
// all: what they let through is compared again.
const mostGrams = 8

// Indexed implements sqlfilter.Dialect.
func (dialect) Indexed(op scim.CompareOp, path sqlfilter.Path, term string) bool {
	return op == scim.Co && gramColumn(path) >= 0 && utf8.RuneCountInString(term) >= 3 && utf8.ValidString(term) && !strings.ContainsRune(term, 0)
}

// Grams implements sqlfilter.Dialect.
func (d dialect) Grams(path sqlfilter.Path, term string, bind func(any) string) string {
	column, runes := gramColumns[gramColumn(path)], []rune(term)
	var b strings.Builder
	b.WriteString(`scope : "` + scope(d.tenant) + `"`)
	last := len(runes) - 3
	n := min(last+1, mostGrams)
	for i := range n {
		at := 0
		if n > 1 {
			at = i * last / (n - 1)
		}
		gram := strings.ReplaceAll(string(runes[at:at+3]), `"`, `""`)
		b.WriteString(` AND ` + column + ` : "` + gram + `"`)
	}
	return `SELECT rowid AS res FROM grams WHERE grams MATCH ` + bind(b.String())
}
