package conformance_test

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/conformance"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

// elsewhere are the rules that no conversation can show, and the Go tests that
// do.
var elsewhere = map[string]struct{ file, test string }{
	"HTTP-10": {"scim/engine/do_test.go", "TestDeadline"},
	"HTTP-12": {"internal/server/http_test.go", "TestTLS"},
}

// TestEveryRule demands a fixture for each compatibility rule that is not
// planned; and for one with a switch, what strict answers instead, and a
// fixture of its boundary: what is like the deviation but is not it is refused
// in the tolerant profile too.
func TestEveryRule(t *testing.T) {
	t.Parallel()
	type shown struct{ bent, strict, near bool }
	of := map[string]*shown{}
	for _, r := range compat.Rules() {
		of[r.ID] = &shown{}
	}
	clients := append(compat.Names(), "all")
	for name, f := range fixtures(t) {
		for _, id := range slices.Concat(f.Rules, f.Near) {
			if of[id] == nil {
				t.Errorf("%s names %s, which is no rule", name, id)
				of[id] = &shown{}
			}
		}
		if strings.HasPrefix(name, "idp/") {
			client, file := path.Base(path.Dir(name)), path.Base(name)
			named := slices.ContainsFunc(slices.Concat(f.Rules, f.Near), func(id string) bool { return strings.HasPrefix(file, id+"-") })
			if !named || !slices.Contains(clients, client) {
				t.Errorf("%s is to be named CLIENT/RULE-SUBJECT after a rule it shows", name)
			}
		}
		strict := slices.Contains(f.Profiles, "strict")
		tolerant := slices.ContainsFunc(f.Profiles, func(p string) bool { return p != "strict" })
		for _, id := range f.Rules {
			of[id].bent = of[id].bent || tolerant
			of[id].strict = of[id].strict || strict
		}
		for _, id := range f.Near {
			if !refuses(f) {
				t.Errorf("%s shows the boundary of %s and refuses nothing", name, id)
			}
			of[id].near = of[id].near || tolerant
		}
	}
	for _, r := range compat.Rules() {
		s := of[r.ID]
		switch {
		case r.Planned:
		case elsewhere[r.ID].test != "":
			src, err := os.ReadFile(filepath.Join(root, elsewhere[r.ID].file))
			if err != nil || !strings.Contains(string(src), "// "+elsewhere[r.ID].test+" covers the compatibility rule "+r.ID+".") {
				t.Errorf("%s: no test %s in %s says that it covers the rule: %v", r.ID, elsewhere[r.ID].test, elsewhere[r.ID].file, err)
			}
		case !s.bent:
			t.Errorf("%s has no fixture", r.ID)
		case len(r.Switches) > 0 && !s.strict:
			t.Errorf("%s has no fixture for strict", r.ID)
		case len(r.Switches) > 0 && !s.near:
			t.Errorf("%s has no fixture for its boundary", r.ID)
		}
	}
}

// refuses reports whether a fixture expects an error.
func refuses(f *conformance.Fixture) bool {
	return slices.ContainsFunc(f.Steps, func(s conformance.Step) bool {
		return s.Expect != nil && slices.ContainsFunc(s.Expect.Status, func(c conformance.Count) bool { return c.Status >= 400 })
	})
}
