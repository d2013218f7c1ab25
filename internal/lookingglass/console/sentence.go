package console

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// clientName is what a kind of client is called where no sentence is around it.
func clientName(kind string) string {
	name := lookingglass.Label(kind)
	for _, article := range []string{"a ", "an "} {
		if rest, ok := strings.CutPrefix(name, article); ok {
			return capital(rest)
		}
	}
	return name
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// subjectName is what a kind of client is called at the beginning of a sentence.
func subjectName(kind string) string {
	if name := lookingglass.Label(kind); strings.HasPrefix(name, "a ") || strings.HasPrefix(name, "an ") {
		return capital(name)
	}
	return cmp.Or(lookingglass.Label(kind), "A client")
}

// sentence says what an exchange was, and what came of it.
func sentence(x *lookingglass.Exchange) string {
	who, what := subjectName(x.Client.Kind), thing(x)
	if x.Status >= 400 {
		return failed(x, who, what)
	}
	switch x.Op {
	case "create":
		return who + " created " + what + "."
	case "get":
		if x.Status == 304 {
			return who + " asked whether " + what + " has changed; it has not."
		}
		return who + " read " + what + "."
	case "list", "search":
		return who + " " + sought(x)
	case "replace", "patch":
		if len(x.Changes) == 0 {
			return who + " asked for a change of " + what + "; it was so already, and nothing was written."
		}
		return who + " " + changed(x.Changes, what)
	case "delete":
		return who + " deleted " + what + "."
	case "bulk":
		return who + " sent several operations in one message."
	case "discovery":
		return who + " asked what this server can do."
	case "preview":
		if x.Type == "" {
			return who + " asked what several operations in one message would do; nothing was written."
		}
		doing := map[string]string{"POST": "creating", "PUT": "replacing", "PATCH": "changing", "DELETE": "deleting"}[x.Method]
		return who + " asked what " + cmp.Or(doing, x.Method) + " " + what + " would do; nothing was written."
	}
	return who + " sent " + x.Method + " " + x.Path + "."
}

func failed(x *lookingglass.Exchange, who, what string) string {
	verb := map[string]string{"create": "create", "get": "read", "replace": "replace", "patch": "change", "delete": "delete"}[x.Op]
	var tried string
	switch {
	case verb != "":
		tried = who + " could not " + verb + " " + what
	case x.Op == "list" || x.Op == "search":
		tried = who + " could not search " + plurals(x.Type)
	case x.Op == "bulk":
		tried = who + " could not have a Bulk message done"
	default:
		tried = who + " got no answer to " + x.Method + " " + x.Path
	}
	switch {
	case x.Status == 401:
		return tried + ": its token was not accepted."
	case x.Status == 404 && verb != "":
		return tried + ": it is not here."
	case x.Status == 412:
		return tried + ": it has changed since the client read it."
	case x.Status == 409:
		return tried + ": it conflicts with what is here."
	case x.Status == 429:
		return tried + ": it asks too often."
	case x.Status >= 500:
		return tried + ": something failed behind the request."
	}
	return tried + ": the request was refused."
}

// changed says what a write did to something.
func changed(list []lookingglass.Change, what string) string {
	var paths []string
	for _, ch := range list {
		switch {
		case ch.Path == "active" && ch.After == "false":
			return "deactivated " + what + more(len(list)-1) + "."
		case ch.Path == "active" && ch.After == "true":
			return "activated " + what + more(len(list)-1) + "."
		}
		paths = append(paths, ch.Path)
	}
	if len(paths) > 3 {
		return "changed " + strings.Join(paths[:2], ", ") + " and " + plural(len(paths)-2, "more attribute") + " of " + what + "."
	}
	return "changed " + enumerate(paths) + " of " + what + "."
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return " and changed " + plural(n, "other attribute")
}

// sought says what was searched for, and whether it was found.
func sought(x *lookingglass.Exchange) string {
	switch l := x.Lookup; {
	case l == nil && x.Filter == nil:
		return "listed " + plurals(x.Type) + "."
	case l == nil:
		return "searched for the " + plurals(x.Type) + " of which this holds: " + flat(x.Filter) + "."
	case l.Found == 0:
		return "looked for the " + one(x.Type) + " with " + l.Attribute + " “" + l.Value + "”; there is none."
	default:
		return "looked for the " + one(x.Type) + " with " + l.Attribute + " “" + l.Value + "” and found it."
	}
}

// thing is what an exchange was about.
func thing(x *lookingglass.Exchange) string {
	switch {
	case x.Name != "":
		return "the " + one(x.Type) + " " + x.Name
	case x.Target != "":
		return "the " + one(x.Type) + " " + x.Target
	case x.Type != "":
		return "a " + one(x.Type)
	}
	return "a resource"
}

func one(resourceType string) string {
	switch resourceType {
	case "":
		return "resource"
	case "User", "Group":
		return strings.ToLower(resourceType)
	}
	return resourceType
}

func plurals(resourceType string) string { return one(resourceType) + "s" }

func enumerate(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

// flat is a filter as one line.
func flat(n *lookingglass.Node) string {
	switch n.Text {
	case "and", "or":
		var parts []string
		for _, under := range n.Under {
			if text := flat(under); under.Text == "or" || under.Text == "and" {
				parts = append(parts, "("+text+")")
			} else {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, " "+n.Text+" ")
	case "not":
		if len(n.Under) == 1 {
			return "not (" + flat(n.Under[0]) + ")"
		}
	}
	return n.Text
}

// deed is the word for an operation in the list.
func deed(x *lookingglass.Exchange) string {
	for i := 0; i < len(operations); i += 2 {
		if operations[i] == x.Op {
			if x.Lookup != nil {
				return "Look up"
			}
			return operations[i+1]
		}
	}
	return x.Method
}

// touches names what a write changed, "nothing" if it changed nothing; "" for
// what is no change of something that was there.
func touches(x *lookingglass.Exchange) string {
	if x.Status >= 300 || x.Op != "patch" && x.Op != "replace" {
		return ""
	}
	var paths []string
	for _, ch := range x.Changes {
		paths = append(paths, ch.Path)
	}
	switch {
	case len(paths) == 0:
		return "nothing"
	case len(paths) > 4:
		return strings.Join(paths[:3], ", ") + " and " + strconv.Itoa(len(paths)-3) + " more"
	}
	return strings.Join(paths, ", ")
}

// subject is what a row of the list says an exchange was about.
func subject(x *lookingglass.Exchange) string {
	switch {
	case x.Name != "":
		return x.Name
	case x.Lookup != nil:
		return x.Lookup.Value
	case x.Filter != nil:
		return flat(x.Filter)
	case x.Target != "":
		return x.Target
	}
	return x.Path
}
