package lookingglass

import (
	"slices"
	"sync/atomic"
)

// block is a block in the making, and what is known of it.
type block struct {
	packer
	first, last    int64 // Seq
	oldest, newest int64 // ms
	count          int
	ids            []uint32 // hashes of what they touched
	lookups        []looked
}

// add adds an exchange, and reports false if it is so large that it needs a
// block by itself; this one then is complete.
func (b *block) add(x *Exchange) bool {
	before := len(b.b)
	b.packer.add(x)
	if b.count > 0 && len(b.b)-before >= deflateFrom {
		b.b = b.b[:before]
		return false
	}
	b.note(x)
	return true
}

// keep adds an exchange, whatever its size.
func (b *block) keep(x *Exchange) {
	b.packer.add(x)
	b.note(x)
}

// note keeps what is known of an exchange that was added.
func (b *block) note(x *Exchange) {
	ms := x.Time.UnixMilli()
	if b.count == 0 {
		b.first, b.oldest, b.newest = x.Seq, ms, ms
	}
	b.last, b.oldest, b.newest = x.Seq, min(b.oldest, ms), max(b.newest, ms)
	b.count++
	for _, id := range x.Touched {
		b.ids = append(b.ids, idHash(id))
	}
	b.ids = append(b.ids, tenantHash(x.Tenant))
	if x.Lookup != nil {
		b.lookups = append(b.lookups, looked{Sought{Lookup: *x.Lookup, Client: x.Client, Last: x.Time}, x.Tenant})
	}
}

// earliest notes when the oldest exchange was, of the blocks and of those before
// them; 0: there were none.
func earliest(oldest *atomic.Int64, list []*block) {
	for _, b := range list {
		if before := oldest.Load(); before == 0 || b.oldest < before {
			oldest.Store(b.oldest)
		}
	}
}

// looked is a lookup and whose it was.
type looked struct {
	Sought
	tenant string
}

// large reports whether the block is worth being deflated.
func (b *block) large() bool { return b.count == 1 && len(b.b) >= deflateFrom }

// touched returns the hashes, each once and in order.
func (b *block) touched() []uint32 {
	slices.Sort(b.ids)
	b.ids = slices.Compact(b.ids)
	return b.ids
}

// reset empties the block for another one.
func (b *block) reset() {
	b.packer.reset()
	clear(b.lookups)
	b.count, b.ids, b.lookups = 0, b.ids[:0], b.lookups[:0]
}

// huge reports whether the block takes more memory than blocks should.
func (b *block) huge() bool { return cap(b.b) > 2*blockMost }

// idHash is what a block has of an id (FNV-1a).
func idHash(id string) uint32 {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return h
}
