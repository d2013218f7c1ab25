package facade

import (
	"context"

	"github.com/rollcall-scim/rollcall/scim"
)

// Source is one resource type of an application: which calls read and write it.
// Its methods are called by many goroutines at once; writes of one resource, and
// creates of one unique name, one after the other. Errors may be *Failure: Store
// makes scim.Errors of them. What they return is no longer the Source's.
type Source interface {
	Type() *scim.ResourceType

	// Get reads one resource, complete; scim.ErrNotFound if there is none.
	Get(ctx context.Context, id string) (*scim.Resource, error)

	// List hands over all resources in the application's order, perhaps without
	// what Completer adds. It stops when yield returns false. One that comes
	// twice, as when somebody inserts between two pages, is dropped. yield makes
	// no call, so that List may hold one open.
	List(ctx context.Context, yield func(*scim.Resource) bool) error

	// Create, Update and Delete are those of scim.Backend; the unique values
	// have been looked up. A context that they get does not end with the client.
	//
	// Update is UpdateMembers too: where c's resources lack the members, its
	// Deltas alone say how they change. What the caller's memo holds of the
	// resource is still so; if it holds nothing, somebody has written since.
	Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error)
	Update(ctx context.Context, c scim.Change) (*scim.Resource, error)
	Delete(ctx context.Context, id string) error
}

// Completer is an optional interface of Sources whose lists lack something that
// costs a call per resource, such as the members of groups.
type Completer interface {
	// Lacks reports whether List leaves the attribute out.
	Lacks(p scim.AttrPath) bool
	// Complete reads one resource again, whole, for a page; scim.ErrNotFound
	// drops it from the page.
	Complete(ctx context.Context, r *scim.Resource) (*scim.Resource, error)
}

// Seeker is an optional interface of Sources that can find the candidates for a
// filter without reading the list.
type Seeker interface {
	// Seek returns complete resources among which are all that match f, and
	// true; or false if it knows no short way.
	Seek(ctx context.Context, f scim.Filter) ([]*scim.Resource, bool, error)
}
