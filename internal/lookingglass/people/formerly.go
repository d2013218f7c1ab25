package people

import (
	"context"
	"slices"
)

// formerly fills in the verdict on somebody who had a value before, such as the
// userName before a renaming, or whom it was of when she was deleted, as far as
// the records go back; and reports whether there is one.
func (d *Desk) formerly(ctx context.Context, v *Verdict, one bool) (bool, error) {
	value := clean(v.Asked)
	types := []string{"User"}
	if one {
		types = append(types, "Group")
	}
	for _, typ := range types {
		b, err := d.bearer(ctx, typ, value)
		if err != nil {
			return false, err
		}
		if b.id == "" {
			continue
		}
		if later, err := d.triedSince(ctx, typ, value, b); err != nil {
			return false, err
		} else if later {
			continue
		}
		p, err := d.load(ctx, typ, b.id)
		if err != nil {
			return false, err
		}
		if p == nil {
			if ok, err := d.gone(ctx, v, typ, b.id); !ok || err != nil {
				return ok, err
			}
			if foldName(v.Person.Name) != foldName(value) {
				v.Notes = append([]string{"What was asked for, " + quote(value) + ", was the " + label(b.path) + " of " + quote(v.Person.Name) + "."}, v.Notes...)
			}
			return true, nil
		}
		if has, _ := p.at(b.path); slices.ContainsFunc(has, func(s string) bool { return foldName(s) == foldName(value) }) {
			continue // she still has it, in another case
		}
		if typ == "Group" {
			v.Person, v.By, v.Cause, v.When = p, b.path, Present, p.Created
			v.Words = d.here(v)
		} else if err := d.found(ctx, v, hit{Person: p, by: b.path}); err != nil {
			return false, err
		}
		v.Near = []Near{{NearAttribute, quote(value) + " was the " + label(b.path) + " of " + ofType(typ) + quote(p.Name) +
			" before; a client that looks for it finds nobody", p}}
		return true, nil
	}
	return false, nil
}

// triedSince reports whether a client tried in vain to create somebody with a
// value after another had it: that tells more.
func (d *Desk) triedSince(ctx context.Context, typ, value string, b bearer) (bool, error) {
	clues, err := d.clues(ctx, value)
	for _, c := range clues {
		if c.typ == typ && c.op == "create" && c.status >= 400 && c.seq > b.seq {
			if ok, err := d.kept(ctx, c.seq); ok || err != nil {
				return ok, err
			}
		}
	}
	return false, err
}
