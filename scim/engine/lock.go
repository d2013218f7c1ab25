package engine

import (
	"context"
	"hash/maphash"

	"github.com/rollcall-scim/rollcall/scim"
)

// locks are striped, one per resource: updates that name no version take
// turns, so that each is applied to what the one before left (PATCH is read,
// change, compare and swap). They are fairness, not safety: that is the
// backend's comparison of versions.
type locks struct {
	seed    maphash.Seed
	stripes [1024]chan struct{}
}

func newLocks() *locks {
	l := &locks{seed: maphash.MakeSeed()}
	for i := range l.stripes {
		l.stripes[i] = make(chan struct{}, 1)
	}
	return l
}

// lock waits for the turn of the tenant's resource and returns what ends it. A
// nil locks lets everyone pass.
func (l *locks) lock(ctx context.Context, tenant string, ref scim.Ref) (unlock func(), err error) {
	if l == nil {
		return func() {}, nil
	}
	s := l.stripes[maphash.String(l.seed, tenant+"/"+ref.String())%uint64(len(l.stripes))]
	select {
	case s <- struct{}{}:
		return func() { <-s }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
