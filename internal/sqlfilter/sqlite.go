package sqlfilter

// SQLite is the Dialect of SQLite, without a substring index: embed it and
// override Grams to have one.
type SQLite struct{}

var _ Dialect = SQLite{}

// Placeholder implements Dialect.
func (SQLite) Placeholder(int) string { return "?" }

// Contains implements Dialect.
func (SQLite) Contains(text, term string, bind func(any) string) string {
	return "instr(" + text + ", " + bind(term) + ") > 0"
}

// HasSuffix implements Dialect. It compares bytes: of a text, substr would
// count characters, and stop at U+0000.
func (SQLite) HasSuffix(text, term string, bind func(any) string) string {
	return "substr(CAST(" + text + " AS BLOB), " + bind(int64(-len(term))) + ") = " + bind([]byte(term))
}

// Grams implements Dialect: there is no substring index.
func (SQLite) Grams(Path, string, func(any) string) (string, bool) { return "", false }
