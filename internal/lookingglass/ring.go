package lookingglass

import (
	"slices"
	"sort"
	"sync"
	"time"
)

// ring is the newest exchanges, bounded in number and bytes.
type ring struct {
	mu    sync.RWMutex
	list  []*Exchange // a circle
	begin int         // of the oldest
	count int
	bytes int64
	most  int64 // bytes
}

func newRing(number int, bytes int64) *ring {
	return &ring{list: make([]*Exchange, number), most: bytes}
}

func (r *ring) at(i int) *Exchange { return r.list[(r.begin+i)%len(r.list)] }

func (r *ring) add(x *Exchange) {
	size := x.memory()
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.count > 0 && (r.count == len(r.list) || r.bytes+size > r.most) {
		r.bytes -= r.at(0).memory()
		r.list[r.begin] = nil
		r.begin = (r.begin + 1) % len(r.list)
		r.count--
	}
	r.list[(r.begin+r.count)%len(r.list)] = x
	r.count++
	r.bytes += size
}

// first returns the Seq of the oldest, or 0.
func (r *ring) first() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.count == 0 {
		return 0
	}
	return r.at(0).Seq
}

// get returns the exchange of that Seq, or nil.
func (r *ring) get(seq int64) *Exchange {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i := sort.Search(r.count, func(i int) bool { return r.at(i).Seq >= seq })
	if i == r.count || r.at(i).Seq != seq {
		return nil
	}
	return r.at(i)
}

// find returns what matches, in the order and number that the query wants.
func (r *ring) find(m *matcher) []*Exchange {
	r.mu.RLock()
	all := make([]*Exchange, r.count)
	for i := range all {
		all[i] = r.at(i)
	}
	r.mu.RUnlock()
	if !m.q.Oldest {
		slices.Reverse(all)
	}
	var list []*Exchange
	for _, x := range all {
		if len(list) == m.q.Limit {
			break
		}
		if m.matches(x) {
			list = append(list, x)
		}
	}
	return list
}

func (r *ring) stats() (kept int64, oldest time.Time, bytes int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.count > 0 {
		oldest = r.at(0).Time
	}
	return int64(r.count), oldest, r.bytes
}

// memory is about how many bytes the exchange takes.
func (x *Exchange) memory() int64 {
	n := 1024 + len(x.Path) + 3*len(x.Query) + len(x.Request.Body) + len(x.Response.Body)
	for _, h := range x.Request.Headers {
		n += 32 + len(h.Name) + len(h.Value)
	}
	n += 32*len(x.Response.Headers) + 64*len(x.Touched)
	for _, s := range x.Steps {
		n += 96 + len(s.Text)
	}
	for _, c := range x.Changes {
		n += 48 + len(c.Path) + len(c.Before) + len(c.After)
	}
	x.Filter.each(func(f *Node) { n += 64 + len(f.Text) + len(f.Words) })
	return int64(n)
}
