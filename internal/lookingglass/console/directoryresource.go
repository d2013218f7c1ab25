package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const (
	mostMembers = 100
	memberBytes = 64 << 10 // read of a group's members
	mostHistory = 50
)

// resourcePage is what resource.html shows.
type resourcePage struct {
	Type, ID, Name string
	ListURL        string
	State          string // "active", "inactive" or ""
	Gone           *goneRow
	Sections       []section
	Groups         []link
	HasGroups      bool
	Members        []link
	HasMembers     bool
	MoreMembers    bool   // there are more than are shown
	MembersURL     string // where they are listed in pages
	History        []historyRow
	HasHistory     bool
	MoreHistory    bool
	Timeline       string
	Try            string
	Raw            string
	Cut            bool
}

// link is a reference to another resource.
type link struct {
	URL, Name, Kind string
}

// historyRow is an entry of the change log.
type historyRow struct {
	Time    time.Time
	Actor   string
	Request string
	What    string
	URL     string // of the other resource that it is about
	Other   string // its name
	Deltas  []historyDelta
}

type historyDelta struct {
	Path, Before, After string
}

// resource shows one resource, but for a large group not all of its members.
func (c *Console) resource(w http.ResponseWriter, r *http.Request) {
	t, id := c.typeNamed(r.PathValue("type")), r.PathValue("id")
	if t == nil {
		c.fail(w, r, http.StatusNotFound, "There is no such type", "This server has no resources of the type "+strconv.Quote(r.PathValue("type"))+".")
		return
	}
	members := t.Membership()
	q := url.Values{}
	if members != nil {
		q.Set("excludedAttributes", members.Name)
	}
	at := t.Endpoint + "/" + url.PathEscape(id)
	a := c.ask(r, engine.Request{Method: http.MethodGet, Path: at, Query: q}, mostAnswer)
	page := &resourcePage{Type: t.Name, ID: id, Name: id, ListURL: place{Type: t.Name, At: 1}.URL(),
		Timeline: Path + "/people?q=" + url.QueryEscape(id),
		Try:      Path + "/try-it?" + url.Values{"method": {"GET"}, "path": {at}}.Encode()}
	switch e := a.refusal(); {
	case e == nil:
	case e.Status == http.StatusNotFound && c.gone(r, t, page):
		page.history(r, c, t)
		c.render(w, r, http.StatusNotFound, "resource.html", page)
		return
	case e.Status == http.StatusNotFound:
		c.fail(w, r, e.Status, "There is no such "+one(t.Name), "Nothing here has the id "+strconv.Quote(id)+". The page People says what became of it, if anything is known.")
		return
	case e.Status == http.StatusUnauthorized && c.o.Facade != "":
		c.fail(w, r, http.StatusForbidden, "This can't be shown", c.o.Facade+" shows its users and groups to its own tokens only: log in with one of them.")
		return
	default:
		c.fail(w, r, e.Status, "This can't be shown", e.Detail)
		return
	}
	o := a.object()
	page.Raw, page.Cut = pretty(string(a.Text)), a.Cut
	page.Name = nameOf(t, o, id)
	page.State = stateOf(o.Get("active"))
	page.Sections = c.sections(t, o)
	if g := t.Groups(); g != nil {
		page.HasGroups = true
		page.Groups = c.links(o.Get(g.Name), g)
	}
	if members != nil {
		page.members(r, c, t, members, at)
	}
	page.history(r, c, t)
	c.render(w, r, http.StatusOK, "resource.html", page)
}

// gone reports whether the resource was deleted and can be restored, and notes
// how.
func (c *Console) gone(r *http.Request, t *scim.ResourceType, page *resourcePage) bool {
	if c.o.Deleted == nil || t.Membership() != nil {
		return false
	}
	list, err := c.o.Deleted.Deleted(c.context(r), scim.DeletedQuery{Type: t, Name: page.ID, Limit: mostListed})
	if err != nil {
		c.o.Logger.Error("the console can't list what was deleted", "error", err)
	}
	for _, d := range list {
		if d.ID == page.ID {
			page.Gone, page.Name = &goneRow{d, restoreCommand(t, d.ID)}, d.Name
			return true
		}
	}
	return false
}

// nameOf is how people know a resource.
func nameOf(t *scim.ResourceType, o scim.Object, id string) string {
	for _, name := range []string{nameAttribute(t), "displayName"} {
		if s, _ := o.Get(name).(string); s != "" {
			return s
		}
	}
	return id
}

// members reads the first members of a group. The answer is made while it is
// read, so that those of a million stay where they are.
func (p *resourcePage) members(r *http.Request, c *Console, t *scim.ResourceType, a *scim.Attribute, at string) {
	p.HasMembers = true
	got := c.ask(r, engine.Request{Method: http.MethodGet, Path: at, Query: url.Values{"attributes": {a.Name}}}, memberBytes)
	values, more := firstMembers(got.Text, a.Name)
	p.MoreMembers = more || got.Cut
	p.Members = c.links(values, a)
	for _, other := range c.o.Engine().Types() {
		if g := other.Groups(); g != nil {
			p.MembersURL = place{Type: other.Name, Filter: g.Name + ".value eq " + string(scim.AppendString(nil, p.ID)), At: 1}.URL()
		}
	}
}

