package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// membersPerRequest is how many members one request adds at most, and inlined
// how many a new group is created with.
const membersPerRequest = 1000

// errInhabited is why a server with people is left alone.
var errInhabited = errors.New("the server has people already; --yes measures it all the same")

// survey looks at what is there and says what will be done; nothing is written.
func (s *side) survey(ctx context.Context) error {
	p := s.o.Population
	var err error
	if s.marker, err = s.find(ctx, "/Users", "userName", p.marker()); err != nil {
		return s.wrong("can't look for a population", err)
	}
	if s.existing = s.marker != ""; s.existing {
		s.o.say("%s: uses the population %q that is there (%s)%s\n", s.url, p.Name, p, s.keeping())
		return nil
	}
	if err := s.sameName(ctx); err != nil {
		return err
	}
	there, err := s.list(ctx, "/Users", url.Values{"startIndex": {"1"}, "count": {"1"}})
	if err != nil {
		return s.wrong("can't list people", err)
	}
	s.o.say("%s: %s\n  will create %s, named %s…%s\n", s.url, s.has, p, p.prefix(), s.keeping())
	for _, note := range s.has.Notes {
		s.o.say("  %s\n", note)
	}
	n := max(there.TotalResults, len(there.Resources))
	if n > 0 && !s.o.Yes && !(s.o.named && n <= p.Users && s.own(there)) {
		return fmt.Errorf("%s: %w (%d of them)", s.url, errInhabited, n)
	}
	return nil
}

// sameName returns an error if there is a population of that name with other
// parameters.
func (s *side) sameName(ctx context.Context) error {
	p := s.o.Population
	if !s.has.Filter || !s.o.named {
		return nil
	}
	other, err := s.list(ctx, "/Users", url.Values{"filter": {`userName sw "` + p.prefix() + `complete-"`}})
	if err != nil || len(other.Resources) == 0 { // not every server knows sw
		return nil
	}
	return fmt.Errorf("%s: there is a population %q of other parameters (%s): another --name makes another one, --remove removes it",
		s.url, p.Name, printable(other.Resources[0].UserName))
}

// own reports whether the people of a page are of this population, which was
// not finished.
func (s *side) own(p page) bool {
	for _, r := range p.Resources {
		if _, ok := s.o.Population.number(r.UserName); !ok {
			return false
		}
	}
	return len(p.Resources) > 0
}

func (s *side) keeping() string {
	if s.o.Keep || s.existing {
		return "; it stays there afterwards"
	}
	return "; it is removed afterwards"
}

func (s *side) wrong(what string, err error) error { return fmt.Errorf("%s: %s: %w", s.url, what, err) }

// fill creates what is missing of the population.
func (s *side) fill(ctx context.Context) error {
	p := s.o.Population
	if some := s.o.Sample; s.existing && some > 0 && some < p.Users && s.has.Filter {
		if err := s.learnSome(ctx, some); err != nil {
			return s.wrong("can't look up the population", err)
		}
		return nil
	}
	if s.existing {
		if err := s.learn(ctx); err != nil {
			return s.wrong("can't read the population", err)
		}
		if n := s.known(); n < p.Users {
			return s.wrong("the population is damaged", fmt.Errorf("%d of %d people are missing", p.Users-n, p.Users))
		}
		return nil
	}
	s.began = true
	s.ids = make([]string, p.Users)
	resumed := false
	if s.o.named { // an earlier run may have been interrupted
		id, err := s.find(ctx, "/Users", "userName", p.userName("", 0))
		if err != nil {
			return s.wrong("can't look for a population", err)
		}
		if resumed = id != ""; resumed {
			if err := s.learn(ctx); err != nil {
				return s.wrong("can't read the population", err)
			}
			s.cursors = nil
			s.o.say("  %d people are there from an earlier run\n", s.known())
		}
	}
	watch := s.o.watch()
	if err := s.createPeople(ctx, "", s.ids); err != nil {
		return s.wrong("can't create people", err)
	}
	watch.lap("%d people", p.Users)
	if s.has.Groups {
		n, err := s.createGroups(ctx, resumed)
		if err != nil {
			return s.wrong("can't create groups", err)
		}
		watch.lap("%d memberships", n)
	}
	a, err := s.c.call(ctx, http.MethodPost, "/Users", fmt.Appendf(nil, `{"schemas":[%q],"userName":%q,"active":true}`, userURN, p.marker()), nil)
	if err != nil {
		return s.wrong("can't create the marker", err)
	}
	s.marker, err = idOf(a)
	return err
}

