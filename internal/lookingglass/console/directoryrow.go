package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

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
