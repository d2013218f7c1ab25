package lookingglass

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

// The journal's bounds.
const (
	deflateFrom   = 16 << 10 // bytes of one exchange; to deflate what is shorter costs more than it saves
	blockMost     = 256 << 10
	batchMost     = 500 // exchanges
	batchWait     = 500 * time.Millisecond
	pendingMost   = 4096
	pendingBytes  = 4 << 20
	lookupsMost   = 100_000
	lookupsMore   = 10_000 // until they are pruned again
	sqliteCacheKB = 4 << 10
)

// journal keeps exchanges on disk, in a SQLite file of its own, so that nobody
// who writes the directory waits for it.
type journal struct {
	path       string
	keep, days int
	now        func() time.Time
	log        *slog.Logger

	mu      sync.Mutex
	full    []*block // in the order of their exchanges, and before those of making
	making  *block
	free    []*block
	waiting int           // exchanges that are not written yet
	bytes   int64         // of full
	taken   int64         // Seq of the newest that was added
	stored  int64         // Seq of the newest that is written, or lost
	moved   chan struct{} // closed and made anew when stored moves
	failing bool          // the last batch was lost
	count   atomic.Int64  // exchanges
	oldest  atomic.Int64  // ms
	floor   atomic.Int64  // Seq up to which exchanges are forgotten, though their block is there
	start   int64

	looked int // lookups since they were pruned; the writer's

	wake, stop, done chan struct{}

	write *sqlite.Conn // of the writer
	reads sync.Mutex
	read  *sqlite.Conn
}

// openJournal opens the journal, or makes it. One that can't be read is set
// aside.
func openJournal(o Options) (*journal, error) {
	j := &journal{path: o.Journal, keep: o.Keep, days: o.Days, now: o.Now, log: o.Logger, moved: make(chan struct{}), making: new(block),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if err := j.open(); err != nil {
		if err := j.setAside(err); err != nil {
			return nil, err
		}
	}
	j.stored = j.start
	j.taken = j.start
	go j.loop()
	return j, nil
}

// last returns the greatest Seq that was ever used.
func (j *journal) last() int64 { return j.start }

// add takes an exchange, unless too many wait. It does not wait itself, and does
// not keep x.
func (j *journal) add(x *Exchange) bool {
	j.mu.Lock()
	j.taken = x.Seq
	fits := j.waiting < pendingMost && j.bytes+int64(len(j.making.b)) < pendingBytes
	if fits {
		if !j.making.takes(x) || !j.making.add(x) {
			j.turn()
			j.making.add(x)
		}
		j.waiting++
	}
	full := j.waiting >= batchMost
	j.mu.Unlock()
	if full {
		j.nudge()
	}
	return fits
}

// turn begins another block.
func (j *journal) turn() {
	if j.making.count == 0 {
		return
	}
	j.full = append(j.full, j.making)
	j.bytes += int64(len(j.making.b))
	if n := len(j.free); n > 0 {
		j.making, j.free = j.free[n-1], j.free[:n-1]
	} else {
		j.making = new(block)
	}
}

func (j *journal) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// loop writes what waits, several times a second, and prunes.
func (j *journal) loop() {
	defer close(j.done)
	timer := time.NewTicker(batchWait)
	defer timer.Stop()
	j.prune(true)
	hourly := j.now()
	for {
		select {
		case <-timer.C:
		case <-j.wake:
		case <-j.stop:
			j.batch()
			return
		}
		j.batch()
		if now := j.now(); now.Sub(hourly) > time.Hour {
			hourly = now
			j.prune(true)
		} else if j.count.Load() > int64(j.keep+j.keep/20) {
			j.prune(j.looked > lookupsMore)
		}
	}
}

// batch writes what waits in one transaction. What can't be written is lost to
// the journal, and the log says so once.
func (j *journal) batch() {
	j.mu.Lock()
	j.turn()
	list, count, upTo := j.full, j.waiting, j.taken
	j.full, j.waiting, j.bytes = nil, 0, 0
	j.mu.Unlock()
	if len(list) > 0 {
		err := j.store(list)
		if code := sqlite.ErrCode(err).ToPrimary(); err != nil && (code == sqlite.ResultCorrupt || code == sqlite.ResultNotADB) {
			if err = j.renew(err); err == nil {
				err = j.store(list)
			}
		}
		if err != nil && !j.failing {
			j.log.Error("the Looking Glass can't write its journal", "journal", j.path, "error", err, "lost", count)
		}
		j.failing = err != nil
	}
	j.mu.Lock()
	for _, b := range list {
		if b.reset(); len(j.free) < 2 && !b.huge() {
			j.free = append(j.free, b)
		}
	}
	if j.stored != upTo {
		j.stored = upTo
		close(j.moved)
		j.moved = make(chan struct{})
	}
	j.mu.Unlock()
}

// renew begins a new journal in place of one that turned out to be damaged.
func (j *journal) renew(cause error) error {
	j.reads.Lock()
	defer j.reads.Unlock()
	j.closeConns()
	return j.setAside(cause)
}

func (j *journal) closeConns() {
	for _, c := range []**sqlite.Conn{&j.write, &j.read} {
		if *c != nil {
			if err := (*c).Close(); err != nil {
				j.log.Debug("closing the journal", "error", err)
			}
			*c = nil
		}
	}
}

var errClosed = errors.New("the journal is closed")

// flush waits until all that was added is written, or lost.
func (j *journal) flush(ctx context.Context) error {
	j.mu.Lock()
	upTo := j.taken
	j.mu.Unlock()
	return j.wait(ctx, upTo)
}

// wait is flush for what has a Seq up to upTo.
func (j *journal) wait(ctx context.Context, upTo int64) error {
	for {
		j.mu.Lock()
		reached, moved := j.stored >= min(upTo, j.taken), j.moved
		j.mu.Unlock()
		if reached {
			return ctx.Err()
		}
		j.nudge()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		case <-j.done:
			return errClosed
		}
	}
}

func (j *journal) stats() (kept int64, oldest time.Time) {
	if ms := j.oldest.Load(); ms > 0 {
		oldest = time.UnixMilli(ms).UTC()
	}
	return j.count.Load(), oldest
}

// memory is about what the journal takes of it.
func (j *journal) memory() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes + 3*blockMost + 2*sqliteCacheKB<<10
}

// close writes what waits and closes the file.
func (j *journal) close() error {
	close(j.stop)
	<-j.done
	j.reads.Lock()
	defer j.reads.Unlock()
	var err error
	for _, c := range []*sqlite.Conn{j.read, j.write} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	j.read, j.write = nil, nil
	return err
}
