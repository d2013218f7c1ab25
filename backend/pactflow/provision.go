package pactflow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

// Create makes a user or a system account: first the account, then what its
// creation can't say. Whoever may not come in is shut out before roles are given.
// Nothing is taken back where a later call fails: the client's next try finds
// the user by its name and goes on from there.
func (s *users) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	wanted := wantedOf(r)
	u, err := s.open(ctx, r, wanted)
	if err != nil {
		return nil, err
	}
	was := *u // PactFlow's, for what a PUT must repeat
	complete := u.CreatedAt != "" && u.Embedded != nil
	if wanted.Active != nil && !*wanted.Active && !u.inactive() {
		full, off := was.writable(), false
		full.Active = &off
		if u, err = s.put(ctx, &was, full); err != nil {
			return nil, s.partial(ctx, err, "user %s was created but is still active", was.UUID)
		}
		complete = u.Embedded != nil
	}
	if list, given := r.Attrs.Get("roles").([]any); given {
		ids, has := roleIDs(list), was.roleIDs()
		if !sameSet(ids, has) {
			if err := s.setRoles(ctx, was.UUID, ids, without(ids, has), without(has, ids), false); err != nil {
				return nil, s.partial(ctx, err, "user %s was created but has not the roles asked for", was.UUID)
			}
			complete = false
		}
	}
	if !complete {
		if u, err = s.get(ctx, was.UUID); err != nil {
			return nil, s.partial(ctx, explain(err, hintRead), "user %s was created but can't be read", was.UUID)
		}
	}
	facade.CallerOf(ctx).Remember(userKey(u.UUID), u)
	return u.resource(s.t, s.fallback), nil
}

// wantedOf returns what a resource says of a user.
func wantedOf(r *scim.Resource) writable {
	w := writable{
		Name:       first(text(r.Attrs, "displayName"), sub(r.Attrs, "name", "formatted")),
		FirstName:  sub(r.Attrs, "name", "givenName"),
		LastName:   sub(r.Attrs, "name", "familyName"),
		Email:      address(r.Attrs),
		UserName:   text(r.Attrs, "userName"),
		ExternalID: r.ExternalID,
	}
	if active, ok := r.Attrs.Get("active").(bool); ok {
		w.Active = &active
	}
	return w
}

// open makes the account. A call whose outcome is not known is never repeated:
// the list tells whether it was carried out.
func (s *users) open(ctx context.Context, r *scim.Resource, wanted writable) (*user, error) {
	system := text(r.Attrs, "userType") == kindSystem
	call := facade.Call{Method: "POST", Path: usersPath, Body: wanted.post()}
	hint := hintWrite
	if system {
		call = facade.Call{Method: "POST", Path: "/admin/system-accounts", Body: map[string]string{"name": wanted.Name}}
		hint = hintSystem
	}
	u := new(user)
	var into any = u
	if system {
		// The answer may be anything; the address of the account is in the header.
		into = func(dec *json.Decoder) error {
			var raw json.RawMessage
			if dec.Decode(&raw) == nil {
				_ = json.Unmarshal(raw, u)
			}
			return facade.Enough
		}
	}
	began := s.now()
	answer, err := s.up.Do(ctx, call, into)
	if err == nil && !system && validID(u.UUID) {
		return u, nil
	}
	if err == nil {
		id := idAt(answer.Header.Get("Location"))
		if id == "" && validID(u.UUID) {
			id = u.UUID
		}
		if id != "" {
			got, err := s.get(ctx, id)
			if err != nil {
				return nil, s.partial(ctx, explain(err, hintRead), "%s %s was created but can't be read", strings.ToLower(text(r.Attrs, "userType")), id)
			}
			return got, nil
		}
		err = s.up.Nonsense(call, "the answer does not say which account was made")
	}
	if !ambiguous(err) {
		return nil, explain(collection(err), hint)
	}
	return s.search(ctx, err, began, func(u *user) bool {
		if system {
			return u.system() && u.Name == wanted.Name
		}
		return u.UserName != "" && s.fold(u.UserName) == s.fold(wanted.UserName)
	})
}

