package people

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
)

// delta is what changed in one attribute, as either source tells it.
type delta struct {
	path           string
	added, removed []any
}

// ofRecord puts an entry of the change log into words.
func (t *teller) ofRecord(r scim.Record) Event {
	e := Event{Time: r.Time, Client: actorName(r.Actor), Change: r.Seq}
	if x := t.by[r.RequestID]; x != nil && r.RequestID != "" {
		e.Client, e.Seq, e.Status = clientName(x), x.Seq, x.Status
	}
	var deltas []delta
	for _, c := range r.Changes {
		deltas = append(deltas, delta{c.Path, c.Added, c.Removed})
	}
	t.tell(&e, r.Op, r.Type, r.ID, deltas, r.Actor == "rollcall users restore")
	if r.ID == t.who.ID && r.Type == "User" && strings.Contains(e.Words, "deactivated") {
		lost := slices.ContainsFunc(t.records, func(o scim.Record) bool { return r.RequestID != "" && o.RequestID == r.RequestID && o.ID != r.ID })
		if !lost {
			e.Words += "; groups kept"
		}
	}
	return e
}

// tell puts a change of a resource into words.
func (t *teller) tell(e *Event, op, typ, id string, deltas []delta, restored bool) {
	who := sentence(e.Client)
	e.Kind = "change"
	if id != t.who.ID {
		e.Kind = "group"
	}
	if typ == "Group" {
		t.tellGroup(e, who, op, id, deltas)
		return
	}
	name := t.nameOf(typ, id)
	say := func(format string, args ...any) {
		e.Words = who + " " + fmt.Sprintf(format, args...)
	}
	active, toggled := t.toggled(deltas)
	renamed, was, is := renaming(deltas, byName)
	switch {
	case op == "create" && restored:
		say("gave %s back, who had been deleted", name)
	case op == "create" && toggled && !active:
		say("created %s, inactive", name)
	case op == "create":
		say("created %s", name)
	case op == "delete":
		say("deleted %s", name)
	case toggled && active:
		say("activated %s", name)
	case toggled:
		say("deactivated %s", name)
	case renamed:
		say("renamed %s to %s", was, is)
	default:
		say("changed %s of %s", paths(deltas), name)
	}
	if op != "delete" && op != "create" {
		e.Details = details(deltas, toggled && len(deltas) == 1)
	}
}

// tellGroup puts a change of a group into words, from where the person stands.
func (t *teller) tellGroup(e *Event, who, op, id string, deltas []delta) {
	name := t.nameOf("Group", id)
	renamed, was, is := renaming(deltas, "displayName")
	if renamed && op == "create" {
		name = is
	}
	var joined, left int
	var self, selfLeft bool
	for _, c := range deltas {
		if c.path != "members" {
			continue
		}
		joined, left = joined+len(c.added), left+len(c.removed)
		self = self || t.among(c.added)
		selfLeft = selfLeft || t.among(c.removed)
	}
	person := t.person()
	others := func(n int, verb string) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("%s %d %s", verb, n, plural(n, "other"))
	}
	switch {
	case op == "create" && self:
		e.Words = fmt.Sprintf("%s created the group %s with %s", who, name, person)
	case op == "create" && joined == 0:
		e.Words = fmt.Sprintf("%s created the group %s, empty", who, name)
	case op == "create":
		e.Words = fmt.Sprintf("%s created the group %s with %d %s", who, name, joined, plural(joined, "member"))
	case op == "delete" && selfLeft:
		e.Words = fmt.Sprintf("%s deleted the group %s, with %s in it", who, name, person)
	case op == "delete":
		e.Words = fmt.Sprintf("%s deleted the group %s", who, name)
	case self:
		e.Words = fmt.Sprintf("%s added %s to %s", who, person, name)
		e.Details = some(others(joined-1, "and"))
	case selfLeft:
		e.Words = fmt.Sprintf("%s removed %s from %s", who, person, name)
		e.Details = some(others(left-1, "and"))
	case joined+left > 0:
		e.Words = fmt.Sprintf("%s changed the members of %s", who, name)
		e.Details = some(fmt.Sprintf("%d added, %d removed", joined, left))
		if id == t.who.ID {
			e.Details = t.members(deltas)
		}
	case renamed:
		e.Words = fmt.Sprintf("%s renamed the group %s to %s", who, was, is)
	default:
		e.Words = fmt.Sprintf("%s changed %s of the group %s", who, paths(deltas), name)
		e.Details = details(deltas, false)
	}
}

// members names who joined and left, the first few of them.
func (t *teller) members(deltas []delta) (list []string) {
	for _, c := range deltas {
		for i, what := range [][]any{c.added, c.removed} {
			var people []string
			for _, v := range what[:min(len(what), 5)] {
				people = append(people, t.nameOf("User", idOf(v)))
			}
			if more := len(what) - len(people); more > 0 {
				people = append(people, fmt.Sprintf("%d more", more))
			}
			if len(people) > 0 {
				list = append(list, []string{"added: ", "removed: "}[i]+strings.Join(people, ", "))
			}
		}
	}
	return list
}

