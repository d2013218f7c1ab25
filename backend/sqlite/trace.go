package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// timed runs a statement and notes it in the trace: its text, which has
// placeholders for whatever came from a client, never its arguments.
func (c *conn) timed(query string, st *sqlite.Stmt, f func(*sqlite.Stmt) error, args []any) error {
	rows := int64(0)
	started := time.Now()
	err := step(st, func(st *sqlite.Stmt) error {
		rows++
		if f == nil {
			return nil
		}
		return f(st)
	}, args)
	s := scim.Step{Kind: "sql", Text: query, Took: time.Since(started), Rows: rows}
	if verb, _, _ := strings.Cut(query, " "); verb == "INSERT" || verb == "UPDATE" || verb == "DELETE" {
		s.Rows = int64(c.Changes())
	}
	if err != nil {
		s.Rows, s.Failed = -1, failure(err)
	}
	c.trace.Add(s)
	return err
}

// failure says why a statement failed without what it was about: the texts of
// SQLite name columns, those of others may name values.
func failure(err error) string { return sqlite.ErrCode(err).String() }

// for a while, the statements of the connection are those of ctx's trace.
func (c *conn) following(ctx context.Context) (end func()) {
	before := c.trace
	c.trace = scim.TraceOf(ctx)
	return func() { c.trace = before }
}

// waited notes how long a job waited for its turn.
func (j *job) waited() {
	if j.trace != nil {
		j.trace.Add(scim.Step{Kind: "sql", Text: "wait for the writer", Took: time.Since(j.queued)})
	}
}

// committed notes the commit in the traces of the jobs that shared it.
func committed(jobs []*job, took time.Duration, err error) {
	text, why := "COMMIT", ""
	if len(jobs) > 1 {
		text = fmt.Sprintf("COMMIT (shared with %d writes)", len(jobs)-1)
	}
	if err != nil {
		why = failure(err)
	}
	for _, j := range jobs {
		j.trace.Add(scim.Step{Kind: "sql", Text: text, Took: took, Failed: why})
	}
}

// came notes who really became or ceased to be a member.
func (t *session) came(added, removed []member) {
	t.trace.Note(func(n *scim.TraceNotes) { n.Members.Join(ids(added), ids(removed)) })
}

func ids(list []member) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.id
	}
	return out
}
