package compat

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Parse returns the profile that text names: one of [Names], then perhaps
// single switches by their names in [Switches], turned on with + or off with -,
// as in "auto,-UniqueGroupNames,+UnquotedStrings". Case and blanks around the
// parts don't matter. The Name of the result tells the switches too:
// "auto-UniqueGroupNames+UnquotedStrings". An empty text is "auto".
//
// Errors have one line and say what is allowed.
func Parse(text string) (Profile, error) {
	parts := strings.Split(cmp.Or(strings.TrimSpace(text), "auto"), ",")
	name := strings.TrimSpace(parts[0])
	p, ok := Lookup(strings.ToLower(name))
	if !ok {
		return Profile{}, fmt.Errorf("%q is no profile: must be one of %s, then perhaps switches such as -UniqueGroupNames, comma-separated",
			name, strings.Join(Names(), ", "))
	}
	switches := reflect.ValueOf(&p.Switches).Elem()
	turned := map[string]bool{}
	for _, part := range parts[1:] {
		part = strings.TrimSpace(part)
		sign, name := "", part
		if part != "" {
			sign, name = part[:1], strings.TrimSpace(part[1:])
		}
		field, ok := switches.Type().FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) })
		if sign != "+" && sign != "-" || !ok {
			return Profile{}, fmt.Errorf("%q is no switch: must be + or - and one of %s", part, strings.Join(switchNames(), ", "))
		}
		if turned[field.Name] {
			return Profile{}, errors.New(field.Name + " is given twice: one of the two must go")
		}
		turned[field.Name] = true
		switches.FieldByIndex(field.Index).SetBool(sign == "+")
		p.Name += sign + field.Name
	}
	return p, nil
}

// switchNames returns the names of all switches, in the order of [Switches].
func switchNames() []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Switches]()) {
		names = append(names, f.Name)
	}
	return names
}
