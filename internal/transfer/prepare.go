package transfer

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Schemas is what a copy must know of resource types: schema.Load and
// schema.Encode, and the types by name. Type returns nil for one that is not
// known.
type Schemas struct {
	Type   func(tenant, name string) *scim.ResourceType
	Load   func(*scim.Resource) error
	Encode func(*scim.Resource)
}

// Prepare gives a record's resource its Type and Attrs, from which a target
// makes rows. It refuses documents with values that no schema here defines:
// without it they would be in no row, and no filter would find them: the error
// is a [*Lost] that names the attribute, if its schema is known. What is deleted
// has no rows, but is looked at all the same.
func (s Schemas) Prepare(r *Record) error {
	if err := s.load(r); err != nil || r.Resource == nil || r.Resource.Digest == r.Resource.Type.Digest {
		return err
	}
	return whole(r.Resource, r.Resource.Hidden, r.Resource.Text)
}

// load gives a record's resource its Type and Attrs.
func (s Schemas) load(r *Record) error {
	res := r.Resource
	if res == nil {
		return nil
	}
	if res.Type = s.Type(r.Tenant, res.TypeName); res.Type == nil {
		return fmt.Errorf("%s is a %s, which no schema given here defines; ROLLCALL_SCHEMAS or --schemas names the folder of those it was served with",
			res.ID, res.TypeName)
	}
	for _, urn := range res.Schemas {
		if urn != res.Type.Schema.ID && res.Type.Extension(urn) == nil {
			return fmt.Errorf("%s %s has values of %s, which no schema given here defines; ROLLCALL_SCHEMAS or --schemas names the folder of those it was served with",
				res.TypeName, res.ID, urn)
		}
	}
	res.Attrs = nil
	return s.Load(&res.Resource)
}

// Renew is Prepare for records from outside: it makes each document anew from
// its values, so that nothing else of it is believed.
func (s Schemas) Renew(r *Record) error {
	if err := s.load(r); err != nil || r.Resource == nil {
		return err
	}
	text, hidden := r.Resource.Text, r.Resource.Hidden
	s.Encode(&r.Resource.Resource)
	if !bytes.Equal(text, r.Resource.Text) || !bytes.Equal(hidden, r.Resource.Hidden) {
		if err := whole(r.Resource, hidden, text); err != nil {
			return err
		}
	}
	if r.Kind == Deleted {
		r.Resource.Links = nil // what is deleted refers to nobody
	}
	return nil
}

// Redact takes out of a record what is never returned (RFC 7643 §7 "returned"),
// such as the hash of a password.
func (s Schemas) Redact(r *Record) error {
	if r.Resource == nil || len(r.Resource.Hidden) == 0 {
		return nil
	}
	if err := s.load(r); err != nil {
		return err
	}
	t := r.Resource.Type
	if r.Resource.Digest != t.Digest { // what is not known may be a secret or not
		if err := whole(r.Resource, r.Resource.Hidden); err != nil {
			return err
		}
	}
	doc := scim.Resource{Type: t, Attrs: shown(t.Schema.Attributes, scim.Clone(r.Resource.Attrs))}
	for _, x := range t.Extensions {
		if o, ok := r.Resource.Attrs.Get(x.Schema.ID).(scim.Object); ok {
			doc.Attrs.Set(x.Schema.ID, shown(x.Schema.Attributes, scim.Clone(o)))
		}
	}
	s.Encode(&doc)
	r.Resource.Hidden, r.Resource.Attrs = doc.Hidden, nil
	return nil
}

// shown returns o, which it changes, without the values of attributes that are
// never returned.
func shown(attrs []*scim.Attribute, o scim.Object) scim.Object {
	left := o[:0]
	for _, m := range o {
		i := slices.IndexFunc(attrs, func(a *scim.Attribute) bool { return a.Name == m.Name })
		if i < 0 || !attrs[i].Filterable() {
			continue
		}
		switch v := m.Value.(type) {
		case scim.Object:
			m.Value = shown(attrs[i].SubAttributes, v)
		case []any:
			for j := range v {
				if one, ok := v[j].(scim.Object); ok {
					v[j] = shown(attrs[i].SubAttributes, one)
				}
			}
		}
		left = append(left, m)
	}
	return left
}
