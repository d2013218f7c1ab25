package pactflow

import (
	"context"
	"hash/maphash"
	"sync/atomic"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

const teamsPath = "/admin/teams"

// teams is the facade.Source of teams.
type teams struct {
	*client
	t     *scim.ResourceType
	users *users
	drop  bool // Options.DropSystemAccounts

	seed   maphash.Seed
	writes [256]atomic.Uint64
}

// Type returns the resource type.
func (s *teams) Type() *scim.ResourceType { return s.t }

func teamKey(id string) string { return "pactflow team " + id }

// seen is a team as a request has read it, or left it, and how many writes of it
// had begun and ended before.
type seen struct {
	t      *team
	writes uint64
}

// count returns the count of the beginnings and ends of writes of a team; others
// may share it.
func (s *teams) count(id string) *atomic.Uint64 {
	return &s.writes[maphash.String(s.seed, id)%uint64(len(s.writes))]
}

// Get reads a team with its members. A request that needs it twice reads it once,
// unless it was written meanwhile.
func (s *teams) Get(ctx context.Context, id string) (*scim.Resource, error) {
	if m, _ := facade.CallerOf(ctx).Recall(teamKey(id)).(*seen); m != nil && m.writes == s.count(id).Load() {
		return m.t.resource(s.t), nil
	}
	t, err := s.get(ctx, id)
	if err != nil {
		return nil, explain(err, hintRead)
	}
	return t.resource(s.t), nil
}

// get reads a team and remembers it for this request.
func (s *teams) get(ctx context.Context, id string) (*team, error) {
	if !validID(id) {
		return nil, scim.ErrNotFound
	}
	t, writes := new(team), s.count(id).Load()
	err := s.read(ctx, facade.Call{Method: "GET", Path: teamsPath + "/" + id}, id, t)
	switch {
	case gone(err):
		return nil, scim.ErrNotFound
	case err != nil:
		return nil, err
	}
	facade.CallerOf(ctx).Remember(teamKey(id), &seen{t, writes})
	return t, nil
}

// recall returns what the request has read of a team, or reads it.
func (s *teams) recall(ctx context.Context, id string) (*team, error) {
	if m, _ := facade.CallerOf(ctx).Recall(teamKey(id)).(*seen); m != nil {
		return m.t, nil
	}
	return s.get(ctx, id)
}

// writing counts the beginning of a write, and with what it returns its end.
func (s *teams) writing(id string) (end func()) {
	n := s.count(id)
	n.Add(1)
	return func() { n.Add(1) }
}

// List hands over all teams, without their members.
func (s *teams) List(ctx context.Context, yield func(*scim.Resource) bool) error {
	err := list(ctx, s.client, teamsPath, "teams", func(t *team) bool { return yield(t.resource(s.t)) })
	return explain(err, hintRead)
}

// Lacks reports whether lists leave the attribute out (facade.Completer).
func (s *teams) Lacks(p scim.AttrPath) bool { return p.URN == "" && p.Name == "members" }

// Complete reads a team with its members (facade.Completer).
func (s *teams) Complete(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	return s.Get(ctx, r.ID)
}

// Create makes a team and gives it its members. A team that can't get them is
// taken back: nobody was in it yet.
func (s *teams) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	name := text(r.Attrs, "displayName")
	id, err := s.open(ctx, name)
	if err != nil {
		return nil, err
	}
	members, _ := r.Attrs.Get("members").([]scim.MemberRef)
	if ids := memberIDs(members); len(ids) > 0 {
		if err := s.fill(ctx, &team{UUID: id}, ids); err != nil {
			return nil, s.takeBack(ctx, id, err)
		}
	}
	t, err := s.get(ctx, id)
	if err != nil {
		return nil, s.partial(ctx, explain(err, hintRead), "group %s was created but can't be read", id)
	}
	return t.resource(s.t), nil
}

// open makes an empty team. A call whose outcome is not known is never repeated:
// the list tells whether it was carried out.
func (s *teams) open(ctx context.Context, name string) (string, error) {
	call := facade.Call{Method: "POST", Path: teamsPath, Body: map[string]string{"name": name}}
	began := s.now()
	var made created
	answer, err := s.up.Do(ctx, call, &made)
	if err == nil {
		if t := made.find(name); t != nil && validID(t.UUID) {
			return t.UUID, nil
		}
		if id := idAt(answer.Header.Get("Location")); id != "" {
			return id, nil
		}
		err = s.up.Nonsense(call, "the answer does not say which team was made")
	}
	if !ambiguous(err) {
		return "", explain(collection(err), hintWrite)
	}
	ctx, cancel := aftermath(ctx)
	defer cancel()
	id := ""
	failed := list(ctx, s.client, teamsPath, "teams", func(t *team) bool {
		if t.Name == name && createdSince(t.CreatedAt, began) && validID(t.UUID) {
			id = t.UUID
		}
		return id == ""
	})
	switch {
	case id != "":
		s.logger.WarnContext(ctx, "a creation whose answer was lost had been carried out", "team", id, "error", err)
		return id, nil
	case failed != nil:
		s.logger.WarnContext(ctx, "whether a creation was carried out can't be found out", "partial", true, "error", err, "search", failed)
		return "", err
	}
	return "", notMade(err)
}

