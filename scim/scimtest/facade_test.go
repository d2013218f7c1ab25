package scimtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

// facade stands in front of an application that keeps little: no versions, whole
// seconds, one mail address, which is needed, and flat groups of unique names.
// Its lists are in the order of names. Each other field is a fault.
type facade struct {
	s *memory.Store

	versions bool   // shown
	forget   string // attribute that updates lose
	bare     bool   // mail addresses are not primary
	answers  bool   // updates without storing them
	superset bool   // filters are ignored
	keeps    bool   // members that are removed
}

func many(fault func(*facade)) func() (a, b scim.Backend) {
	open := func() scim.Backend {
		f := &facade{s: new(memory.Store)}
		fault(f)
		return f
	}
	return func() (a, b scim.Backend) { return open(), open() }
}

// narrow is what the façade declares.
var narrow = scimtest.Harness{
	Types: little(),
	Fit:   fit,
	Lacks: scimtest.Lacks{Types: []string{"Widget"}, Nesting: true, Order: true},
}

func little() []*scim.ResourceType {
	types, err := schema.Read(nil, fstest.MapFS{"little.json": {Data: []byte(`[
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"` + scim.UserURN + `","attributes":[
			{"name":"userName","required":true,"uniqueness":"server","precis":"username"},
			{"name":"name","type":"complex","subAttributes":[{"name":"givenName"}]},
			{"name":"displayName"},
			{"name":"active","type":"boolean"},
			{"name":"emails","type":"complex","multiValued":true,"required":true,"subAttributes":[{"name":"value"},{"name":"primary","type":"boolean"}]},
			{"name":"groups","type":"complex","multiValued":true,"mutability":"readOnly","subAttributes":[{"name":"value"},{"name":"display"},
				{"name":"type"},{"name":"$ref","type":"reference","referenceTypes":["Group"]}]}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"` + scim.GroupURN + `","attributes":[
			{"name":"displayName","required":true,"caseExact":true,"uniqueness":"server"},
			{"name":"members","type":"complex","multiValued":true,"subAttributes":[{"name":"value"},{"name":"display"},{"name":"type"},
				{"name":"$ref","type":"reference","referenceTypes":["User"]}]}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"User","schema":"` + scim.UserURN + `"},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Group","schema":"` + scim.GroupURN + `"}]`)}})
	if err != nil {
		panic(err)
	}
	return types
}

// fit is what the application makes of a resource.
func fit(r *scim.Resource) {
	if r.Type.Name != "User" {
		r.ExternalID = ""
		return
	}
	address := any("nobody@example.com")
	list, _ := r.Attrs.Get("emails").([]any)
	for i, v := range slices.Backward(list) {
		o, _ := v.(scim.Object)
		if s, _ := o.Get("value").(string); s != "" && (i == 0 || o.Get("primary") == true) {
			address = s
		}
		if o.Get("primary") == true {
			break
		}
	}
	r.Attrs.Set("emails", []any{scim.Object{{Name: "value", Value: address}, {Name: "primary", Value: true}}})
}

func (f *facade) Traits() scim.Traits { return scim.Traits{NoVersions: true, WholeSeconds: true} }

// shown returns a resource as the application knows it.
func (f *facade) shown(r *scim.Resource, err error) (*scim.Resource, error) {
	if err != nil {
		return nil, err
	}
	if !f.versions {
		r.Meta.Version = ""
	}
	r.Meta.Created, r.Meta.LastModified = r.Meta.Created.Truncate(time.Second), r.Meta.LastModified.Truncate(time.Second)
	return r, nil
}

func (f *facade) flat(ctx context.Context, members []scim.MemberRef) error {
	for _, m := range members {
		if _, err := f.s.Get(ctx, scim.Ref{Type: narrow.Types[1], ID: m.ID}, scim.Selection{}); err == nil {
			return scim.Errorf(scim.TypeInvalidValue, "members: groups do not nest")
		}
	}
	return nil
}

func (f *facade) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	if r.Type.Name == "Widget" {
		return nil, &scim.Error{Status: 501}
	}
	members, _ := r.Attrs.Get("members").([]scim.MemberRef)
	if err := f.flat(ctx, members); err != nil {
		return nil, err
	}
	return f.shown(f.s.Create(ctx, f.kept(r)))
}

// kept returns what the application keeps of a resource.
func (f *facade) kept(r *scim.Resource) *scim.Resource {
	k := *r
	k.Attrs = scim.Clone(r.Attrs)
	fit(&k)
	if list, ok := k.Attrs.Get("emails").([]any); ok && f.bare {
		o, _ := list[0].(scim.Object)
		o.Set("primary", nil)
		k.Attrs.Set("emails", []any{o})
	}
	schema.Encode(&k)
	return &k
}

func (f *facade) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	return f.shown(f.s.Get(ctx, ref, sel))
}

func (f *facade) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	if q.Type.Name == "Widget" {
		return nil, &scim.Error{Status: 501}
	}
	if f.superset {
		q.Filter = nil
	}
	if q.SortBy == nil {
		q.SortBy, _ = filter.BindSort(q.Type, map[string]string{"User": "userName", "Group": "displayName"}[q.Type.Name])
	}
	p, err := f.s.List(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, r := range p.Resources {
		_, _ = f.shown(r, nil)
	}
	return p, nil
}

// write carries out a Change on whatever is there.
func (f *facade) write(ctx context.Context, c scim.Change, store func(context.Context, scim.Change) (*scim.Resource, error)) (*scim.Resource, error) {
	for {
		now, err := f.s.Get(ctx, c.Before.Ref(), scim.Selection{})
		if err != nil {
			return nil, err
		}
		before := *c.Before
		before.Meta = now.Meta
		c.Before, c.After, c.IfVersion = &before, f.kept(c.After), ""
		if f.forget != "" && c.After.Type.Name == "User" {
			c.After.Attrs.Set(f.forget, nil)
			schema.Encode(c.After)
		}
		if f.answers {
			c.After.Meta = now.Meta
			return f.shown(c.After, nil)
		}
		r, err := store(ctx, c)
		if !errors.Is(err, scim.ErrVersionMismatch) {
			return f.shown(r, err)
		}
	}
}

func (f *facade) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	members, _ := c.After.Attrs.Get("members").([]scim.MemberRef)
	if err := f.flat(ctx, members); err != nil {
		return nil, err
	}
	return f.write(ctx, c, f.s.Update)
}

func (f *facade) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	for i, d := range c.Deltas {
		var added []scim.MemberRef
		for _, v := range d.Added {
			if m, ok := v.(scim.MemberRef); ok {
				added = append(added, m)
			}
		}
		if err := f.flat(ctx, added); err != nil {
			return nil, err
		}
		if f.keeps && d.Path.Attr.Membership {
			c.Deltas[i].Removed = nil
		}
	}
	return f.write(ctx, c, f.s.UpdateMembers)
}

func (f *facade) Delete(ctx context.Context, ref scim.Ref, _ string) error {
	return f.s.Delete(ctx, ref, "")
}

// TestContractWithLacks runs the suite over a backend that is another application in
// disguise.
func TestContractWithLacks(t *testing.T) {
	t.Parallel()
	h := narrow
	h.Short = true
	h.Open = func(*testing.T) (a, b scim.Backend) { return many(func(*facade) {})() }
	scimtest.Run(t, h)
}
