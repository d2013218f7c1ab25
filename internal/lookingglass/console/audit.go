package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
)

// The bounds of the page of the audit log: lines of it, what is looked through for
// them, and how long a chain may be verified.
const (
	auditSize  = 50
	auditRows  = 200 // at once, where not each is a line
	auditTime  = 2 * time.Second
	verifyTime = time.Minute
)

func (c *Console) auditRoutes(mux *http.ServeMux) {
	if c.realm == nil || c.realm.Audit == nil {
		return
	}
	mux.HandleFunc("GET "+Path+"/audit", func(w http.ResponseWriter, r *http.Request) { c.audit(w, r, nil) })
	mux.HandleFunc("POST "+Path+"/audit/verify", c.verify)
	mux.HandleFunc("GET "+Path+"/audit/export", c.exportAudit)
}

// auditPage is what audit.html shows.
type auditPage struct {
	Ask     auditQuery
	Whats   []option
	Quick   []quickLink
	Events  []auditEvent
	Older   string // address; "" if there is none
	Latest  string
	Partly  bool // there may be more further back
	Head    audit.Head
	Wrong   string
	Verdict *verdict
	Export  bool
}

type quickLink struct {
	Label, URL string
	Current    bool
}

// auditQuery is what the form asks for. Its fields are GET parameters.
type auditQuery struct {
	Person, Actor, What string
	From, To            string // days, UTC
	Before              int64
}

// auditEvent is a line of the log.
type auditEvent struct {
	historyRow
	N       int64  // of its entry; 0: not sealed yet
	Name    string // of the resource
	Where   string // it can be looked at
	Why     string // the person's timeline, or ""
	Address string
	Erased  int64 // rows, if that is what happened
	Kept    bool  // its values are known
}

// verdict is what came of verifying the chain.
type verdict struct {
	audit.Verdict
	Fault string
	Took  time.Duration
}

// whats are the kinds of events that the form offers.
var whats = []string{"deactivate", "Deactivated", "activate", "Activated", "create", "Created", "update", "Changed", "delete", "Deleted", "erase", "Erased"}

func auditQueryOf(v url.Values) auditQuery {
	before, _ := strconv.ParseInt(v.Get("before"), 10, 64) // 0 if it is none
	return auditQuery{strings.TrimSpace(v.Get("person")), strings.TrimSpace(v.Get("actor")), v.Get("what"), v.Get("from"), v.Get("to"), max(before, 0)}
}

// URL is the address of the page that answers it.
func (q auditQuery) URL() string {
	v := url.Values{}
	for name, value := range map[string]string{"person": q.Person, "actor": q.Actor, "what": q.What, "from": q.From, "to": q.To} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Before > 0 {
		v.Set("before", strconv.FormatInt(q.Before, 10))
	}
	if len(v) == 0 {
		return Path + "/audit"
	}
	return Path + "/audit?" + v.Encode()
}

// query is what the log is asked, or what is wrong with the form.
func (q auditQuery) query() (ask audit.Query, wrong string) {
	ask = audit.Query{Actor: q.Actor, Op: q.What, Before: q.Before, Limit: auditSize}
	if q.What == "deactivate" || q.What == "activate" {
		ask.Op, ask.Limit = "update", auditRows
	}
	var err error
	if q.From != "" {
		if ask.Since, err = time.Parse(time.DateOnly, q.From); err != nil {
			return ask, "The first day must be written as 2026-01-31."
		}
	}
	if q.To != "" {
		if ask.Until, err = time.Parse(time.DateOnly, q.To); err != nil {
			return ask, "The last day must be written as 2026-01-31."
		}
		ask.Until = ask.Until.AddDate(0, 0, 1)
	}
	return ask, ""
}