// takeBack deletes a team that could not be given its members, and returns the
// error for it.
func (s *teams) takeBack(ctx context.Context, id string, cause error) error {
	ctx, cancel := aftermath(ctx)
	defer cancel()
	err := s.write(ctx, "DELETE", teamsPath+"/"+id, nil)
	if err == nil || gone(err) {
		e := *known(cause)
		e.Detail = "the group was not created, since its members could not be set: " + e.Detail
		return &e
	}
	s.logger.WarnContext(ctx, "an empty team could not be taken back", "partial", true, "team", id, "error", err)
	return s.partial(ctx, cause, "group %s was created but not its members, and it could not be taken back", id)
}

// Update changes the members of a team and renames it, each only if a change
// says so.
func (s *teams) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	id := c.Before.ID
	var members *scim.Delta
	rename := false
	for i, d := range c.Deltas {
		switch {
		case d.Path.Attr != nil && d.Path.Attr.Membership:
			members = &c.Deltas[i]
		case d.Path.Name == "displayName":
			rename = true
		}
	}
	if members != nil {
		for _, v := range members.Added {
			if m, _ := v.(scim.MemberRef); !validID(m.ID) {
				return nil, scim.InvalidReference("members", m.ID)
			}
		}
	}
	before, err := s.recall(ctx, id)
	if err != nil {
		return nil, explain(err, hintRead)
	}
	defer s.writing(id)()
	after := *before
	name := text(c.After.Attrs, "displayName")
	renamed := rename && name != before.Name
	moved := false
	if members != nil { // first: that is what is refused, and then nothing has changed
		if moved, err = s.move(ctx, before, members); err != nil {
			return nil, err
		}
	}
	if renamed {
		err := s.rename(ctx, &after, name)
		switch {
		case err != nil && moved:
			return nil, s.partial(ctx, err, "the members of group %s were changed but it was not renamed", id)
		case err != nil:
			return nil, err
		}
	}
	if moved {
		return s.moved(ctx, c, &after)
	}
	// The end of this write is yet to be counted.
	facade.CallerOf(ctx).Remember(teamKey(id), &seen{&after, s.count(id).Load() + 1})
	return after.resource(s.t), nil
}

// moved returns a team whose members have changed. Who did not ask for them
// when reading, will not look at them now.
func (s *teams) moved(ctx context.Context, c scim.Change, after *team) (*scim.Resource, error) {
	facade.CallerOf(ctx).Remember(teamKey(after.UUID), nil)
	if c.Before.Attrs.Get("members") == nil && c.After.Attrs.Get("members") == nil {
		t := *after
		t.Embedded.Members = nil
		return t.resource(s.t), nil
	}
	t, err := s.get(ctx, after.UUID)
	if err != nil {
		return nil, s.partial(ctx, explain(err, hintRead), "group %s was changed but can't be read", after.UUID)
	}
	return t.resource(s.t), nil
}

// rename gives a team another name, and sends back all else that it has.
func (s *teams) rename(ctx context.Context, t *team, name string) error {
	call := facade.Call{Method: "PUT", Path: teamsPath + "/" + t.UUID, Body: t.replacement(name)}
	got := new(team)
	_, err := s.up.Do(ctx, call, orNone(got))
	switch {
	case gone(err):
		return scim.ErrNotFound
	case err != nil:
		return explain(err, hintWrite)
	}
	if got.UUID != t.UUID || got.Name != name {
		if got, err = s.get(ctx, t.UUID); err != nil {
			return s.partial(ctx, explain(err, hintRead), "whether group %s was renamed is not known, since it can't be read", t.UUID)
		}
		if got.Name == t.Name && !same(name, t.Name) {
			return s.undone(call, "the name of group %s is as it was", t.UUID)
		}
	}
	t.Name, t.UpdatedAt = got.Name, got.UpdatedAt
	return nil
}

// Delete deletes a team; PactFlow refuses to delete the default one.
func (s *teams) Delete(ctx context.Context, id string) error {
	if !validID(id) {
		return scim.ErrNotFound
	}
	defer s.writing(id)()
	facade.CallerOf(ctx).Remember(teamKey(id), nil)
	err := s.write(ctx, "DELETE", teamsPath+"/"+id, nil)
	if gone(err) {
		return scim.ErrNotFound
	}
	return explain(err, hintWrite)
}

func memberIDs(members []scim.MemberRef) []string {
	ids := make([]string, 0, len(members))
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return ids
}
