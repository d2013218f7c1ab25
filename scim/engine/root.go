package engine

import (
	"errors"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// source is one resource type in a search over several.
type source struct {
	c       *call
	query   scim.Query // without page
	at      place      // where its page begins
	resumed bool       // by a cursor: totals are known
	total   int

	// While merging:
	page  []*scim.Resource
	taken int          // of page
	last  *scim.Keyset // after the page; nil if that was all
	read  bool
}

// fetch reads count resources from where the source stands, or the total alone.
func (s *source) fetch(startIndex, count int, noTotal bool) (*scim.Page, error) {
	q := s.query
	q.StartIndex, q.Count, q.After, q.NoTotal = startIndex, count, s.at.After, noTotal
	return s.c.fetch(q)
}

// concatenate takes a page of the types one after the other. The places are
// those after it, or nil if nothing follows.
func (c *call) concatenate(sources []*source, p params, count int) (page []*scim.Resource, places []place, err error) {
	start, more := p.startIndex, false
	for _, s := range sources {
		if s.at.Done {
			places = append(places, s.at)
			continue
		}
		want := count - len(page)
		got, err := s.fetch(start, want, want > 0 && s.resumed)
		if err != nil {
			return nil, nil, err
		}
		s.total = got.Total
		page = append(page, got.Resources...)
		start = max(1, start-got.Total)
		next := place{After: got.Last, Done: got.Last == nil}
		if want == 0 {
			next = place{After: s.at.After, Done: got.Total == 0}
		}
		more = more || !next.Done
		places = append(places, next)
	}
	if !more {
		return page, nil, nil
	}
	return page, places, nil
}

// merge takes a page of all types in the order of sortBy (RFC 7644 §3.4.2.3);
// types come one after the other where they are equal. With startIndex it
// reads what it skips: pages far into such a list are dear, cursors are not.
func (c *call) merge(sources []*source, p params, count int) (page []*scim.Resource, places []place, err error) {
	skip := p.startIndex - 1
	size := c.e.c.Limits.MaxPage
	size = max(1, min(min(skip, size)+count, size))
	for len(page) < count || skip > 0 {
		var first *source
		for _, s := range sources {
			ok, err := s.fill(size)
			if err != nil {
				return nil, nil, err
			}
			if ok && (first == nil || s.before(first)) {
				first = s
			}
		}
		if first == nil {
			break
		}
		if skip > 0 {
			skip--
		} else {
			page = append(page, first.page[first.taken])
		}
		first.taken++
	}
	more := false
	for _, s := range sources {
		ok, err := s.fill(size) // also reads the totals where count is 0
		if err != nil {
			return nil, nil, err
		}
		at := place{Done: !ok}
		if p.hasCursor && ok {
			if at, err = s.place(); err != nil {
				return nil, nil, err
			}
			more = more || !at.Done
		}
		places = append(places, at)
	}
	if !more {
		places = nil
	}
	return page, places, nil
}

// fill makes sure that the source has a resource at hand, or reports false if
// it has no more.
func (s *source) fill(size int) (bool, error) {
	for s.taken == len(s.page) {
		if s.at.Done || s.read && s.last == nil {
			return false, nil
		}
		if s.read {
			s.at.After = s.last
		}
		got, err := s.fetch(1, size, s.read || s.resumed)
		if err != nil {
			return false, err
		}
		for _, r := range got.Resources {
			if err := schema.Load(r); err != nil {
				return false, err
			}
		}
		if !s.read {
			s.total = got.Total
		}
		s.page, s.taken, s.last, s.read = got.Resources, 0, got.Last, true
	}
	return true, nil
}

// before reports whether the source's next resource comes before that of an
// earlier type.
func (s *source) before(other *source) bool {
	a, hasA := s.key()
	b, hasB := other.key()
	if s.query.Descending {
		a, b, hasA, hasB = b, a, hasB, hasA
	}
	switch {
	case hasA && hasB:
		return a.Compare(b) < 0
	default:
		return hasA && !hasB
	}
}

func (s *source) key() (scim.Key, bool) {
	if s.query.SortBy == nil {
		return scim.Key{}, false
	}
	return filter.SortKey(s.page[s.taken], s.query.SortBy)
}

// place returns where the source stands after the resources taken of its page.
// Only a backend knows the position of a resource, and tells that of the last
// of a page: a page is asked for that ends there. Should others write
// meanwhile, its length is corrected until it does.
func (s *source) place() (place, error) {
	const beyond, most = 12, 100
	taken := s.page[:s.taken]
	n := len(taken)
	for range most {
		if len(taken) == 0 {
			return place{After: s.at.After}, nil
		}
		got, err := s.fetch(1, n, true)
		if err != nil {
			return place{}, err
		}
		id, last := taken[len(taken)-1].ID, len(got.Resources)-1
		switch i := slices.IndexFunc(got.Resources, func(r *scim.Resource) bool { return r.ID == id }); {
		case i >= 0 && i == last:
			return place{After: got.Last, Done: got.Last == nil}, nil
		case i >= 0:
			n = i + 1 // some before it are gone
		case got.Last != nil && n < len(taken)+beyond:
			n += 3 // some came before it
		default:
			taken = taken[:len(taken)-1] // it is gone itself
			n = len(taken)
		}
	}
	return place{}, scim.Unavailable(errors.New("engine: the list changes faster than it can be read"))
}
