package facade

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// StoreOptions configures a Store; the zero value works.
type StoreOptions struct {
	// IndexTime is how long the index of a caller's list answers lookups by
	// unique values and refuses their doubles. Another writer's change is unseen
	// for that long. 0: no index, each look-up reads the list.
	IndexTime  time.Duration
	Concurrent int              // completions of one page at once; 0: 8
	WriteTime  time.Duration    // how long a write that has begun may take, even if its client goes away; 0: 30 s
	Logger     *slog.Logger     // nil: slog.Default()
	Now        func() time.Time // nil: time.Now
}

// Store is a scim.Backend, scim.MemberUpdater and scim.Shaper over Sources.
// Safe for concurrent use.
type Store struct {
	o       StoreOptions
	sources map[string]Source // by name of the resource type
	locks   *locks
	indexes *indexes
}

var _ interface {
	scim.Backend
	scim.MemberUpdater
	scim.Shaper
} = (*Store)(nil)

// NewStore returns a Store over the sources, one for each resource type.
func NewStore(o StoreOptions, sources ...Source) *Store {
	o.Concurrent = cmp.Or(o.Concurrent, 8)
	o.WriteTime = cmp.Or(o.WriteTime, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{o: o, sources: map[string]Source{}, locks: newLocks(), indexes: newIndexes(o.IndexTime, o.Now)}
	for _, src := range sources {
		s.sources[src.Type().Name] = src
	}
	return s
}

// one returns the Source of a resource's type, unless nothing can have its id.
func (s *Store) one(ctx context.Context, ref scim.Ref) (Source, error) {
	src, err := s.source(ctx, ref.Type)
	if err == nil && ref.ID == "" {
		err = scim.ErrNotFound
	}
	return src, err
}

// source returns the Source of a type.
func (s *Store) source(ctx context.Context, t *scim.ResourceType) (Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if src := s.sources[t.Name]; src != nil {
		return src, nil
	}
	return nil, &scim.Error{Status: 501, Detail: "resources of type " + t.Name + " are not kept here"}
}

// Get reads a resource ([scim.Backend]). It notes which write it has seen, so
// that an update knows whether what was read is still so.
func (s *Store) Get(ctx context.Context, ref scim.Ref, _ scim.Selection) (*scim.Resource, error) {
	src, err := s.one(ctx, ref)
	if err != nil {
		return nil, err
	}
	key := ref.String()
	CallerOf(ctx).Remember(memoSeen+key, s.locks.written(key))
	r, err := src.Get(ctx, ref.ID)
	if err != nil {
		return nil, told(err)
	}
	return as(ref.Type, r), nil
}

// memoSeen begins the memo's keys for the number of writes that Get has seen.
const memoSeen = "facade: writes seen by Get of "

// Shape asks the Source ([scim.Shaper]).
func (s *Store) Shape(ctx context.Context, c *scim.Change) error {
	src, err := s.source(ctx, c.After.Type)
	if err != nil {
		return err
	}
	if sh, ok := src.(scim.Shaper); ok {
		return told(sh.Shape(ctx, c))
	}
	return nil
}

// as returns r as a resource of the caller's type: two engines may have clones.
func as(t *scim.ResourceType, r *scim.Resource) *scim.Resource {
	r.Type = t
	return r
}

// told makes of an application's failure the error that a client is told.
func told(err error) error {
	var e *scim.Error
	var f *Failure
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return err
	case errors.As(err, &f):
		return f.SCIM()
	}
	return err
}
