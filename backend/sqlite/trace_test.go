package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

const canary = "canary-8831"

// traced runs f with a trace and returns it.
func traced(t *testing.T, f func(context.Context) error) *scim.Trace {
	t.Helper()
	tr := &scim.Trace{}
	if err := f(scim.WithTrace(context.Background(), tr)); err != nil {
		t.Fatal(err)
	}
	for _, s := range tr.Steps() {
		if s.Kind != "sql" || s.Took < 0 || s.Start < 0 || s.Failed != "" {
			t.Errorf("step %+v", s)
		}
		if strings.Contains(s.Text, canary) {
			t.Errorf("an argument is in the text: %s", s.Text)
		}
	}
	return tr
}

// find returns the first step whose text begins so.
func find(t *testing.T, tr *scim.Trace, begin string) scim.Step {
	t.Helper()
	for _, s := range tr.Steps() {
		if strings.HasPrefix(s.Text, begin) {
			return s
		}
	}
	var all []string
	for _, s := range tr.Steps() {
		all = append(all, s.Text)
	}
	t.Fatalf("no step %q among\n%s", begin, strings.Join(all, "\n"))
	return scim.Step{}
}

func TestStatementsInTrace(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir()+"/db", sqlite.Options{}).Tenant("a")
	var u *scim.Resource
	tr := traced(t, func(ctx context.Context) (err error) {
		u, err = s.Create(ctx, user(t, canary))
		return err
	})
	if st := find(t, tr, "INSERT INTO resources"); st.Rows != 1 {
		t.Errorf("%d rows", st.Rows)
	}
	find(t, tr, "wait for the writer")
	if steps := tr.Steps(); steps[len(steps)-1].Text != "COMMIT" {
		t.Errorf("the last step is %q", steps[len(steps)-1].Text)
	}

	f, err := filter.Parse(`userName eq "`+canary+`" or displayName co "`+canary+`"`, filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f, err = filter.Bind(types[0], f, filter.Options{}); err != nil {
		t.Fatal(err)
	}
	tr = traced(t, func(ctx context.Context) error {
		_, err := s.List(ctx, scim.Query{Type: types[0], Filter: f, StartIndex: 1, Count: 10})
		return err
	})
	if st := find(t, tr, "SELECT "); st.Rows != 1 || len(tr.Steps()) == 0 {
		t.Errorf("%d rows in %d steps", st.Rows, len(tr.Steps()))
	}
	before := len(tr.Steps())
	get(t, s, u) // without a trace
	if len(tr.Steps()) != before {
		t.Error("a read without a trace is in that of another")
	}
	tr = traced(t, func(ctx context.Context) error {
		_, err := s.Get(ctx, u.Ref(), scim.Selection{})
		return err
	})
	if st := find(t, tr, "SELECT "); st.Rows != 1 {
		t.Errorf("%d rows", st.Rows)
	}
}

// A statement for each of many members is one step, and who came and went is
// told by those who really did.
func TestMembersInTrace(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir()+"/db", sqlite.Options{}).Tenant("a")
	var ids []string
	for i := range 300 {
		ids = append(ids, create(t, s, user(t, fmt.Sprint("u", i))).ID)
	}
	g := create(t, s, group(t, "g", ids[:200]...))
	tr := traced(t, func(ctx context.Context) error {
		_, err := s.UpdateMembers(ctx, change(g, ids[150:], ids[:3]))
		return err
	})
	if st := find(t, tr, "INSERT OR IGNORE INTO members"); st.Times != 150 || st.Rows != 100 {
		t.Errorf("%d rows in %d times", st.Rows, st.Times)
	}
	m := tr.Notes().Members
	if !slices.Equal(m.Added, ids[200:]) || !slices.Equal(m.Removed, ids[:3]) {
		t.Errorf("came %d, went %d", len(m.Added), len(m.Removed))
	}
	tr = traced(t, func(ctx context.Context) error {
		return s.Delete(ctx, scim.Ref{Type: types[0], ID: ids[10]}, "")
	})
	n := tr.Notes()
	if !slices.Equal(n.Touched, []string{g.ID}) || n.Before == nil || n.Before.Attrs.Get("userName") != "u10" {
		t.Errorf("touched %v, before %v", n.Touched, n.Before)
	}
	tr = traced(t, func(ctx context.Context) error { return s.Delete(ctx, g.Ref(), "") })
	if m := tr.Notes().Members; len(m.Removed) != 296 {
		t.Errorf("%d members went with the group", len(m.Removed))
	}
}

func TestBatchInTrace(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir()+"/db", sqlite.Options{}).Tenant("a")
	inner := &scim.Trace{}
	tr := traced(t, func(ctx context.Context) error {
		return s.Batch(ctx, func(b scim.Backend) error {
			if _, err := b.Create(ctx, user(t, "one")); err != nil {
				return err
			}
			_, err := b.Create(scim.WithTrace(ctx, inner), user(t, "two"))
			return err
		})
	})
	if a, b := find(t, tr, "INSERT INTO resources"), find(t, inner, "INSERT INTO resources"); a.Times != 0 || b.Times != 0 {
		t.Errorf("%d and %d times: the steps of one are in the trace of the other", a.Times, b.Times)
	}
	find(t, tr, "COMMIT")
	if n := len(inner.Steps()); n == 0 || inner.Steps()[n-1].Text == "COMMIT" {
		t.Error("the batch's commit is one of its writes'")
	}
}

// Writes that share a commit all say so.
func TestCommitInTrace(t *testing.T) {
	t.Parallel()
	const writes = 5
	s := open(t, t.TempDir()+"/db", sqlite.Options{CommitWindow: time.Second, CommitMost: writes}).Tenant("a")
	last := make(chan string, writes)
	var wg sync.WaitGroup
	for i := range writes {
		wg.Go(func() {
			tr := &scim.Trace{}
			if _, err := s.Create(scim.WithTrace(context.Background(), tr), user(t, fmt.Sprint("u", i))); err != nil {
				t.Error(err)
			}
			steps := tr.Steps()
			last <- steps[len(steps)-1].Text
		})
	}
	wg.Wait()
	close(last)
	said := map[int]int{} // others that shared the commit → how many said so
	for text := range last {
		others := 0
		if _, err := fmt.Sscanf(text, "COMMIT (shared with %d writes)", &others); err != nil && text != "COMMIT" {
			t.Errorf("the last step is %q", text)
		}
		said[others]++
	}
	for others, n := range said { // how many share depends on how fast they come
		if n%(others+1) != 0 {
			t.Errorf("%d writes say that they shared a commit with %d", n, others)
		}
	}
}

// What is rolled back leaves no gap in the order of creation.
func TestRollbackKeepsSeq(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir()+"/db", sqlite.Options{}).Tenant("a")
	create(t, s, user(t, "first"))
	stop := errors.New("stop")
	if err := s.Batch(context.Background(), func(b scim.Backend) error {
		if _, err := b.Create(context.Background(), user(t, "never")); err != nil {
			return err
		}
		return stop
	}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	create(t, s, user(t, "second"))
	p, err := s.List(context.Background(), scim.Query{Type: types[0], StartIndex: 1, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	first := p.Last.Seq
	create(t, s, user(t, "third"))
	if p, err = s.List(context.Background(), scim.Query{Type: types[0], StartIndex: 2, Count: 1}); err != nil {
		t.Fatal(err)
	}
	if p.Last.Seq != first+1 {
		t.Errorf("the first is %d, the next %d", first, p.Last.Seq)
	}
}
