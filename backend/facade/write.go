package facade

import (
	"context"
	"errors"
	"slices"

	"github.com/rollcall-scim/rollcall/scim"
)

// Create makes a resource ([scim.Backend]), if its unique values are free.
func (s *Store) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	src, err := s.source(ctx, r.Type)
	if err != nil {
		return nil, err
	}
	unique := uniques(src.Type(), r)
	unlock, err := s.locks.lock(ctx, valueKeys(src, unique)...)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.free(ctx, src, unique, ""); err != nil {
		return nil, err
	}
	var made *scim.Resource
	err = s.write(ctx, src, func(ctx context.Context) error {
		made, err = src.Create(ctx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.indexes.wrote(ctx, src, made)
	return as(r.Type, made), nil
}

// Update changes a resource ([scim.Backend]). It returns ErrVersionMismatch if
// somebody wrote the resource through this Store since the request read it.
func (s *Store) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	return s.update(ctx, c, true)
}

// UpdateMembers changes members, and perhaps the document ([scim.MemberUpdater]).
func (s *Store) UpdateMembers(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	document := slices.ContainsFunc(c.Deltas, func(d scim.Delta) bool { return d.Path.Attr == nil || !d.Path.Attr.Membership })
	r, err := s.update(ctx, c, document || c.IfVersion != "")
	if err != nil {
		return nil, err
	}
	r.Members = nil
	if m := r.Type.Membership(); m != nil {
		r.Attrs.Set(m.Name, nil)
	}
	return r, nil
}

// update changes a resource. compares: what it was read as matters.
func (s *Store) update(ctx context.Context, c scim.Change, compares bool) (*scim.Resource, error) {
	src, err := s.one(ctx, c.Before.Ref())
	if err != nil {
		return nil, err
	}
	unique := slices.DeleteFunc(uniques(src.Type(), c.After), func(u value) bool {
		return slices.Contains(uniques(src.Type(), c.Before), u)
	})
	key := c.Before.Ref().String()
	unlock, err := s.locks.lock(ctx, append(valueKeys(src, unique), key)...)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s.outdated(ctx, key) && compares {
		return nil, scim.ErrVersionMismatch
	}
	if err := s.free(ctx, src, unique, c.Before.ID); err != nil {
		return nil, err
	}
	var made *scim.Resource
	err = s.write(ctx, src, func(ctx context.Context) error {
		defer s.locks.wrote(key)
		made, err = src.Update(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.indexes.wrote(ctx, src, made)
	return as(c.Before.Type, made), nil
}

// outdated reports whether somebody has written the resource since the request
// read it. It empties the memo, unless that is known to be what is there now.
func (s *Store) outdated(ctx context.Context, key string) bool {
	caller := CallerOf(ctx)
	seen, ok := caller.Recall(memoSeen + key).(uint64)
	if ok && seen == s.locks.written(key) {
		return false
	}
	caller.forget()
	return ok
}

// Delete removes a resource ([scim.Backend]).
func (s *Store) Delete(ctx context.Context, ref scim.Ref, version string) error {
	src, err := s.one(ctx, ref)
	if err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, ref.String())
	if err != nil {
		return err
	}
	defer unlock()
	s.outdated(ctx, ref.String())
	if version != "" {
		switch r, err := src.Get(ctx, ref.ID); {
		case err != nil:
			return told(err)
		case r.Meta.Version != version:
			return scim.ErrVersionMismatch
		}
	}
	// The index keeps what it has: an application may only mark what is deleted,
	// and a hit is confirmed anyway.
	return s.write(ctx, src, func(ctx context.Context) error {
		defer s.locks.wrote(ref.String())
		return src.Delete(ctx, ref.ID)
	})
}

// write carries out a write, in a context that does not end with the client: it
// is done as a whole, or as far as the application lets it.
func (s *Store) write(ctx context.Context, src Source, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	caller := CallerOf(ctx)
	calls, writes := caller.calls.Load(), caller.writes.Load()
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.WriteTime)
	defer cancel()
	err := f(own)
	if err == nil {
		return nil
	}
	caller.forget()
	err = told(err)
	// What may have been written in part is not in the index as it is now. A
	// write that was refused as a whole has changed nothing; but if a value is
	// taken that the index says is free, somebody else has written.
	if caller.calls.Load() == calls || caller.writes.Load() != writes || errors.Is(err, scim.ErrUniqueness) {
		s.indexes.drop(ctx, src)
	}
	return err
}

// valueKeys returns what to lock for unique values.
func valueKeys(src Source, values []value) []string {
	keys := make([]string, len(values))
	for i, v := range values {
		keys[i] = src.Type().Name + " " + v.path + "\x00" + v.text
	}
	return keys
}

// free refuses values that must be unique and that another resource has.
func (s *Store) free(ctx context.Context, src Source, values []value, self string) error {
	for _, v := range values {
		found, err := s.holders(ctx, src, v)
		if err != nil {
			return told(err)
		}
		for _, r := range found {
			if r.ID != self {
				return scim.NotUnique(v.path)
			}
		}
	}
	return nil
}

// holders returns the resources that have a value: those of the index, each
// read again, or else those of the list.
func (s *Store) holders(ctx context.Context, src Source, v value) ([]*scim.Resource, error) {
	var found []*scim.Resource
	ids, ok, err := s.indexes.find(ctx, src, v)
	if err != nil {
		return nil, err
	}
	if !ok {
		err := src.List(ctx, func(r *scim.Resource) bool {
			if slices.Contains(values(src.Type(), r), v) {
				found = append(found, r)
			}
			return true
		})
		return found, err
	}
	for _, id := range ids {
		r, err := src.Get(ctx, id)
		if errors.Is(told(err), scim.ErrNotFound) {
			s.indexes.gone(ctx, src, id)
			continue
		}
		if err != nil {
			return nil, err
		}
		s.indexes.wrote(ctx, src, r)
		if slices.Contains(values(src.Type(), r), v) {
			found = append(found, r)
		}
	}
	return found, nil
}
