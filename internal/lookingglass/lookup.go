package lookingglass

import (
	"net/url"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// sought are the attributes by which clients look for one person or group, by
// their folded names.
var sought = map[string]string{"username": "userName", "externalid": "externalId", "emails": "emails", "displayname": "displayName", "id": "id"}

// lookupOf returns what a filter looks for, if it is one of the sought
// attributes being equal to a text, alone or joined by "and" with other
// conditions; but an id with other conditions is no search, it asks about a
// resource that is known.
func lookupOf(f scim.Filter) (attribute, value string, ok bool) {
	if v, is := f.(*scim.ValuePath); is {
		return inEmails(v)
	}
	if l, is := f.(*scim.LogExp); is && strings.EqualFold(l.Op, scim.And) {
		for _, side := range []scim.Filter{l.Left, l.Right} {
			if a, v, ok := lookupOf(side); ok && a != "id" {
				return a, v, true
			}
		}
		return "", "", false
	}
	e, is := f.(*scim.AttrExp)
	if !is || !strings.EqualFold(string(e.Op), string(scim.Eq)) {
		return "", "", false
	}
	value, is = e.Value.(string)
	attribute = sought[fold(e.Path.Name)]
	sub := fold(e.Path.Sub)
	if !is || attribute == "" || value == "" || sub != "" && (attribute != "emails" || sub != "value") {
		return "", "", false
	}
	return attribute, value, true
}

// inEmails is lookupOf for emails[type eq "work" and value eq "…"].
func inEmails(v *scim.ValuePath) (attribute, value string, ok bool) {
	all, ok := scim.Conjunction(v.Filter)
	if !ok || !strings.EqualFold(v.Path.Name, "emails") {
		return "", "", false
	}
	for _, e := range all {
		name := e.Path.Sub // bound
		if name == "" {
			name = e.Path.Name
		}
		if s, is := e.Value.(string); is && strings.EqualFold(name, "value") && strings.EqualFold(string(e.Op), string(scim.Eq)) && s != "" {
			return "emails", s, true
		}
	}
	return "", "", false
}

// missedID returns the id of a GET that found nothing.
func missedID(local string) string {
	segments := strings.Split(strings.Trim(local, "/"), "/")
	if len(segments) != 2 {
		return ""
	}
	id, err := url.PathUnescape(segments[1])
	if err != nil || strings.HasPrefix(id, ".") {
		return ""
	}
	return id
}

// anyCase is an attribute whose values compare without regard to case.
var anyCase = &scim.Attribute{Type: scim.TypeString, Precis: scim.PrecisUsername}

// foldValue is how values that were looked for are compared, whatever the
// attribute.
func foldValue(s string) string { return scim.Fold(anyCase, strings.TrimSpace(s)) }
