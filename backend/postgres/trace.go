package postgres

import (
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// traced notes a statement in the trace: its text, which has placeholders for
// whatever came from a client, never its arguments.
func (t *session) traced(query string, took time.Duration, rows int64, err error) {
	s := scim.Step{Kind: "sql", Text: query, Took: took, Rows: rows}
	if err != nil {
		s.Rows, s.Failed = -1, failure(err)
	}
	t.trace.Add(s)
}

// failure says why a statement failed without what it was about: the server's
// texts may name values.
func failure(err error) string {
	if c := code(err); c != "" {
		return "SQLSTATE " + c
	}
	return "connection lost"
}
