package guard

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// power is an attribute whose values are power, and which of them may be given.
type power struct {
	attribute string
	ceiling
}

// promote refuses power that clients may not give. What a resource had before it
// may keep.
func (w *Watch) promote(ctx context.Context, tx Tx, e Effect) error {
	if e.After == nil {
		return nil
	}
	for _, p := range w.rules.powers {
		if v, ok := p.gives(e.Before, e.After); ok {
			return refuse(Promoted, w.rules.tenant, fmt.Sprintf("%q: SCIM clients may not give the value %q; %s",
				p.attribute, v, w.rules.how("promotion."+p.attribute)))
		}
	}
	if !w.rules.groups.set || e.Type.Membership() == nil {
		return nil
	}
	return w.join(ctx, tx, e)
}

// join refuses new members of a group that clients may not give, or of one that
// is in such a group; and a name that would bring a group, with those who are in
// it, over the ceiling or from under it.
func (w *Watch) join(ctx context.Context, tx Tx, e Effect) error {
	c := w.rules.groups
	may := func(r *scim.Resource, id string) bool { return c.permits(id, scim.DisplayName(r.Attrs)) }
	id := ""
	if e.Before != nil {
		id = e.Before.ID
		if may(e.Before, id) != may(e.After, id) {
			return refuse(Promoted, w.rules.tenant, fmt.Sprintf(
				`"displayName": SCIM clients may not rename %q to %q, since membership in only one of the two is theirs to give; %s`,
				nameOf(e.Before), nameOf(e.After), w.rules.how("promotion.groups")))
		}
	}
	if len(e.Added) == 0 {
		return nil
	}
	if !may(e.After, id) {
		return refuse(Promoted, w.rules.tenant, fmt.Sprintf(`"members": SCIM clients may not add members to the group %q; %s`,
			nameOf(e.After), w.rules.how("promotion.groups")))
	}
	if e.PK == 0 {
		return nil
	}
	above, err := tx.Above(ctx, []int64{e.PK})
	if err != nil {
		return err
	}
	for _, g := range above {
		if !c.permits(g.ID, g.Name) {
			return refuse(Promoted, w.rules.tenant, fmt.Sprintf(
				`"members": SCIM clients may not add members to the group %q: it is in %q, whose membership is not theirs to give; %s`,
				nameOf(e.After), g.Name, w.rules.how("promotion.groups")))
		}
	}
	return nil
}

// gives returns a text that after has in the attribute, before had not, and that
// may not be given.
func (p power) gives(before, after *scim.Resource) (value string, found bool) {
	had := map[string]bool{}
	if before != nil {
		for _, n := range namesIn(before.Attrs.Get(p.attribute), false) {
			had[alike(n.text)] = true
		}
	}
	for _, v := range valuesOf(after.Attrs.Get(p.attribute)) {
		names := namesIn(v, false)
		for _, n := range names {
			if folded := alike(n.text); !had[folded] && (p.never[folded] || !p.all && !n.weak && !p.only[folded]) {
				return short(n.text), true
			}
		}
		if len(names) == 0 && !p.all { // an application may still make something of it
			return "", true
		}
	}
	return "", false
}

func valuesOf(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// name is a text by which an application could take a value for a power. A weak
// one must not be forbidden, but need not be permitted.
type name struct {
	text string
	weak bool
}

// namesIn returns those of a value: its value and its display, and where one is a
// JSON object, as Entra ID sends roles, what that holds.
func namesIn(v any, inner bool) (names []name) {
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) == "" {
			return nil
		}
		o, err := scim.ParseObject([]byte(v), 8, 100)
		object := err == nil && !inner
		names = append(names, name{v, object})
		if object {
			names = append(names, namesIn(o, true)...)
		}
	case scim.Object:
		for _, m := range v {
			list := namesIn(m.Value, inner)
			switch n := strings.ToLower(m.Name); {
			case n == "primary", n == "type" && !inner:
				continue
			case n == "id" && inner:
				for i := range list {
					list[i].weak = true
				}
			}
			names = append(names, list...)
		}
	case []any:
		for _, x := range v {
			names = append(names, namesIn(x, inner)...)
		}
	}
	return names
}
