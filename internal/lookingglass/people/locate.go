package people

import (
	"context"
	"errors"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// maxValue is the length of a value, in bytes, that is looked for. No longer one
// could be a userName, an id or an address of a person.
const maxValue = 512

// The attributes that tell a person from others, in the order in which they
// are tried.
const (
	byName  = "userName"
	byExt   = "externalId"
	byID    = "id"
	byEmail = "emails.value"
)

// hit is a resource that a value led to.
type hit struct {
	*Person
	by    string    // path of the attribute that has the value
	other []*Person // more that have it
}

// batch bounds the terms of one filter, and batchBytes its text.
const (
	batch      = 40
	batchBytes = 6 << 10
)

// locate finds the users that have the values, all clean and none empty, as
// userName, externalId, id or e-mail address.
func (d *Desk) locate(ctx context.Context, values []string) (map[string]hit, error) {
	t := d.typeNamed("User")
	found := map[string]hit{}
	if t == nil {
		return found, nil
	}
	for _, path := range []string{byName, byExt, byID, byEmail} {
		var open []string
		for _, v := range values {
			if _, ok := found[v]; !ok && len(v) <= maxValue {
				open = append(open, v)
			}
		}
		if err := d.locateBy(ctx, t, path, open, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// locateBy adds to found those of the values that a resource has in path.
func (d *Desk) locateBy(ctx context.Context, t *scim.ResourceType, path string, values []string, found map[string]hit) error {
	leaf := leafOf(t, path)
	if leaf == nil || !leaf.Filterable() {
		return nil
	}
	for len(values) > 0 {
		var filter terms
		n := 0
		for n < len(values) && n < batch && filter.len() < batchBytes {
			filter.add(path, scim.Eq, values[n])
			n++
		}
		people, err := d.list(ctx, t, filter.String(), most)
		if unsearchable(err) {
			return nil
		}
		if err != nil {
			return err
		}
		holders := map[string][]*Person{}
		for _, p := range people {
			has, _ := p.at(path)
			for _, v := range has {
				key := scim.Fold(leaf, v)
				holders[key] = append(holders[key], p)
			}
		}
		for _, v := range values[:n] {
			if all := holders[scim.Fold(leaf, v)]; len(all) > 0 {
				found[v] = hit{all[0], path, all[1:]}
			}
		}
		values = values[n:]
	}
	return nil
}

// at returns the values of a person at the path of an attribute, or false for
// one that list does not show.
func (p *Person) at(path string) ([]string, bool) {
	switch path {
	case byName:
		return []string{p.Name}, true
	case byExt:
		return []string{p.ExternalID}, true
	case byID:
		return []string{p.ID}, true
	case byEmail:
		return p.Emails, true
	case "displayName":
		return []string{p.Display}, true
	}
	return nil, false
}

// leafOf returns the attribute that a path ends in, or nil.
func leafOf(t *scim.ResourceType, path string) *scim.Attribute {
	var p scim.AttrPath
	if i := strings.LastIndexByte(path, ':'); i >= 0 {
		p.URN, path = path[:i], path[i+1:]
	}
	p.Name, p.Sub, _ = strings.Cut(path, ".")
	bound, ok := t.Resolve(p)
	if !ok {
		return nil
	}
	return bound.Leaf()
}

// unsearchable reports whether an application behind a façade can't be asked
// that way.
func unsearchable(err error) bool {
	var refused *scim.Error
	return errors.As(err, &refused) && (refused.Status == 400 || refused.Status == 501)
}

// terms is a filter of comparisons of which one must hold.
type terms struct {
	strings.Builder
	n int
}

func (f *terms) len() int { return f.Builder.Len() }

func (f *terms) add(path string, op scim.CompareOp, value string) {
	if f.n > 0 {
		f.WriteString(" or ")
	}
	f.n++
	f.WriteString(path + " " + string(op) + " ")
	f.Write(scim.AppendString(nil, value))
}
