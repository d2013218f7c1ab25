package guard

import (
	"context"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// People is the name of the resource type that the breaker counts.
const People = "User"

// Member is a resource as others are told of it: by its number in the store,
// which is never another's, its id and the name of its type.
type Member struct {
	PK       int64
	ID, Type string
	Holds    bool // it can have members itself
}

// Effect is what a write does, as the transaction that it is in knows it: the
// resource is locked, or cannot change without the write failing.
type Effect struct {
	Type          *scim.ResourceType
	PK            int64          // 0: it has none yet
	Before, After *scim.Resource // both with Attrs; nil: there is none before, or after
	Added         []Member       // who really becomes a member of it
	Removed       []Member       // who really ceases to be one; of a delete it need not say
	Name          string         // of the request, for operators: "DELETE Group/2819c223"
}

// Tx is the transaction of a write, as far as a [Watch] has to ask it.
type Tx interface {
	// Find returns the resources that are named, by id or by a value of an
	// attribute.
	Find(ctx context.Context, named []Named) ([]Member, error)

	// Above returns the groups that resources are in, however deep, each with the
	// name that references show.
	Above(ctx context.Context, pks []int64) ([]Group, error)

	// Tally counts people, and returns how many that makes. What it stores is
	// part of the transaction. In a [Tally] that is exact no other transaction of
	// the tenant counts until this one has ended.
	Tally(ctx context.Context, t Tally) (Count, error)
}

// Named says which resource is meant: the one of that type with that id, or with
// a value of the attribute Path that equals Text once folded.
type Named struct{ Type, ID, Path, Text string }

// Group is a group that something is in.
type Group struct {
	PK       int64
	ID, Name string
}

// Watch goes with one write, in its context, to the store.
type Watch struct {
	rules *rules
	over  *Event // what is to be told once the write has succeeded
}

type watchKey struct{}

// From returns the Watch that a write was sent with, or nil: nobody watches.
func From(ctx context.Context) *Watch {
	w, _ := ctx.Value(watchKey{}).(*Watch)
	return w
}

func with(ctx context.Context, w *Watch) context.Context {
	return context.WithValue(ctx, watchKey{}, w)
}

// Exact reports whether two transactions must not count at the same time. Who
// stores a delete, or a change for which [Watch.Counts] is true, has to see to
// that before it locks anything else, and so has a batch.
func (w *Watch) Exact() bool { return w != nil && w.rules.breaker.mode == hold }

// Counts reports whether a change may take something from people.
func (w *Watch) Counts(c scim.Change) bool {
	if w == nil || w.rules.breaker.mode == off {
		return false
	}
	m := c.After.Type.Membership()
	for _, d := range c.Deltas {
		switch {
		case d.Path.URN != "":
		case m != nil && d.Path.Name == m.Name:
			// A document that is replaced says whom it has, not who goes: the
			// delta is taken as it is meant.
			if d.Reset || len(d.Removed) > 0 {
				return true
			}
		case d.Path.Name == "active" && c.After.Type.Name == People:
			return activity(c.After) < activity(c.Before)
		}
	}
	return false
}

// Judge returns why a write must not happen: a *scim.Error, or what the
// transaction itself failed with. It counts what the write takes from people. A
// store calls it within the transaction, before it is certain to be stored; it
// may be called again where the transaction begins anew.
func (w *Watch) Judge(ctx context.Context, tx Tx, e Effect) error {
	w.over = nil
	for _, f := range []func(context.Context, Tx, Effect) error{w.protect, w.promote, w.count} {
		if err := f(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// refusal is the cause of an error that a guard makes, and tells which it is.
type refusal struct{ Event }

func (r *refusal) Error() string { return "guard: " + string(r.Kind) }

func refuse(k Kind, tenant, detail string) *scim.Error {
	return &scim.Error{Status: 403, Detail: detail, Err: &refusal{Event{Kind: k, Tenant: tenant, Detail: detail}}}
}

// activity is how active a person is: 2 who is, 1 of whom nothing is said, 0 who
// is not.
func activity(r *scim.Resource) int {
	switch active, said := r.Attrs.Get("active").(bool); {
	case active:
		return 2
	case !said:
		return 1
	}
	return 0
}

// nameOf is the name by which people know a resource, for the text of an error.
func nameOf(r *scim.Resource) string {
	return short(scim.UniqueName(r))
}

// short cuts a text for the text of an error.
func short(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
