package replay_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/internal/replay"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

var update = flag.Bool("update", false, "write testdata/idp/strict.golden anew")

// TestStrict plays every conversation in strict and compares which steps fail,
// and why, with the golden list. A step either leans on a tolerance itself:
// then it fails in strict also where all before it was met by auto, auto
// reports a rule with a switch for it, and the step names such a rule. Or it
// only follows from an earlier one: then it is well in strict where all before
// it was met by auto.
func TestStrict(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/idp/traces/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	lists := make([]string, len(files))
	t.Run("files", func(t *testing.T) {
		for i, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
				t.Parallel()
				lists[i] = leaning(t, file)
			})
		}
	})
	got := strings.Join(lists, "")
	const golden = "../../testdata/idp/strict.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the steps that fail in strict, - golden, + now:\n%s", diff)
	}
}

// leaning returns the lines of a conversation in the golden list.
func leaning(t *testing.T, file string) string {
	steps := read(t, file)
	name := strings.TrimSuffix(filepath.Base(file), ".json")
	bent, switched := map[int][]string{}, switches()
	tenant := newTenant(t)
	for i, r := range tenant.play(t, steps, len(steps)) {
		if len(r.Faults) > 0 {
			t.Errorf("step %d fails in auto: %s", i+1, r.Faults)
		}
		for _, id := range tenant.rules[strconv.Itoa(i)] {
			if switched[id] {
				bent[i] = append(bent[i], id)
			}
		}
	}
	var list strings.Builder
	earlier := false
	for i, r := range newTenant(t).play(t, steps, 0) {
		if testing.Short() && len(r.Faults) == 0 {
			continue
		}
		alone := newTenant(t).play(t, steps[:i+1], i)[i]
		if len(alone.Faults) > 0 {
			if !slices.ContainsFunc(r.Step.Rules, func(id string) bool { return switched[id] }) {
				t.Errorf("step %d %q leans on a tolerance, and names no rule with a switch: %v; auto bent %v\n%s",
					i+1, r.Step.Name, r.Step.Rules, bent[i], alone.Faults)
			}
			if len(bent[i]) == 0 {
				t.Errorf("step %d %q fails in strict, and auto reported no rule for it: %s", i+1, r.Step.Name, alone.Faults)
			}
		}
		if len(r.Faults) == 0 {
			continue
		}
		why := strings.Join(bent[i], " ")
		if len(alone.Faults) == 0 {
			why = "follows"
			if !earlier {
				t.Errorf("step %d %q fails with nothing to follow: %s", i+1, r.Step.Name, r.Faults)
			}
		}
		earlier = true
		fmt.Fprintf(&list, "%s %d: %d, %s: %s\n", name, i+1, r.Status, kinds(r.Faults), why)
	}
	return list.String()
}

// kinds returns what is wrong with an answer, without its values.
func kinds(faults []string) string {
	var list []string
	for _, f := range faults {
		kind, _, _ := strings.Cut(f, ": ")
		if status, _, ok := strings.Cut(kind, " want"); ok {
			kind, _, _ = strings.Cut(status, " ")
		}
		if !slices.Contains(list, kind) {
			list = append(list, kind)
		}
	}
	return strings.Join(list, ", ")
}

// switches returns the rules that a switch turns on.
func switches() map[string]bool {
	rules := map[string]bool{}
	for _, r := range compat.Rules() {
		rules[r.ID] = len(r.Switches) > 0
	}
	return rules
}

// tenant is one empty directory that two profiles serve.
type tenant struct {
	profiles [2]http.Handler // auto, strict

	mu    sync.Mutex
	rules map[string][]string // by step, what its answers leaned on
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	b := new(memory.Store)
	x := &tenant{rules: map[string][]string{}}
	for i, p := range []compat.Profile{compat.Auto(), compat.Strict()} {
		e, err := engine.New(b, engine.Config{Profile: p})
		if err != nil {
			t.Fatal(err)
		}
		x.profiles[i] = http.StripPrefix("/scim/v2", scimhttp.NewHandler(e, scimhttp.Options{Observe: x.observe}))
	}
	return x
}

func (x *tenant) observe(e scimhttp.Exchange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range e.Response.Rules {
		if !slices.Contains(x.rules[e.RequestID], id) {
			x.rules[e.RequestID] = append(x.rules[e.RequestID], id)
		}
	}
}

// play plays steps, those before the given one in auto and the others in
// strict. When it returns the tenant has seen all of every answer.
func (x *tenant) play(t *testing.T, steps []replay.Step, strict int) []replay.Result {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		profile := 0
		if i, err := strconv.Atoi(r.Header.Get("X-Request-Id")); err != nil || i >= strict {
			profile = 1
		}
		x.profiles[profile].ServeHTTP(w, r)
	}))
	defer srv.Close()
	client := srv.Client()
	client.Transport = &stepping{base: client.Transport, steps: steps}
	results, err := replay.Player{Base: srv.URL + "/scim/v2", Token: "any", Client: client}.Play(t.Context(), steps)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// stepping gives each request the number of its step as its id.
type stepping struct {
	base  http.RoundTripper
	steps []replay.Step
	step  int
	sent  int // of the step
}

func (s *stepping) RoundTrip(r *http.Request) (*http.Response, error) {
	times := 1
	if n := s.steps[s.step].Repeat; n != nil {
		times = n.To - n.From + 1
	}
	if s.sent++; s.sent > times {
		s.step, s.sent = s.step+1, 1
	}
	r = r.Clone(r.Context())
	r.Header.Set("X-Request-Id", strconv.Itoa(s.step))
	return s.base.RoundTrip(r)
}
