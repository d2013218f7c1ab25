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
	err := s.replace(ctx, t, want, without(cur, want))
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

// replace makes want the members of a team, none of which removed is among.
func (s *teams) replace(ctx context.Context, t *team, want, removed []string) error {
	call := facade.Call{Method: "PUT", Path: teamsPath + "/" + t.UUID + "/users", Body: map[string][]string{"users": want}}
	return s.enrol(ctx, call, t.UUID, want, removed)
}

// enrol makes a call that changes members. Where its answer does not show that
// those who were added are there and those who were removed are not, the team is
// read: what did not happen must not be told as done.
func (s *teams) enrol(ctx context.Context, call facade.Call, id string, added, removed []string) error {
	var answer struct {
		Embedded struct {
			Users []named `json:"users"` // those that the token sees
		} `json:"_embedded"`
	}
	if _, err := s.up.Do(ctx, call, orNone(&answer)); err != nil {
		return err
	}
	list := make([]string, 0, len(answer.Embedded.Users))
	for _, u := range answer.Embedded.Users {
		list = append(list, u.UUID)
	}
	if answer.Embedded.Users != nil && len(without(added, list)) == 0 && len(without(removed, list)) == len(removed) {
		return nil
	}
	now, err := s.get(ctx, id)
	if err != nil {
		return s.partial(ctx, explain(err, hintRead), "whether the members of group %s were changed is not known, since it can't be read", id)
	}
	list = now.members()
	switch missing, left := without(added, list), without(removed, without(removed, list)); {
	case len(left) > 0:
		return s.undone(call, "%s is still among the members of group %s", left[0], id)
	case len(missing) > 0 && now.Count-len(list) < len(missing): // they are not among those that are not shown either
		return s.undone(call, "%s is not among the members of group %s", missing[0], id)
	}
	return nil
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
		case status == 400 || status == 422:
			n := 0
			n, err = s.sift(ctx, t, part, err)
			if done += n; err == nil {
				continue
			}
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

// of returns whom the operations of one kind are about.
func of(ops []memberOp, kind string) []string {
	var ids []string
	for _, op := range ops {
		if op.Op == kind {
			ids = append(ids, op.Value.UUID)
		}
	}
	return ids
}

// patch sends operations on members; some versions may want to be told that
// they are a JSON Patch.
func (s *teams) patch(ctx context.Context, id string, ops []memberOp) error {
	call := facade.Call{Method: "PATCH", Path: teamsPath + "/" + id + "/users", Body: ops}
	added, removed := of(ops, "add"), of(ops, "remove")
	err := s.enrol(ctx, call, id, added, removed)
	if refused(err) == 415 {
		call.ContentType = "application/json-patch+json"
		err = s.enrol(ctx, call, id, added, removed)
	}
	return err
}

// oneByOne is change for a PactFlow that has no PATCH of members.
func (s *teams) oneByOne(ctx context.Context, t *team, add, remove []string, cause error) error {
	path := teamsPath + "/" + t.UUID + "/users"
	if _, err := s.dismiss(ctx, t.UUID, remove); err != nil {
		return err
	}
	switch {
	case len(add) == 0 && refused(cause) == 404:
		_, err := s.get(ctx, t.UUID) // it may have been the team that is not there
		return err
	case len(add) == 0:
		return nil
	case t.invisible():
		return s.enrol(ctx, facade.Call{Method: "POST", Path: path, Body: map[string][]string{"users": add}}, t.UUID, add, nil)
	}
	return s.replace(ctx, t, append(without(t.members(), remove), add...), remove)
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
