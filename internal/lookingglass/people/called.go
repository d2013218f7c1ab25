package people

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
)

// called is a value that a client gave somebody, or asked for.
type called struct {
	name string // folded
	path string // of the attribute that had it; "" where that is not known
}

// saying is what one request, or one operation of a Bulk message, says of a user
// or a group: what became of it, and by which values it names them.
type saying struct {
	clue
	by []called
}

// lookFor is the op of a clue about a search.
const lookFor = "look for"

// sayings returns what an exchange says. Previews say nothing.
func sayings(x *lookingglass.Exchange) []saying {
	if preview(x) {
		return nil
	}
	s := saying{clue: clueOf(x)}
	switch {
	case x.Op == "bulk":
		return inBulk(s.clue, x)
	case !x.Writes():
		if x.Status >= 400 {
			s.op, s.by = lookFor, searched(x)
		}
	case s.typ == "User" || s.typ == "Group":
		s.by = namesIn(x)
	}
	if len(s.by) == 0 {
		return nil
	}
	return []saying{s}
}

// clueOf returns what is known of an exchange itself; of one that succeeded no
// more than is needed to find it. Its texts are its own: those of exchanges are
// parts of a long one, which they would keep in memory.
func clueOf(x *lookingglass.Exchange) clue {
	c := clue{seq: x.Seq, time: x.Time, op: strings.Clone(x.Op), typ: strings.Clone(cmp.Or(x.Type, "User")), target: strings.Clone(x.Target), status: x.Status}
	if x.Status < 300 && x.Op != "bulk" && x.Op != "delete" {
		return c
	}
	c.client, c.kind, c.actor = strings.Clone(clientName(x)), strings.Clone(x.Client.Kind), strings.Clone(x.Actor)
	if x.Fault != nil {
		c.detail, c.section = strings.Clone(x.Fault.Detail), strings.Clone(x.Fault.Section)
		for _, a := range x.Fault.Advice {
			c.advice = append(c.advice, lookingglass.Advice{Client: strings.Clone(a.Client), Text: strings.Clone(a.Text)})
		}
	}
	return c
}

// add adds a value, unless it is there or can't be one of a person.
func add(list []called, path, value string) []called {
	name := foldName(value)
	if name == "" || len(name) > maxValue || slices.ContainsFunc(list, func(c called) bool { return c.name == name }) {
		return list
	}
	return append(list, called{strings.Clone(name), path})
}

// nameOfType is the attribute that a resource is called by.
func nameOfType(typ string) string {
	if typ == "Group" {
		return "displayName"
	}
	return byName
}

// namesIn returns what a write calls its resource, and what it was called before.
func namesIn(x *lookingglass.Exchange) (list []called) {
	typ := cmp.Or(x.Type, "User")
	if x.Status < 300 {
		for _, c := range x.Changes {
			if path := c.Path; path == nameOfType(typ) || path == byExt || path == "emails" {
				if path == "emails" {
					path = byEmail
				}
				for _, side := range []string{c.Before, c.After} {
					for _, v := range values(jsonValues(side)) {
						list = add(list, path, v)
					}
				}
			}
		}
	}
	if body, err := scim.ParseObject([]byte(x.Request.Body), 0, 0); err == nil && x.Op != "delete" && x.Op != "patch" {
		list = inBody(list, typ, body)
	}
	return add(list, nameOfType(typ), x.Name)
}

// inBody adds what a resource is called in the body of a request.
func inBody(list []called, typ string, body scim.Object) []called {
	list = add(list, nameOfType(typ), text(body, nameOfType(typ)))
	list = add(list, byExt, text(body, byExt))
	if typ == "User" {
		for _, v := range values(body.Get("emails")) {
			list = add(list, byEmail, v)
		}
	}
	return list
}

// inBulk returns what the operations of a Bulk message say that create users and
// groups: the answer has them in the order of the message.
func inBulk(c clue, x *lookingglass.Exchange) (list []saying) {
	asked, answered := operations(x.Request.Body), operations(x.Response.Body)
	for i, op := range answered {
		if i >= len(asked) || !strings.EqualFold(text(asked[i], "method"), "POST") {
			continue
		}
		s := saying{clue: c}
		switch path := strings.Trim(text(asked[i], "path"), "/"); {
		case strings.EqualFold(path, "Users"):
			s.typ = "User"
		case strings.EqualFold(path, "Groups"):
			s.typ = "Group"
		default:
			continue
		}
		data, _ := asked[i].Get("data").(scim.Object)
		location := text(op, "location")
		s.op, s.by, s.target = "create", inBody(nil, s.typ, data), strings.Clone(location[strings.LastIndexByte(location, '/')+1:])
		s.status, _ = strconv.Atoi(text(op, "status"))
		if answer, ok := op.Get("response").(scim.Object); ok {
			s.detail = strings.Clone(text(answer, "detail"))
		}
		if len(s.by) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// operations returns those of a Bulk message or its answer, as far as it is kept.
func operations(body string) (list []scim.Object) {
	o, err := scim.ParseObject([]byte(body), 0, 0)
	if err != nil {
		return nil
	}
	all, _ := o.Get("Operations").([]any)
	for _, v := range all {
		op, _ := v.(scim.Object)
		list = append(list, op)
	}
	return list
}

// searched returns the texts that a filter compares with, also in one that could
// not be read.
func searched(x *lookingglass.Exchange) (list []called) {
	filter := x.Query
	if body, err := scim.ParseObject([]byte(x.Request.Body), 0, 0); err == nil {
		filter += " " + text(body, "filter")
	}
	for {
		start := strings.IndexByte(filter, '"')
		if start < 0 {
			return list
		}
		filter = filter[start:]
		end := 1
		for end < len(filter) && filter[end] != '"' {
			if filter[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(filter) {
			return list
		}
		if o, err := scim.ParseObject([]byte(`{"v":`+filter[:end+1]+`}`), 0, 0); err == nil {
			list = add(list, "", text(o, "v"))
		}
		filter = filter[end+1:]
	}
}
