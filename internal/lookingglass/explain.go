package lookingglass

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// How many touched ids are kept of a read and of a write.
const (
	mostRead    = 200
	mostWritten = 2000
)

// ruleTexts are the rules of package compat in words.
var ruleTexts = func() map[string]string {
	m := map[string]string{}
	for _, r := range compat.Rules() {
		m[r.ID] = r.What
	}
	return m
}()

// lists are those of an exchange that nobody has any more: the next one uses
// their memory.
type lists struct {
	asked, answered []Header
	steps           []Step
	changes         []Change
	touched         []string
}

func (l *lists) of(x *Exchange) {
	*l = lists{x.Request.Headers[:0], x.Response.Headers[:0], x.Steps[:0], x.Changes[:0], x.Touched[:0]}
	if cap(l.touched) > mostRead {
		l.touched = nil
	}
}

// explain makes the record of what was seen. Only the worker calls it.
func (r *Recorder) explain(s *seen, seq int64) *Exchange {
	r.recall()
	red := r.redaction.begin(r.names, r.words)
	headers, answerHeaders := red.fields(r.lists.asked, s.headers), red.fields(r.lists.answered, s.answer)
	resp, notes := &s.x.Response, s.trace.Notes()
	x := &Exchange{Seq: seq, ID: s.x.RequestID, Time: s.x.Started.UTC().Truncate(time.Millisecond), Tenant: cmp.Or(s.tenant, r.o.Tenant), Actor: s.actor, Instance: r.o.Instance,
		Method: s.method, Local: s.x.Request.Path, Base: s.x.Request.Base, Op: resp.Operation, Type: resp.Type, Target: resp.ID,
		Status: resp.Status, Micros: Split{Total: s.x.Duration.Microseconds(), Parse: notes.Parse.Microseconds(),
			Backend: notes.Backend.Microseconds(), Encode: notes.Encode.Microseconds()}}
	if x.Time.IsZero() {
		x.Time = r.o.Now().UTC().Truncate(time.Millisecond)
	}
	x.Path, x.Local = red.pairs(red.path(s.target, s.url)), red.pairs(x.Local)
	if x.Local == "" {
		x.Local = x.Path
	}
	raw := ""
	if s.url != nil {
		raw = s.url.RawQuery
		x.Query, x.Sent = red.query(raw)
	}

	request, body := red.message(&r.asked, s.x.RequestBody, s.x.RequestSize)
	response, answer := red.message(&r.answered, s.x.ResponseBody, s.x.ResponseSize)
	request.Headers, response.Headers = headers, answerHeaders
	x.Request, x.Response = request, response

	text := strings.Clone(body.get("filter").text())
	if text == "" && s.x.Request.Query != nil {
		text = red.filter(s.x.Request.Query.Get("filter"))
	}
	f := notes.Filter
	if f == nil && text != "" && text != mask {
		f, _ = filter.Parse(text, filter.Options{UnquotedStrings: true})
	}
	x.Filter = Tree(f)
	x.Steps = stepsOf(r.lists.steps, s.trace)

	known := r.known.learn(x.Tenant, answer)
	x.Changes = red.changes(r.lists.changes, &notes, known)
	for _, id := range resp.Rules {
		x.Rules = append(x.Rules, Rule{ID: id, What: ruleTexts[id]})
	}
	e := &evidence{actor: s.actor, headers: s.headers, query: raw, filter: text, body: body, rules: resp.Rules,
		bareQuestion: strings.HasSuffix(s.target, "?")}
	e.agent = e.header("User-Agent")
	x.Client = r.clients.of(e)
	x.Fault = faultOf(x, resp.Err, answer)
	x.Lookup = lookup(x, f, answer)
	x.Name = nameOf(x, body, answer, &notes, known)
	x.Touched = touched(r.lists.touched, x, &notes)
	red.scrub(x)
	return x
}