// ofExchange puts a request into words; false if the change log does.
func (t *teller) ofExchange(x *lookingglass.Exchange) (Event, bool) {
	if x.ID != "" && t.recorded[x.ID] {
		return Event{}, false
	}
	e := Event{Time: x.Time, Client: clientName(x), Seq: x.Seq, Status: x.Status}
	who, name := sentence(e.Client), t.target(x)
	say := func(kind, format string, args ...any) {
		e.Kind, e.Words = kind, who+" "+fmt.Sprintf(format, args...)
	}
	switch {
	case preview(x):
		say("preview", "asked what a change of %s would do; nothing was done", name)
	case x.Status >= 400:
		why := "no reason was given"
		if x.Fault != nil && x.Fault.Detail != "" {
			why = x.Fault.Detail
		}
		if !x.Writes() {
			say("refused", "asked for %s and got %d: %s", name, x.Status, why)
			break
		}
		say("refused", "tried to %s %s and was refused with %d: %s", verb(x.Op), name, x.Status, why)
	case x.Writes() && t.inLog(x):
		return Event{}, false
	case x.Writes() && (len(x.Changes) > 0 || x.Op == "create" || x.Op == "delete"):
		t.tellExchange(&e, x) // the change log does not have it, or not about whom this is
	case x.Op == "bulk":
		say("change", "sent a Bulk request that touched %s", t.person())
	case x.Writes():
		say("read", "sent a change of %s that changed nothing", name)
	case x.Lookup != nil && x.Lookup.Found > 0:
		say("lookup", "looked for %s by %s and found %s", quote(x.Lookup.Value), label(x.Lookup.Attribute), count(x.Lookup.Found))
	case x.Lookup != nil:
		say("lookup", "looked for %s by %s and found nobody", quote(x.Lookup.Value), label(x.Lookup.Attribute))
	case x.Op == "get":
		say("read", "read %s", name)
	default:
		say("read", "listed %s", t.listed(x))
	}
	return e, true
}

// inLog reports whether the change log, of which this page has a part, must have
// what a request changed.
func (t *teller) inLog(x *lookingglass.Exchange) bool {
	if t.d.s.Changes == nil || len(x.Changes) == 0 && x.Op != "create" && x.Op != "delete" {
		return false
	}
	return slices.Contains(t.ids, x.Target)
}

// tellExchange puts what the recorder saw change into words.
func (t *teller) tellExchange(e *Event, x *lookingglass.Exchange) {
	var deltas []delta
	for _, c := range x.Changes {
		deltas = append(deltas, t.own(delta{c.Path, jsonValues(c.After), jsonValues(c.Before)}, x))
	}
	op := x.Op
	if op != "create" && op != "delete" {
		op = "update"
	}
	typ := x.Type
	if typ == "" {
		typ = t.who.Type
	}
	if x.Name != "" && x.Target != "" && t.known[x.Target] == "" {
		t.known[x.Target] = x.Name
	}
	t.tell(e, op, typ, x.Target, deltas, false)
}

// own puts the person's id among members that the recorder has under a name that
// the person no longer has.
func (t *teller) own(c delta, x *lookingglass.Exchange) delta {
	if c.path != "members" || t.among(c.added) || t.among(c.removed) || t.who.Type == "Group" || !slices.Contains(x.Touched, t.who.ID) {
		return c
	}
	switch {
	case len(c.removed) == 0 && len(c.added) > 0:
		c.added[0] = t.who.ID
	case len(c.added) == 0 && len(c.removed) > 0:
		c.removed[0] = t.who.ID
	}
	return c
}

// ofSought puts a search that found nobody into words.
func (t *teller) ofSought(s lookingglass.Sought) Event {
	e := Event{Time: s.Last, Kind: "lookup", Client: clientName(&lookingglass.Exchange{Client: s.Client}), Times: s.Times}
	if s.Times > 1 {
		e.Time, e.Until = s.Last, s.Last
	}
	e.Words = fmt.Sprintf("%s looked for %s by %s and found nobody", sentence(e.Client), quote(s.Value), label(s.Attribute))
	if s.Times > 1 {
		e.Details = []string{fmt.Sprintf("%d times since %s", s.Times, Moment(s.First))}
	}
	return e
}

// person is whom the timeline is about, in a sentence.
func (t *teller) person() string {
	if t.who.Type == "Group" {
		return "the group " + t.who.Name
	}
	return t.who.Name
}

// target is what a request is about, in a sentence.
func (t *teller) target(x *lookingglass.Exchange) string {
	switch {
	case x.Target == t.who.ID && x.Target != "", x.Target == "":
		return t.person()
	case x.Type == "Group":
		return "the group " + t.nameOf("Group", x.Target)
	case x.Name != "":
		return x.Name
	}
	return x.Target
}

