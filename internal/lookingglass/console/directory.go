package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

const (
	directorySize = 50 // resources on a page
	mostTrail     = 8  // pages that one can go back, one by one
	mostListed    = 100
)

func (c *Console) directoryRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path+"/directory", c.directory)
	mux.HandleFunc("GET "+Path+"/directory/check", c.checkFilter)
	mux.HandleFunc("GET "+Path+"/directory/{type}/{id}", c.resource)
}

// place is what part of the directory a page shows. Its fields are the
// parameters of its address.
type place struct {
	Type, Filter, Sort string
	Descending         bool
	Deleted            bool // those that can be restored

	At     int      // of the first resource, from 1; for the eye only, where pages go by cursor
	Cursor string   // of the page; "" is the first
	Trail  []string // cursors of the pages before it, but the first
	Start  int      // startIndex, where the backend gives no cursors; 0: by cursor
}

func placeOf(q url.Values) place {
	p := place{Type: q.Get("type"), Filter: strings.TrimSpace(q.Get("filter")), Sort: q.Get("sort"), Descending: q.Get("order") == "descending",
		Deleted: q.Get("deleted") == "true", Cursor: q.Get("cursor"), Trail: q["trail"]}
	p.At, _ = strconv.Atoi(q.Get("at"))       // 0 if it is none
	p.Start, _ = strconv.Atoi(q.Get("start")) // 0 if it is none
	p.At, p.Start = max(p.At, p.Start, 1), max(p.Start, 0)
	return p
}

// URL is the address of the page that shows the place.
func (p place) URL() string {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("type", p.Type)
	set("filter", p.Filter)
	set("sort", p.Sort)
	if p.Descending {
		set("order", "descending")
	}
	if p.Deleted {
		set("deleted", "true")
	}
	set("cursor", p.Cursor)
	for _, t := range p.Trail {
		q.Add("trail", t)
	}
	if p.Start > 1 {
		set("start", strconv.Itoa(p.Start))
	} else if p.At > 1 {
		set("at", strconv.Itoa(p.At))
	}
	return Path + "/directory?" + q.Encode()
}

// first is the first page of the place.
func (p place) first() place {
	p.At, p.Cursor, p.Trail, p.Start = 1, "", nil, 0
	return p
}

// previous is the page before, or false if there is none or the trail is lost.
func (p place) previous() (place, bool) {
	switch {
	case p.Start > 1:
		p.Start = max(p.Start-directorySize, 1)
		p.At = p.Start
		return p, true
	case p.Cursor == "", len(p.Trail) == 0 && p.At > directorySize+1:
		return p, false
	case len(p.Trail) == 0:
		return p.first(), true
	}
	p.Cursor, p.Trail = p.Trail[len(p.Trail)-1], p.Trail[:len(p.Trail)-1]
	p.At = max(p.At-directorySize, 1)
	return p, true
}

// next is the page after one of n resources: by cursor, or where the backend
// gave none, by index.
func (p place) next(cursor string, n int) place {
	if cursor == "" {
		p.Start = p.At + n
		p.At, p.Cursor, p.Trail = p.Start, "", nil
		return p
	}
	trail := slices.Clone(p.Trail)
	if p.Cursor != "" {
		trail = append(trail, p.Cursor)
	}
	p.Trail = trail[max(len(trail)-mostTrail, 0):]
	p.Cursor, p.At = cursor, p.At+n
	return p
}

// directoryPage is what directory.html shows.
type directoryPage struct {
	Place   place
	Types   []option
	Check   filterCheck
	Columns []directoryColumn
	Rows    []directoryRow
	Gone    []goneRow
	CanGone bool   // deleted ones of this type are kept
	GoneURL string // where they are
	Total   string
	To      int
	Fault   string
	Broken  bool // not for what was asked
	First   string
	Prev    string
	Next    string
	Micros  int64
	Steps   int
	Calls   bool
}

type directoryColumn struct {
	Title string
	Sort  string // address; "" if it can't be sorted by
	Order string // "ascending" or "descending" if it is
	path  scim.AttrPath
	class string
}

// Class is that of the column's cells.
func (c directoryColumn) Class() string { return c.class }

type directoryRow struct {
	URL   string
	Name  string
	Cells []directoryCell // of the columns after the first
}

type directoryCell struct {
	Class string
	Text  string
	Time  time.Time
	State string // "active" or "inactive"
}

