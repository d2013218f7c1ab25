package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
)

// crowds are the scenarios about large groups, and about clients that are in
// each other's way.
func crowds() []scenario {
	return []scenario{
		{name: "group-add", all: true, title: "PATCH that adds a member to a group of", one: true, needs: needsGroupPatch, prepare: additions},
		{name: "member-race", all: true, title: "clients adding members to the same group", writers: true, needs: needsGroupPatch, prepare: memberRace},
		{name: "replace-members", title: "PATCH that replaces a list of members, one of whom is another", one: true, needs: needsGroupPatch, prepare: replaceMembers},
		{name: "noise", title: "GET by id by one client", one: true, needs: needsIndex, prepare: noise},
	}
}

// newGroup creates a group that is removed afterwards.
func (s *side) newGroup(ctx context.Context, ids ...string) (path string, err error) {
	head := ids[:min(len(ids), membersPerRequest)]
	a, err := s.c.call(ctx, http.MethodPost, "/Groups", groupBody(s.o.Population.prefix()+s.newSeries()+"group", head...), nil)
	if err != nil {
		return "", err
	}
	id, err := idOf(a)
	if err != nil {
		return "", err
	}
	path = "/Groups/" + url.PathEscape(id)
	s.keep(path)
	for from := len(head); from < len(ids); from += membersPerRequest {
		add := patchMembers("add", ids[from:min(from+membersPerRequest, len(ids))]...)
		if _, err := s.c.call(ctx, http.MethodPatch, path, add, nil); err != nil {
			return "", err
		}
	}
	return path, nil
}

// outsider creates somebody who is in no group.
func (s *side) outsider(ctx context.Context) (id string, err error) {
	a, err := s.c.call(ctx, http.MethodPost, "/Users", s.bodies.person(s.newSeries(), 1, true, 0), nil)
	if err == nil {
		id, err = idOf(a)
	}
	if err == nil {
		s.keep("/Users/" + url.PathEscape(id))
	}
	return id, err
}

// additions adds a member to the groups of the ladder, in turn, and takes it
// out again, which is not measured.
func additions(ctx context.Context, s *side) (*work, error) {
	id, err := s.outsider(ctx)
	if err != nil {
		return nil, err
	}
	w := new(work)
	var paths []string
	for _, g := range s.o.Population.steps() {
		group, err := s.group(ctx, g)
		if err != nil {
			return nil, err
		}
		if group != "" {
			paths = append(paths, "/Groups/"+url.PathEscape(group))
			w.classes = append(w.classes, strconv.Itoa(g.size))
		}
	}
	if len(paths) == 0 {
		return nil, absent("there are no groups to add to")
	}
	in, out := patchMembers("add", id), patchOut(id)
	next := func(class, n int) request {
		if n%2 == 1 {
			return request{method: http.MethodPatch, path: paths[class], body: out, free: true}
		}
		return request{method: http.MethodPatch, path: paths[class], body: in}
	}
	for n := range 2 {
		if _, err := s.try(ctx, next(0, n)); err != nil {
			return nil, err
		}
	}
	w.next = func(_, n int) request {
		class := n / 2 % len(paths)
		r := next(class, n)
		r.class = class
		return r
	}
	return w, nil
}

// memberRace lets clients add people to one group at the same time. In the end
// all who were said to be in must be, and nobody refused.
func memberRace(ctx context.Context, s *side) (*work, error) {
	path, err := s.newGroup(ctx)
	if err != nil {
		return nil, err
	}
	var n atomic.Int64
	var mu sync.Mutex
	in := map[string]bool{}
	return &work{
		next: func(int, int) request {
			i := int(n.Add(1)) - 1
			if i >= len(s.ids) {
				return request{} // everybody is in
			}
			return request{method: http.MethodPatch, path: path, body: patchMembers("add", s.ids[i]), then: func(answer) error {
				mu.Lock()
				defer mu.Unlock()
				in[s.ids[i]] = true
				return nil
			}}
		},
		finish: func(ctx context.Context) (faults []string, err error) {
			var g struct{ Members []struct{ Value string } }
			if _, err := s.c.call(ctx, http.MethodGet, path, nil, &g); err != nil {
				return nil, err
			}
			there := map[string]bool{}
			for _, m := range g.Members {
				there[m.Value] = true
			}
			lost := 0
			for id := range in {
				if !there[id] {
					lost++
				}
			}
			if lost > 0 {
				faults = append(faults, fmt.Sprintf("%d of %d members that were acknowledged are not in the group", lost, len(in)))
			}
			return faults, nil
		},
	}, nil
}

// replaced is how many members a list has that is replaced.
const replaced = 100_000

// replaceMembers sends the whole list of members, again and again, each time
// with another one at the end.
func replaceMembers(ctx context.Context, s *side) (*work, error) {
	size := min(replaced, len(s.ids)-2)
	if size < 1 {
		return nil, absent("there are too few people")
	}
	path, err := s.newGroup(ctx, s.ids[:size+1]...)
	if err != nil {
		return nil, err
	}
	list := append([]string(nil), s.ids[:size+1]...)
	var bodies [2][]byte
	for i := range bodies {
		list[size] = s.ids[size+i]
		bodies[i] = patchMembers("replace", list...)
	}
	n := 0
	next := func(int, int) request {
		n++
		return request{method: http.MethodPatch, path: path, body: bodies[n%2]}
	}
	if _, err := s.try(ctx, next(0, 0)); statusOf(err) == http.StatusRequestEntityTooLarge {
		return nil, absent("the server does not take a message of %d members", size+1)
	} else if err != nil {
		return nil, err
	}
	return &work{classes: []string{strconv.Itoa(size+1) + " members"}, next: next, finish: func(ctx context.Context) (faults []string, err error) {
		var g struct{ Members []struct{ Value string } }
		if _, err := s.c.call(ctx, http.MethodGet, path, nil, &g); err != nil {
			return nil, err
		}
		if len(g.Members) != size+1 {
			faults = append(faults, fmt.Sprintf("the group has %d members, not the %d that it was given last", len(g.Members), size+1))
		}
		return faults, nil
	}}, nil
}

// noise measures what one client notices of another that reads the end of the
// list without pause.
func noise(ctx context.Context, s *side) (*work, error) {
	deep, err := s.pageAt(ctx, func(total int) int { return max(1, total-s.page+1) })
	if err != nil {
		return nil, err
	}
	if _, err := s.try(ctx, deep.next(0, 0)); err != nil {
		return nil, err
	}
	w := &work{classes: []string{"alone", "beside one reading the end of the list"}}
	w.round = func(ctx context.Context, workers int, b bound) *round {
		b = b.share(len(w.classes))
		get := func(class int) func(int, int) request {
			return func(int, int) request {
				r := s.get("/Users/" + url.PathEscape(s.any()))
				r.class = class
				return r
			}
		}
		alone := load(ctx, s.c, workers, b, get(0))
		loud, quiet := context.WithCancel(ctx)
		var other sync.WaitGroup
		other.Go(func() {
			for loud.Err() == nil {
				_, _ = s.c.do(loud, 0, deep.next(0, 0)) // what it is told is of no interest here
			}
		})
		beside := load(ctx, s.c, workers, b, get(1))
		quiet()
		other.Wait()
		beside.classes[0] = alone.classes[0]
		beside.all += alone.all
		beside.elapsed += alone.elapsed
		beside.busy += alone.busy
		beside.unmixed = false
		return beside
	}
	return w, nil
}