func (t *teller) listed(x *lookingglass.Exchange) string {
	what := "resources"
	switch x.Type {
	case "User":
		what = "users"
	case "Group":
		what = "groups"
	}
	return what + ", " + t.person() + " among them"
}

// nameOf returns what a resource is called, its id at worst.
func (t *teller) nameOf(typ, id string) string {
	if id == t.who.ID {
		return t.who.Name
	}
	if name, ok := t.known[id]; ok {
		return name
	}
	name := id
	p, err := t.d.load(t.ctx, typ, id)
	if p == nil && err == nil && typ == "User" { // a group may be a member, too
		p, err = t.d.load(t.ctx, "Group", id)
	}
	if err == nil && p != nil && p.Name != "" {
		name = p.Name
	} else if t.d.s.Changes != nil { // deleted: as it was called
		list, _ := t.d.s.Changes.Changes(t.ctx, scim.ChangeQuery{ID: id})
		for _, r := range list {
			for _, c := range r.Changes {
				if c.Path == nameOfType(r.Type) && len(c.Added) > 0 {
					name, _ = c.Added[0].(string)
				}
			}
		}
	}
	t.known[id] = name
	return name
}

// toggled says what became of active, where it changed.
func (t *teller) toggled(deltas []delta) (active, toggled bool) {
	for _, c := range deltas {
		if c.path == "active" && len(c.added) > 0 {
			return !isFalse(c.added[0]), true
		}
		if c.path == "active" && len(c.removed) > 0 {
			return true, isFalse(c.removed[0]) // unassigned: nothing says that the person is not
		}
	}
	return true, false
}

func renaming(deltas []delta, path string) (renamed bool, was, is string) {
	for _, c := range deltas {
		if c.path == path && len(c.added) > 0 {
			is, _ = c.added[0].(string)
			if len(c.removed) > 0 {
				was, _ = c.removed[0].(string)
			}
			return true, was, is
		}
	}
	return false, "", ""
}

// paths names the attributes that changed.
func paths(deltas []delta) string {
	var list []string
	for _, c := range deltas {
		list = append(list, label(c.path))
	}
	switch n := len(list); {
	case n == 0:
		return "nothing"
	case n > 4:
		return fmt.Sprintf("%s and %d more attributes", strings.Join(list[:3], ", "), n-3)
	case n > 1:
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return list[0]
}

// details shows the values before and after.
func details(deltas []delta, told bool) (list []string) {
	if told {
		return nil
	}
	for i, c := range deltas {
		if i == 20 {
			return append(list, fmt.Sprintf("and %d more", len(deltas)-i))
		}
		switch before, after := show(c.removed), show(c.added); {
		case before == "" && after == "":
			list = append(list, label(c.path)+" changed; its value is not kept")
		case before == "":
			list = append(list, label(c.path)+": "+after)
		case after == "":
			list = append(list, label(c.path)+": no longer "+before)
		default:
			list = append(list, label(c.path)+": "+before+" → "+after)
		}
	}
	return list
}

// show writes values as JSON, cut to what a line can hold.
func show(vs []any) string {
	const most = 120
	var parts []string
	for _, v := range vs {
		parts = append(parts, string(scim.AppendValue(nil, v)))
		if len(parts) == 5 {
			break
		}
	}
	s := strings.Join(parts, ", ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

// jsonValues reads the JSON of one value, or of an array of them.
func jsonValues(text string) []any {
	if text == "" {
		return nil
	}
	o, err := scim.ParseObject([]byte(`{"v":`+text+`}`), 0, 0)
	if err != nil {
		return []any{text} // cut
	}
	if list, ok := o.Get("v").([]any); ok {
		return list
	}
	return []any{o.Get("v")}
}

// among reports whether the person is among members, which the recorder gives by
// name where it knows that.
func (t *teller) among(members []any) bool {
	if t.who.ID == "" {
		return false
	}
	return slices.ContainsFunc(members, func(v any) bool {
		id := idOf(v)
		return id == t.who.ID || t.d.s.Changes == nil && id != "" && slices.Contains(t.names, id)
	})
}

func idOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case scim.Object:
		return text(v, "value")
	}
	return ""
}

// preview reports whether a write was only asked for, not done: to try it out,
// or in a way that is not understood, which is refused.
func preview(x *lookingglass.Exchange) bool {
	if x.Query == "" {
		return false
	}
	q, err := url.ParseQuery(x.Query)
	if err != nil {
		return false
	}
	var asked []string
	for name, values := range q {
		if strings.EqualFold(name, "dryRun") {
			asked = append(asked, values...)
		}
	}
	return len(asked) > 1 || len(asked) == 1 && asked[0] != "false"
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func count(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