// audit shows what happened, the newest first.
func (c *Console) audit(w http.ResponseWriter, r *http.Request, v *verdict) {
	q := auditQueryOf(r.URL.Query())
	p := auditPage{Ask: q, Whats: options(q.What, append([]string{"Anything"}, whats...)...), Verdict: v, Export: c.who(r).Admin}
	today := c.o.Now().UTC()
	day := func(back int) string { return today.AddDate(0, 0, -back).Format(time.DateOnly) }
	for _, l := range []struct {
		label string
		q     auditQuery
	}{
		{"Deactivated yesterday", auditQuery{What: "deactivate", From: day(1), To: day(1)}},
		{"Deactivated today", auditQuery{What: "deactivate", From: day(0), To: day(0)}},
		{"Deleted within a week", auditQuery{What: "delete", From: day(7), To: day(0)}},
		{"Everything today", auditQuery{From: day(0), To: day(0)}},
	} {
		p.Quick = append(p.Quick, quickLink{l.label, l.q.URL(), l.q == q})
	}
	status := http.StatusOK
	if err := c.fillAudit(r, &p); err != nil {
		c.o.Logger.Error("the console can't read the audit log", "tenant", c.tenant(), "error", err)
		status, p.Wrong = http.StatusInternalServerError, "The audit log can't be read: "+scim.AsError(err).Detail+". The log says more."
	} else if p.Wrong != "" {
		status = http.StatusBadRequest
	}
	if q.Before > 0 {
		q.Before = 0
		p.Latest = q.URL()
	}
	c.render(w, r, status, "audit.html", p)
}

// fillAudit finds what the form asks for.
func (c *Console) fillAudit(r *http.Request, p *auditPage) (err error) {
	ctx := c.context(r)
	if p.Head, err = c.realm.Audit.Head(ctx); err != nil {
		return err
	}
	ask, wrong := p.Ask.query()
	if p.Wrong = wrong; wrong != "" {
		return nil
	}
	if p.Ask.Person != "" {
		v, err := c.desk.Find(ctx, p.Ask.Person)
		switch {
		case errors.Is(err, people.ErrNoValue):
			p.Wrong = capital(err.Error()) + "."
			return nil
		case err != nil:
			return err
		}
		ask.Person = p.Ask.Person // of who can't be restored any more the log knows the id
		if v.Person != nil && v.Person.ID != "" {
			ask.Person = v.Person.ID
		}
	}
	var found []audit.Event
	for began := time.Now(); ; {
		page, err := c.realm.Audit.Query(ctx, ask)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if wantsEvent(p.Ask.What, &page.Events[i].Change) {
				found = append(found, page.Events[i])
			}
		}
		if ask.Before = page.Next; page.Next == 0 || len(found) >= auditSize/2 || time.Since(began) > auditTime {
			break
		}
	}
	if ask.Limit == auditRows && len(found) > auditSize {
		found = found[:auditSize]
		ask.Before = found[auditSize-1].Change.Seq
	}
	if older := p.Ask; ask.Before != 0 {
		older.Before = ask.Before
		p.Older, p.Partly = older.URL(), len(found) == 0
	}
	p.Events = c.auditEvents(r, found)
	return nil
}

// wantsEvent reports whether a change, which the log was asked for, is what the
// form means.
func wantsEvent(what string, ch *audit.Change) bool {
	if what != "deactivate" && what != "activate" {
		return true
	}
	deltas, err := changelog.Decode(ch.Deltas)
	return err == nil && activity(deltas) == what
}

// activity says whether a change deactivated or activated somebody.
func activity(deltas []scim.RecordDelta) string {
	for _, d := range deltas {
		if d.Path == "active" {
			switch {
			case slices.Contains(d.Added, any(false)):
				return "deactivate"
			case slices.Contains(d.Added, any(true)), slices.Contains(d.Removed, any(false)):
				return "activate"
			case slices.Contains(d.Removed, any(true)):
				return "deactivate"
			}
		}
	}
	return ""
}

