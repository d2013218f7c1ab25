package lookingglass

import (
	"context"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
	"github.com/rollcall-scim/rollcall/scim"
)

// The number of an exchange that several instances share: tenths of a
// millisecond since 1970 by the clock of the database, and the number of the
// instance in the lowest bits. It stays below 2⁵³ until 2081, so that
// programs which take every number for a float read it well.
const (
	tick     = 100 * time.Microsecond
	spanMost = int64(5*time.Second/tick) * shared.Numbers // from the first to the last exchange of a block
)

// unsettled is how long an exchange may take to be seen by all instances.
const unsettled = 30 * time.Second

// The journal's times.
const (
	sharedWait   = 10 * time.Second // for the database, by who waits for nothing else
	closeWait    = 2 * time.Second
	retryWait    = 2 * time.Second // after a batch that could not be written
	joinEvery    = time.Minute
	pruneEvery   = 10 * time.Minute
	measureEvery = 2 * time.Second
)

// deflateShared is from how many bytes a block is deflated that goes over a
// network.
const deflateShared = 4 << 10

// sharedJournal keeps the exchanges of all instances in their database.
type sharedJournal struct {
	*outbox
	store     shared.Store
	o         Options
	lost      func(int)
	life      context.Context
	end       context.CancelFunc
	number    atomic.Int64 // of the instance
	ahead     atomic.Int64 // how many nanoseconds the clock of the database is
	newest    int64        // tick of the last exchange
	failing   bool         // the last batch could not be written
	busy      atomic.Bool  // failing, for readers
	count     atomic.Int64 // exchanges
	oldest    atomic.Int64 // ms
	measures  sync.Mutex
	remeasure time.Time // when to measure again
}

// openShared takes part in the journal of all instances. A database that does
// not answer at the moment is no reason to fail.
func openShared(o Options, lost func(int)) *sharedJournal {
	j := &sharedJournal{outbox: newOutbox(min(batchMost, max(o.Keep/20, 1)), true), store: o.Shared, o: o, lost: lost}
	j.life, j.end = context.WithCancel(context.Background())
	j.number.Store(rand.Int64N(shared.Numbers))
	ctx, cancel := context.WithTimeout(j.life, closeWait)
	defer cancel()
	if o.ReadOnly {
		close(j.done)
		j.measure(ctx, true)
		return j
	}
	joined := j.join(ctx)
	j.measure(ctx, true)
	go j.loop(joined)
	return j
}

// join takes a number that no other instance has, and reports whether it has one.
func (j *sharedJournal) join(ctx context.Context) bool {
	number, now, err := j.store.Join(ctx, int(j.number.Load()))
	after := j.o.Now()
	switch {
	case err != nil:
		return false
	case number >= 0:
		j.number.Store(int64(number))
	default:
		j.o.Logger.Warn("more instances write the Looking Glass than can be told apart by a number of their own")
	}
	// The answer took its time, so this is a little behind the clock of the database,
	// and never before it: what was recorded when an instance begins stays older
	// than what that one records.
	j.ahead.Store(int64(now.Sub(after)))
	return true
}

// ticks is the present time in the numbers of exchanges.
func (j *sharedJournal) ticks() int64 {
	return j.o.Now().Add(time.Duration(j.ahead.Load())).UnixMicro() / tick.Microseconds()
}

// next implements journal. A clock that was set back does not matter.
func (j *sharedJournal) next() int64 {
	j.newest = max(j.newest+1, j.ticks())
	return j.newest*shared.Numbers + j.number.Load()
}

// settled returns the Seq up to which no exchange will be seen that is not now.
func (j *sharedJournal) settled() int64 {
	return (j.ticks() - int64(unsettled/tick)) * shared.Numbers
}

// loop writes what waits, several times a second, and prunes.
func (j *sharedJournal) loop(joined bool) {
	defer close(j.done)
	timer := time.NewTicker(batchWait)
	defer timer.Stop()
	var tried, asked, pruned time.Time
	if joined {
		asked = time.Now()
	}
	written := 0
	for {
		select {
		case <-timer.C:
		case <-j.wake:
		case <-j.stop:
			j.leave()
			return
		}
		now := time.Now()
		if j.failing && now.Sub(tried) < retryWait {
			continue
		}
		tried = now
		written += j.batch(true)
		if now.Sub(asked) > joinEvery || asked.IsZero() {
			if j.briefly(func(ctx context.Context) error { return errUnless(j.join(ctx)) }) == nil {
				asked = now
			}
		}
		if now.Sub(pruned) > pruneEvery || written > j.o.Keep/20 {
			pruned, written = now, 0
			j.prune()
		}
	}
}

var errNoNumber = errors.New("the Looking Glass has no number")

func errUnless(ok bool) error {
	if ok {
		return nil
	}
	return errNoNumber
}

// briefly runs what waits for the database.
func (j *sharedJournal) briefly(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(j.life, sharedWait)
	defer cancel()
	return f(ctx)
}

func (j *sharedJournal) prune() {
	err := j.briefly(func(ctx context.Context) error {
		return j.store.Prune(ctx, j.o.Keep, lookupsMost, j.o.Now().AddDate(0, 0, -j.o.Days))
	})
	if err != nil && j.life.Err() == nil {
		j.o.Logger.Debug("the Looking Glass can't prune its journal", "error", err)
		return
	}
	_ = j.briefly(func(ctx context.Context) error { j.measure(ctx, true); return nil })
}

