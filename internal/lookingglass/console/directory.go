package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const (
	directorySize = 50 // resources on a page
	mostListed    = 100
)

func (c *Console) directoryRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path+"/directory", c.directory)
	mux.HandleFunc("GET "+Path+"/directory/check", c.checkFilter)
	mux.HandleFunc("GET "+Path+"/directory/{type}/{id}", c.resource)
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
		page.Fault = scim.AsError(err).Detail
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
		page.Fault = e.Detail
		if e.Status == http.StatusUnauthorized && c.o.Facade != "" {
			page.Fault = c.o.Facade + " shows its users and groups to its own tokens only: log in with one of them."
			return http.StatusForbidden
		}
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
