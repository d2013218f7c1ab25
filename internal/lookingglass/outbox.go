package lookingglass

import (
	"context"
	"errors"
	"sync"
)

// The bounds of what waits to be written to a journal.
const (
	blockMost    = 256 << 10
	batchMost    = 500 // exchanges
	pendingMost  = 4096
	pendingBytes = 4 << 20
)

// outbox is exchanges that wait to be written to a journal, packed in blocks. Who
// adds to it never waits.
type outbox struct {
	gaps bool // numbers of a block need not follow each other
	most int  // exchanges of a block

	mu      sync.Mutex
	full    []*block // in the order of their exchanges, and before those of making
	making  *block
	free    []*block
	waiting int           // exchanges that are not written yet, nor lost
	bytes   int64         // of their blocks, but making
	taken   int64         // Seq of the newest that was added
	stored  int64         // Seq of the newest that is written, or lost
	moved   chan struct{} // closed and made anew when stored moves

	wake, stop, done chan struct{}
}

func newOutbox(most int, gaps bool) *outbox {
	return &outbox{most: most, gaps: gaps, making: new(block), moved: make(chan struct{}),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// add takes an exchange, unless too many wait. It does not wait itself, and does
// not keep x.
func (o *outbox) add(x *Exchange) bool {
	o.mu.Lock()
	o.taken = x.Seq
	fits := o.waiting < pendingMost && o.bytes+int64(len(o.making.b)) < pendingBytes
	if fits {
		if !o.takes(x) || !o.making.add(x) {
			o.turn()
			o.making.add(x)
		}
		o.waiting++
	}
	full := o.waiting >= batchMost
	o.mu.Unlock()
	if full {
		o.nudge()
	}
	return fits
}

// takes reports whether x, the next one, can be in the block that is made.
func (o *outbox) takes(x *Exchange) bool {
	b := o.making
	return b.count == 0 || (x.Seq == b.last+1 || o.gaps && x.Seq < b.first+spanMost) && len(b.b) < blockMost && b.count < o.most
}

// turn begins another block.
func (o *outbox) turn() {
	if o.making.count == 0 {
		return
	}
	o.full = append(o.full, o.making)
	o.bytes += int64(len(o.making.b))
	if n := len(o.free); n > 0 {
		o.making, o.free = o.free[n-1], o.free[:n-1]
	} else {
		o.making = new(block)
	}
}

func (o *outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take hands over what waits, how many exchanges that are, and the Seq up to
// which they go. They count as waiting until they are settled.
func (o *outbox) take() (list []*block, count int, upTo int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turn()
	list, upTo = o.full, o.taken
	o.full = nil
	for _, b := range list {
		count += b.count
	}
	return list, count, upTo
}

// putBack is for what take handed over and could not be written: it waits on.
func (o *outbox) putBack(list []*block) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.full = append(list, o.full...)
}

// settle is for what take handed over and was written, or lost.
func (o *outbox) settle(list []*block, upTo int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range list {
		o.waiting -= b.count
		o.bytes -= int64(len(b.b))
		if b.reset(); len(o.free) < 2 && !b.huge() {
			o.free = append(o.free, b)
		}
	}
	if o.stored != upTo {
		o.stored = upTo
		close(o.moved)
		o.moved = make(chan struct{})
	}
}

var errClosed = errors.New("the journal is closed")

// flush waits until all that was added is written, or lost.
func (o *outbox) flush(ctx context.Context) error {
	o.mu.Lock()
	upTo := o.taken
	o.mu.Unlock()
	return o.wait(ctx, upTo)
}

// wait is flush for what has a Seq up to upTo.
func (o *outbox) wait(ctx context.Context, upTo int64) error {
	for {
		o.mu.Lock()
		reached, moved := o.stored >= min(upTo, o.taken), o.moved
		o.mu.Unlock()
		if reached {
			return ctx.Err()
		}
		o.nudge()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-o.done:
			return errClosed
		}
	}
}
