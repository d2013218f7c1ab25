package engine_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// casesVariable is how many requests TestAutoAgreesWithStrict makes; for a
// million: ROLLCALL_TEST_CASES=1000000 go test -run AutoAgrees -v ./scim/engine
const casesVariable = "ROLLCALL_TEST_CASES"

// bends are the rules by which auto may differ from what strict makes of a
// request that strict accepts. A difference is put down to those of them that
// fired only if it goes away with their switches.
var bends = []bend{
	{"BODY-02", `"" unassigns, and on a password is as if not sent, where strict stores an empty text`,
		func(s *compat.Switches) { s.EmptyUnassigns = false }},
	{"PATCH-12", "schemas in a value without a path is ignored, where strict takes out the extensions it does not list: " +
		"clients send it in every value, most with the base URN alone",
		func(s *compat.Switches) { s.IgnoreReadOnly = false }},
}

type bend struct {
	rule, why string
	off       func(*compat.Switches)
}

// TestAutoAgreesWithStrict: a tolerance is for what strict refuses. Where
// strict carries a PATCH out, auto makes the same resource of it, and says as
// strict does whether it changed.
func TestAutoAgreesWithStrict(t *testing.T) {
	t.Parallel()
	cases := 20_000
	if n, err := strconv.Atoi(os.Getenv(casesVariable)); err == nil {
		cases = n
	}
	types := slices.DeleteFunc(widgets(t), func(t *scim.ResourceType) bool {
		return !slices.Contains([]string{"User", "Group", "Widget"}, t.Name)
	})
	with := func(p compat.Profile) *engine.Engine {
		e, err := engine.New(new(memory.Store), engine.Config{Types: types, Profile: p})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	strict, auto := with(compat.Strict()), with(compat.Auto())
	less := map[string]*engine.Engine{} // auto without some rules
	without := func(rules []bend) *engine.Engine {
		p, name := compat.Auto(), ""
		for _, b := range rules {
			b.off(&p.Switches)
			name += " " + b.rule
		}
		if less[name] == nil {
			less[name] = with(p)
		}
		return less[name]
	}
	const seed = 3
	var succeeded, changed, tolerated, faults int
	byRule := map[string]int{}
	for n := range cases {
		g := newSpeaker(seed, uint64(n))
		typ := types[g.IntN(len(types))]
		r := g.resource(typ)
		text := g.message(typ).AppendJSON(nil)
		raw, err := scim.ParseObject(text, 0, 0)
		if err != nil {
			t.Fatalf("case %d: %s: %v", n, text, err)
		}
		want := carriedOut(strict, r, raw)
		got := carriedOut(auto, r, raw)
		if got.err == nil {
			tolerated++
		}
		if want.err != nil {
			continue
		}
		succeeded++
		if want.changed {
			changed++
		}
		if got.same(want) {
			continue
		}
		fired := slices.DeleteFunc(slices.Clone(bends), func(b bend) bool { return !slices.Contains(got.rules, b.rule) })
		// No rule may change who is a member, though it may refuse the request.
		kept := got.err != nil || got.members == want.members
		if len(fired) > 0 && kept && carriedOut(without(fired), r, raw).same(want) {
			for _, b := range fired {
				byRule[b.rule]++
			}
			continue
		}
		if faults++; faults <= 10 {
			t.Errorf("case %d: %s %s\n%s\nstrict %s\nauto   %s", n, typ.Name, r.Attrs.AppendJSON(nil), text, want, got)
		}
	}
	t.Logf("%d requests: strict carried out %d (%d changed something) and refused %d; auto carried out %d; disagreements: %d",
		cases, succeeded, changed, cases-succeeded, tolerated, faults)
	for _, b := range bends {
		t.Logf("%s: %d differ: %s", b.rule, byRule[b.rule], b.why)
		if byRule[b.rule] == 0 && cases >= 20_000 {
			t.Errorf("%s explains no difference: it has no place in the table", b.rule)
		}
	}
	if cases >= 20_000 && (changed < cases/5 || tolerated <= succeeded) {
		t.Error("the requests try too little")
	}
}

// outcome is what a profile makes of a request.
type outcome struct {
	after   string
	changed bool
	members string // how membership changes, where it is kept apart
	rules   []string
	err     error
}

func (o outcome) same(p outcome) bool {
	return o.err == nil && p.err == nil && o.after == p.after && o.changed == p.changed && o.members == p.members
}

func (o outcome) String() string {
	if o.err != nil {
		return o.err.Error()
	}
	return o.after + " changed=" + strconv.FormatBool(o.changed) + " " + o.members + " " + strings.Join(o.rules, " ")
}

// carriedOut applies a PATCH request as e does, but for what needs a backend.
func carriedOut(e *engine.Engine, r *scim.Resource, raw scim.Object) outcome {
	o, rules := e.PatchOptions()
	ops, err := patch.Decode(r.Type, raw, o)
	if err != nil {
		return outcome{err: err, rules: rules()}
	}
	after, err := patch.Apply(r, ops, o)
	if err == nil {
		err = schema.Check(r, after, o.Values)
	}
	if err != nil {
		return outcome{err: err, rules: rules()}
	}
	members := ""
	if _, d, apart := patch.Split(r.Type, ops, o); apart && d != nil {
		members = fmt.Sprint(d.Reset, d.Added, d.Removed)
	}
	return outcome{
		members: members,
		after:   strings.Join(after.Schemas, " ") + " " + after.ExternalID + " " + string(after.Attrs.AppendJSON(nil)),
		changed: len(patch.Diff(r, after)) > 0,
		rules:   rules(),
	}
}
