package sqlfilter

import "github.com/rollcall-scim/rollcall/scim"

// SQLite is the Dialect of SQLite, without a substring index: embed it and
// override Indexed and Grams to have one.
type SQLite struct{}

var _ Dialect = SQLite{}

// Placeholder implements Dialect.
func (SQLite) Placeholder(int) string { return "?" }

// Contains implements Dialect.
func (SQLite) Contains(text, long, term string, bind func(any) string) string {
	return "instr(" + column{text: text, long: long}.whole() + ", " + bind(term) + ") > 0"
}

// HasSuffix implements Dialect. It compares bytes: of a text, substr would
// count characters, and stop at U+0000. Of no bytes substr is NULL, of which NOT
// makes no truth.
func (SQLite) HasSuffix(text, long, term string, bind func(any) string) string {
	return "coalesce(substr(CAST(" + column{text: text, long: long}.whole() + " AS BLOB), " + bind(int64(-len(term))) + ") = " + bind([]byte(term)) + ", FALSE)"
}

// Indexed implements Dialect: there is no substring index.
func (SQLite) Indexed(scim.CompareOp, Path, string) bool { return false }

// Grams implements Dialect.
func (SQLite) Grams(Path, string, func(any) string) string { return "" }

// Exists implements Dialect.
func (SQLite) Exists(query string) string { return "EXISTS (" + query + ")" }

// Live implements Dialect.
func (SQLite) Live(alias string) string { return alias + ".type > 0" }

// Nests implements Dialect.
func (SQLite) Nests(func() string) string { return "" }
