package sqlite

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// errClosed is the error of calls after Close, and errOver its cause, which tells
// it from others.
var (
	errOver   = errors.New("sqlite: the database is closed")
	errClosed = scim.Unavailable(errOver)
)

// mostBatch bounds how long a transaction takes more writes in.
const mostBatch = 20 * time.Millisecond

// writer owns the connection that writes. Its goroutine takes the jobs that
// wait, runs each in its own savepoint of one transaction, commits once, and
// only then tells the callers.
type writer struct {
	db      *DB
	conn    *conn
	queue   chan *job
	closing chan struct{}
	done    chan struct{}
	names   *names            // as the open transaction sees them
	undo    []func()          // what takes back the transaction's effects on memory
	seq     int64             // of the resource last created
	dirty   bool              // names differ from what readers see
	lost    error             // why the open transaction can't be committed any more
	settled map[int64]settled // people who were there before, by tenant; a rollback leaves too few
	commits atomic.Int64
	held    *job // taken from the queue, and next
}

type job struct {
	ctx   context.Context
	run   func() error
	bare  bool // run refuses before it writes: no savepoint is needed
	apart bool // run is in no transaction, and nothing else is
	err   error
	state atomic.Int32
	done  chan struct{}

	trace  *scim.Trace // of the request, if it has one
	queued time.Time   // if so: when
}

const (
	jobWaiting int32 = iota
	jobTaken
	jobLeft // its caller went away before it was taken
)

// do runs f on the writer's goroutine and returns once its effects are durable,
// or undone because f or the commit failed. A caller whose context ends while
// the job waits leaves at once, and the job is dropped.
func (w *writer) do(ctx context.Context, f func() error) error {
	return w.submit(&job{ctx: ctx, run: f, done: make(chan struct{})})
}

// doBare is do for an f that refuses before it writes anything.
func (w *writer) doBare(ctx context.Context, f func() error) error {
	return w.submit(&job{ctx: ctx, run: f, bare: true, done: make(chan struct{})})
}

// apart runs f on the writer's goroutine while no transaction is under way.
func (w *writer) apart(ctx context.Context, f func() error) error {
	return w.submit(&job{ctx: ctx, run: f, apart: true, done: make(chan struct{})})
}

func (w *writer) submit(j *job) error {
	ctx := j.ctx
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-w.closing:
		return errClosed
	default:
	}
	if j.trace = scim.TraceOf(ctx); j.trace != nil {
		j.queued = time.Now()
	}
	select {
	case w.queue <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-w.closing:
		return errClosed
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaiting, jobLeft) {
			return ctx.Err()
		}
		<-j.done
	case <-w.done:
		if j.state.CompareAndSwap(jobWaiting, jobLeft) {
			return errClosed
		}
		<-j.done
	}
	return outward(ctx, j.err)
}

func (w *writer) loop() {
	defer close(w.done)
	batch := make([]*job, 0, w.db.o.CommitMost)
	for {
		first := w.held
		w.held = nil
		if first == nil {
			select {
			case first = <-w.queue:
			case <-w.closing:
				select {
				case first = <-w.queue: // queued before Close: still done
				default:
					return
				}
			}
		}
		if first.apart {
			if first.state.CompareAndSwap(jobWaiting, jobTaken) {
				first.err = w.guarded(first.run)
				close(first.done)
			}
			continue
		}
		batch = w.transaction(first, batch[:0])
		for i, j := range batch {
			close(j.done)
			batch[i] = nil
		}
	}
}

// transaction runs first, and the jobs that wait behind it, in one transaction,
// and returns them with their results.
func (w *writer) transaction(first *job, batch []*job) []*job {
	began := false
	deadline := time.Now().Add(mostBatch)
	var window <-chan time.Time
	if d := w.db.o.CommitWindow; d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		window = t.C
	}
	var broken error
	for j := first; j != nil; {
		if j.state.CompareAndSwap(jobWaiting, jobTaken) {
			batch = append(batch, j)
			j.waited()
			if j.err = j.ctx.Err(); j.err == nil {
				if !began {
					if broken = w.conn.exec("BEGIN IMMEDIATE"); broken == nil {
						began = true
					}
				}
				if broken == nil {
					w.conn.trace = j.trace
					if j.bare {
						j.err = w.bare(j.run)
					} else {
						j.err = w.savepoint(j.run)
					}
					w.conn.trace = nil
					broken, w.lost = w.lost, nil
					if broken == nil && w.conn.AutocommitEnabled() {
						// SQLite gave the whole transaction up, as it does when a disk is full.
						broken = errors.Join(errors.New("the transaction was rolled back"), j.err)
					}
				}
			}
		}
		if broken != nil || len(batch) >= w.db.o.CommitMost || time.Now().After(deadline) {
			break
		}
		if j = w.next(window); j != nil && j.apart {
			w.held, j = j, nil
		}
	}
	if began && broken == nil {
		started := time.Now()
		if broken = w.conn.exec("COMMIT"); broken == nil {
			w.commits.Add(1)
			if w.db.o.Committed != nil {
				w.db.o.Committed(len(batch), time.Since(started))
			}
		}
		committed(batch, time.Since(started), broken)
	}
	if broken == nil {
		w.undo = w.undo[:0]
		w.publish()
		return batch
	}
	w.takeBack(0)
	if began && !w.conn.AutocommitEnabled() {
		if err := w.conn.exec("ROLLBACK"); err != nil {
			w.db.o.Logger.Error("sqlite: rollback", "err", err)
		}
	}
	w.db.o.Logger.Error("sqlite: commit failed, nothing was changed", "err", broken, "writes", len(batch))
	for _, j := range batch {
		j.err = scim.Unavailable(fmt.Errorf("sqlite: commit: %w", broken))
	}
	return batch
}

// guarded runs f, which must not end the writer.
func (w *writer) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// next returns the next waiting job, or nil when it is time to commit.
func (w *writer) next(window <-chan time.Time) *job {
	select {
	case j := <-w.queue:
		return j
	default:
	}
	if window == nil {
		return nil
	}
	select {
	case j := <-w.queue:
		return j
	case <-window:
		return nil
	case <-w.closing:
		return nil
	}
}

// savepoint runs f so that it happens wholly or not at all. It nests.
func (w *writer) savepoint(f func() error) (err error) {
	if err := w.conn.exec("SAVEPOINT one"); err != nil {
		return err
	}
	mark := len(w.undo)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err == nil {
			if err = w.conn.exec("RELEASE one"); err == nil {
				return
			}
		}
		w.takeBack(mark)
		if w.conn.AutocommitEnabled() {
			return
		}
		if e := w.conn.exec("ROLLBACK TO one"); e != nil {
			err = errors.Join(err, e)
		}
		if e := w.conn.exec("RELEASE one"); e != nil {
			err = errors.Join(err, e)
		}
	}()
	return f()
}

// bare runs an f that refuses before it writes anything, without a savepoint:
// those copy every page that is written to and flush the substring index. Should
// f fail after it has written, as it does when a disk is full, the whole
// transaction is lost.
func (w *writer) bare(f func() error) (err error) {
	before := w.conn.writes
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		if err != nil && w.conn.writes != before {
			w.lost = err
		}
	}()
	return f()
}

// takeBack undoes the effects on memory since mark, the last first.
func (w *writer) takeBack(mark int) {
	for i := len(w.undo) - 1; i >= mark; i-- {
		w.undo[i]()
	}
	w.undo = w.undo[:mark]
}