type goneRow struct {
	scim.Deleted
	Command string
}

// typeNamed returns the resource type of that name, or nil.
func (c *Console) typeNamed(name string) *scim.ResourceType {
	for _, t := range c.o.Engine().Types() {
		if strings.EqualFold(t.Name, name) {
			return t
		}
	}
	return nil
}

// directory shows a page of the resources of one type.
func (c *Console) directory(w http.ResponseWriter, r *http.Request) {
	p := placeOf(r.URL.Query())
	types := c.o.Engine().Types()
	if p.Type == "" && len(types) > 0 {
		p.Type = types[0].Name
	}
	t := c.typeNamed(p.Type)
	if t == nil {
		c.fail(w, r, http.StatusNotFound, "There is no such type", "This server has no resources of the type "+strconv.Quote(p.Type)+".")
		return
	}
	p.Type = t.Name
	page := &directoryPage{Place: p, CanGone: c.o.Deleted != nil && t.Membership() == nil}
	page.GoneURL = place{Type: t.Name, Deleted: true, At: 1}.URL()
	for _, other := range types {
		page.Types = append(page.Types, option{other.Name, strings.Trim(other.Endpoint, "/"), other == t})
	}
	status := http.StatusOK
	if p.Deleted && page.CanGone {
		c.listGone(r, t, page)
	} else {
		page.Check = c.check(t, p.Filter)
		page.Columns = columnsOf(t, p)
		status = c.listPage(r, t, page)
	}
	c.render(w, r, status, "directory.html", page)
}

func (c *Console) listGone(r *http.Request, t *scim.ResourceType, page *directoryPage) {
	list, err := c.o.Deleted.Deleted(c.context(r), scim.DeletedQuery{Type: t, Name: page.Place.Filter, Limit: mostListed})
	if err != nil {
		c.o.Logger.Error("the console can't list what was deleted", "error", err)
		page.Fault, page.Broken = scim.AsError(err).Detail, true
	}
	for _, d := range list {
		page.Gone = append(page.Gone, goneRow{d, restoreCommand(t, d.ID)})
	}
}

// restoreCommand is what gives a deleted resource back, or "".
func restoreCommand(t *scim.ResourceType, id string) string {
	if t.Name != "User" {
		return ""
	}
	return "rollcall users restore " + id
}

// listPage asks for the page and fills in what came.
func (c *Console) listPage(r *http.Request, t *scim.ResourceType, page *directoryPage) (status int) {
	p := page.Place
	a := c.ask(r, listRequest(t, p, page.Columns), mostAnswer)
	if a.Status >= 400 && p.Cursor == "" && p.Start == 0 && page.Check.Fault == "" { // no cursors there?
		byIndex := p
		byIndex.Start = 1
		if again := c.ask(r, listRequest(t, byIndex, page.Columns), mostAnswer); again.Status < 400 {
			a, p = again, byIndex
		}
	}
	page.Micros, page.Steps = a.Took.Microseconds(), len(a.Trace.Steps())
	page.Calls = c.o.Facade != ""
	if p.Cursor != "" || p.Start > 1 || len(p.Trail) > 0 {
		page.First = p.first().URL()
	}
	if e := a.refusal(); e != nil {
		page.Fault, page.Broken = e.Detail, e.Status >= 500
		return e.Status
	}
	o := a.object()
	resources, _ := o.Get("Resources").([]any)
	for _, v := range resources {
		if res, ok := v.(scim.Object); ok {
			page.Rows = append(page.Rows, rowOf(t, res, page.Columns))
		}
	}
	page.To = p.At + len(page.Rows) - 1
	total := -1
	if n := text(o.Get("totalResults")); n != "" {
		page.Total = n
		total, _ = strconv.Atoi(n)
	}
	if prev, ok := p.previous(); ok {
		page.Prev = prev.URL()
	}
	cursor, _ := o.Get("nextCursor").(string)
	if cursor != "" || total > page.To && len(page.Rows) > 0 && (p.Start > 0 || p.Cursor == "") {
		page.Next = p.next(cursor, len(page.Rows)).URL()
	}
	if a.Cut {
		page.Fault = "These resources are too large for one page; narrow the filter."
	}
	return http.StatusOK
}

