package console

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// section is the attributes of one schema, as people read them.
type section struct {
	Title, URN string
	Fields     []field
}

type field struct {
	Name, About string
	Values      []shownValue
}

// shownValue is one value of an attribute.
type shownValue struct {
	Text  string
	URL   string // of the resource that it names
	Time  time.Time
	Marks []string // its type, and whether it is the primary one
	Parts []part   // of a complex value
}

type part struct {
	Name, Text string
}

// sections returns what a resource holds but groups and members, by schema.
func (c *Console) sections(t *scim.ResourceType, o scim.Object) []section {
	base := section{Title: t.Name, URN: t.Schema.ID}
	for _, a := range append([]*scim.Attribute{t.Schema.Attribute("userName")}, t.Schema.Attributes...) {
		if a == nil || a.Membership || a.Derived || a.Name == "userName" && len(base.Fields) > 0 {
			continue
		}
		base.add(c, a, o.Get(a.Name))
	}
	list := []section{base}
	for _, x := range t.Extensions {
		if in, ok := o.Get(x.Schema.ID).(scim.Object); ok {
			s := section{Title: x.Schema.Name, URN: x.Schema.ID}
			for _, a := range x.Schema.Attributes {
				s.add(c, a, in.Get(a.Name))
			}
			list = append(list, s)
		}
	}
	about := section{Title: "About"}
	for _, a := range scim.Common {
		switch a.Name {
		case "id", "externalId":
			about.add(c, a, o.Get(a.Name))
		case "meta":
			meta, _ := o.Get("meta").(scim.Object)
			for _, sub := range a.SubAttributes {
				about.add(c, sub, meta.Get(sub.Name))
			}
		}
	}
	return append(list, about)
}

func (s *section) add(c *Console, a *scim.Attribute, v any) {
	if v == nil {
		return
	}
	f := field{Name: a.Name, About: a.Description}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	}
	for _, v := range list {
		f.Values = append(f.Values, c.shown(a, v))
	}
	s.Fields = append(s.Fields, f)
}

// shown returns a value as people read it.
func (c *Console) shown(a *scim.Attribute, v any) shownValue {
	o, ok := v.(scim.Object)
	if !ok {
		s := shownValue{Text: text(v)}
		if a.Type == scim.TypeDateTime {
			if d, ok := scim.ParseDateTime(s.Text); ok {
				s.Time = d.Time
			}
		}
		return s
	}
	if len(a.Links) > 0 {
		l := c.link(o, a)
		return shownValue{Text: l.Name, URL: l.URL}
	}
	var s shownValue
	for _, m := range o {
		switch {
		case m.Name == "value" && s.Text == "":
			s.Text = text(m.Value)
		case m.Name == "type":
			s.Marks = append(s.Marks, text(m.Value))
		case m.Name == "primary":
			if m.Value == true {
				s.Marks = append(s.Marks, "primary")
			}
		default:
			s.Parts = append(s.Parts, part{m.Name, text(m.Value)})
		}
	}
	return s
}

// links returns the references in the values of an attribute.
func (c *Console) links(v any, a *scim.Attribute) []link {
	list, _ := v.([]any)
	var links []link
	for _, e := range list {
		if o, ok := e.(scim.Object); ok {
			links = append(links, c.link(o, a))
		}
	}
	return links
}

func (c *Console) link(o scim.Object, a *scim.Attribute) link {
	id := text(o.Get("value"))
	l := link{Name: id, Kind: text(o.Get("type"))}
	for _, name := range []string{"display", "displayName"} {
		if s := text(o.Get(name)); s != "" {
			l.Name = s
		}
	}
	if t := c.typeOfRef(text(o.Get("$ref")), a); t != nil && id != "" {
		l.URL = resourceURL(t.Name, id)
	}
	return l
}

// typeOfRef returns the type of the resource that a reference names: by its
// address, or if there is none the only one that the attribute can name.
func (c *Console) typeOfRef(ref string, a *scim.Attribute) *scim.ResourceType {
	if i := strings.LastIndexByte(ref, '/'); i >= 0 {
		for _, t := range c.o.Engine().Types() {
			if strings.HasSuffix("/"+ref[:i], t.Endpoint) {
				return t
			}
		}
	}
	names := a.Links
	if a.Derived && len(names) == 0 {
		names = []string{"Group"}
	}
	if len(names) == 1 {
		return c.typeNamed(names[0])
	}
	return nil
}

// text is a simple value as text; of any other its JSON.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return string(scim.AppendValue(nil, v))
}
