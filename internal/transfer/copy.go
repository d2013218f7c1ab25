package transfer

import (
	"context"
	"fmt"
	"iter"
)

// The bounds of what is stored together: resources, and bytes of documents.
const (
	mostBatch = 1_000
	mostBytes = 8 << 20
)

// Progress is called, by one goroutine at a time, with how many things were
// done so far of about how many: resources, changes, and rows of members and
// people.
type Progress func(done, total int64)

// Copy brings all that src holds into dst, or what an earlier call has left to
// do. prepare is called with each record on its way. If ctx ends or a call
// fails, what was stored stays, and the same call goes on from there.
func Copy(ctx context.Context, src Source, dst Target, prepare func(*Record) error, progress Progress) error {
	h, err := src.Header(ctx)
	if err != nil {
		return err
	}
	next, err := dst.Begin(ctx, h)
	if err != nil {
		return err
	}
	total := h.total()
	progress(next.Done, total)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	batches := make(chan batch, 1)
	go func() {
		defer close(batches)
		read(ctx, src.Records(ctx, next), next.Done, prepare, batches)
	}()
	defer func() { // the source may not be used by two
		stop()
		for range batches { //nolint:revive // until the reader has ended
		}
	}()
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		if err := dst.Put(ctx, b.records, b.next); err != nil {
			return err
		}
		progress(b.next.Done, total)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return dst.Finish(ctx)
}

func (h Header) total() (n int64) {
	for _, t := range h.Tenants {
		n += t.Records
	}
	return n
}

// batch is what is stored together, or why there is no more.
type batch struct {
	records []Record
	next    Position
	err     error
}

// read reads and prepares while what came before is being stored.
func read(ctx context.Context, records iter.Seq2[Record, error], done int64, prepare func(*Record) error, to chan<- batch) {
	var b batch
	weight, size := 0, 0
	send := func() bool {
		select {
		case to <- b:
			b, weight, size = batch{}, 0, 0
			return true
		case <-ctx.Done():
			return false
		}
	}
	for r, err := range records {
		if err == nil {
			if err = prepare(&r); err != nil {
				err = fmt.Errorf("tenant %s: %w", r.Tenant, err)
			}
		}
		if err != nil {
			b = batch{err: err}
			send()
			return
		}
		done += r.things()
		b.records, b.next = append(b.records, r), r.Next
		b.next.Done = done
		w, s := r.weight()
		if weight, size = weight+w, size+s; (weight >= mostBatch*20 || size >= mostBytes) && !send() {
			return
		}
	}
	if len(b.records) > 0 {
		send()
	}
}

// things is how much a record counts for progress.
func (r Record) things() int64 {
	if r.Edges != nil {
		return int64(len(r.Edges.To))
	}
	return 1
}

// weight is how much work a record is, where a resource is 20, and its bytes.
func (r Record) weight() (work, size int) {
	switch {
	case r.Resource != nil:
		return 20, len(r.Resource.Text) + len(r.Resource.Hidden)
	case r.Edges != nil:
		return len(r.Edges.To), 0
	case r.Change != nil:
		return 4, len(r.Change.Deltas)
	}
	return 20, 0
}
