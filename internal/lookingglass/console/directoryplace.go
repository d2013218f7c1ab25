package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mostTrail is how many pages one can go back, one by one.
const mostTrail = 8

// place is what part of the directory a page shows. Its fields are the
// parameters of its address.
type place struct {
	Type, Filter, Sort string
	Descending         bool
	Deleted            bool // those that can be restored

	At     int      // of the first resource, from 1; for the eye only, where pages go by cursor
	Cursor string   // of the page; "" is the first
	Trail  []string // cursors of the pages before it, but the first
	Start  int      // startIndex, where the backend gives no cursors; 0: by cursor
}

func placeOf(q url.Values) place {
	p := place{Type: q.Get("type"), Filter: strings.TrimSpace(q.Get("filter")), Sort: q.Get("sort"), Descending: q.Get("order") == "descending",
		Deleted: q.Get("deleted") == "true", Cursor: q.Get("cursor"), Trail: q["trail"]}
	p.At, _ = strconv.Atoi(q.Get("at"))       // 0 if it is none
	p.Start, _ = strconv.Atoi(q.Get("start")) // 0 if it is none
	p.At, p.Start = max(p.At, p.Start, 1), max(p.Start, 0)
	return p
}

// URL is the address of the page that shows the place.
func (p place) URL() string {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("type", p.Type)
	set("filter", p.Filter)
	set("sort", p.Sort)
	if p.Descending {
		set("order", "descending")
	}
	if p.Deleted {
		set("deleted", "true")
	}
	set("cursor", p.Cursor)
	for _, t := range p.Trail {
		q.Add("trail", t)
	}
	if p.Start > 1 {
		set("start", strconv.Itoa(p.Start))
	} else if p.At > 1 {
		set("at", strconv.Itoa(p.At))
	}
	return Path + "/directory?" + q.Encode()
}

// first is the first page of the place.
func (p place) first() place {
	p.At, p.Cursor, p.Trail, p.Start = 1, "", nil, 0
	return p
}

// previous is the page before, or false if there is none or the trail is lost.
func (p place) previous() (place, bool) {
	switch {
	case p.Start > 1:
		p.Start = max(p.Start-directorySize, 1)
		p.At = p.Start
		return p, true
	case p.Cursor == "", len(p.Trail) == 0 && p.At > directorySize+1:
		return p, false
	case len(p.Trail) == 0:
		return p.first(), true
	}
	p.Cursor, p.Trail = p.Trail[len(p.Trail)-1], p.Trail[:len(p.Trail)-1]
	p.At = max(p.At-directorySize, 1)
	return p, true
}

// next is the page after one of n resources: by cursor, or where the backend
// gave none, by index.
func (p place) next(cursor string, n int) place {
	if cursor == "" {
		p.Start = p.At + n
		p.At, p.Cursor, p.Trail = p.Start, "", nil
		return p
	}
	trail := slices.Clone(p.Trail)
	if p.Cursor != "" {
		trail = append(trail, p.Cursor)
	}
	p.Trail = trail[max(len(trail)-mostTrail, 0):]
	p.Cursor, p.At = cursor, p.At+n
	return p
}
