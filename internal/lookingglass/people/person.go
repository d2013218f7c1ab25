package people

import (
	"bytes"
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Person is a user or a group as the directory has it, or what is still known
// of one that was deleted.
type Person struct {
	Type       string    `json:"type"` // "User" or "Group"
	ID         string    `json:"id"`
	Name       string    `json:"name"` // userName, or a group's displayName
	ExternalID string    `json:"externalId,omitempty"`
	Display    string    `json:"displayName,omitempty"`
	Emails     []string  `json:"emails,omitempty"`
	Active     bool      `json:"active"`
	Created    time.Time `json:"created,omitzero"`
	Modified   time.Time `json:"modified,omitzero"`
	Groups     []Group   `json:"groups,omitempty"` // where asked for
}

// Group is a group that a person is in.
type Group struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// mostEmails bounds the addresses of one person that are looked at.
const mostEmails = 50

// most bounds the people that one question reads.
const most = 200

// get answers a GET of the engine, or nil if it is a 404.
func (d *Desk) get(ctx context.Context, path string, query url.Values) (scim.Object, error) {
	resp := d.s.Engine().Do(ctx, engine.Request{Method: "GET", Path: path, Query: query})
	var body bytes.Buffer
	if resp.Body != nil {
		if _, err := resp.Body.WriteTo(&body); err != nil {
			return nil, err
		}
	}
	switch {
	case resp.Status == 404:
		return nil, nil
	case resp.Err != nil:
		return nil, scim.AsError(resp.Err)
	}
	return scim.ParseObject(body.Bytes(), 0, 0)
}

// typeNamed returns the resource type of that name, or nil.
func (d *Desk) typeNamed(name string) *scim.ResourceType {
	for _, t := range d.s.Engine().Types() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// load returns a resource by its id, with its groups, or nil.
func (d *Desk) load(ctx context.Context, typ, id string) (*Person, error) {
	t := d.typeNamed(typ)
	if t == nil || id == "" || len(id) > maxValue {
		return nil, nil
	}
	query := url.Values{}
	if m := t.Membership(); m != nil {
		query.Set("excludedAttributes", m.Name)
	}
	o, err := d.get(ctx, t.Endpoint+"/"+url.PathEscape(id), query)
	if o == nil || err != nil {
		return nil, err
	}
	return personOf(t, o), nil
}

// list returns the resources of a type that match a filter, at most count.
func (d *Desk) list(ctx context.Context, t *scim.ResourceType, filter string, count int) ([]*Person, error) {
	query := url.Values{"filter": {filter}, "count": {strconv.Itoa(count)}, "attributes": {"externalId,userName,displayName,active,emails,meta"}}
	if t.Membership() != nil {
		query.Set("attributes", "externalId,displayName,meta")
	}
	o, err := d.get(ctx, t.Endpoint, query)
	if err != nil {
		return nil, err
	}
	found, _ := o.Get("Resources").([]any)
	list := make([]*Person, 0, len(found))
	for _, v := range found {
		if o, ok := v.(scim.Object); ok {
			list = append(list, personOf(t, o))
		}
	}
	return list, nil
}

// personOf reads a resource as the engine sends it.
func personOf(t *scim.ResourceType, o scim.Object) *Person {
	p := &Person{Type: t.Name, ID: text(o, "id"), Name: text(o, "userName"), ExternalID: text(o, "externalId"),
		Display: text(o, "displayName"), Emails: values(o.Get("emails")), Active: o.Get("active") != false}
	if p.Name == "" {
		p.Name = p.Display
	}
	p.Emails = p.Emails[:min(len(p.Emails), mostEmails)]
	meta, _ := o.Get("meta").(scim.Object)
	p.Created, p.Modified = when(meta, "created"), when(meta, "lastModified")
	groups, _ := o.Get("groups").([]any)
	for _, g := range groups {
		if g, ok := g.(scim.Object); ok {
			p.Groups = append(p.Groups, Group{text(g, "value"), text(g, "display")})
		}
	}
	return p
}

func text(o scim.Object, name string) string {
	s, _ := o.Get(name).(string)
	return s
}

func when(o scim.Object, name string) time.Time {
	t, _ := scim.ParseDateTime(text(o, name))
	return t.Time
}

// values returns the "value" of each complex value, or the values themselves.
func values(v any) (all []string) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, v := range list {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case scim.Object:
			if s := text(v, "value"); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

// clean returns a value without the blanks and invisible characters around it.
func clean(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return invisible(r) })
}
