package engine

import (
	"net/url"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// list answers GET on an endpoint of resources (RFC 7644 §3.4.2).
func (c *call) list(t *scim.ResourceType) (Response, error) {
	p, err := c.params()
	if err != nil {
		return Response{}, err
	}
	byDefault := c.e.c.Limits.DefaultPage
	if c.e.c.Profile.Switches.AllGroups && t.Membership() != nil && !p.hasCount && !p.hasStart && !p.hasCursor {
		// Who asks so never asks for page 2, and creates anew what it did not see.
		byDefault = c.e.c.Limits.MaxPage
	}
	return c.page(t, p, c.size(p, byDefault))
}

// search answers POST .search of one type (RFC 7644 §3.4.3).
func (c *call) search(t *scim.ResourceType) (Response, error) {
	p, err := c.searchRequest()
	if err != nil {
		return Response{}, err
	}
	return c.page(t, p, c.size(p, c.e.c.Limits.DefaultPage))
}

// page answers one page of the resources of one type.
func (c *call) page(t *scim.ResourceType, p params, count int) (Response, error) {
	q := scim.Query{Type: t, Descending: p.descending, StartIndex: p.startIndex, Count: count, Selection: p.projection.bind(t)}
	var err error
	if q.Filter, err = c.filter(t, p, false); err != nil {
		return Response{}, err
	}
	if p.sortBy != "" {
		if q.SortBy, err = filter.BindSort(t, p.sortBy); err != nil {
			return Response{}, err
		}
	}
	if !p.hasCursor {
		page, err := c.fetch(q)
		if err != nil {
			return Response{}, err
		}
		if !p.hasCount && len(page.Resources) > c.e.c.Limits.DefaultPage {
			c.report("QRY-12")
		}
		return c.respond(listing{total: page.Total, startIndex: p.startIndex, asked: p.asked(), resources: page.Resources,
			selection: map[*scim.ResourceType]scim.Selection{t: q.Selection}}), nil
	}

	at, err := c.openCursor(t.Name, p, &count)
	if err != nil {
		return Response{}, err
	}
	q.Count = count
	total := at.Total
	if len(at.Places) == 1 {
		q.After, q.NoTotal = at.Places[0].After, true
	} else {
		q.NoTotal = c.e.c.NoTotals && count > 0
	}
	page, err := c.fetch(q)
	if err != nil {
		return Response{}, err
	}
	if !q.NoTotal {
		total = page.Total
	}
	l := listing{total: total, noTotal: total < 0 || c.e.c.NoTotals && count > 0, asked: true, resources: page.Resources,
		selection: map[*scim.ResourceType]scim.Selection{t: q.Selection}}
	if page.Last != nil && count > 0 {
		l.next, err = c.sealCursor(t.Name, p, position{Count: count, Total: total, Places: []place{{After: page.Last}}})
	}
	return c.respond(l), err
}

// fetch asks the backend for a page.
func (c *call) fetch(q scim.Query) (*scim.Page, error) {
	page, err := c.e.backend.List(c.ctx, q)
	if err != nil {
		return nil, err
	}
	for _, r := range page.Resources {
		r.Type = q.Type
	}
	return page, nil
}

// filter parses and binds the filter of a list request. unknownAbsent: an
// attribute the type lacks has no value, as in a search over several types.
func (c *call) filter(t *scim.ResourceType, p params, unknownAbsent bool) (scim.Filter, error) {
	if !p.hasFilter {
		return nil, nil
	}
	o := c.filterOptions()
	f, err := filter.Parse(p.filter, o)
	if err != nil && c.e.c.Profile.Switches.DecodeTwice && (strings.Contains(p.filter, "%20") || strings.Contains(p.filter, "%22")) {
		// Encoded twice. Only what does not parse is taken so, and it must parse then.
		if again, e := url.QueryUnescape(p.filter); e == nil {
			if g, e := filter.Parse(again, o); e == nil {
				c.report("HTTP-05")
				f, err = g, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	o.UnknownAbsent = unknownAbsent
	return filter.Bind(t, f, o)
}
