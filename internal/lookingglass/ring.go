package lookingglass

import (
	"math"
	"slices"
	"sort"
	"sync"
	"time"
)

// ring is the newest exchanges, bounded in number and bytes. They are packed:
// as objects they would keep the garbage collector busy.
type ring struct {
	mu     sync.RWMutex
	number int
	most   int64 // bytes
	closed []piece
	bytes  int64 // of closed
	open   packer
	began  []moment // of open
	count  int
}

// piece is a block of the ring, of which the first gone exchanges are no longer
// in it.
type piece struct {
	text    string
	moments []moment
	gone    int
}

// moment is when an exchange was.
type moment struct{ seq, ms int64 }

// pieceBytes bounds a piece, which has besides an eighth of the exchanges at
// most.
const pieceBytes = 64 << 10

func newRing(number int, bytes int64) *ring { return &ring{number: number, most: bytes} }

func (r *ring) add(x *Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(x)
}

// put is add for who holds mu.
func (r *ring) put(x *Exchange) {
	r.open.add(x)
	r.began = append(r.began, moment{x.Seq, x.Time.UnixMilli()})
	r.count++
	if len(r.open.b) >= pieceBytes || len(r.began) >= max(r.number/8, 1) {
		r.closed = append(r.closed, piece{string(r.open.b), slices.Clone(r.began), 0})
		r.bytes += int64(len(r.open.b))
		r.open.reset()
		r.began = r.began[:0]
	}
	for len(r.closed) > 0 && (r.count > r.number || r.bytes > r.most) {
		p := &r.closed[0]
		p.gone++
		r.count--
		if r.bytes > r.most {
			r.count -= len(p.moments) - p.gone
			p.gone = len(p.moments)
		}
		if p.gone == len(p.moments) {
			r.bytes -= int64(len(p.text))
			r.closed = slices.Delete(r.closed, 0, 1)
		}
	}
}

// oldest returns when the oldest was; false if there is none.
func (r *ring) oldest() (moment, bool) {
	switch {
	case len(r.closed) > 0:
		return r.closed[0].moments[r.closed[0].gone], true
	case len(r.began) > 0:
		return r.began[0], true
	}
	return moment{}, false
}

// first returns the Seq of the oldest, or 0.
func (r *ring) first() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	m, _ := r.oldest()
	return m.seq
}

// pieces returns what there is now, the open one with it, and the Seq of the
// oldest.
func (r *ring) pieces() (list []piece, first int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list = append(list, r.closed...)
	if len(r.began) > 0 {
		list = append(list, piece{string(r.open.b), slices.Clone(r.began), 0})
	}
	m, _ := r.oldest()
	return list, m.seq
}

// get returns the exchange of that Seq, or nil.
func (r *ring) get(seq int64) *Exchange {
	list, first := r.pieces()
	i := sort.Search(len(list), func(i int) bool { return list[i].moments[len(list[i].moments)-1].seq >= seq })
	if i == len(list) || seq < first {
		return nil
	}
	found, err := newMatcher(Query{Tenant: AllTenants, After: seq - 1, Before: seq + 1, Limit: 1}).pick(nil, list[i].text)
	if err != nil || len(found) == 0 {
		return nil
	}
	return found[0]
}

// find returns what matches, in the order and number that the query wants.
func (r *ring) find(m *matcher) (list []*Exchange) {
	pieces, first := r.pieces()
	visible := *m
	visible.q.After = max(m.q.After, first-1)
	if !m.q.Oldest {
		slices.Reverse(pieces)
	}
	for _, p := range pieces {
		var err error
		if list, err = visible.pick(list, p.text); err != nil || len(list) >= m.q.Limit {
			break
		}
	}
	return list
}

func (r *ring) stats() (kept int64, oldest time.Time, bytes int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	// Not that of the first: one that took long came later, and was asked for before.
	least := int64(math.MaxInt64)
	for i := range r.closed {
		for _, m := range r.closed[i].moments[r.closed[i].gone:] {
			least = min(least, m.ms)
		}
	}
	for _, m := range r.began {
		least = min(least, m.ms)
	}
	if r.count > 0 {
		oldest = time.UnixMilli(least).UTC()
	}
	return int64(r.count), oldest, r.bytes + int64(cap(r.open.b)) + int64(16*r.count)
}
