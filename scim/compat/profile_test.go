package compat_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/scim/compat"
)

// on returns the names of the switches that are on.
func on(s compat.Switches) []string {
	var names []string
	v := reflect.ValueOf(s)
	for i := range v.NumField() {
		if v.Field(i).Bool() {
			names = append(names, v.Type().Field(i).Name)
		}
	}
	return names
}

func TestStrictHasEverySwitchOff(t *testing.T) {
	t.Parallel()
	p := compat.Strict()
	if names := on(p.Switches); len(names) > 0 || len(p.Rewrites) > 0 {
		t.Errorf("strict: switches %v, %d rewrites; want none", names, len(p.Rewrites))
	}
}

// TestAuto lists what auto leaves off: behaviour one client needs and another
// is hurt by. All else is on, so that a new switch is a decision made here.
func TestAuto(t *testing.T) {
	t.Parallel()
	off := []string{"GroupPatchBody", "JSONMediaType"}
	all := reflect.TypeFor[compat.Switches]()
	got := on(compat.Auto().Switches)
	for i := range all.NumField() {
		name := all.Field(i).Name
		if slices.Contains(got, name) == slices.Contains(off, name) {
			t.Errorf("auto: %s is on: %v", name, slices.Contains(got, name))
		}
	}
}

func TestProfilesDifferFromAuto(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		differs []string
	}{
		{"authentik", nil},
		{"entra", []string{"UnquotedStrings", "MediaByAccept"}},
		{"google", []string{"UnquotedStrings"}},
		{"jumpcloud", []string{"UnquotedStrings"}},
		{"okta", []string{"UnquotedStrings", "EmptyOperations", "MediaByAccept"}},
		{"onelogin", []string{"UnquotedStrings", "GroupPatchBody", "JSONMediaType"}},
		{"ping", []string{"UnquotedStrings"}},
		{"sailpoint", []string{"UnquotedStrings"}},
	}
	auto := reflect.ValueOf(compat.Auto().Switches)
	for _, tt := range tests {
		p, ok := compat.Lookup(tt.name)
		if !ok || p.Name != tt.name {
			t.Errorf("Lookup(%q) = %q, %v", tt.name, p.Name, ok)
			continue
		}
		var differs []string
		v := reflect.ValueOf(p.Switches)
		for i := range v.NumField() {
			if v.Field(i).Bool() != auto.Field(i).Bool() {
				differs = append(differs, v.Type().Field(i).Name)
			}
		}
		if !slices.Equal(differs, tt.differs) {
			t.Errorf("%s differs from auto in %v, want %v", tt.name, differs, tt.differs)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	want := []string{"auto", "strict", "authentik", "entra", "google", "jumpcloud", "okta", "onelogin", "ping", "sailpoint"}
	if got := compat.Names(); !slices.Equal(got, want) {
		t.Errorf("Names() = %v, want %v", got, want)
	}
	for _, name := range compat.Names() {
		if p, ok := compat.Lookup(name); !ok || p.Name != name {
			t.Errorf("Lookup(%q) = %q, %v", name, p.Name, ok)
		}
	}
	for _, name := range []string{"", "Auto", "custom", "nobody"} {
		if p, ok := compat.Lookup(name); ok {
			t.Errorf("Lookup(%q) = %q, want none", name, p.Name)
		}
	}
}
