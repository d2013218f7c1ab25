package pactflow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

const (
	pageSize = 100
	abreast  = 8       // pages of one list that are read at once
	maxPages = 100_000 // of one list: more is no list
)

// page is one page of a list, or all of it: versions before 1.28 know no size,
// and none says how many pages there are unless it was asked for one.
type page[T any] struct {
	items []T
	links links
	info  *struct {
		TotalPages int `json:"totalPages"`
	}
}

// read reads {"users":[…],"_links":{…},"page":{…}}, in any order.
func (p *page[T]) read(dec *json.Decoder, key string) error {
	*p = page[T]{}
	if err := expect(dec, '{'); err != nil {
		return err
	}
	found := false
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		switch name {
		case key:
			found = true
			if err := expect(dec, '['); err != nil {
				return fmt.Errorf("%q: %w", key, err)
			}
			for dec.More() {
				var item T
				if err := dec.Decode(&item); err != nil {
					return err
				}
				p.items = append(p.items, item)
			}
			err = expect(dec, ']')
		case "_links":
			err = dec.Decode(&p.links)
		case "page":
			err = dec.Decode(&p.info)
		default:
			var skipped json.RawMessage
			err = dec.Decode(&skipped)
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("the answer has no %q", key)
	}
	return expect(dec, '}')
}

func expect(dec *json.Decoder, want json.Delim) error {
	t, err := dec.Token()
	if err == nil && t != want {
		err = fmt.Errorf("%v is expected", want)
	}
	return err
}

// list reads the list at path, whose elements are under key, and hands over each
// once, in its order. Page 1 says how many there are; those that follow are then
// read abreast, else by the links from one to the next.
func list[T any, P interface {
	*T
	answer
}](ctx context.Context, c *client, path, key string, yield func(P) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := map[string]bool{}
	more := true
	hand := func(p *page[T]) error {
		for i := range p.items {
			item := P(&p.items[i])
			id, _ := item.identity()
			if id == "" {
				return c.up.Nonsense(facade.Call{Method: "GET", Path: path}, "an element of the list has no \"uuid\"")
			}
			if seen[id] {
				continue // somebody was added while pages were read
			}
			seen[id] = true
			if more = yield(item); !more {
				return nil
			}
		}
		return nil
	}

	last, err := getPage[T](ctx, c, path, key, pageQuery(1))
	if err != nil {
		return err
	}
	c.guard.look(ctx, last.links.Self.Href)
	if err := hand(last); err != nil || !more {
		return err
	}
	if last.info != nil && last.info.TotalPages > 1 {
		if last.info.TotalPages > maxPages {
			return c.up.Nonsense(facade.Call{Method: "GET", Path: path}, "a list of "+strconv.Itoa(last.info.TotalPages)+" pages")
		}
		if last, err = abreastPages(ctx, c, path, key, last.info.TotalPages, func(p *page[T]) (bool, error) {
			err := hand(p)
			return more, err
		}); err != nil || !more {
			return err
		}
	}
	for n := 0; last.links.Next.Href != ""; n++ {
		next, err := nextQuery(c, path, last.links.Next.Href)
		if err != nil {
			return err
		}
		if n == maxPages {
			return c.up.Nonsense(facade.Call{Method: "GET", Path: path}, "the links from page to page have no end")
		}
		before := len(seen)
		if last, err = getPage[T](ctx, c, path, key, next); err != nil {
			return err
		}
		if err := hand(last); err != nil || !more {
			return err
		}
		if len(seen) == before && len(last.items) > 0 {
			return c.up.Nonsense(facade.Call{Method: "GET", Path: path}, "the link to the next page leads to one that was read before")
		}
	}
	return nil
}

// abreastPages reads the pages 2 to total, some at once, hands them over in
// order and returns the last.
func abreastPages[T any](ctx context.Context, c *client, path, key string, total int, hand func(*page[T]) (bool, error)) (*page[T], error) {
	type result struct {
		page *page[T]
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	under := make(chan chan result, abreast-1) // pages that are being read, in order
	go func() {
		defer close(under)
		for n := 2; n <= total; n++ {
			ch := make(chan result, 1)
			select {
			case under <- ch:
			case <-ctx.Done():
				return
			}
			go func() {
				p, err := getPage[T](ctx, c, path, key, pageQuery(n))
				ch <- result{p, err}
			}()
		}
	}()
	var last *page[T]
	for ch := range under {
		r := <-ch
		if r.err != nil {
			return nil, r.err
		}
		last = r.page
		if more, err := hand(last); err != nil || !more {
			return nil, err
		}
	}
	if last == nil {
		return nil, ctx.Err()
	}
	return last, nil
}

func pageQuery(n int) url.Values {
	return url.Values{"page": {strconv.Itoa(n)}, "size": {strconv.Itoa(pageSize)}}
}

// getPage reads one page. A link to the next one that leads elsewhere is an
// error even where the page's number is known: what else would be wrong?
func getPage[T any](ctx context.Context, c *client, path, key string, q url.Values) (*page[T], error) {
	p := new(page[T])
	_, err := c.up.Do(ctx, facade.Call{Method: "GET", Path: path, Query: q},
		func(dec *json.Decoder) error { return p.read(dec, key) })
	if err != nil {
		return nil, collection(err)
	}
	return p, c.guard.follow(ctx, p.links.Next.Href)
}

// nextQuery returns the query of the link to the next page, which must be one
// of the same list. Whose link it is, getPage has looked at.
func nextQuery(c *client, path, href string) (url.Values, error) {
	wrong := c.up.Nonsense(facade.Call{Method: "GET", Path: path}, "the link to the next page leads to something else")
	u, err := url.Parse(href)
	if err != nil {
		return nil, wrong
	}
	if u.Host != "" {
		rest, found := strings.CutPrefix(normalize(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), c.guard.base)
		if !found || rest != path {
			return nil, wrong
		}
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q) == 0 {
		return nil, wrong
	}
	return q, nil
}
