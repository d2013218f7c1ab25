package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
)

// writes are the scenarios that change one person at a time, and Bulk.
func writes() []scenario {
	return []scenario{
		{name: "create", title: "POST of a user, each durable", writers: true, prepare: creates},
		{name: "create-one", title: "POST of a user by one client", one: true, prepare: creates},
		{name: "patch-active", title: "PATCH of active", indexed: true, needs: needsPatch, prepare: func(ctx context.Context, s *side) (*work, error) {
			inactive := make([]atomic.Bool, len(s.ids))
			turn := s.turns()
			next := func(worker, _ int) request {
				n := turn(worker)
				was := inactive[n].Load() // every PATCH changes something
				inactive[n].Store(!was)
				return request{method: http.MethodPatch, path: "/Users/" + url.PathEscape(s.ids[n]), body: patchActive(was)}
			}
			_, err := s.try(ctx, next(0, 0))
			return &work{next: next}, err
		}},
		{name: "put", title: "PUT with another title", indexed: true, prepare: func(ctx context.Context, s *side) (*work, error) {
			turn := s.turns()
			var round atomic.Int64 // each PUT differs from the one before
			next := func(worker, _ int) request {
				n := turn(worker)
				return request{method: http.MethodPut, path: "/Users/" + url.PathEscape(s.ids[n]), body: s.bodies.person("", s.number(n), false, int(round.Add(1)%499)+1)}
			}
			_, err := s.try(ctx, next(0, 0))
			return &work{next: next}, err
		}},
		{name: "bulk", title: "Bulk of creates", one: true, needs: needsBulk, prepare: bulkCreates},
		{name: "delete", title: "DELETE of a user", prepare: deletes},
	}
}

// turns gives each worker people that no other worker has, in an order that is
// not that of their creation. Where there are fewer people than workers, some
// share.
func (s *side) turns() func(worker int) int {
	const stride = 7919
	at := make([]atomic.Int64, max(s.o.Workers, s.o.Writers, 1))
	return func(worker int) int {
		mine := max((len(s.ids)-worker+len(at)-1)/len(at), 1)
		n := int(at[worker].Add(1)-1) * stride % mine
		return (worker + n*len(at)) % len(s.ids)
	}
}

// creates creates people who are removed afterwards.
func creates(_ context.Context, s *side) (*work, error) {
	series := s.newSeries()
	var n atomic.Int64
	return &work{
		next: func(int, int) request {
			return request{method: http.MethodPost, path: "/Users", body: s.bodies.person(series, int(n.Add(1)), true, 0),
				then: func(a answer) error {
					id, err := idOf(a)
					if err != nil {
						return err
					}
					s.keep("/Users/" + url.PathEscape(id))
					return nil
				}}
		},
	}, nil
}

// bulkCreates creates people by the thousand.
func bulkCreates(_ context.Context, s *side) (*work, error) {
	series := s.newSeries()
	size := s.batch(len(s.bodies.person(series, 1_000_000, true, 0)))
	var n atomic.Int64
	return &work{
		classes: []string{fmt.Sprintf("%d a message", size)},
		next: func(int, int) request {
			var m bulk
			for range size {
				m.add(http.MethodPost, "/Users", s.bodies.person(series, int(n.Add(1)), true, 0))
			}
			return request{method: http.MethodPost, path: "/Bulk", body: m.message(), read: true, then: func(a answer) error {
				var b bulkAnswer
				if err := json.Unmarshal(a.body, &b); err != nil {
					return err
				}
				ids, err := b.made(size)
				for _, id := range ids {
					s.keep("/Users/" + url.PathEscape(id))
				}
				return err
			}}
		},
	}, nil
}

// deletes deletes people who were created for that, at most 5,000.
func deletes(ctx context.Context, s *side) (*work, error) {
	const most = 5_000
	ids := make([]string, min(most, s.o.Rounds*s.o.Requests))
	if err := s.createPeople(ctx, s.newSeries(), ids); err != nil {
		return nil, err
	}
	for _, id := range ids {
		s.keep("/Users/" + url.PathEscape(id))
	}
	var n atomic.Int64
	part := (len(ids) + s.o.Rounds - 1) / s.o.Rounds
	w := new(work)
	next := func(int, int) request {
		i := int(n.Add(1)) - 1
		if i >= len(ids) {
			return request{}
		}
		path := "/Users/" + url.PathEscape(ids[i])
		return request{method: http.MethodDelete, path: path, then: func(answer) error {
			s.lose(path)
			return nil
		}}
	}
	w.round = func(ctx context.Context, workers int, b bound) *round {
		b.requests = min(b.requests, part) // each round has its share
		return load(ctx, s.c, workers, b, next)
	}
	return w, nil
}
