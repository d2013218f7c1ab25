package server

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/postgres"
)

// field is one field of Config and what its tag says.
type field struct {
	name, flag, std, help, mode string
	env                         []string
	index                       int
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
		list = append(list, field{f.Name, get("name"), get("std"), get("help"), get("mode"), strings.Fields(get("variable")), i})
	}
	return list
}

// Load fills what the command line left empty in c from the environment
// ("NAME=value"), and returns warnings of what has no effect: variables that
// look like ours and are not, and settings of the other mode. An empty variable
// is an unset one: compose files pass such. It returns an error if the façade is
// asked for without saying in front of what.
func (c *Config) Load(environ []string) (warnings []string, err error) {
	env := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	c.sources = map[string]string{}
	known := map[string]bool{}
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
		switch {
		case known[name]:
		case strings.HasPrefix(name, "ROLLCALL_"):
			warnings = append(warnings, fmt.Sprintf("%s is not a variable of this program: ignored", printable(name)))
		case strings.HasPrefix(name, springLogs) && c.PactFlowURL != "":
			warnings = append(warnings, fmt.Sprintf("%s names a logger that this program does not have: ignored", printable(name)))
		}
	}
	if c.PactFlowURL == "" {
		if err := c.refuseFacade(env); err != nil {
			return nil, err
		}
	}
	if c.sources["DatabaseURL"] == "--database" && postgres.HasPassword(c.DatabaseURL) {
		warnings = append(warnings, "--database holds a password, which every user of this machine can see: use ROLLCALL_DATABASE_URL, or ROLLCALL_DATABASE_PASSWORD_FILE")
	}
	return append(warnings, c.idle()...), nil
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
