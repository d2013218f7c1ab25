package facade

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// note adds one try of a call to the trace of the request, with the time that
// it waited for its turn.
func note(ctx context.Context, c Call, answer *Answer, f *Failure, took time.Duration) {
	t := scim.TraceOf(ctx)
	if t == nil {
		return
	}
	s := scim.Step{Kind: "call", Text: c.String() + shownQuery(c.Query), Took: took}
	switch {
	case f != nil:
		s.Rows, s.Failed = int64(f.Status), string(f.Reason)
		if f.Problem != "" {
			s.Failed += ", " + f.Problem
		}
	case answer != nil:
		s.Rows = int64(answer.Status)
	}
	t.Add(s)
}

// shownQuery returns a query for people to read. What selects a page is shown,
// what selects a person is not.
func shownQuery(q url.Values) string {
	var parts []string
	for name, values := range q {
		for _, v := range values {
			if name != "page" && name != "size" {
				v = "…"
			}
			parts = append(parts, name+"="+v)
		}
	}
	if parts == nil {
		return ""
	}
	slices.Sort(parts)
	return "?" + strings.Join(parts, "&")
}
