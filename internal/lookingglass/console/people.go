package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
)

func (c *Console) peopleRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path+"/people", c.person)
}

// newDesk returns what answers questions about people.
func newDesk(o Options, log *lookingglass.View) *people.Desk {
	return people.NewDesk(people.Sources{Engine: o.Engine, Changes: o.Changes, Deleted: o.Deleted, Log: log,
		Facade: o.Facade, Now: o.Now, Logger: o.Logger})
}

// eventsOnPage is how many lines of a timeline a page shows.
const eventsOnPage = 50

// personPage is what people.html shows.
type personPage struct {
	Query   string
	Wrong   string // what is wrong with the question
	Alone   bool   // without what became of the groups themselves
	Verdict *people.Verdict
	Events  []people.Event
	First   bool // this is the first page of the timeline
	Since   time.Time
	Log     bool // there is a change log

	Toggle, Earliest, Later string // addresses; "" if there is none
}

// PersonID is the id of whom the verdict is about, or "".
func (p personPage) PersonID() string {
	if p.Verdict == nil || p.Verdict.Person == nil {
		return ""
	}
	return p.Verdict.Person.ID
}

// HasGroups reports whether groups have a part in the timeline.
func (p personPage) HasGroups() bool {
	return p.Verdict != nil && p.Verdict.Person != nil && len(p.Verdict.Person.Groups) > 0
}

// person says what became of somebody, and shows the timeline.
func (c *Console) person(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := personPage{Query: q.Get("q"), Alone: q.Get("alone") == "true", First: q.Get("after") == ""}
	if p.Query == "" {
		c.render(w, r, http.StatusOK, "people.html", p)
		return
	}
	ctx := c.context(r)
	v, err := c.desk.Find(ctx, p.Query)
	if err != nil {
		c.noVerdict(w, r, p, err)
		return
	}
	t, err := c.desk.Timeline(ctx, v, people.TimelineQuery{After: q.Get("after"), Limit: eventsOnPage, Alone: p.Alone})
	if err != nil {
		c.noVerdict(w, r, p, err)
		return
	}
	p.Verdict, p.Events, p.Since, p.Log = v, t.Events, t.Since, t.Log
	p.Toggle = personURL(p.Query, !p.Alone, "")
	if !p.First {
		p.Earliest = personURL(p.Query, p.Alone, "")
	}
	if t.Next != "" {
		p.Later = personURL(p.Query, p.Alone, t.Next)
	}
	c.render(w, r, http.StatusOK, "people.html", p)
}

// noVerdict says why a question has no answer.
func (c *Console) noVerdict(w http.ResponseWriter, r *http.Request, p personPage, err error) {
	status := http.StatusBadRequest
	var refused *scim.Error
	switch {
	case errors.Is(err, people.ErrNoValue), errors.Is(err, people.ErrCursor):
		p.Wrong = capital(err.Error()) + "."
	case errors.As(err, &refused):
		status = http.StatusBadGateway
		p.Wrong = capital(cmp.Or(refused.Detail, http.StatusText(refused.Status))) + "."
	default:
		status = http.StatusInternalServerError
		p.Wrong = "The directory or the records can't be read; the log says why."
		c.o.Logger.Error("the console can't say what became of a person", "error", err)
	}
	c.render(w, r, status, "people.html", p)
}

func personURL(query string, alone bool, after string) string {
	q := url.Values{"q": {query}}
	if alone {
		q.Set("alone", "true")
	}
	if after != "" {
		q.Set("after", after)
	}
	return Path + "/people?" + q.Encode()
}

// moodOf is the class of a cause.
func moodOf(c people.Cause) string {
	switch c {
	case people.Present:
		return "good"
	case people.Inactive, people.Sought:
		return "warn"
	case people.Deleted, people.Refused:
		return "bad"
	}
	return "info"
}