// createPeople creates those whose id is "", by Bulk where the server has it,
// and notes their ids.
func (s *side) createPeople(ctx context.Context, series string, ids []string) error {
	var missing []int
	for n, id := range ids {
		if id == "" {
			missing = append(missing, n)
		}
	}
	return s.inParts(ctx, "people", len(missing), s.batch(len(s.bodies.person(series, len(ids), true, 0))), func(ctx context.Context, from, to int) error {
		if !s.has.Bulk {
			return s.createOne(ctx, series, missing[from], ids)
		}
		var m bulk
		for _, n := range missing[from:to] {
			m.add(http.MethodPost, "/Users", s.bodies.person(series, n, true, 0))
		}
		var b bulkAnswer
		if _, err := s.c.call(ctx, http.MethodPost, "/Bulk", m.message(), &b); err != nil {
			return err
		}
		for i, n := range missing[from:to] {
			if i < len(b.Operations) && isSuccess(b.Operations[i].Status) {
				ids[n] = idAt(b.Operations[i].Location)
			}
			if ids[n] != "" {
				continue
			}
			if err := s.createOne(ctx, series, n, ids); err != nil { // it may have been busy
				return err
			}
		}
		return nil
	})
}

// createOne creates a person and notes the id.
func (s *side) createOne(ctx context.Context, series string, n int, ids []string) error {
	a, err := s.c.call(ctx, http.MethodPost, "/Users", s.bodies.person(series, n, true, 0), nil)
	if err == nil {
		ids[n], err = idOf(a)
		return err
	}
	if statusOf(err) == http.StatusConflict { // created by a request whose answer said otherwise
		if id, found := s.find(ctx, "/Users", "userName", s.o.Population.userName(series, n)); found == nil && id != "" {
			ids[n] = id
			return nil
		}
	}
	return err
}

// batch returns how many bodies of a size one Bulk message holds; 1 without
// Bulk.
func (s *side) batch(size int) int {
	if !s.has.Bulk {
		return 1
	}
	return max(1, min(s.has.BulkOps, (s.has.BulkBytes-500)/(size+80), 1000))
}

// made returns the ids of what the operations created or changed, and an error
// if one did not succeed.
func (b *bulkAnswer) made(want int) ([]string, error) {
	if len(b.Operations) != want {
		return nil, fmt.Errorf("the answer to %d bulk operations has %d", want, len(b.Operations))
	}
	ids := make([]string, want)
	for i, op := range b.Operations {
		if !isSuccess(op.Status) {
			text, _ := json.Marshal(op.Response)
			return nil, fmt.Errorf("bulk operation %d: status %s: %s", i, printable(fmt.Sprint(op.Status)), sample(text))
		}
		if ids[i] = idAt(op.Location); ids[i] == "" {
			return nil, fmt.Errorf("bulk operation %d has no location", i)
		}
	}
	return ids, nil
}

// idIn returns the id of a resource that was created.
func idIn(a answer) string {
	if id := idAt(a.header.Get("Location")); id != "" {
		return id
	}
	var r struct{ ID string }
	_ = json.Unmarshal(a.body, &r)
	return r.ID
}

// idOf is idIn for what must have one.
func idOf(a answer) (string, error) {
	if id := idIn(a); id != "" {
		return id, nil
	}
	return "", fmt.Errorf("status %d without a Location or an id", a.status)
}

// idAt returns the id at the end of a location, as it is without the escapes of
// a URL, or "".
func idAt(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	escaped := strings.TrimRight(u.EscapedPath(), "/")
	id, err := url.PathUnescape(escaped[strings.LastIndexByte(escaped, '/')+1:])
	if err != nil {
		return ""
	}
	return id
}