func listRequest(t *scim.ResourceType, p place, columns []directoryColumn) engine.Request {
	q := url.Values{"count": {strconv.Itoa(directorySize)}}
	names := []string{"name"}
	for _, col := range columns {
		names = append(names, col.path.String())
	}
	q.Set("attributes", strings.Join(names, ","))
	if p.Start > 0 {
		q.Set("startIndex", strconv.Itoa(p.Start))
	} else {
		q.Set("cursor", p.Cursor)
	}
	if p.Filter != "" {
		q.Set("filter", p.Filter)
	}
	if p.Sort != "" {
		q.Set("sortBy", p.Sort)
		if p.Descending {
			q.Set("sortOrder", "descending")
		}
	}
	return engine.Request{Method: http.MethodGet, Path: t.Endpoint, Query: q}
}

// columnsOf returns what the list of a type shows: its name first.
func columnsOf(t *scim.ResourceType, p place) []directoryColumn {
	var list []directoryColumn
	add := func(title, path, class string) {
		parsed, err := filter.ParseAttrPath(path)
		if err != nil {
			return
		}
		bound, ok := t.Resolve(parsed)
		if !ok || bound.Leaf().Unstored || slices.ContainsFunc(list, func(c directoryColumn) bool { return c.path == bound }) {
			return
		}
		col := directoryColumn{Title: title, path: bound, class: class}
		if _, err := filter.BindSort(t, path); err == nil {
			to := p.first()
			to.Sort, to.Descending = path, false
			if p.Sort == path {
				col.Order = "ascending"
				to.Descending = !p.Descending
				if p.Descending {
					col.Order = "descending"
				}
			}
			col.Sort = to.URL()
		}
		list = append(list, col)
	}
	add("Name", nameAttribute(t), "name")
	add("Display name", "displayName", "display")
	add("E-mail", "emails.value", "mail")
	add("State", "active", "state")
	add("Changed", "meta.lastModified", "changed")
	return list
}

// nameAttribute is the attribute by which people tell the resources of a type.
func nameAttribute(t *scim.ResourceType) string {
	if t.Schema.Attribute("userName") != nil {
		return "userName"
	}
	for _, a := range t.Schema.Attributes {
		if a.Type == scim.TypeString && !a.MultiValued && !a.Unstored && a.Uniqueness != scim.UniquenessNone {
			return a.Name
		}
	}
	if t.Schema.Attribute("displayName") != nil {
		return "displayName"
	}
	return "id"
}

func rowOf(t *scim.ResourceType, res scim.Object, columns []directoryColumn) directoryRow {
	id, _ := res.Get("id").(string)
	row := directoryRow{URL: resourceURL(t.Name, id), Name: id}
	for i, col := range columns {
		v := at(res, col.path)
		if i == 0 {
			if s := text(v); s != "" {
				row.Name = s
			}
			continue
		}
		if v == nil && col.class == "display" {
			v = wholeName(res)
		}
		cell := directoryCell{Class: col.class}
		switch leaf := col.path.Leaf(); {
		case v == nil:
		case leaf.Type == scim.TypeBoolean:
			cell.State = stateOf(v)
		case leaf.Type == scim.TypeDateTime:
			if d, ok := scim.ParseDateTime(text(v)); ok {
				cell.Time = d.Time
			}
		default:
			cell.Text = text(v)
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

// stateOf is what the attribute active says.
func stateOf(v any) string {
	switch v {
	case true:
		return "active"
	case false:
		return "inactive"
	}
	return ""
}

// wholeName is a person's name from its parts, or nil.
func wholeName(res scim.Object) any {
	name, _ := res.Get("name").(scim.Object)
	if s := text(name.Get("formatted")); s != "" {
		return s
	}
	if s := strings.TrimSpace(text(name.Get("givenName")) + " " + text(name.Get("familyName"))); s != "" {
		return s
	}
	return nil
}

// at returns the value at a path of a resource as clients see it: of several
// the primary one, else the first.
func at(o scim.Object, p scim.AttrPath) any {
	if p.URN != "" {
		o, _ = o.Get(p.URN).(scim.Object)
	}
	v := o.Get(p.Name)
	if list, ok := v.([]any); ok {
		v = nil
		for _, e := range list {
			in, _ := e.(scim.Object)
			if v == nil || in.Get("primary") == true {
				v = e
			}
		}
	}
	if in, ok := v.(scim.Object); ok {
		return in.Get(p.Sub)
	}
	return v
}

func resourceURL(typeName, id string) string {
	return Path + "/directory/" + url.PathEscape(typeName) + "/" + url.PathEscape(id)
}
