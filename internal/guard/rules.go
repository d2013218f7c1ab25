package guard

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// rules is what the settings of a tenant say about writes. It is never modified.
type rules struct {
	tenant    string
	protected []entry
	powers    []power // of attributes of people
	groups    ceiling
	breaker   breaker
}

// rulesOf returns nil for settings that say nothing.
func rulesOf(t *tenant.Tenant, types []*scim.ResourceType) *rules {
	if t == nil {
		t = &tenant.Tenant{Name: tenant.Default}
	}
	r := &rules{tenant: t.Name, groups: ceilingOf(t.Promotion.Groups), breaker: breakerOf(t.Breaker)}
	for _, text := range t.Protected {
		typ, name, _ := strings.Cut(text, ":")
		r.protected = append(r.protected, entryOf(types, typ, strings.TrimSpace(name)))
	}
	for name, c := range map[string]tenant.Ceiling{"roles": t.Promotion.Roles, "entitlements": t.Promotion.Entitlements} {
		if c := ceilingOf(c); c.set {
			r.powers = append(r.powers, power{name, c})
		}
	}
	if len(r.protected) == 0 && len(r.powers) == 0 && !r.groups.set && r.breaker.mode == off {
		return nil
	}
	return r
}

// needed reports whether a change could meet any rule: most don't.
func (r *rules) needed(c scim.Change) bool {
	if len(r.protected) > 0 || len(r.powers) > 0 {
		return true
	}
	m := c.After.Type.Membership()
	for _, d := range c.Deltas {
		switch {
		case d.Path.URN != "":
		case m != nil && d.Path.Name == m.Name, r.groups.set && m != nil, d.Path.Name == "active":
			return true
		}
	}
	return false
}

// alike folds a name so that those a person, or a careless program, would take
// for one are one: case, width, compatibility forms, blanks, invisible characters.
func alike(s string) string {
	s = strings.Map(func(c rune) rune {
		if unicode.In(c, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return -1
		}
		return c
	}, norm.NFKC.String(s))
	return scim.Fold(text, strings.Join(strings.Fields(s), " "))
}

var text = &scim.Attribute{Type: scim.TypeString}

// ceiling is a [tenant.Ceiling], folded.
type ceiling struct {
	set         bool
	all         bool // but for never
	only, never map[string]bool
}

func ceilingOf(c tenant.Ceiling) ceiling {
	fold := func(list []string) map[string]bool {
		m := make(map[string]bool, len(list))
		for _, v := range list {
			m[alike(v)] = true
		}
		return m
	}
	return ceiling{set: c.Only != nil || len(c.Never) > 0, all: c.Only == nil, only: fold(c.Only), never: fold(c.Never)}
}

// permits reports whether what is called by any of these names may be given: none
// of them is forbidden, and one is permitted. "" is no name.
func (c ceiling) permits(names ...string) bool {
	ok := c.all
	for _, n := range names {
		if n == "" {
			continue
		}
		n = alike(n)
		if c.never[n] {
			return false
		}
		ok = ok || c.only[n]
	}
	return ok
}

// how tells an operator how to change a setting.
func (r *rules) how(setting string) string {
	return fmt.Sprintf("an operator changes that with: rollcall tenant set %s %s=…", r.tenant, setting)
}
