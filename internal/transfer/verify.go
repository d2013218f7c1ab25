package transfer

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
)

// Sums reads all that a source holds and adds it up.
func Sums(ctx context.Context, src Source, progress Progress) ([]Sum, error) {
	h, err := src.Header(ctx)
	if err != nil {
		return nil, err
	}
	d, done, told, total := newDigester(), int64(0), int64(0), h.total()
	for r, err := range src.Records(ctx, Position{}) {
		if err != nil {
			return nil, err
		}
		d.add(r)
		if done += r.things(); done-told >= 1_000 {
			told = done
			progress(done, total)
		}
	}
	progress(done, total)
	return sumsOf(d.sums), nil
}

// Verify reads a source and what was made of it, both at the same time, and
// returns the sums of the source and where the two differ.
func Verify(ctx context.Context, src, made Source, progress Progress) ([]Sum, []Difference, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var (
		aim     []Sum
		aimErr  error
		aimDone atomic.Int64
		end     = make(chan struct{})
	)
	go func() {
		defer close(end)
		if aim, aimErr = Sums(ctx, made, func(done, _ int64) { aimDone.Store(done) }); aimErr != nil {
			stop()
		}
	}()
	sums, err := Sums(ctx, src, func(done, total int64) { progress((done+aimDone.Load())/2, total) })
	if err != nil {
		stop()
	}
	<-end
	if aimErr != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = aimErr
	}
	if err != nil {
		return nil, nil, err
	}
	return sums, Compare(sums, aim), nil
}

// Changed is a source whose records f changes on their way.
func Changed(src Source, f func(*Record) error) Source { return &changed{src, f} }

type changed struct {
	Source
	f func(*Record) error
}

// Records implements Source.
func (c *changed) Records(ctx context.Context, from Position) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r, err := range c.Source.Records(ctx, from) {
			if err == nil {
				err = c.f(&r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
