package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
)

// reads are the scenarios that change nothing.
func reads() []scenario {
	return []scenario{
		{name: "get", title: "GET by id", indexed: true, yard: true, prepare: func(ctx context.Context, s *side) (*work, error) {
			next := func(int, int) request { return s.get("/Users/" + url.PathEscape(s.any())) }
			_, err := s.try(ctx, next(0, 0))
			return &work{next: next}, err
		}},
		lookUp("username-eq", "userName eq", true, func(s *side, n int) string {
			return `userName eq "` + s.o.Population.userName("", n) + `"`
		}),
		lookUp("externalid-eq", "externalId eq", true, func(s *side, n int) string {
			return `externalId eq "` + s.bodies.externalID(n) + `"`
		}),
		lookUp("email-co", "emails.value co", false, func(s *side, n int) string {
			return `emails.value co "` + s.bodies.fragment(n) + `"`
		}),
		{name: "list-first", title: "the first page of 100, by index", one: true, indexed: true, needs: needsIndex, prepare: func(ctx context.Context, s *side) (*work, error) {
			return s.pageAt(ctx, func(int) int { return 1 })
		}},
		{name: "list-deep", title: "a page of 100 in the last hundredth, by index", one: true, needs: needsIndex, prepare: func(ctx context.Context, s *side) (*work, error) {
			return s.pageAt(ctx, func(total int) int { return max(1, total-99-rand.IntN(total/100+1)) })
		}},
		{name: "list-cursor", all: true, title: "a page of 100, by cursor, at a depth of", one: true, indexed: true, needs: func(s *side) string {
			if !s.has.Cursor {
				return "the server has no cursors"
			}
			return ""
		}, prepare: cursors},
		{name: "group-get", title: "GET of the largest group without its members", indexed: true, needs: needsGroups, prepare: func(ctx context.Context, s *side) (*work, error) {
			id, err := s.theLargest(ctx)
			if err != nil {
				return nil, err
			}
			next := func(int, int) request {
				return s.get("/Groups/" + url.PathEscape(id) + "?excludedAttributes=members")
			}
			_, err = s.try(ctx, next(0, 0))
			return &work{next: next}, err
		}},
		{name: "group-members", title: "GET of the largest group with its members", one: true, needs: needsGroups, prepare: func(ctx context.Context, s *side) (*work, error) {
			id, err := s.theLargest(ctx)
			if err != nil {
				return nil, err
			}
			// The id and little else is in each: so much at the least must come.
			least := int64(s.o.Population.Largest) * int64(len(s.ids[0]))
			return &work{next: func(int, int) request {
				r := s.get("/Groups/" + url.PathEscape(id))
				r.then = func(a answer) error {
					if a.bytes < least {
						return fmt.Errorf("a group of %d members in %d bytes", s.o.Population.Largest, a.bytes)
					}
					return nil
				}
				return r
			}}, nil
		}},
	}
}

func needsIndex(s *side) string {
	if !s.has.Index {
		return "the server has no index pages"
	}
	return ""
}

func (s *side) get(path string) request { return request{method: http.MethodGet, path: path} }

// any returns the id of somebody.
func (s *side) any() string { return s.ids[rand.IntN(len(s.ids))] }

// lookUp is a scenario that finds one person.
func lookUp(name, title string, yard bool, filter func(s *side, n int) string) scenario {
	return scenario{name: name, title: title, indexed: true, yard: yard, one: !yard, needs: needsFilter,
		prepare: func(ctx context.Context, s *side) (*work, error) {
			next := func(_, n int) request {
				query := "/Users?filter=" + url.QueryEscape(filter(s, rand.IntN(s.o.Population.Users)))
				if !yard {
					query += "&count=10"
				}
				r := s.get(query)
				if n == 0 { // once a round: it would be the client's time otherwise
					r.read, r.then = true, exactlyOne
				}
				return r
			}
			a, err := s.try(ctx, next(0, 0))
			if err == nil {
				err = exactlyOne(a)
			}
			return &work{next: next}, err
		}}
}

func exactlyOne(a answer) error {
	var p page
	if err := json.Unmarshal(a.body, &p); err != nil {
		return err
	}
	if p.TotalResults != 1 || len(p.Resources) != 1 {
		return fmt.Errorf("%d people found and %d listed, want 1", p.TotalResults, len(p.Resources))
	}
	return nil
}

// pageAt reads pages of the list by index.
func (s *side) pageAt(ctx context.Context, start func(total int) int) (*work, error) {
	p, err := s.list(ctx, "/Users", url.Values{"startIndex": {"1"}, "count": {"1"}})
	if err != nil {
		return nil, err
	}
	return &work{next: func(int, int) request {
		return s.get("/Users?startIndex=" + strconv.Itoa(start(p.TotalResults)) + "&count=" + strconv.Itoa(s.page))
	}}, nil
}

// depths are where pages are read by cursor, in hundredths of the list.
var depths = []int{0, 25, 50, 75, 99}

// cursors reads pages of the list by cursor, at several depths in turn.
func cursors(ctx context.Context, s *side) (*work, error) {
	if len(s.cursors) == 0 {
		if err := s.learn(ctx); err != nil {
			return nil, err
		}
	}
	w := new(work)
	var at []string
	for _, depth := range depths {
		w.classes = append(w.classes, strconv.Itoa(depth)+" %")
		at = append(at, s.cursors[depth*(len(s.cursors)-1)/100])
	}
	next := func(class, _ int) request {
		return s.get("/Users?count=" + strconv.Itoa(s.page) + "&cursor=" + url.QueryEscape(at[class]))
	}
	// Once is how a walk uses a cursor. This uses it often.
	for range 2 {
		if _, err := s.try(ctx, next(len(at)-1, 0)); statusOf(err) == http.StatusBadRequest {
			return nil, absent("a cursor is good for one page only")
		} else if err != nil {
			return nil, err
		}
	}
	w.next = interleave(len(at), next)
	return w, nil
}

// theLargest returns the id of the largest group.
func (s *side) theLargest(ctx context.Context) (string, error) {
	g := s.o.Population.largest()
	id, err := s.group(ctx, g)
	if err == nil && id == "" {
		err = absent("there is no group of %d", g.size)
	}
	return id, err
}