// auditEvents puts events into words.
func (c *Console) auditEvents(r *http.Request, found []audit.Event) (list []auditEvent) {
	records := make([]scim.Record, len(found))
	for i := range found {
		ch := &found[i].Change
		deltas, err := changelog.Decode(ch.Deltas)
		if err != nil && len(ch.Deltas) > 0 {
			c.o.Logger.Error("the console can't read a row of the audit log", "tenant", c.tenant(), "row", ch.Seq, "error", err)
		}
		records[i] = scim.Record{Seq: ch.Seq, Time: ch.Time, Actor: ch.Actor, RequestID: ch.Request, Op: ch.Op, Type: ch.Type, ID: ch.ID, Changes: deltas}
	}
	names := c.namesIn(r, records)
	for i, rec := range records {
		e := auditEvent{N: found[i].N, Name: cmp.Or(names[rec.ID], nameIn(rec), rec.ID), Address: found[i].Change.Address, Kept: len(rec.Changes) > 0}
		if rec.Op == audit.OpErase {
			e.historyRow = historyRow{Time: rec.Time, Actor: rec.Actor, What: "Erased what was kept of"}
			e.Name, e.Erased, e.Kept = rec.ID, found[i].Rows, true
			list = append(list, e)
			continue
		}
		e.historyRow = historyOf(rec, rec.ID, names)
		switch {
		case rec.Op == "update" && activity(rec.Changes) == "deactivate":
			e.What = "Deactivated"
		case rec.Op == "update" && activity(rec.Changes) == "activate":
			e.What = "Activated"
		case rec.Op == "update" && len(rec.Changes) == 0:
			e.What = "Changed"
		case rec.Op == "update":
			e.What += " of"
		}
		e.What += " the " + one(rec.Type)
		e.Where = resourceURL(rec.Type, rec.ID)
		if t := c.typeNamed(rec.Type); t != nil && t.Membership() == nil {
			e.Why = personURL(rec.ID, false, "")
		}
		list = append(list, e)
	}
	return list
}

// nameIn is the name that a change gave or took, or "".
func nameIn(rec scim.Record) string {
	for _, path := range []string{"userName", "displayName"} {
		for _, d := range rec.Changes {
			if d.Path == path {
				for _, v := range slices.Concat(d.Added, d.Removed) {
					if s, ok := v.(string); ok {
						return s
					}
				}
			}
		}
	}
	return ""
}

// verify reads the whole chain: one at a time, and not for long.
func (c *Console) verify(w http.ResponseWriter, r *http.Request) {
	v := &verdict{}
	select {
	case c.verifying <- struct{}{}:
		defer func() { <-c.verifying }()
	default:
		v.Fault = "A chain is being verified just now; try again in a while."
		c.audit(w, r, v)
		return
	}
	ctx, cancel := context.WithTimeout(c.context(r), verifyTime)
	defer cancel()
	began := time.Now()
	_, err := c.realm.Audit.Seal(ctx)
	if err == nil {
		v.Verdict, err = audit.Verify(ctx, c.tenant(), c.realm.Audit, nil)
	}
	v.Took = time.Since(began)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		v.Fault = "That takes longer than a minute here. “rollcall audit verify --tenant " + c.tenant() + "” takes its time."
	case err != nil:
		c.o.Logger.Error("the console can't verify the audit log", "tenant", c.tenant(), "error", err)
		v.Fault = "The audit log can't be read: " + scim.AsError(err).Detail + ". The log says more."
	case !v.Good:
		c.o.Logger.Error("the audit log does not hold", "tenant", c.tenant(), "entry", v.Bad, "why", v.Why)
	}
	c.audit(w, r, v)
}

// exportAudit answers with the whole log, entry by entry.
func (c *Console) exportAudit(w http.ResponseWriter, r *http.Request) {
	if !c.who(r).Admin || c.realm.Export == nil {
		c.refuse(w, r, "The whole audit log is for operators. Log in with the API token, or as an operator.")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="rollcall-audit-`+c.tenant()+"-"+c.o.Now().UTC().Format("20060102-150405")+`.ndjson"`)
	control := http.NewResponseController(w)
	err := c.realm.Export(c.context(r), func(line []byte) error {
		_ = control.SetWriteDeadline(time.Now().Add(2 * quiet)) // some writers have none
		_, err := w.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		c.o.Logger.Warn("an export of the audit log was cut off", "tenant", c.tenant(), "error", err)
		panic(http.ErrAbortHandler) // so that nobody takes the part for the whole
	}
}
