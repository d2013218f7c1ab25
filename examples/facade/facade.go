package main

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Traits says what the application can't do (scim.Capable).
func (front) Traits() scim.Traits {
	t := scim.Traits{NoVersions: true}
	for _, typ := range schema.Core() {
		for _, a := range typ.Schema.Attributes {
			t.Unstored = append(t.Unstored, a.Name) // those that the types have are not taken for it
		}
	}
	return t
}

// source is the people, or the teams (facade.Source, facade.Completer).
type source struct {
	up   *facade.Upstream
	typ  *scim.ResourceType
	path string
}

var one = regexp.MustCompile(`^/no[0-9]{1,18}$`) // the path of a record

func (s source) Type() *scim.ResourceType { return s.typ }

// do makes a call that answers with a record.
func (s source) do(ctx context.Context, method, path string, body any) (*scim.Resource, error) {
	if path != "" && !one.MatchString(path) {
		return nil, scim.ErrNotFound
	}
	var it record
	_, err := s.up.Do(ctx, facade.Call{Method: method, Path: s.path + path, Body: body}, &it)
	var f *facade.Failure
	if errors.As(err, &f) && f.Problem == "unknown-people" {
		return nil, scim.InvalidReference("members", strings.Fields(f.Text)...)
	} else if err != nil {
		return nil, err
	}
	return s.resource(&it), nil
}

func (s source) Get(ctx context.Context, id string) (*scim.Resource, error) {
	return s.do(ctx, "GET", "/"+id, nil)
}

func (s source) List(ctx context.Context, yield func(*scim.Resource) bool) error {
	var all []record
	_, err := s.up.Do(ctx, facade.Call{Method: "GET", Path: s.path}, &all)
	for i := range all {
		if !yield(s.resource(&all[i])) {
			break
		}
	}
	return err
}

func (s source) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	e := s.edit(r)
	list, _ := r.Attrs.Get("members").([]scim.MemberRef)
	for _, m := range list {
		e.Add = append(e.Add, m.ID)
	}
	return s.do(ctx, "POST", "", e)
}

// Update puts people whole; of teams it names only what changes.
func (s source) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if s.typ.Membership() == nil {
		return s.do(ctx, "PUT", "/"+c.Before.ID, s.edit(c.After))
	}
	var e edit
	for _, d := range c.Deltas {
		if d.Path.Attr.Membership {
			e.Reset, e.Add, e.Remove = d.Reset, named(d.Added), named(d.Removed)
		} else {
			e.Title, e.Ref = s.edit(c.After).Title, s.edit(c.After).Ref
		}
	}
	return s.do(ctx, "PATCH", "/"+c.Before.ID, e)
}

func named(list []any) (ids []string) {
	for _, m := range list {
		ids = append(ids, m.(scim.MemberRef).ID)
	}
	return ids
}

func (s source) Delete(ctx context.Context, id string) error {
	_, err := s.do(ctx, "DELETE", "/"+id, nil)
	return err
}

func (s source) Lacks(p scim.AttrPath) bool { return p.Attr.Membership }

func (s source) Complete(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	return s.Get(ctx, r.ID)
}

// edit says in the application's words what a resource holds.
func (s source) edit(r *scim.Resource) edit {
	text := func(name string) *string { v, _ := r.Attrs.Get(name).(string); return &v }
	e := edit{Name: text("userName"), Title: text("displayName"), Ref: &r.ExternalID}
	if works, ok := r.Attrs.Get("active").(bool); ok {
		e.Works = &works
	}
	return e
}

// resource says in SCIM's words what a record holds.
func (s source) resource(it *record) *scim.Resource {
	r := &scim.Resource{Type: s.typ, ID: it.ID, ExternalID: it.Ref, Schemas: []string{s.typ.Schema.ID},
		Meta: scim.Meta{Created: it.Since, LastModified: it.Changed}}
	if it.Name != "" {
		r.Attrs.Set("userName", it.Name)
	}
	if it.Title != "" {
		r.Attrs.Set("displayName", it.Title)
	}
	if it.Works != nil {
		r.Attrs.Set("active", *it.Works)
	}
	for _, t := range it.Teams {
		r.Groups = append(r.Groups, scim.MemberRef{ID: t.ID, Type: "direct", Display: t.Title})
	}
	var members []scim.MemberRef
	for _, p := range it.People {
		members = append(members, scim.MemberRef{ID: p.ID, Type: "User", Display: p.Title})
	}
	if members != nil {
		r.Attrs.Set("members", members)
	}
	return r
}
