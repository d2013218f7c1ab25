package pactflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

// chunk is how many members one PATCH adds and removes.
const chunk = 200

// probes bounds how many users are looked up to name the one that is unknown.
const probes = 20

// move changes the members of a team as a delta says, in the fewest calls, and
// reports whether there was anything to change.
//
// A replacement keeps system accounts: identity providers do not know them, and
// without them every pipeline of the team stands still. It is a difference
// where PactFlow does not show all members: what can't be seen must not go.
func (s *teams) move(ctx context.Context, t *team, d *scim.Delta) (bool, error) {
	cur := t.members()
	added, removed := ids(d.Added), ids(d.Removed)
	if !d.Reset {
		add := without(added, cur)
		remove := slices.DeleteFunc(removed, func(id string) bool { return !slices.Contains(cur, id) })
		if t.invisible() {
			// A member that is not shown may be meant.
			remove = slices.DeleteFunc(without(ids(d.Removed), added), func(id string) bool { return !validID(id) })
		}
		if len(add)+len(remove) == 0 {
			return false, nil
		}
		return true, s.change(ctx, t, add, remove)
	}
	want := added
	if !s.drop {
		for _, m := range t.Embedded.Members {
			if m.system() && !slices.Contains(want, m.UUID) {
				want = append(want, m.UUID)
			}
		}
	}
	switch {
	case sameSet(cur, want):
		return false, nil
	case t.invisible():
		return true, s.change(ctx, t, without(want, cur), without(cur, want))
	}
	return true, s.fill(ctx, t, want)
}

// ids returns the ids of the values of a Delta, each once.
func ids(values []any) []string {
	list := make([]string, 0, len(values))
	seen := make(map[string]bool, len(values))
	for _, v := range values {
		if m, ok := v.(scim.MemberRef); ok && !seen[m.ID] {
			seen[m.ID] = true
			list = append(list, m.ID)
		}
	}
	return list
}

// fill replaces the members of a team. Versions before 1.31 may fail at that:
// then what is missing is changed one by one.
func (s *teams) fill(ctx context.Context, t *team, want []string) error {
	cur := t.members()
	err := s.replace(ctx, t, want)
	if refused(err) < 500 {
		return s.unknownMember(ctx, err, without(want, cur))
	}
	now, again := s.get(ctx, t.UUID)
	if again != nil {
		return explain(err, hintWrite)
	}
	cur = now.members()
	add, remove := without(want, cur), without(cur, want)
	if len(add)+len(remove) == 0 {
		return nil
	}
	s.logger.WarnContext(ctx, "PactFlow failed to replace the members of a team; changing them one by one", "team", t.UUID, "error", err)
	if s.change(ctx, now, add, remove) != nil {
		return explain(err, hintWrite) // the failure that came first says more
	}
	return nil
}

// replace makes want the members of a team.
func (s *teams) replace(ctx context.Context, t *team, want []string) error {
	return s.write(ctx, "PUT", teamsPath+"/"+t.UUID+"/users", map[string][]string{"users": want})
}

// change adds and removes members, and leaves all others alone.
func (s *teams) change(ctx context.Context, t *team, add, remove []string) error {
	ops := make([]memberOp, 0, len(add)+len(remove))
	for _, id := range remove {
		ops = append(ops, memberOp{"remove", "/users", memberID{id}})
	}
	for _, id := range add {
		ops = append(ops, memberOp{"add", "/users", memberID{id}})
	}
	done := 0
	for part := range slices.Chunk(ops, chunk) {
		err := s.patch(ctx, t.UUID, part)
		switch status := refused(err); {
		case err == nil:
			done += len(part)
			continue
		case done == 0 && (status == 404 || status == 405 || status == 415):
			err = s.oneByOne(ctx, t, add, remove, err)
			return s.unknownMember(ctx, err, add)
		}
		err = s.unknownMember(ctx, err, add)
		if done > 0 {
			err = s.partial(ctx, err, "%d of %d changes of the members of group %s were made", done, len(ops), t.UUID)
		}
		return err
	}
	return nil
}

// memberOp is one operation of a JSON Patch on the members of a team.
type memberOp struct {
	Op    string   `json:"op"`
	Path  string   `json:"path"`
	Value memberID `json:"value"`
}

type memberID struct {
	UUID string `json:"uuid"`
}

// patch sends operations on members; some versions may want to be told that
// they are a JSON Patch.
func (s *teams) patch(ctx context.Context, id string, ops []memberOp) error {
	call := facade.Call{Method: "PATCH", Path: teamsPath + "/" + id + "/users", Body: ops}
	_, err := s.up.Do(ctx, call, nil)
	if refused(err) == 415 {
		call.ContentType = "application/json-patch+json"
		_, err = s.up.Do(ctx, call, nil)
	}
	return err
}

// oneByOne is change for a PactFlow that has no PATCH of members.
func (s *teams) oneByOne(ctx context.Context, t *team, add, remove []string, cause error) error {
	path := teamsPath + "/" + t.UUID + "/users"
	for _, id := range remove {
		if err := s.write(ctx, "DELETE", path+"/"+id, nil); err != nil && !gone(err) {
			return err
		}
	}
	switch {
	case len(add) == 0 && refused(cause) == 404:
		_, err := s.get(ctx, t.UUID) // it may have been the team that is not there
		return err
	case len(add) == 0:
		return nil
	case t.invisible():
		return s.write(ctx, "POST", path, map[string][]string{"users": add})
	}
	return s.replace(ctx, t, append(without(t.members(), remove), add...))
}

// unknownMember makes of a refusal of members the error that names the first
// that PactFlow does not know. It does not say which; only after it has refused
// is that worth looking up.
func (s *teams) unknownMember(ctx context.Context, err error, added []string) error {
	status := refused(err)
	if status != 400 && status != 422 && !gone(err) {
		return explain(err, hintWrite)
	}
	says := known(err).Detail
	for _, id := range added {
		if strings.Contains(says, id) {
			return scim.InvalidReference("members", id)
		}
	}
	for _, id := range added[:min(len(added), probes)] {
		if _, err := s.users.get(ctx, id); errors.Is(err, scim.ErrNotFound) {
			return scim.InvalidReference("members", id)
		}
	}
	if gone(err) {
		return scim.ErrNotFound
	}
	return scim.Errorf(scim.TypeInvalidValue, `"members": %s`, fmt.Sprintf("%.600s", says))
}
