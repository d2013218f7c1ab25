package engine

import (
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// anywhere is the endpoint name that cursors of a search over all types carry.
const anywhere = "/"

// listAll answers GET on the base URI: a search over all resource types
// (RFC 7644 §3.4.2.1).
func (c *call) listAll() (Response, error) {
	p, err := c.params()
	if err != nil {
		return Response{}, err
	}
	return c.pageOfAll(p)
}

// searchAll answers POST .search on the base URI (RFC 7644 §3.4.3).
func (c *call) searchAll() (Response, error) {
	p, err := c.searchRequest()
	if err != nil {
		return Response{}, err
	}
	return c.pageOfAll(p)
}

// pageOfAll answers one page of the resources of all types: without sortBy in
// the order of the types, with it merged. One List per type; no backend sees
// more than one.
func (c *call) pageOfAll(p params) (Response, error) {
	count := c.size(p, c.e.c.Limits.DefaultPage)
	sources, err := c.sources(p)
	if err != nil {
		return Response{}, err
	}
	at := position{Count: count, Total: -1}
	if p.hasCursor {
		if at, err = c.openCursor(anywhere, p, &count); err != nil {
			return Response{}, err
		}
		if len(at.Places) != 0 && len(at.Places) != len(sources) {
			return Response{}, errCursor // the server has other types now
		}
		for i, place := range at.Places {
			sources[i].at, sources[i].resumed = place, true
		}
	}
	l := listing{asked: p.asked(), selection: map[*scim.ResourceType]scim.Selection{}}
	for _, s := range sources {
		l.selection[s.query.Type] = s.query.Selection
	}
	take := c.concatenate
	if p.sortBy != "" {
		take = c.merge
	}
	var places []place
	if l.resources, places, err = take(sources, p, count); err != nil {
		return Response{}, err
	}
	if l.total = at.Total; len(at.Places) == 0 {
		l.total = 0
		for _, s := range sources {
			l.total += s.total
		}
		if most := c.e.c.MultiTypeMax; most > 0 && l.total > most {
			return Response{}, scim.Errorf(scim.TypeTooMany,
				"%d resources match, more than the %d that a search over all types may; narrow the filter (RFC 7644 §3.4.2.1)", l.total, most)
		}
	}
	if !p.hasCursor {
		l.startIndex = p.startIndex
		return c.respond(l), nil
	}
	l.noTotal = c.e.c.NoTotals && count > 0
	if places != nil && count > 0 {
		l.next, err = c.sealCursor(anywhere, p, position{Count: count, Total: l.total, Places: places})
	}
	return c.respond(l), err
}

// sources returns the query of each type, bound to it. A type whose resources
// the filter excludes by meta.resourceType is left out of the search.
func (c *call) sources(p params) ([]*source, error) {
	var list []*source
	var sortErr error
	sortable := p.sortBy == ""
	for _, t := range c.e.types {
		f, err := c.filter(t, p, true)
		if err != nil {
			return nil, err
		}
		s := &source{c: c, query: scim.Query{Type: t, Filter: f, Descending: p.descending, Selection: p.projection.bind(t)}}
		s.at.Done = decide(f, t.Name) == no
		if p.sortBy != "" {
			// A type that lacks the attribute has resources without a value.
			if s.query.SortBy, err = filter.BindSort(t, p.sortBy); err != nil {
				sortErr = err
			} else {
				sortable = true
			}
		}
		list = append(list, s)
	}
	if !sortable {
		return nil, sortErr
	}
	return list, nil
}

// verdict is what a filter says of all resources of a type.
type verdict int

const (
	no verdict = iota - 1
	maybe
	yes
)

// decide evaluates the filter as far as meta.resourceType alone decides it.
func decide(f scim.Filter, typeName string) verdict {
	switch f := f.(type) {
	case *scim.AttrExp:
		if f.Path.URN != "" || !strings.EqualFold(f.Path.Name, "meta") || !strings.EqualFold(f.Path.Sub, "resourceType") {
			return maybe
		}
		switch same := f.Value == typeName; {
		case f.Op == scim.Eq && same, f.Op == scim.Ne && !same:
			return yes
		case f.Op == scim.Eq, f.Op == scim.Ne:
			return no
		}
	case *scim.NotExp:
		return -decide(f.Filter, typeName)
	case *scim.LogExp:
		l, r := decide(f.Left, typeName), decide(f.Right, typeName)
		if strings.EqualFold(f.Op, scim.And) {
			return min(l, r)
		}
		return max(l, r)
	}
	return maybe
}
