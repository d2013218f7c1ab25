package compat_test

import (
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim/compat"
)

func TestParse(t *testing.T) {
	t.Parallel()
	auto := func(change func(*compat.Switches)) compat.Switches {
		s := compat.Auto().Switches
		change(&s)
		return s
	}
	tests := []struct {
		text, name string
		switches   compat.Switches
	}{
		{"", "auto", compat.Auto().Switches},
		{"auto", "auto", compat.Auto().Switches},
		{" Strict ", "strict", compat.Switches{}},
		{"auto,-UniqueGroupNames,+UnquotedStrings", "auto-UniqueGroupNames+UnquotedStrings",
			auto(func(s *compat.Switches) { s.UniqueGroupNames = false })},
		{"AUTO , - uniquegroupnames,+JSONMEDIATYPE", "auto-UniqueGroupNames+JSONMediaType",
			auto(func(s *compat.Switches) { s.UniqueGroupNames, s.JSONMediaType = false, true })},
		{"strict,+StringBooleans", "strict+StringBooleans", compat.Switches{StringBooleans: true}},
		{"okta,-KeepActive", "okta-KeepActive", auto(func(s *compat.Switches) {
			s.UnquotedStrings, s.EmptyOperations, s.MediaByAccept, s.KeepActive = false, false, false, false
		})},
	}
	for _, tt := range tests {
		p, err := compat.Parse(tt.text)
		if err != nil || p.Name != tt.name || p.Switches != tt.switches {
			t.Errorf("Parse(%q) = %q, %+v, %v; want %q, %+v", tt.text, p.Name, p.Switches, err, tt.name, tt.switches)
		}
	}
	for _, name := range compat.Names() {
		want, _ := compat.Lookup(name)
		if p, err := compat.Parse(name); err != nil || p.Name != name || p.Switches != want.Switches {
			t.Errorf("Parse(%q) = %q, %v", name, p.Name, err)
		}
	}
}

// TestParseRefuses: what is near a profile or a switch and is not one changes
// nothing silently.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const profiles, switches = "must be one of auto, strict, authentik, entra,", "must be + or - and one of StringBooleans, EmptyUnassigns,"
	tests := []struct{ text, what, allowed string }{
		{"azure", `"azure" is no profile`, profiles},
		{"azure,-KeepActive", `"azure" is no profile`, profiles},
		{"-KeepActive", `"-KeepActive" is no profile`, profiles},
		{",-KeepActive", `"" is no profile`, profiles},
		{"auto-KeepActive", `"auto-KeepActive" is no profile`, profiles},
		{"auto,KeepActive", `"KeepActive" is no switch`, switches},
		{"auto,!KeepActive", `"!KeepActive" is no switch`, switches},
		{"auto,-KeepActives", `"-KeepActives" is no switch`, switches},
		{"auto,-Name", `"-Name" is no switch`, switches},
		{"auto,+", `"+" is no switch`, switches},
		{"auto,", `"" is no switch`, switches},
		{"auto,strict", `"strict" is no switch`, switches},
		{"auto,-x\ny", `"-x\ny" is no switch`, switches},
		{"auto,-KeepActive,+KeepActive", "KeepActive is given twice", "one of the two must go"},
	}
	for _, tt := range tests {
		p, err := compat.Parse(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.what) || !strings.Contains(err.Error(), tt.allowed) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Parse(%q) = %q, %v; want one line with %q and %q", tt.text, p.Name, err, tt.what, tt.allowed)
		}
	}
}