// lookup returns what the request looked for.
func lookup(x *Exchange, f scim.Filter, answer node) *Lookup {
	switch {
	case x.Status == http.StatusNotFound && x.Op == "get" && missedID(x.Local) != "":
		return &Lookup{Attribute: "id", Value: missedID(x.Local)}
	case x.Status != http.StatusOK || f == nil:
		return nil
	}
	attribute, value, ok := lookupOf(f)
	if !ok {
		return nil
	}
	found := 0
	if n := answer.get("totalResults"); n.is('0') {
		found, _ = strconv.Atoi(n.t.list[n.i].text)
	} else if list := answer.get("Resources"); list.is('[') {
		for range list.elements() {
			found++
		}
	} else {
		return nil // the answer is not at hand
	}
	return &Lookup{attribute, value, found}
}

// nameOf returns the name of the resource that the exchange is about.
func nameOf(x *Exchange, body, answer node, n *scim.TraceNotes, known func(string) string) string {
	name := naming(answer)
	for _, res := range []*scim.Resource{n.After, n.Before} {
		if name == "" && res != nil {
			for _, attribute := range namedBy {
				if s, _ := res.Attrs.Get(attribute).(string); name == "" {
					name = short(s)
				}
			}
		}
	}
	if name == "" {
		name = naming(body)
	}
	if name == "" {
		name = known(x.Target)
	}
	if name == "" && x.Lookup != nil && x.Lookup.Attribute != "id" {
		name = x.Lookup.Value
	}
	return name
}

// namedBy are the attributes that name a resource, the better first.
var namedBy = []string{"userName", "displayName"}

// naming is userName or else displayName.
func naming(o node) string {
	for _, attribute := range namedBy {
		if s := o.lookup(attribute).text(); s != "" {
			return strings.Clone(short(s))
		}
	}
	return ""
}

// touched returns the ids of what the exchange is about, each once.
func touched(list []string, x *Exchange, n *scim.TraceNotes) []string {
	most := mostWritten
	if x.Method == http.MethodGet || x.Op == "search" || x.Op == "list" {
		most = mostRead
	}
	const fewIDs = 8
	var have map[string]bool // of many
	add := func(ids ...string) {
		for _, id := range ids {
			if id == "" || len(list) == most || have[id] || have == nil && slices.Contains(list, id) {
				continue
			}
			if list = append(list, id); len(list) == fewIDs {
				have = make(map[string]bool, 4*fewIDs)
				for _, id := range list {
					have[id] = true
				}
			} else if have != nil {
				have[id] = true
			}
		}
	}
	add(x.Target)
	if x.Lookup != nil && x.Lookup.Attribute == "id" {
		add(x.Lookup.Value)
	}
	add(n.Members.Added...)
	add(n.Members.Removed...)
	for i := range n.Deltas {
		if a := n.Deltas[i].Path.Attr; a != nil && a.Membership {
			add(memberIDs(n.Deltas[i].Added)...)
			add(memberIDs(n.Deltas[i].Removed)...)
		}
	}
	add(n.Touched...)
	return list
}

// acquaintances are names by ids, of resources that were in answers lately.
type acquaintances map[string]string

// mostKnown bounds them.
const mostKnown = 4096

// learn notes the names in an answer, and returns a function that tells them.
func (a acquaintances) learn(tenant string, answer node) func(id string) string {
	one := func(o node) {
		id := o.get("id").text()
		if name := naming(o); id != "" && name != "" {
			if len(a) >= mostKnown {
				clear(a)
			}
			a[tenant+"/"+id] = name
		}
	}
	one(answer)
	for o := range answer.get("Resources").elements() {
		one(o)
	}
	n := 0
	for o := range answer.get("members").elements() {
		if n++; n > mostMembers {
			break
		}
		id, name := o.get("value").text(), o.get("display").text()
		if id != "" && name != "" && len(a) < mostKnown {
			a[tenant+"/"+id] = strings.Clone(short(name))
		}
	}
	return func(id string) string { return a[tenant+"/"+id] }
}
