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
	batchWait     = 500 * time.Millisecond
	lookupsMost   = 100_000
	lookupsMore   = 10_000 // until they are pruned again
	sqliteCacheKB = 4 << 10
)

// journal keeps exchanges beyond the process. Nobody who is served waits for it.
type journal interface {
	// next returns the Seq of the next exchange. Only the recorder's worker calls it.
	next() int64
	// add takes an exchange, unless too many wait. It does not wait itself, and
	// does not keep x.
	add(x *Exchange) bool
	// flush waits until all that was added is written, or lost; wait for what has a
	// Seq up to upTo.
	flush(ctx context.Context) error
	wait(ctx context.Context, upTo int64) error
	// find is Recorder.Find, get Recorder.Get for the journal alone.
	find(ctx context.Context, q Query) ([]*Exchange, error)
	get(ctx context.Context, seq int64) (*Exchange, error)
	// soughtBy returns the lookups of a tenant for a folded value, soughtAll all of
	// it, the latest first.
	soughtBy(ctx context.Context, tenant, folded string) ([]Sought, error)
	soughtAll(ctx context.Context, tenant string, limit int) ([]Sought, error)
	// drop removes all of a tenant.
	drop(ctx context.Context, tenant string) error
	// erase is Recorder.Erase for the journal alone.
	erase(ctx context.Context, e *erasing) error
	stats() (kept int64, oldest time.Time)
	memory() int64 // that it takes, about
	close() error
}

// fileJournal keeps exchanges on disk, in a SQLite file of its own, so that nobody
// who writes the directory waits for it.
type fileJournal struct {
	*outbox
	path       string
	tenant     string // of the program
	keep, days int
	now        func() time.Time
	log        *slog.Logger

	failing bool         // the last batch was lost
	count   atomic.Int64 // exchanges
	oldest  atomic.Int64 // ms
	floor   atomic.Int64 // Seq up to which exchanges are forgotten, though their block is there
	start   int64        // the greatest Seq that was ever used before
	seq     int64

	looked int // lookups since they were pruned; the writer's
	drops  chan dropping

	write *sqlite.Conn // of the writer
	reads sync.Mutex
	read  *sqlite.Conn
}

// openJournal opens the journal, or makes it. One that can't be read is set
// aside.
func openJournal(o Options) (*fileJournal, error) {
	j := &fileJournal{outbox: newOutbox(batchMost, false), path: o.Journal, tenant: o.Tenant, keep: o.Keep, days: o.Days, now: o.Now, log: o.Logger}
	if err := j.open(); err != nil {
		if err := j.setAside(err); err != nil {
			return nil, err
		}
	}
	j.drops = make(chan dropping)
	j.seq, j.stored, j.taken = j.start, j.start, j.start
	go j.loop()
	return j, nil
}

func (j *fileJournal) next() int64 {
	j.seq++
	return j.seq
}

// loop writes what waits, several times a second, and prunes.
func (j *fileJournal) loop() {
	defer close(j.done)
	timer := time.NewTicker(batchWait)
	defer timer.Stop()
	j.prune(true)
	hourly := j.now()
	for {
		select {
		case <-timer.C:
		case <-j.wake:
		case d := <-j.drops:
			j.batch()
			if d.erase != nil {
				d.done <- j.eraseNow(d.erase)
			} else {
				d.done <- j.dropNow(d.tenant)
			}
			continue
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
func (j *fileJournal) batch() {
	list, count, upTo := j.take()
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
	j.settle(list, upTo)
}

// renew begins a new journal in place of one that turned out to be damaged.
func (j *fileJournal) renew(cause error) error {
	j.reads.Lock()
	defer j.reads.Unlock()
	j.closeConns()
	return j.setAside(cause)
}

func (j *fileJournal) closeConns() {
	for _, c := range []**sqlite.Conn{&j.write, &j.read} {
		if *c != nil {
			if err := (*c).Close(); err != nil {
				j.log.Debug("closing the journal", "error", err)
			}
			*c = nil
		}
	}
}

func (j *fileJournal) stats() (kept int64, oldest time.Time) {
	if ms := j.oldest.Load(); ms > 0 {
		oldest = time.UnixMilli(ms).UTC()
	}
	return j.count.Load(), oldest
}

// memory is about what the journal takes of it.
func (j *fileJournal) memory() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes + 3*blockMost + 2*sqliteCacheKB<<10
}

// close writes what waits and closes the file.
func (j *fileJournal) close() error {
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