// inParts calls do for the parts of 0…n, with as many workers as fill. The
// first error ends it.
func (s *side) inParts(ctx context.Context, what string, n, part int, do func(ctx context.Context, from, to int) error) error {
	return inParts(ctx, s.o.Fillers, n, part, do, func(done int64) { s.o.progress.show("%s: %d of %d %s", s.url, done, n, what) })
}

// createGroups creates the groups and returns how many memberships they have.
func (s *side) createGroups(ctx context.Context, resumed bool) (int, error) {
	p := s.o.Population
	made := 0
	have := map[string]bool{}
	if resumed {
		err := s.walk(ctx, "/Groups", func(_ string, p page) error {
			for _, r := range p.Resources {
				have[r.DisplayName] = true
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	var missing []int
	for i := range p.others() {
		if !have[p.other(i).name] {
			missing = append(missing, i)
		}
	}
	size := p.GroupSize*(len(s.ids[0])+12) + 200
	err := s.inParts(ctx, "groups", len(missing), s.batch(size), func(ctx context.Context, from, to int) error {
		alone := missing[from:to] // those that Bulk did not create
		if s.has.Bulk && size < s.has.BulkBytes {
			var m bulk
			for _, i := range alone {
				g := p.other(i)
				m.add(http.MethodPost, "/Groups", groupBody(g.name, s.members(g, 0, g.size)...))
			}
			var b bulkAnswer
			if _, err := s.c.call(ctx, http.MethodPost, "/Bulk", m.message(), &b); err != nil {
				return err
			}
			var busy []int
			for at, i := range alone {
				if at >= len(b.Operations) || !isSuccess(b.Operations[at].Status) {
					busy = append(busy, i)
				}
			}
			alone = busy
		}
		for _, i := range alone {
			if _, err := s.createGroup(ctx, p.other(i)); err != nil {
				return err
			}
		}
		return nil
	})
	made += p.others() * p.GroupSize
	for _, g := range append(p.steps(), p.largest()) {
		if err != nil {
			return made, err
		}
		if g.size > membersPerRequest && !s.has.Patch {
			s.o.say("  no group of %d: it takes PATCH to make one\n", g.size)
			continue
		}
		s.o.progress.show("%s: a group of %d", s.url, g.size)
		s.groups[g.name], err = s.createGroup(ctx, g)
		made += g.size
	}
	return made, err
}

// members returns the ids of a group's members from…to.
func (s *side) members(g group, from, to int) []string {
	ids := make([]string, 0, to-from)
	for k := from; k < to; k++ {
		ids = append(ids, s.ids[g.member(k)])
	}
	return ids
}

// createGroup creates a group, or completes it, and returns its id.
func (s *side) createGroup(ctx context.Context, g group) (string, error) {
	id := ""
	var err error
	if s.o.named {
		if id, err = s.find(ctx, "/Groups", "displayName", g.name); err != nil {
			return "", err
		}
	}
	from := 0
	if id == "" {
		if from = g.size; s.has.Patch { // else there is no second chance
			from = min(g.size, membersPerRequest)
		}
		a, err := s.c.call(ctx, http.MethodPost, "/Groups", groupBody(g.name, s.members(g, 0, from)...), nil)
		if err != nil {
			return "", err
		}
		if id, err = idOf(a); err != nil {
			return "", err
		}
	}
	for ; from < g.size; from += membersPerRequest {
		to := min(from+membersPerRequest, g.size)
		if _, err := s.c.call(ctx, http.MethodPatch, "/Groups/"+url.PathEscape(id), patchMembers("add", s.members(g, from, to)...), nil); err != nil {
			return "", err
		}
	}
	return id, nil
}

// group returns the id of a group of the population that is there, or "".
func (s *side) group(ctx context.Context, g group) (string, error) {
	if id := s.groups[g.name]; id != "" {
		return id, nil
	}
	id, err := s.find(ctx, "/Groups", "displayName", g.name)
	if id != "" {
		s.groups[g.name] = id
	}
	return id, err
}
