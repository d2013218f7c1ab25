package scim_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

func TestNoTrace(t *testing.T) {
	t.Parallel()
	none := scim.TraceOf(context.Background())
	if none != nil {
		t.Fatal("a context without a Trace has one")
	}
	none.Add(scim.Step{Kind: "sql", Text: "SELECT 1"})
	none.Note(func(*scim.TraceNotes) { t.Error("nil took a note") })
	if got := none.Steps(); got != nil {
		t.Errorf("nil has steps: %v", got)
	}
	if got := none.Notes(); got.Touched != nil {
		t.Errorf("nil has notes: %v", got)
	}
	if scim.TraceOf(scim.WithTrace(context.Background(), nil)) != nil {
		t.Error("a nil Trace in the context is one")
	}
}

func TestTraceSteps(t *testing.T) {
	t.Parallel()
	tr := &scim.Trace{}
	if scim.TraceOf(scim.WithTrace(context.Background(), tr)) != tr {
		t.Fatal("the context does not carry its Trace")
	}
	tr.Add(scim.Step{Kind: "sql", Text: "SELECT 1", Took: 3, Rows: 1})
	tr.Add(scim.Step{Kind: "sql", Text: "SELECT 1", Took: 4, Rows: 2})
	tr.Add(scim.Step{Kind: "sql", Text: "SELECT 1", Took: 5, Failed: "interrupted"})
	tr.Add(scim.Step{Kind: "call", Text: "GET /x", Rows: 200})
	tr.Add(scim.Step{Kind: "call", Text: "GET /x", Rows: 503, Start: time.Hour})
	var got []string
	for _, s := range tr.Steps() {
		got = append(got, fmt.Sprint(s.Kind, " ", s.Text, " ", int64(s.Took), " ", s.Rows, " ", s.Times, s.Failed))
		if s.Start < 0 {
			t.Errorf("%s began before the trace", s.Text)
		}
	}
	want := []string{"sql SELECT 1 7 3 2", "sql SELECT 1 5 0 0interrupted", "call GET /x 0 200 0", "call GET /x 0 503 0"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if last := tr.Steps()[3]; last.Start != time.Hour {
		t.Errorf("a Start that was given became %v", last.Start)
	}
}

func TestTraceKeepsTheFirstSteps(t *testing.T) {
	t.Parallel()
	var tr scim.Trace // begins with its first step
	for i := range scim.MaxSteps + 7 {
		tr.Add(scim.Step{Kind: "sql", Text: fmt.Sprint("SELECT ", i)})
	}
	steps := tr.Steps()
	if len(steps) != scim.MaxSteps || steps[scim.MaxSteps-1].Text != fmt.Sprint("SELECT ", scim.MaxSteps-1) {
		t.Errorf("%d steps, the last %q", len(steps), steps[len(steps)-1].Text)
	}
	if n := steps[len(steps)-1].Skipped; n != 7 {
		t.Errorf("%d skipped, want 7", n)
	}
}

func TestTraceNotes(t *testing.T) {
	t.Parallel()
	var tr scim.Trace
	many := make([]string, scim.MaxTouched+5)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	tr.Note(func(n *scim.TraceNotes) {
		n.Parse = time.Second
		n.Touch("a", "b", "a")
		n.Touch(many...)
		n.Touch("never")
		n.Members.Join(many, []string{"x"})
		n.Members.Join(nil, many)
	})
	n := tr.Notes()
	if n.Parse != time.Second || len(n.Touched) != scim.MaxTouched || !slices.Equal(n.Touched[:3], []string{"a", "b", "0"}) {
		t.Errorf("touched %d: %v", len(n.Touched), n.Touched[:3])
	}
	m := n.Members
	if len(m.Added) != scim.MaxTouched || m.MoreAdded != 5 || len(m.Removed) != scim.MaxTouched || m.MoreRemoved != 6 {
		t.Errorf("members: %d + %d came, %d + %d went", len(m.Added), m.MoreAdded, len(m.Removed), m.MoreRemoved)
	}
	n.Touched[0], m.Added[0] = "changed", "changed"
	if again := tr.Notes(); again.Touched[0] != "a" || again.Members.Added[0] != "0" {
		t.Error("the notes returned are those of the trace")
	}
}

func TestTraceOfManyGoroutines(t *testing.T) {
	t.Parallel()
	tr := &scim.Trace{}
	ctx := scim.WithTrace(context.Background(), tr)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				scim.TraceOf(ctx).Add(scim.Step{Kind: "call", Text: "GET /"})
				scim.TraceOf(ctx).Note(func(n *scim.TraceNotes) { n.Backend++ })
				_, _ = tr.Steps(), tr.Notes()
			}
		})
	}
	wg.Wait()
	if got, n := tr.Notes().Backend, tr.Steps(); got != 800 || n[len(n)-1].Skipped != 600 {
		t.Errorf("%d notes, %d steps skipped", got, n[len(n)-1].Skipped)
	}
}
