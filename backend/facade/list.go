package facade

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
)

// manyCalls is how many calls of one list are worth a warning.
const manyCalls = 200

// numbered is a resource with its place in the application's order.
type numbered struct {
	seq int64
	r   *scim.Resource
}

// List answers a query ([scim.Backend]): by one read where the filter names an
// id or a value that the index knows, by the Source's own short way, or else by
// all that the application has. Its order is the application's.
func (s *Store) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	src, err := s.source(ctx, q.Type)
	if err != nil {
		return nil, err
	}
	page, complete, err := s.page(ctx, src, q)
	if err != nil {
		return nil, told(err)
	}
	if !complete {
		if err := s.completePage(ctx, src, q, page); err != nil {
			return nil, told(err)
		}
	}
	for _, r := range page.Resources {
		as(q.Type, r)
	}
	return page, nil
}

// page returns a page, and whether its resources are complete.
func (s *Store) page(ctx context.Context, src Source, q scim.Query) (*scim.Page, bool, error) {
	if found, ok, err := s.short(ctx, src, q.Filter); err != nil || ok {
		if err != nil {
			return nil, false, err
		}
		all := make([]numbered, len(found))
		for i, r := range found {
			all[i] = numbered{int64(i + 1), as(q.Type, r)}
		}
		return pageOf(all, q), true, nil
	}
	c, _ := src.(Completer)
	known := scim.Filter(nil)
	exact := true
	if c != nil {
		known, exact = weaken(q.Filter, c.Lacks, false)
		exact = exact && (q.SortBy == nil || !c.Lacks(*q.SortBy))
	}
	var fault error
	stream := s.stream(ctx, src, q.Type, &fault)
	if exact && q.After == nil {
		page := filter.Page(stream, q)
		return page, false, fault
	}
	if exact {
		known = q.Filter
	}
	var all []numbered
	for seq, r := range stream {
		// Of what the page can't hold only the place matters: the list is held.
		if filter.Match(known, r) {
			all = append(all, numbered{seq, r})
		}
	}
	if fault != nil {
		return nil, false, fault
	}
	if !exact {
		if len(all) > manyCalls {
			s.o.Logger.LogAttrs(ctx, slog.LevelWarn, "a filter needs a call for each resource",
				slog.String("type", q.Type.Name), slog.Int("calls", len(all)), slog.String("request_id", scim.OriginOf(ctx).RequestID))
		}
		var err error
		if all, err = s.complete(ctx, c, q.Type, all); err != nil {
			return nil, false, err
		}
	}
	return pageOf(all, q), !exact, nil
}

// short finds the resources among which are all that match f without a list:
// false if there is no such way.
func (s *Store) short(ctx context.Context, src Source, f scim.Filter) ([]*scim.Resource, bool, error) {
	if f == nil {
		return nil, false, nil
	}
	if v, ok := lookup(src.Type(), f); ok && v.path == "id" {
		r, err := src.Get(ctx, v.text)
		switch {
		case errors.Is(told(err), scim.ErrNotFound):
			return nil, true, nil
		case err != nil:
			return nil, false, err
		}
		return []*scim.Resource{r}, true, nil
	} else if ok && s.indexes.time > 0 {
		found, err := s.holders(ctx, src, v)
		return found, true, err
	}
	if sk, ok := src.(Seeker); ok {
		return sk.Seek(ctx, f)
	}
	return nil, false, nil
}

// stream yields the application's list, each resource once, and says in fault
// why it ended early.
func (s *Store) stream(ctx context.Context, src Source, t *scim.ResourceType, fault *error) iter.Seq2[int64, *scim.Resource] {
	return func(yield func(int64, *scim.Resource) bool) {
		seen := map[string]bool{}
		seq := int64(0)
		err := src.List(ctx, func(r *scim.Resource) bool {
			if seen[r.ID] {
				return true
			}
			seen[r.ID] = true
			seq++
			return yield(seq, as(t, r))
		})
		if err != nil {
			*fault = err
		}
	}
}

// pageOf answers q from a list that is held. The place that a keyset means is
// looked for by its id, since others may have come or gone before it.
func pageOf(all []numbered, q scim.Query) *scim.Page {
	if q.After != nil {
		after := *q.After
		after.Seq-- // its resource is gone, and what followed has moved up
		for _, n := range all {
			if n.r.ID == q.After.ID {
				after.Seq = n.seq
				break
			}
		}
		q.After = &after
	}
	return filter.Page(func(yield func(int64, *scim.Resource) bool) {
		for _, n := range all {
			if !yield(n.seq, n.r) {
				return
			}
		}
	}, q)
}

// completePage adds to the resources of a page what the list left out, if the
// client wants to see it. Who is gone meanwhile is left out.
func (s *Store) completePage(ctx context.Context, src Source, q scim.Query, page *scim.Page) error {
	c, ok := src.(Completer)
	if !ok || !wantsLacking(c, q) {
		return nil
	}
	all := make([]numbered, len(page.Resources))
	for i, r := range page.Resources {
		all[i] = numbered{int64(i), r}
	}
	whole, err := s.complete(ctx, c, q.Type, all)
	if err != nil {
		return err
	}
	page.Total -= len(page.Resources) - len(whole)
	page.Resources = page.Resources[:0]
	for _, n := range whole {
		page.Resources = append(page.Resources, n.r)
	}
	return nil
}

// wantsLacking reports whether the selection wants something that lists lack.
func wantsLacking(c Completer, q scim.Query) bool {
	for _, a := range q.Type.Schema.Attributes {
		if c.Lacks(scim.AttrPath{Name: a.Name, Attr: a}) && q.Selection.Wants(a.Name) {
			return true
		}
	}
	for _, x := range q.Type.Extensions {
		for _, a := range x.Schema.Attributes {
			if c.Lacks(scim.AttrPath{URN: x.Schema.ID, Name: a.Name, Attr: a}) {
				return true
			}
		}
	}
	return false
}

// complete reads resources whole, some at once, and leaves out who is gone.
func (s *Store) complete(ctx context.Context, c Completer, t *scim.ResourceType, all []numbered) ([]numbered, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	work := make(chan int)
	for range min(s.o.Concurrent, len(all)) {
		group.Go(func() {
			for i := range work {
				r, err := c.Complete(ctx, all[i].r)
				switch {
				case errors.Is(told(err), scim.ErrNotFound):
					all[i].r = nil
				case err != nil:
					cancel(err)
				default:
					all[i].r = as(t, r)
				}
			}
		})
	}
	for i := range all {
		select {
		case work <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	whole := all[:0]
	for _, n := range all {
		if n.r != nil {
			whole = append(whole, n)
		}
	}
	return whole, nil
}