// search looks once whether the account that a failed call was to make is
// there, made since it began.
func (s *users) search(ctx context.Context, cause error, began time.Time, is func(*user) bool) (*user, error) {
	ctx, cancel := aftermath(ctx)
	defer cancel()
	var got *user
	err := list(ctx, s.client, usersPath, "users", func(u *user) bool {
		if is(u) && createdSince(u.CreatedAt, began) {
			got = u
		}
		return got == nil
	})
	switch {
	case got != nil:
		s.logger.WarnContext(ctx, "a creation whose answer was lost had been carried out", "user", got.UUID, "error", cause)
		return got, nil
	case err != nil:
		s.logger.WarnContext(ctx, "whether a creation was carried out can't be found out", "partial", true, "error", cause, "search", err)
		return nil, cause
	}
	return nil, notMade(cause)
}

// fold returns the form in which user names are compared.
func (s *users) fold(name string) string { return scim.Fold(s.t.Schema.Attribute("userName"), name) }

// Update makes of a user what a change says: of what it does not mention,
// PactFlow's own state is sent back.
func (s *users) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	before, err := s.recall(ctx, c.Before.ID)
	if err != nil {
		return nil, explain(err, hintRead)
	}
	as := wantedOf(c.After)
	wanted, had := before.writable(), before.roleIDs()
	roles := had
	for _, d := range c.Deltas {
		switch d.Path.Name {
		case "externalId":
			wanted.ExternalID = as.ExternalID
		case "userName":
			wanted.UserName = as.UserName
		case "name":
			wanted.Name, wanted.FirstName, wanted.LastName = as.Name, as.FirstName, as.LastName
		case "displayName":
			wanted.Name = as.Name
		case "active":
			wanted.Active = as.Active
		case "emails":
			wanted.Email = as.Email
		case "roles":
			list, _ := c.After.Attrs.Get("roles").([]any)
			roles = roleIDs(list)
		}
	}
	add, remove := without(roles, had), without(had, roles)
	after := before
	attributes := func() error {
		if wanted.equal(before.writable()) {
			return nil
		}
		after, err = s.put(ctx, before, wanted)
		return err
	}
	assign := func() error {
		if len(add)+len(remove) == 0 {
			return nil
		}
		after = nil // to be read again
		return s.setRoles(ctx, before.UUID, roles, add, remove, c.Method == "PATCH")
	}
	steps := []struct {
		does string
		do   func() error
	}{{"attributes", attributes}, {"roles", assign}}
	if before.inactive() && wanted.Active != nil && *wanted.Active {
		slices.Reverse(steps) // who comes in again finds the new roles
	}
	facade.CallerOf(ctx).Remember(userKey(before.UUID), nil)
	changed := ""
	for _, step := range steps {
		was := after
		if err := step.do(); err != nil {
			if changed != "" {
				return nil, s.partial(ctx, err, "the %s of user %s were changed but its %s were not", changed, before.UUID, step.does)
			}
			return nil, err
		}
		if after != was {
			changed = step.does
		}
	}
	if after == nil || len(add)+len(remove) > 0 {
		if after, err = s.get(ctx, before.UUID); err != nil {
			return nil, s.partial(ctx, explain(err, hintRead), "user %s was changed but can't be read", before.UUID)
		}
	}
	facade.CallerOf(ctx).Remember(userKey(after.UUID), after)
	return after.resource(s.t, s.fallback), nil
}

// unknownRole is the error for roles that PactFlow does not have.
func unknownRole(err error, ids []string) error {
	says := ""
	if f := known(err); f.Detail != "" {
		says = ": " + f.Detail
	}
	return scim.Errorf(scim.TypeInvalidValue, `"roles": unknown role %s%s`, fmt.Sprintf("%.400s", strings.Join(ids, ", ")), says)
}
