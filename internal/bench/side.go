package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// side is one of the servers that are measured in turn.
type side struct {
	o      *Options
	c      *client
	url    string // as it was given
	yard   bool   // the yardstick, which is no SCIM server
	has    Features
	page   int // resources that a page holds
	bodies bodies
	procs  processes

	began    bool // something may have been written
	existing bool // the population was there before
	ids      []string
	who      []int             // the numbers of ids, where only a sample of the people is known; nil: 0, 1, 2 …
	cursors  []string          // of the pages of pageSize, in order; learned at need
	groups   map[string]string // id by displayName, of those that scenarios use
	marker   string            // id of the marker

	mu     sync.Mutex
	extras map[string]bool // paths of what scenarios created and nobody took away
	series atomic.Int64
}

const pageSize = 100

// newSide asks the server what it offers.
func newSide(ctx context.Context, o *Options, t Target) (*side, error) {
	c, err := newClient(t.URLs, t.Token, o.Timeout, o.Remote)
	if err != nil {
		return nil, err
	}
	s := &side{o: o, c: c, url: t.URLs[0], yard: t.Yardstick, groups: map[string]string{}, extras: map[string]bool{}}
	s.procs = findProcesses(c.bases, append(slices.Clone(t.PIDs), o.PIDs...))
	if s.yard {
		return s, nil
	}
	if s.has, err = discover(ctx, c); err != nil {
		return nil, fmt.Errorf("%s: %w", s.url, err)
	}
	s.page = pageSize
	if m := s.has.MaxPage; m > 0 {
		s.page = min(s.page, m)
	}
	s.bodies = bodies{o.Population, s.has.Enterprise}
	return s, nil
}

// keep notes that a scenario created a resource, lose that it is gone.
func (s *side) keep(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extras[path] = true
}

func (s *side) lose(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.extras, path)
}

// taken returns the paths that keep noted.
func (s *side) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]string, 0, len(s.extras))
	for path := range s.extras {
		list = append(list, path)
	}
	return list
}

// newSeries returns what tells the names of people apart that scenarios create:
// no two are the same, in this run and in others.
func (s *side) newSeries() string {
	return "x" + s.o.run + "-" + strconv.FormatInt(s.series.Add(1), 10) + "-"
}

type listed struct {
	ID, UserName, DisplayName string
}

type page struct {
	TotalResults int
	NextCursor   string
	Resources    []listed
}

// list reads a page.
func (s *side) list(ctx context.Context, endpoint string, query url.Values) (page, error) {
	var p page
	path := endpoint
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	_, err := s.c.call(ctx, http.MethodGet, path, nil, &p)
	return p, err
}

// find returns the id of the resource with that name, or "".
func (s *side) find(ctx context.Context, endpoint, attribute, name string) (string, error) {
	if !s.has.Filter {
		return "", nil
	}
	p, err := s.list(ctx, endpoint, url.Values{"filter": {attribute + ` eq "` + name + `"`}})
	if err != nil {
		return "", err
	}
	for _, r := range p.Resources { // a server that ignores filters lists others
		if strings.EqualFold(r.UserName, name) || strings.EqualFold(r.DisplayName, name) {
			return r.ID, nil
		}
	}
	return "", nil
}

// errNoWalk says that a server's lists end too soon.
var errNoWalk = errors.New("the list of people can't be walked: it repeats itself")

// walk reads a whole list, by cursor where the server has them, and gives every
// page to see, with the cursor that leads to it. Groups come without members.
func (s *side) walk(ctx context.Context, endpoint string, see func(cursor string, p page) error) error {
	cursor, at, last := "", 1, ""
	for {
		q := url.Values{"count": {strconv.Itoa(s.page)}}
		if endpoint == "/Groups" {
			q.Set("excludedAttributes", "members")
		}
		if s.has.Cursor {
			q.Set("cursor", cursor)
		} else {
			q.Set("startIndex", strconv.Itoa(at))
		}
		p, err := s.list(ctx, endpoint, q)
		if err != nil {
			return err
		}
		if err := see(cursor, p); err != nil {
			return err
		}
		s.o.progress.show("reading the list: %d of %d", at-1+len(p.Resources), p.TotalResults)
		if len(p.Resources) == 0 {
			return nil
		}
		if p.Resources[0].ID == last {
			return errNoWalk
		}
		last = p.Resources[0].ID
		at += len(p.Resources)
		if s.has.Cursor {
			cursor = p.NextCursor
		}
		if s.has.Cursor && cursor == "" || !s.has.Cursor && at > p.TotalResults {
			return nil
		}
	}
}

// learn finds out the ids of the population's people from the list, and the
// cursors of its pages.
func (s *side) learn(ctx context.Context) error {
	if s.ids == nil {
		s.ids = make([]string, s.o.Population.Users)
	}
	s.cursors = nil
	return s.walk(ctx, "/Users", func(cursor string, p page) error {
		if s.has.Cursor {
			s.cursors = append(s.cursors, cursor)
		}
		for _, r := range p.Resources {
			if n, ok := s.o.Population.number(r.UserName); ok {
				s.ids[n] = r.ID
			}
		}
		return nil
	})
}

// learnSome looks up the ids of some of the population's people, at random: a
// list of all takes long where there are millions.
func (s *side) learnSome(ctx context.Context, some int) error {
	s.ids, s.who = nil, nil
	drawn := map[int]bool{}
	for len(s.ids) < some {
		n := rand.IntN(s.o.Population.Users)
		if drawn[n] {
			continue
		}
		drawn[n] = true
		id, err := s.find(ctx, "/Users", "userName", s.o.Population.userName("", n))
		if err != nil {
			return err
		}
		if id == "" {
			return fmt.Errorf("the population is damaged: %s is missing", s.o.Population.userName("", n))
		}
		s.ids, s.who = append(s.ids, id), append(s.who, n)
		s.o.progress.show("looking up people: %d of %d", len(s.ids), some)
	}
	return nil
}

// number returns the number of the person whose id is ids[i].
func (s *side) number(i int) int {
	if s.who == nil {
		return i
	}
	return s.who[i]
}

// known returns how many of the population's people have an id.
func (s *side) known() (n int) {
	for _, id := range s.ids {
		if id != "" {
			n++
		}
	}
	return n
}
