package pactflow

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// teamAdministrator is the role of those who administer a team. PactFlow shows
// it, and gives it to nobody who is not one.
const teamAdministrator = "d635f960-88f2-4f13-8043-4641a02dffa0"

var (
	uuidForm = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	idForm   = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// validID reports whether id can stand in a path of PactFlow's.
func validID(id string) bool { return idForm.MatchString(id) }

// roles decides the set of roles. An entry without a value says "not this one",
// as Okta does; a name stands for the role of this name that the user has.
func (e *edit) roles() error {
	had, _ := e.before.Get("roles").([]any)
	list, _ := e.after.Get("roles").([]any)
	if e.Before == nil && !e.touched("roles") {
		e.after.Set("roles", nil) // PactFlow's default
		return nil
	}
	var wanted []any
	for _, v := range list {
		id := strings.TrimSpace(value(v))
		if id == "" {
			continue
		}
		role, ok := held(had, id)
		switch {
		case ok:
		case uuidForm.MatchString(id):
			role = scim.Object{{Name: "value", Value: id}}
		default:
			return scim.Errorf(scim.TypeInvalidValue, `"roles": %.64q is neither the id of a role nor the name of one that the user has; `+
				`PactFlow shows the ids under Settings, Roles (RFC 7643 §4.1.2)`, id)
		}
		if value(role) != teamAdministrator && !holds(wanted, value(role)) {
			wanted = append(wanted, role)
		}
	}
	if e.Before != nil && sameRoles(had, wanted) {
		e.after.Set("roles", e.before.Get("roles"))
		return nil
	}
	for _, v := range had {
		if value(v) == teamAdministrator {
			wanted = append(wanted, v)
		}
	}
	switch {
	case len(wanted) > 0:
		e.after.Set("roles", wanted)
	case e.Before == nil:
		e.after.Set("roles", []any{}) // none, which is not the default
	default:
		e.after.Set("roles", nil)
	}
	return nil
}

// held returns the role that the user has under this id or name.
func held(had []any, id string) (scim.Object, bool) {
	for _, by := range []string{"value", "display"} {
		for _, v := range had {
			o, _ := v.(scim.Object)
			if s := text(o, by); s != "" && strings.EqualFold(s, id) {
				return o, true
			}
		}
	}
	return nil, false
}

func holds(list []any, id string) bool {
	return slices.ContainsFunc(list, func(v any) bool { return value(v) == id })
}

// sameRoles compares the roles that can be assigned, as sets.
func sameRoles(had, wanted []any) bool {
	n := 0
	for _, v := range had {
		if value(v) == teamAdministrator {
			continue
		}
		if !holds(wanted, value(v)) {
			return false
		}
		n++
	}
	return n == len(wanted)
}

// roleIDs returns the ids of the roles that can be assigned.
func roleIDs(list []any) []string {
	ids := []string{}
	for _, v := range list {
		if id := value(v); id != teamAdministrator {
			ids = append(ids, id)
		}
	}
	return ids
}

func (u *user) roleIDs() []string {
	ids := []string{}
	for _, r := range u.roles() {
		if r.UUID != teamAdministrator {
			ids = append(ids, r.UUID)
		}
	}
	return ids
}

// sameSet reports whether two lists without doubles hold the same.
func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
