package transfer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Lost is what a document has and its type here does not take: a value that a
// copy would leave out of what filters find, and an import out of the document.
type Lost struct {
	Type, ID string
	Path     string // of the attribute
	Known    string // how the attribute is spelled here; "": there is none
}

// Error says what can be done. It names no value, which may be a secret.
func (l *Lost) Error() string {
	why := "which no schema given here defines"
	switch {
	case l.Known != "" && l.Known != l.Path:
		why = fmt.Sprintf("which is spelled %q by the schemas given here", l.Known)
	case l.Known != "":
		why = "whose value is not one of the type that the schemas given here define for it"
	}
	return fmt.Sprintf("%s %s has %q, %s, so that it would be lost; ROLLCALL_SCHEMAS or --schemas names the folder of the schemas it was served with",
		l.Type, l.ID, l.Path, why)
}

// whole returns a *Lost if a document of r has a value that Load did not take
// into its Attrs. What is derived here is no loss.
func whole(r *Resource, documents ...[]byte) error {
	seen := map[string]bool{} // what is in more than one is whole in the first
	for _, text := range documents {
		if len(text) == 0 {
			continue
		}
		doc, err := scim.ParseObject(slices.Concat([]byte{'{'}, text, []byte{'}'}), 0, 0)
		if err != nil {
			return fmt.Errorf("%s %s: its document is damaged: %v", r.TypeName, r.ID, err) //nolint:errorlint // no fault of a client
		}
		if path, known := missed(r, doc, seen); path != "" {
			return &Lost{r.TypeName, r.ID, path, known}
		}
	}
	return nil
}

// missed returns the path of the first value of a document that Attrs lack, and
// the attribute's name here.
func missed(r *Resource, doc scim.Object, seen map[string]bool) (path, known string) {
	for _, m := range doc {
		switch m.Name {
		case "schemas", "id", "meta": // a record has them apart
			continue
		}
		x := r.Type.Extension(m.Name)
		if x == nil {
			if path, known = among("", r.Type.Schema.Attributes, scim.Object{m}, r.Attrs, seen); path != "" {
				return path, known
			}
			continue
		}
		inner, _ := m.Value.(scim.Object)
		if m.Name != x.ID && len(inner) > 0 {
			return m.Name, x.ID
		}
		taken, _ := r.Attrs.Get(m.Name).(scim.Object)
		if path, known = among(x.ID+":", x.Attributes, inner, taken, seen); path != "" {
			return path, known
		}
	}
	return "", ""
}

// among is missed for the attributes of a resource, or of one extension.
func among(prefix string, attrs []*scim.Attribute, doc, taken scim.Object, seen map[string]bool) (path, known string) {
	for _, m := range doc {
		path = prefix + m.Name
		if seen[path] || nothing(m.Value) {
			continue
		}
		seen[path] = true
		a, known := named(attrs, prefix, m.Name)
		switch {
		case a == nil || known != path:
			return path, known
		case a.Derived:
		default:
			if path, known = missedOf(path, a, m.Value, taken.Get(m.Name)); path != "" {
				return path, known
			}
		}
	}
	return "", ""
}

// missedOf compares one value with what was taken of it.
func missedOf(path string, a *scim.Attribute, had, taken any) (missing, known string) {
	list, many := had.([]any)
	got, _ := taken.([]any)
	if !many {
		list, got = []any{had}, []any{taken}
	} else {
		list = slices.DeleteFunc(slices.Clone(list), nothing)
	}
	if taken == nil || len(got) != len(list) {
		// Which part of which element was it?
		for _, v := range list {
			if o, ok := v.(scim.Object); ok && a.Type == scim.TypeComplex && many == a.MultiValued {
				if sub, known := unknownSub(path, a, o); sub != "" {
					return sub, known
				}
			}
		}
		return path, path
	}
	if a.Type != scim.TypeComplex {
		return "", ""
	}
	for i, v := range list {
		o, _ := v.(scim.Object)
		kept, _ := got[i].(scim.Object)
		if sub, known := unknownSub(path, a, o); sub != "" {
			return sub, known
		}
		for _, m := range o {
			if !nothing(m.Value) && kept.Get(m.Name) == nil && !follows(a, m.Name) {
				return path + "." + m.Name, path + "." + m.Name
			}
		}
	}
	return "", ""
}

// unknownSub returns the path of a sub-attribute that is not known by that name.
func unknownSub(path string, a *scim.Attribute, o scim.Object) (sub, known string) {
	for _, m := range o {
		if nothing(m.Value) || follows(a, m.Name) {
			continue
		}
		if s, known := named(a.SubAttributes, path+".", m.Name); s == nil || s.Name != m.Name {
			return path + "." + m.Name, known
		}
	}
	return "", ""
}

// follows reports whether a sub-attribute is made of the resource that the
// attribute refers to.
func follows(a *scim.Attribute, name string) bool {
	return len(a.Links) > 0 && slices.Contains([]string{"$ref", "display", "displayName"}, name)
}

// named finds an attribute by its name, or by another spelling of it.
func named(attrs []*scim.Attribute, prefix, name string) (a *scim.Attribute, spelled string) {
	for _, a := range attrs {
		if a.Name == name {
			return a, prefix + name
		}
	}
	for _, a := range attrs {
		if strings.EqualFold(a.Name, name) {
			return a, prefix + a.Name
		}
	}
	return nil, ""
}

// nothing reports whether a value is none (RFC 7643 §2.5).
func nothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return !slices.ContainsFunc(v, func(v any) bool { return !nothing(v) })
	case scim.Object:
		return !slices.ContainsFunc(v, func(m scim.Member) bool { return !nothing(m.Value) })
	}
	return false
}
