package flows_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/flows"
)

// The flows say what will happen; here they are held to it.
func TestFlowsDoWhatTheySay(t *testing.T) {
	t.Parallel()
	for _, f := range flows.All() {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			run, err := flows.Start(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range f.Steps {
				if s.Title == "" || s.Why == "" || s.Look == "" || !strings.HasPrefix(s.Section, "RFC ") {
					t.Errorf("step %d: not explained: %+v", i+1, s)
				}
				res, err := run.Do(t.Context(), i, flows.Edit{})
				if err != nil {
					t.Fatalf("step %d, %s: %v", i+1, s.Title, err)
				}
				if !res.Expected || res.Edited {
					t.Errorf("step %d, %s: %d, expected %d: %s", i+1, s.Title, res.Status, s.Status, res.Answer)
				}
				if testing.Verbose() {
					t.Logf("%d %s: %d rules=%v changes=%d\n%s", i+1, s.Title, res.Status, res.Rules, len(res.Changes), res.Answer)
				}
			}
		})
	}
}

// What the texts promise beyond the status.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flow    string
		step    int // from 1
		want    string
		without string
		rule    string
		changes int
	}{
		{"life-cycle", 1, `"totalResults":0`, "", "", 0},
		{"life-cycle", 4, `Head of Exploration`, "", "", 1},
		{"life-cycle", 5, ``, "", "", 0},
		{"life-cycle", 7, `"active":true`, "Head of", "", 1},
		{"life-cycle", 9, `"totalResults":1`, "", "", 0},
		{"membership", 5, ``, "", "", 0},
		{"membership", 6, `Tea Party`, "", "", 0},
		{"membership", 8, `Tea Party`, `"members"`, "", 0},
		{"membership", 9, `"totalResults":2`, "", "", 0},
		{"membership", 11, ``, "", "", 2},
		{"membership", 12, `Tea Party`, `"members"`, "", 0},
		{"filters", 2, `"totalResults":3`, "", "", 0},
		{"filters", 3, `"totalResults":3`, "", "", 0},
		{"filters", 4, `"totalResults":1`, "", "", 0},
		{"filters", 5, `"totalResults":2`, "", "", 0},
		{"filters", 6, `"totalResults":1`, "", "", 0},
		{"filters", 7, `"totalResults":4`, "", "", 0},
		{"filters", 8, `at character`, "", "", 0},
		{"filters", 10, `nextCursor`, "", "", 0},
		{"filters", 11, `queen@example.org`, "nextCursor", "", 0},
		{"discovery", 5, `Exploration`, "horse", "", 1},
		{"bulk", 3, `"409"`, "", "", 1},
		{"bulk", 4, `"409"`, "duchess", "", 0},
		{"bulk", 5, `flamingo`, "", "", 0},
		{"dialect", 2, `"active":true`, "", "BODY-01", 1},
		{"dialect", 3, `"active":false`, "", "PATCH-09", 1},
		{"dialect", 5, `"familyName":"Liddell"`, "name.givenName", "PATCH-04", 1},
		{"dialect", 6, `"type":"mobile"`, "", "PATCH-06", 1},
		{"dialect", 8, `The Duchess`, "", "PATCH-11", 1},
		{"dialect", 10, ``, "", "GRP-01", 1},
	} {
		t.Run(c.flow+" "+flows.Lookup(c.flow).Steps[c.step-1].Title, func(t *testing.T) {
			t.Parallel()
			run, err := flows.Start(t.Context(), flows.Lookup(c.flow))
			if err != nil {
				t.Fatal(err)
			}
			var res *flows.Result
			for i := range c.step {
				if res, err = run.Do(t.Context(), i, flows.Edit{}); err != nil {
					t.Fatal(err)
				}
			}
			if !strings.Contains(res.Answer, c.want) || c.without != "" && strings.Contains(res.Answer, c.without) || len(res.Changes) != c.changes {
				t.Errorf("%d changes, expected %d; answer %s, expected with %q, without %q", len(res.Changes), c.changes, res.Answer, c.want, c.without)
			}
			var rules []string
			for _, r := range res.Rules {
				rules = append(rules, r.ID)
			}
			if c.rule != "" && !strings.Contains(strings.Join(rules, " "), c.rule) {
				t.Errorf("rules %v, expected %s", rules, c.rule)
			}
		})
	}
}

func TestStepsInOrder(t *testing.T) {
	t.Parallel()
	f := flows.Lookup("life-cycle")
	run, err := flows.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Do(t.Context(), 1, flows.Edit{}); !errors.Is(err, flows.ErrOrder) {
		t.Errorf("the second step first: %v", err)
	}
	if _, err := run.Do(t.Context(), -1, flows.Edit{}); !errors.Is(err, flows.ErrOrder) {
		t.Errorf("step -1: %v", err)
	}
	do := func(step int, e flows.Edit) *flows.Result {
		res, err := run.Do(t.Context(), step, e)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	do(0, flows.Edit{})
	broken := "{"
	if res := do(1, flows.Edit{Body: &broken}); res.Status != 400 || !res.Edited {
		t.Errorf("a broken body: %d, edited %v", res.Status, res.Edited)
	}
	do(2, flows.Edit{}) // creates her, then
	var missing *flows.MissingError
	if _, err := run.Do(t.Context(), 3, flows.Edit{}); !errors.As(err, &missing) || missing.Step != f.Steps[1].Title || missing.What != "id" {
		t.Errorf("a reference to an answer without id: %v", err)
	}
	for range flows.MaxRequests {
		_, err = run.Do(t.Context(), 2, flows.Edit{})
	}
	if !errors.Is(err, flows.ErrSpent) {
		t.Errorf("after %d requests: %v", flows.MaxRequests, err)
	}
	if got := len(run.Results()); got != 3 {
		t.Errorf("%d results, expected 3", got)
	}
}

// A step that is run again has its new outcome, and its text may have come back
// from a browser with other line ends.
func TestRunAgain(t *testing.T) {
	t.Parallel()
	run, err := flows.Start(t.Context(), flows.Lookup("filters"))
	if err != nil {
		t.Fatal(err)
	}
	other := `userName sw "q"`
	for _, e := range []flows.Edit{{}, {Filter: &other}} {
		res, err := run.Do(t.Context(), 0, e)
		if err != nil {
			t.Fatal(err)
		}
		if want := e.Filter != nil; res.Edited != want || strings.Contains(res.Answer, "queen") != want || res.Filter == nil {
			t.Errorf("edited %v, filter %v, answer %s", res.Edited, res.Filter, res.Answer)
		}
	}
	if got := len(run.Results()); got != 1 {
		t.Errorf("%d results, expected 1", got)
	}
	run, err = flows.Start(context.Background(), flows.Lookup("bulk"))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.ReplaceAll(flows.Lookup("bulk").Steps[0].Body, "\n", "\r\n")
	res, err := run.Do(t.Context(), 0, flows.Edit{Body: &body})
	if err != nil || res.Edited || res.Status != 200 {
		t.Errorf("line ends: edited %v, status %d, %v", res.Edited, res.Status, err)
	}
	large := strings.Repeat(" ", flows.MaxBody+1)
	if res, err := run.Do(t.Context(), 0, flows.Edit{Body: &large}); err != nil || res.Status != 413 {
		t.Errorf("a large body: %v, %v", res, err)
	}
	if flows.Lookup("nothing") != nil {
		t.Error("a flow that is none")
	}
}
