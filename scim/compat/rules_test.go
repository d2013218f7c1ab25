package compat_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim/compat"
)

func TestRules(t *testing.T) {
	t.Parallel()
	want := map[string]int{
		"HTTP": 12, "Discovery": 4, "Query": 12, "Bodies": 11, "PATCH": 21, "Groups": 16, "Life cycle and answers": 12,
	}
	got := map[string]int{}
	ids := map[string]bool{}
	for _, r := range compat.Rules() {
		got[r.Section()]++
		if ids[r.ID] || r.Clients == "" || !strings.HasSuffix(r.What, ".") {
			t.Errorf("%s: twice, for nobody, or no sentence", r.ID)
		}
		ids[r.ID] = true
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rules per section: %v, want %v", got, want)
	}
}

// TestRulesAndSwitches holds the two against each other: each switch belongs to
// a rule, and each rule names switches that exist.
func TestRulesAndSwitches(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	switches := reflect.TypeFor[compat.Switches]()
	for _, r := range compat.Rules() {
		for _, name := range r.Switches {
			used[name] = true
			if _, ok := switches.FieldByName(name); !ok {
				t.Errorf("%s: no switch %s", r.ID, name)
			}
		}
	}
	for i := range switches.NumField() {
		if name := switches.Field(i).Name; !used[name] {
			t.Errorf("no rule for the switch %s", name)
		}
	}
}

// TestClients checks that the clients of rules are profiles.
func TestClients(t *testing.T) {
	t.Parallel()
	names := append(compat.Names(), "all")
	for _, r := range compat.Rules() {
		for client := range strings.SplitSeq(r.Clients, ", ") {
			if !slices.Contains(names, client) {
				t.Errorf("%s: no profile %q", r.ID, client)
			}
		}
	}
}

func TestRulesIsACopy(t *testing.T) {
	t.Parallel()
	compat.Rules()[0].ID = "changed"
	if compat.Rules()[0].ID == "changed" {
		t.Error("a caller can change the table")
	}
}
