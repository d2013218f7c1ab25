package facade

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// maxIndexes bounds how many indexes there are, one for each token and type.
const maxIndexes = 64

// indexes hold, for each caller and type, who has which unique values and
// externalId, read from one list. What one token may see says nothing of what
// another may: nothing of one caller's index is ever used for another.
type indexes struct {
	time time.Duration
	now  func() time.Time

	mu   sync.Mutex
	list map[indexKey]*index
	uses uint64
}

type indexKey struct {
	token [sha256.Size]byte // its digest: the index outlives the request
	typ   string
}

// index is one list, by value. Until ready is closed it is being read.
type index struct {
	born    time.Time // before the list was read
	used    uint64
	ready   chan struct{}
	err     error
	waiting int // requests that want it while it is being read
	cancel  context.CancelFunc

	values map[string][]value // by id
	ids    map[value][]string
	own    map[string][]value // written while the list was read; nil: gone
}

func newIndexes(d time.Duration, now func() time.Time) *indexes {
	return &indexes{time: d, now: now, list: map[indexKey]*index{}}
}

func keyOf(ctx context.Context, src Source) indexKey {
	return indexKey{sha256.Sum256([]byte(CallerOf(ctx).token)), src.Type().Name}
}

// find returns the ids of the resources that have a value, as far as the
// caller's index knows; false if there are no indexes. An index that is missing
// or old is read first, by one of those who ask.
func (x *indexes) find(ctx context.Context, src Source, v value) ([]string, bool, error) {
	if x.time <= 0 {
		return nil, false, nil
	}
	key := keyOf(ctx, src)
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.now()
	i := x.list[key]
	if i == nil || now.Sub(i.born) >= x.time {
		x.makeRoom(now)
		own, cancel := context.WithCancel(context.WithoutCancel(ctx))
		i = &index{born: now, ready: make(chan struct{}), cancel: cancel, own: map[string][]value{}}
		x.list[key] = i
		go x.read(own, key, i, src)
	}
	x.uses++
	i.used = x.uses
	i.waiting++
	x.mu.Unlock()
	var err error
	select {
	case <-i.ready:
		err = i.err
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	x.mu.Lock()
	if i.waiting--; i.waiting == 0 {
		select {
		case <-i.ready:
		default:
			x.remove(key, i) // nobody wants it any more
			i.cancel()
		}
	}
	if err != nil {
		return nil, false, err
	}
	return slices.Clone(i.ids[v]), true, nil
}

// makeRoom drops what is old, and then what has not been used for longest.
func (x *indexes) makeRoom(now time.Time) {
	maps.DeleteFunc(x.list, func(_ indexKey, i *index) bool { return now.Sub(i.born) >= x.time })
	for len(x.list) >= maxIndexes {
		var oldest indexKey
		least := x.uses + 1
		for k, i := range x.list {
			if i.used < least {
				oldest, least = k, i.used
			}
		}
		delete(x.list, oldest)
	}
}

// read reads the list. One that fails is not kept.
func (x *indexes) read(ctx context.Context, key indexKey, i *index, src Source) {
	defer i.cancel()
	found, ids := map[string][]value{}, map[value][]string{}
	err := src.List(ctx, func(r *scim.Resource) bool {
		if found[r.ID] == nil {
			put(found, ids, r.ID, values(src.Type(), r))
		}
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if i.err = err; err != nil {
		x.remove(key, i)
	} else {
		for id, list := range i.own {
			put(found, ids, id, list)
		}
		i.values, i.ids = found, ids
	}
	i.own = nil
	close(i.ready)
}

func (x *indexes) remove(key indexKey, i *index) {
	if x.list[key] == i {
		delete(x.list, key)
	}
}

// put gives id the values of list, instead of those it had.
func put(found map[string][]value, ids map[value][]string, id string, list []value) {
	for _, v := range found[id] {
		if left := slices.DeleteFunc(ids[v], func(s string) bool { return s == id }); len(left) > 0 {
			ids[v] = left
		} else {
			delete(ids, v)
		}
	}
	delete(found, id)
	if list == nil {
		return
	}
	found[id] = list
	for _, v := range list {
		ids[v] = append(ids[v], id)
	}
}

// wrote brings the caller's index to what a resource now is.
func (x *indexes) wrote(ctx context.Context, src Source, r *scim.Resource) {
	list := values(src.Type(), r)
	if list == nil {
		list = []value{}
	}
	x.set(keyOf(ctx, src), r.ID, list)
}

// gone takes a resource out of the caller's index.
func (x *indexes) gone(ctx context.Context, src Source, id string) { x.set(keyOf(ctx, src), id, nil) }

func (x *indexes) set(key indexKey, id string, list []value) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch i := x.list[key]; {
	case i == nil:
	case i.own != nil:
		i.own[id] = list
	default:
		put(i.values, i.ids, id, list)
	}
}

// drop forgets the caller's index: something may have been written that it does
// not know of.
func (x *indexes) drop(ctx context.Context, src Source) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.list, keyOf(ctx, src))
}
