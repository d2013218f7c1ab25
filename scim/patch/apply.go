package patch

import (
	"fmt"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Apply returns r as ops leave it (RFC 7644 §3.5.2): each operation sees the
// result of the one before, and an error means that none is carried out. The
// members of a group must be in r.Attrs if an operation names them.
//
// It does not modify r. The result shares values with r and with ops, and so
// must not be modified either; its attributes are in schema order, and it is
// not encoded. Errors are noTarget, mutability and invalidValue, or have status
// 413 for more than o.MaxLooks, with the operation named.
func Apply(r *scim.Resource, ops []Op, o Options) (*scim.Resource, error) {
	after := *r
	after.Text, after.Hidden, after.Links, after.Digest = nil, nil, nil, ""
	if r.Attrs == nil && r.Text != nil {
		loaded := *r
		if err := schema.Load(&loaded); err != nil {
			return nil, err
		}
		after.Attrs = loaded.Attrs
	}
	s := state{t: r.Type, o: &o, attrs: after.Attrs, externalID: r.ExternalID, ranks: ranks(r.Type), looks: o.looks()}
	for _, op := range ops {
		if err := s.apply(op); err != nil {
			return nil, fault(op.Index, op.Path.String(), err)
		}
	}
	s.finish()
	if !o.Values.OwnRequired {
		if err := s.required(ops); err != nil {
			return nil, err
		}
	}
	after.Attrs, after.ExternalID, after.Schemas = s.attrs, s.externalID, []string{r.Type.Schema.ID}
	for _, x := range r.Type.Extensions {
		if s.attrs.Get(x.Schema.ID) != nil {
			after.Schemas = append(after.Schemas, x.Schema.ID)
		}
	}
	return &after, nil
}

// state is a resource while operations are applied to it. Its values are never
// modified, only replaced.
type state struct {
	t          *scim.ResourceType
	o          *Options
	attrs      scim.Object
	externalID string
	ranks      map[string]int // of the names in attrs
	members    *memberSet     // nil until an operation names members
	looks      int            // how many values may still be looked at
}

// look notes that n values are looked at, or refuses to.
func (s *state) look(n int) error {
	if s.looks -= n; s.looks < 0 {
		return &scim.Error{Status: 413, Detail: fmt.Sprintf("the operations up to this one look at more than %d values; "+
			"send them in several requests, or replace the attribute as a whole", s.o.looks())}
	}
	return nil
}

// ranks numbers the names of a resource's document in schema order.
func ranks(t *scim.ResourceType) map[string]int {
	m := make(map[string]int, len(t.Schema.Attributes)+len(t.Extensions))
	for i, a := range t.Schema.Attributes {
		m[a.Name] = i
	}
	for i, x := range t.Extensions {
		m[x.Schema.ID] = len(t.Schema.Attributes) + i
	}
	return m
}

func (s *state) order(name string) int { return s.ranks[name] }

func (s *state) apply(op Op) error {
	switch a := op.Path.Attr; {
	case a == nil:
		return s.extension(op)
	case isSchemas(op.Path):
		return s.schemas(op)
	case op.Path.URN == "" && op.Path.Name == "externalId":
		return s.external(op)
	case a.Membership:
		return s.member(op)
	case !a.MultiValued:
		return s.single(op)
	case op.Path.Filter != nil || op.Path.Sub != "":
		return s.elements(op)
	}
	return s.list(op)
}

// external carries out an operation on externalId, which is no part of the
// document.
func (s *state) external(op Op) error {
	if id, ok := op.Value.(string); ok && op.Op != Remove {
		s.externalID = id
	} else if op.Op != Add {
		s.externalID = ""
	}
	return nil
}

// get returns the value of the attribute p names, its sub-attribute aside.
func (s *state) get(p scim.AttrPath) any {
	if p.URN == "" {
		return s.attrs.Get(p.Name)
	}
	x, _ := s.attrs.Get(p.URN).(scim.Object)
	return x.Get(p.Name)
}

// put assigns it; what is no value unassigns it, and with the last attribute
// of an extension goes the extension.
func (s *state) put(p scim.AttrPath, v any) {
	if unassigned(v) {
		v = nil
	}
	if p.URN == "" {
		s.attrs = with(s.attrs, p.Name, v, s.order)
		return
	}
	x, _ := s.attrs.Get(p.URN).(scim.Object)
	x = with(x, p.Name, v, rankIn(s.t.Extension(p.URN).Attributes))
	if len(x) == 0 {
		s.attrs = with(s.attrs, p.URN, nil, s.order)
		return
	}
	s.attrs = with(s.attrs, p.URN, x, s.order)
}

// with returns o with one member assigned, in its place by rank, or removed if
// the value is nil. It does not modify o.
func with(o scim.Object, name string, v any, rank func(string) int) scim.Object {
	out := make(scim.Object, 0, len(o)+1)
	placed := v == nil
	for _, m := range o {
		if m.Name == name {
			if !placed {
				out, placed = append(out, scim.Member{Name: name, Value: v}), true
			}
			continue
		}
		if !placed && rank(m.Name) > rank(name) {
			out, placed = append(out, scim.Member{Name: name, Value: v}), true
		}
		out = append(out, m)
	}
	if !placed {
		out = append(out, scim.Member{Name: name, Value: v})
	}
	return out
}

// rankIn returns the order of a list of attributes.
func rankIn(list []*scim.Attribute) func(string) int {
	return func(name string) int {
		return slices.IndexFunc(list, func(a *scim.Attribute) bool { return a.Name == name })
	}
}

// required judges, when all is done, what the operations left unassigned that
// must not be: for one that was removed that is a mutability error (RFC 7644
// §3.5.2.2), for one assigned no value invalidValue.
func (s *state) required(ops []Op) error {
	judged := map[string]bool{}
	for _, op := range slices.Backward(ops) {
		p := op.Path.AttrPath
		if !s.demands(p) {
			continue
		}
		if name := p.String(); judged[name] {
			continue
		} else {
			judged[name] = true
		}
		if !s.lacks(p) {
			continue
		}
		kind := scim.TypeInvalidValue
		if op.Op == Remove {
			kind = scim.TypeMutability
		}
		return fault(op.Index, op.Path.String(), scim.Errorf(kind, "the attribute is required (RFC 7644 §3.5.2.2)"))
	}
	return nil
}

// demands reports whether the path ends in something required.
func (s *state) demands(p scim.AttrPath) bool {
	if p.Attr == nil {
		return slices.ContainsFunc(s.t.Extensions, func(x scim.Extension) bool {
			return x.Required && x.Schema.ID == p.URN
		})
	}
	return !isSchemas(scim.Path{AttrPath: p}) && (p.Attr.Required || p.SubAttr != nil && p.SubAttr.Required)
}

// lacks reports whether a required attribute, or a required sub-attribute of
// a value that is there, is unassigned.
func (s *state) lacks(p scim.AttrPath) bool {
	if p.Attr == nil {
		return s.attrs.Get(p.URN) == nil
	}
	v := s.get(p)
	if v == nil || v == "" {
		return p.Attr.Required
	}
	if p.SubAttr == nil || !p.SubAttr.Required {
		return false
	}
	without := func(v any) bool {
		o, ok := v.(scim.Object)
		return ok && o.Get(p.Sub) == nil
	}
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, without)
	}
	return without(v)
}

func immutable(name string) error {
	return scim.Errorf(scim.TypeMutability, "%q is immutable and has a value (RFC 7644 §3.5.2)", name)
}
