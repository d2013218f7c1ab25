package facade

import (
	"context"
	"hash/maphash"
	"slices"
	"sync/atomic"
)

// locks are striped: writes of one resource, and of one unique value, take
// turns. Each stripe counts the writes that it has seen, so that a reader can
// tell whether there was one since. Two keys that share a stripe wait for each
// other, and seem written when the other is: both are rare and cost only time.
type locks struct {
	seed    maphash.Seed
	stripes [1024]stripe
}

type stripe struct {
	turn   chan struct{}
	writes atomic.Uint64
}

func newLocks() *locks {
	l := &locks{seed: maphash.MakeSeed()}
	for i := range l.stripes {
		l.stripes[i].turn = make(chan struct{}, 1)
	}
	return l
}

func (l *locks) at(key string) int {
	return int(maphash.String(l.seed, key) % uint64(len(l.stripes)))
}

// lock waits for the turn of all keys and returns what ends it.
func (l *locks) lock(ctx context.Context, keys ...string) (unlock func(), err error) {
	list := make([]int, len(keys))
	for i, k := range keys {
		list[i] = l.at(k)
	}
	slices.Sort(list) // everybody in the same order
	list = slices.Compact(list)
	held := 0
	unlock = func() {
		for _, i := range list[:held] {
			<-l.stripes[i].turn
		}
	}
	for _, i := range list {
		select {
		case l.stripes[i].turn <- struct{}{}:
			held++
		case <-ctx.Done():
			unlock()
			return nil, context.Cause(ctx)
		}
	}
	return unlock, nil
}

// written returns how many writes the key's stripe has seen.
func (l *locks) written(key string) uint64 { return l.stripes[l.at(key)].writes.Load() }

// wrote counts a write, done or begun.
func (l *locks) wrote(key string) { l.stripes[l.at(key)].writes.Add(1) }
