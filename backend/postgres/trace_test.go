package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// TestTrace: the statements of a request are in its trace, in their order and
// without what came from the client; those of others are not.
func TestTrace(t *testing.T) {
	t.Parallel()
	const canary = "canary-8831"
	s := fresh(t, postgres.Options{}).Tenant("a")
	traced := func(f func(context.Context) error) []scim.Step {
		t.Helper()
		tr := &scim.Trace{}
		if err := f(scim.WithTrace(t.Context(), tr)); err != nil {
			t.Fatal(err)
		}
		for _, step := range tr.Steps() {
			if step.Kind != "sql" || step.Took < 0 || step.Start < 0 || step.Failed != "" {
				t.Errorf("step %+v", step)
			}
			if strings.Contains(step.Text, canary) {
				t.Errorf("an argument is in the text: %s", step.Text)
			}
		}
		return tr.Steps()
	}
	has := func(steps []scim.Step, begin string, rows int64) {
		t.Helper()
		at := slices.IndexFunc(steps, func(s scim.Step) bool { return strings.HasPrefix(s.Text, begin) })
		if at < 0 || steps[at].Rows != rows {
			t.Errorf("no step %q of %d rows among %+v", begin, rows, steps)
		}
	}
	var u *scim.Resource
	steps := traced(func(ctx context.Context) (err error) {
		u, err = s.Create(ctx, user(t, canary))
		return err
	})
	if len(steps) == 0 {
		t.Error("a create has no steps")
	}
	g := create(t, s, group(t, "g", u.ID))
	steps = traced(func(ctx context.Context) error {
		_, err := s.Get(ctx, g.Ref(), scim.Selection{})
		return err
	})
	has(steps, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0)
	has(steps, "SELECT r.pk", 1)
	has(steps, "SELECT m.grp", 1)
	has(steps, "COMMIT", 0)
	f, err := filter.Parse(`userName eq "`+canary+`" or displayName co "`+canary+`"`, filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f, err = filter.Bind(types[0], f, filter.Options{}); err != nil {
		t.Fatal(err)
	}
	steps = traced(func(ctx context.Context) error {
		_, err := s.List(ctx, scim.Query{Type: types[0], Filter: f, StartIndex: 1, Count: 10})
		return err
	})
	has(steps, "SELECT r.pk", 1)
	has(steps, "SELECT g.pk, g.id, g.display", 1)

	tr := &scim.Trace{}
	ctx := scim.WithTrace(t.Context(), tr)
	if _, err := s.Get(ctx, u.Ref(), scim.Selection{}); err != nil {
		t.Fatal(err)
	}
	before := len(tr.Steps())
	get(t, s, u)
	if before == 0 || len(tr.Steps()) != before {
		t.Error("a read without a trace is in that of another")
	}
}