// firstMembers reads the values of an attribute from the beginning of a JSON
// text, and reports whether there are more.
func firstMembers(text []byte, name string) (values any, more bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		if key != name {
			var skip json.RawMessage
			if d.Decode(&skip) != nil {
				return nil, false
			}
			continue
		}
		if t, err := d.Token(); err != nil || t != json.Delim('[') {
			return nil, false
		}
		var list []any
		for d.More() {
			if len(list) == mostMembers {
				return list, true
			}
			var raw json.RawMessage
			if d.Decode(&raw) != nil {
				return list, true
			}
			if o, err := scim.ParseObject(raw, 0, 0); err == nil {
				list = append(list, o)
			}
		}
		return list, false
	}
	return nil, false
}

// history reads the newest entries of the change log.
func (p *resourcePage) history(r *http.Request, c *Console, t *scim.ResourceType) {
	if c.o.Changes == nil {
		return
	}
	p.HasHistory = true
	q := scim.ChangeQuery{Type: t.Name, ID: p.ID, Newest: true, Limit: mostHistory + 1}
	if t.Membership() == nil {
		q = scim.ChangeQuery{Person: p.ID, Newest: true, Limit: mostHistory + 1}
	}
	list, err := c.o.Changes.Changes(c.context(r), q)
	if err != nil {
		c.o.Logger.Error("the console can't read the change log", "error", err)
		return
	}
	if len(list) > mostHistory {
		list, p.MoreHistory = list[1:], true
	}
	names := c.namesIn(r, list)
	for _, rec := range slices.Backward(list) {
		p.History = append(p.History, historyOf(rec, p.ID, names))
	}
}

func historyOf(rec scim.Record, id string, names map[string]string) historyRow {
	row := historyRow{Time: rec.Time, Actor: rec.Actor, Request: rec.RequestID}
	if rec.ID != id {
		row.URL = resourceURL(rec.Type, rec.ID)
		row.Other = cmp.Or(names[rec.ID], rec.ID)
		row.What = "Changed with the " + one(rec.Type)
		for _, d := range rec.Changes {
			switch {
			case slices.Contains(d.Added, any(id)):
				row.What = "Became a member of the " + one(rec.Type)
			case slices.Contains(d.Removed, any(id)):
				row.What = "Ceased to be a member of the " + one(rec.Type)
			}
		}
		return row
	}
	var paths []string
	for _, d := range rec.Changes {
		paths = append(paths, shortPath(d.Path))
		row.Deltas = append(row.Deltas, historyDelta{d.Path, shortValues(d.Removed, names), shortValues(d.Added, names)})
	}
	switch rec.Op {
	case "create":
		row.What = "Created"
	case "delete":
		row.What = "Deleted"
	default:
		row.What = "Changed " + enumerate(paths)
		if len(paths) > 4 {
			row.What = "Changed " + strings.Join(paths[:3], ", ") + " and " + plural(len(paths)-3, "more attribute")
		}
	}
	return row
}

// shortPath is a path without the URN of an extension.
func shortPath(path string) string {
	if i := strings.LastIndexByte(path, ':'); i >= 0 {
		return path[i+1:]
	}
	return path
}

// namesIn returns the names of other resources that the records are about, as
// many as one request of each type may ask for.
func (c *Console) namesIn(r *http.Request, list []scim.Record) map[string]string {
	const most = 50
	names := map[string]string{}
	var ids []any
	add := func(id string) {
		if _, known := names[id]; !known && len(ids) < most {
			names[id] = ""
			ids = append(ids, id)
		}
	}
	for _, rec := range slices.Backward(list) {
		add(rec.ID)
		for _, d := range rec.Changes {
			t := c.typeNamed(rec.Type)
			if t == nil || t.Membership() == nil || d.Path != t.Membership().Name {
				continue
			}
			for _, v := range slices.Concat(d.Added[:min(len(d.Added), mostValues)], d.Removed[:min(len(d.Removed), mostValues)]) {
				if id, ok := v.(string); ok {
					add(id)
				}
			}
		}
	}
	if len(ids) == 0 {
		return names
	}
	var terms []string
	for _, id := range ids {
		terms = append(terms, "id eq "+string(scim.AppendValue(nil, id)))
	}
	for _, t := range c.o.Engine().Types() {
		q := url.Values{"filter": {strings.Join(terms, " or ")}, "attributes": {nameAttribute(t) + ",displayName"}, "count": {strconv.Itoa(most)}}
		found, _ := c.ask(r, engine.Request{Method: http.MethodGet, Path: t.Endpoint, Query: q}, mostAnswer).object().Get("Resources").([]any)
		for _, v := range found {
			if o, ok := v.(scim.Object); ok {
				id := text(o.Get("id"))
				names[id] = nameOf(t, o, id)
			}
		}
	}
	return names
}

// mostValues bounds the values that a line shows of an attribute.
const mostValues = 5

// shortValues shows the values of a change in a line, ids by their names.
func shortValues(values []any, names map[string]string) string {
	const long = 200
	var list []string
	for i, v := range values {
		if i == mostValues {
			list = append(list, fmt.Sprintf("… and %d more", len(values)-mostValues))
			break
		}
		s := text(v)
		s = cmp.Or(names[s], s)
		if len(s) > long {
			s = strings.ToValidUTF8(s[:long], "") + "…"
		}
		list = append(list, s)
	}
	return strings.Join(list, ", ")
}
