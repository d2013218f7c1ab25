package lookingglass

// Matcher returns a function that reports whether an exchange is one of those
// that q selects, whatever its Limit.
func (q Query) Matcher() func(*Exchange) bool { return newMatcher(q).matches }
