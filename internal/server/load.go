package server

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// field is one field of Config and what its tag says.
type field struct {
	name, flag, std, help string
	env                   []string
	index                 int
}

// fields returns the fields of Config in order.
func fields() []field {
	t := reflect.TypeFor[Config]()
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		get := f.Tag.Get
		list = append(list, field{f.Name, get("name"), get("std"), get("help"), strings.Fields(get("variable")), i})
	}
	return list
}

// Load fills what the command line left empty in c from the environment
// ("NAME=value"), and returns warnings of variables that look like ours and are
// not. An empty variable is an unset one: compose files pass such. It returns
// an error if the environment asks for what this build does not have.
func (c *Config) Load(environ []string) (warnings []string, err error) {
	env := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	if err := refuseFacade(env); err != nil {
		return nil, err
	}
	c.sources = map[string]string{}
	known := map[string]bool{"ROLLCALL_LOG_WIRE": true}
	v := reflect.ValueOf(c).Elem()
	for _, f := range fields() {
		for _, name := range f.env {
			known[name] = true
		}
		if v.Field(f.index).String() != "" {
			c.sources[f.name] = "--" + f.flag
			continue
		}
		for _, name := range f.env {
			if value := env[name]; value != "" {
				c.sources[f.name] = name
				v.Field(f.index).SetString(value)
				break
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, "ROLLCALL_") && !known[name] {
			warnings = append(warnings, fmt.Sprintf("%s is not a variable of this program: ignored", printable(name)))
		}
	}
	return warnings, nil
}

func refuseFacade(env map[string]string) error {
	for _, name := range facade[:2] {
		if value := env[name]; value != "" {
			return fmt.Errorf("%s is set: façade mode is not in this build; unset it to serve the directory", name)
		}
	}
	wanted := ""
	for _, name := range facade {
		if _, set := env[name]; set {
			wanted = name
		}
	}
	for name := range env {
		if strings.HasPrefix(name, facadeLogs) {
			wanted = name
		}
	}
	if wanted != "" {
		return errors.New("PACTFLOW_URL is required in façade mode, and is empty or unset while " + printable(wanted) + " is set")
	}
	return nil
}

// source returns where the field's value came from: a flag, a variable, or the
// first variable that could have given it.
func (c *Config) source(name string) string {
	if s := c.sources[name]; s != "" {
		return s
	}
	for _, f := range fields() {
		if f.name == name {
			return f.env[0]
		}
	}
	return name
}

// printable returns s with everything that could disturb a terminal or forge a
// line of a log escaped.
func printable(s string) string {
	q := fmt.Sprintf("%+q", s)
	q = q[1 : len(q)-1]
	return strings.ReplaceAll(strings.ReplaceAll(q, `\"`, `"`), `\\`, `\`)
}
