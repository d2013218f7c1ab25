package pactflow

import (
	"context"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

const usersPath = "/admin/users"

// users is the facade.Source of users and system accounts.
type users struct {
	*client
	t        *scim.ResourceType
	fallback string // Options.UserNameFallback
	remove   bool   // Options.DeleteUsers
}

// Type returns the resource type.
func (s *users) Type() *scim.ResourceType { return s.t }

func userKey(id string) string { return "pactflow user " + id }

// Get reads a user.
func (s *users) Get(ctx context.Context, id string) (*scim.Resource, error) {
	u, err := s.get(ctx, id)
	if err != nil {
		return nil, explain(err, hintRead)
	}
	return u.resource(s.t, s.fallback), nil
}

// get reads a user and remembers it for this request.
func (s *users) get(ctx context.Context, id string) (*user, error) {
	if !validID(id) {
		return nil, scim.ErrNotFound
	}
	u := new(user)
	err := s.read(ctx, facade.Call{Method: "GET", Path: usersPath + "/" + id}, id, u)
	switch {
	case gone(err):
		return nil, scim.ErrNotFound
	case err != nil:
		return nil, err
	}
	facade.CallerOf(ctx).Remember(userKey(id), u)
	return u, nil
}

// recall returns what the request has read of a user, or reads it.
func (s *users) recall(ctx context.Context, id string) (*user, error) {
	if u, _ := facade.CallerOf(ctx).Recall(userKey(id)).(*user); u != nil {
		return u, nil
	}
	return s.get(ctx, id)
}

// List hands over all users.
func (s *users) List(ctx context.Context, yield func(*scim.Resource) bool) error {
	err := list(ctx, s.client, usersPath, "users", func(u *user) bool { return yield(u.resource(s.t, s.fallback)) })
	return explain(err, hintRead)
}

// Delete deactivates a user, or removes it where the options say so.
func (s *users) Delete(ctx context.Context, id string) error {
	if !validID(id) {
		return scim.ErrNotFound
	}
	defer facade.CallerOf(ctx).Remember(userKey(id), nil)
	if s.remove {
		err := s.write(ctx, "DELETE", usersPath+"/"+id, nil)
		if gone(err) {
			return scim.ErrNotFound
		}
		return explain(err, hintWrite)
	}
	u, err := s.recall(ctx, id)
	if err != nil {
		return explain(err, hintRead)
	}
	if u.inactive() {
		return nil
	}
	wanted, off := u.writable(), false
	wanted.Active = &off
	_, err = s.put(ctx, u, wanted)
	return err
}

// put makes wanted of a user, all at once, and returns it as it then is. Where
// the answer does not show that, the user is read: a deactivation that did not
// happen must not be told as done.
func (s *users) put(ctx context.Context, before *user, wanted writable) (*user, error) {
	call := facade.Call{Method: "PUT", Path: usersPath + "/" + before.UUID, Body: wanted.put(before.writable())}
	u := new(user)
	_, err := s.up.Do(ctx, call, orNone(u))
	switch {
	case gone(err):
		return nil, scim.ErrNotFound
	case err != nil && before.system():
		return nil, explain(err, hintSystem)
	case err != nil:
		return nil, explain(err, hintWrite)
	}
	if u.UUID != before.UUID || u.CreatedAt == "" || !u.writable().as(wanted) {
		if u, err = s.get(ctx, before.UUID); err != nil {
			return nil, s.partial(ctx, explain(err, hintRead), "whether user %s was changed is not known, since it can't be read", before.UUID)
		}
		if name := u.writable().unchanged(before.writable(), wanted); name != "" {
			return nil, s.undone(call, "%q of user %s is as it was", name, before.UUID)
		}
	}
	if u.Embedded == nil {
		u.Embedded = before.Embedded
	}
	return u, nil
}

// setRoles gives a user exactly these roles. add and remove are the difference;
// a PATCH of one role is one call about one role, so that another one that was
// given meanwhile stays.
func (s *users) setRoles(ctx context.Context, id string, ids, add, remove []string, single bool) error {
	path := usersPath + "/" + id + "/roles"
	var err error
	switch {
	case single && len(add) == 1 && len(remove) == 0:
		err = s.write(ctx, "PUT", path+"/"+add[0], struct{}{})
	case single && len(remove) == 1 && len(add) == 0:
		if err = s.write(ctx, "DELETE", path+"/"+remove[0], nil); gone(err) {
			err = nil // somebody else has taken it
		}
	default:
		single = false
		err = s.write(ctx, "PUT", path, map[string][]string{"roles": ids})
	}
	switch status := refused(err); {
	case status == 400, status == 422, gone(err) && single:
		return unknownRole(err, add)
	case gone(err):
		return scim.ErrNotFound
	}
	return explain(err, hintRoles)
}