// leave ends the writing.
func (j *sharedJournal) leave() {
	time.AfterFunc(closeWait, j.end)
	j.batch(false)
	_ = j.store.Leave(j.life, int(j.number.Load())) // it is free by itself, later
}

// batch writes what waits in one transaction, and returns how many exchanges that
// were. If the database is away they wait on, with again; what it refuses is
// lost, and counted.
func (j *sharedJournal) batch(again bool) (written int) {
	list, count, upTo := j.take()
	if len(list) > 0 {
		blocks, lookups := make([]shared.Block, 0, len(list)), []shared.Lookup(nil)
		for _, b := range list {
			blocks = append(blocks, j.packed(b))
			for i := range b.lookups {
				lookups = append(lookups, j.lookupOf(&b.lookups[i]))
			}
		}
		err := j.briefly(func(ctx context.Context) error { return j.store.Write(ctx, blocks, lookups) })
		if err != nil && !j.failing {
			j.o.Logger.Warn("the Looking Glass can't write to the database", "error", err)
		}
		j.failing = err != nil
		j.busy.Store(j.failing)
		switch {
		case err == nil:
			written = count
			j.count.Add(int64(count))
			earliest(&j.oldest, list)
		case again && awayFor(err):
			j.putBack(list)
			return 0
		default:
			j.lost(count)
		}
	}
	j.settle(list, upTo)
	return written
}

// awayFor reports whether what a database refused may succeed later.
func awayFor(err error) bool {
	var e *scim.Error
	return errors.As(err, &e) && e.Status == 503 || errors.Is(err, context.DeadlineExceeded)
}

func (j *sharedJournal) packed(b *block) shared.Block {
	out := shared.Block{First: b.first, Last: b.last, Oldest: b.oldest, Newest: b.newest, Count: b.count, Instance: j.o.Instance, Body: b.b}
	for _, h := range b.touched() {
		out.Touched = append(out.Touched, int32(h))
	}
	if len(b.b) >= deflateShared {
		if body, err := deflate(b.b); err == nil {
			out.Body, out.Deflated = body, true
		}
	}
	return out
}

// keyOf identifies a folded value.
func keyOf(folded string) []byte {
	sum := sha256.Sum256([]byte(folded))
	return sum[:16]
}

// home is a tenant as it is in the database: "" is the program's own.
func (j *sharedJournal) home(tenant string) string {
	if tenant == j.o.Tenant {
		return ""
	}
	return tenant
}

// keyIn identifies a folded value that was looked for in a tenant.
func keyIn(home, folded string) []byte {
	if home == "" {
		return keyOf(folded)
	}
	return keyOf(home + "/" + folded)
}

func (j *sharedJournal) lookupOf(s *looked) shared.Lookup {
	ms, home := s.Last.UnixMilli(), j.home(s.tenant)
	return shared.Lookup{Tenant: home, Key: keyIn(home, foldValue(s.Value)), Attribute: s.Attribute, Value: s.Value, Found: s.Found,
		Kind: s.Client.Kind, How: s.Client.How, First: ms, Last: ms, Times: 1}
}

// measure learns how much there is, now and then or, with force, at once.
func (j *sharedJournal) measure(ctx context.Context, force bool) {
	j.measures.Lock()
	defer j.measures.Unlock()
	started := time.Now()
	if !force && started.Before(j.remeasure) {
		return
	}
	count, oldest, err := j.store.Measure(ctx)
	j.remeasure = time.Now().Add(max(measureEvery, 20*time.Since(started)))
	if err == nil {
		j.count.Store(count)
		j.oldest.Store(oldest)
	}
}

func (j *sharedJournal) stats() (kept int64, oldest time.Time) {
	if ms := j.oldest.Load(); ms > 0 {
		oldest = time.UnixMilli(ms).UTC()
	}
	return j.count.Load(), oldest
}

func (j *sharedJournal) memory() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes + 3*blockMost
}

func (j *sharedJournal) close() error {
	defer j.end()
	if !j.o.ReadOnly {
		close(j.stop)
		<-j.done
	}
	return j.store.Close()
}

// own waits a moment until the instance's own exchanges are there to be read.
func (j *sharedJournal) own(ctx context.Context) {
	if !j.busy.Load() && !j.o.ReadOnly {
		ctx, cancel := context.WithTimeout(ctx, closeWait)
		defer cancel()
		_ = j.flush(ctx)
	}
}

func (j *sharedJournal) soughtBy(ctx context.Context, tenant, folded string) ([]Sought, error) {
	return j.lookups(ctx, j.home(tenant), keyIn(j.home(tenant), folded), mostLookups)
}

func (j *sharedJournal) soughtAll(ctx context.Context, tenant string, limit int) ([]Sought, error) {
	return j.lookups(ctx, j.home(tenant), nil, limit)
}

func (j *sharedJournal) lookups(ctx context.Context, home string, key []byte, limit int) ([]Sought, error) {
	ctx, cancel := context.WithTimeout(ctx, sharedWait)
	defer cancel()
	found, err := j.store.Lookups(ctx, home, key, limit)
	if err != nil {
		return nil, err
	}
	var list []Sought
	for _, l := range found {
		list = append(list, Sought{Lookup: Lookup{l.Attribute, l.Value, l.Found}, Client: Client{l.Kind, l.How},
			First: time.UnixMilli(l.First).UTC(), Last: time.UnixMilli(l.Last).UTC(), Times: l.Times})
	}
	return latest(slices.Clip(list)), nil
}
