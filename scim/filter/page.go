package filter

import (
	"container/heap"
	"iter"
	"math"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Page answers q from all resources of its type, given with their sequence
// numbers in order of creation, for stores that hold them in memory (RFC 7644
// §3.4.2, RFC 9865 §2). It holds the resources of the page alone or, sorted and
// by StartIndex, all up to its end. The page's resources are those of all, not
// copies.
func Page(all iter.Seq2[int64, *scim.Resource], q scim.Query) *scim.Page {
	if q.SortBy == nil {
		return inOrder(all, q)
	}
	return sorted(all, q)
}

// skipped returns how many resources come before the page: a number to which
// that of the page, and one, can be added.
func skipped(q scim.Query) int {
	if q.After != nil {
		return 0
	}
	return min(max(q.StartIndex-1, 0), math.MaxInt-1-max(q.Count, 0))
}

func inOrder(all iter.Seq2[int64, *scim.Resource], q scim.Query) *scim.Page {
	page := &scim.Page{}
	skip := skipped(q)
	var last scim.Keyset
	for seq, r := range all {
		if !Match(q.Filter, r) {
			continue
		}
		page.Total++
		switch {
		case q.After != nil && seq <= q.After.Seq:
		case skip > 0:
			skip--
		case len(page.Resources) < q.Count:
			page.Resources = append(page.Resources, r)
			last = Position(r, seq, nil)
		case q.Count > 0 && page.Last == nil:
			page.Last = &last
			if q.NoTotal {
				return page
			}
		}
	}
	return page
}

func sorted(all iter.Seq2[int64, *scim.Resource], q scim.Query) *scim.Page {
	page := &scim.Page{}
	skip := skipped(q)
	h := &top{by: q.SortBy, descending: q.Descending}
	for seq, r := range all {
		if !Match(q.Filter, r) {
			continue
		}
		page.Total++
		if q.Count <= 0 {
			continue
		}
		at := Position(r, seq, q.SortBy)
		if q.After != nil && h.compare(at, *q.After) <= 0 {
			continue
		}
		// One more than the page shows whether any follow it.
		h.offer(entry{at, r}, skip+q.Count+1)
	}
	slices.SortFunc(h.list, func(a, b entry) int { return h.compare(a.at, b.at) })
	if skip >= len(h.list) {
		return page
	}
	list := h.list[skip:]
	if len(list) > q.Count {
		list = list[:q.Count]
		page.Last = &list[q.Count-1].at
	}
	for _, e := range list {
		page.Resources = append(page.Resources, e.r)
	}
	return page
}

type entry struct {
	at scim.Keyset
	r  *scim.Resource
}

// top holds the first entries of a list as a heap, the last of them on top.
type top struct {
	by         *scim.AttrPath
	descending bool
	list       []entry
}

func (h *top) compare(a, b scim.Keyset) int {
	if h.descending {
		a, b = b, a
	}
	return Compare(a, b, h.by)
}

// offer keeps e if it is among the first n of all that were offered.
func (h *top) offer(e entry, n int) {
	switch {
	case len(h.list) < n:
		heap.Push(h, e)
	case h.compare(e.at, h.list[0].at) < 0:
		h.list[0] = e
		heap.Fix(h, 0)
	}
}

func (h *top) Len() int           { return len(h.list) }
func (h *top) Less(i, j int) bool { return h.compare(h.list[i].at, h.list[j].at) > 0 }
func (h *top) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push and Pop are the heap's own.
func (h *top) Push(e any) { h.list = append(h.list, e.(entry)) }

// Pop is required by the heap, which never calls it here.
func (h *top) Pop() any {
	e := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return e
}
