package tenant

import (
	"context"
	"time"
)

// Store keeps tenants and tokens. Its methods are safe for concurrent use, by
// other programs on the same database too. Errors are those of this package, or
// a scim.Error of status 503 while the database is not there.
//
// A tenant that is being removed is not there, but that its name is taken.
type Store interface {
	// Revision returns a number that is another one after every change of a
	// tenant or a token. That a token was used is no change.
	Revision(ctx context.Context) (int64, error)

	// Index returns what there is, as of one moment.
	Index(ctx context.Context) (Index, error)

	// ListTenants returns the tenants, sorted by name.
	ListTenants(ctx context.Context) ([]Tenant, error)

	// FindTenant returns a tenant, or ErrNoTenant.
	FindTenant(ctx context.Context, name string) (Tenant, error)

	// AddTenant makes a tenant. It returns ErrTaken if there is one whose name
	// differs by case at most, and ErrRemoving if there was one whose data is
	// still being removed. The name is taken as it is.
	AddTenant(ctx context.Context, name string, s Settings) (Tenant, error)

	// ChangeTenant replaces the settings of a tenant by what f makes of them.
	// f may be called more than once, and must not use the store.
	ChangeTenant(ctx context.Context, name string, f func(Settings) (Settings, error)) (Tenant, error)

	// RemoveTenant makes a tenant and its tokens disappear, before it returns.
	// Its data is removed behind the caller's back, whatever its size, by
	// another program or after the next start if this one ends; then the name
	// is free again. What can write the tenant's data is refused from now on.
	RemoveTenant(ctx context.Context, name string) error

	// ListTokens returns all tokens of a tenant that are remembered, those
	// that were made first at first, or ErrNoTenant.
	ListTokens(ctx context.Context, tenant string) ([]Token, error)

	// FindToken returns the token with that hash, live or not, or ErrNoToken.
	FindToken(ctx context.Context, h Hash) (Token, error)

	// ChangeTokens calls f with what ListTokens returns, then stores the
	// tokens in put, by their ID, and forgets those of the IDs in drop, all or
	// nothing. Two changes of one tenant's tokens happen one after the other. f
	// may be called more than once, and must not use the store.
	ChangeTokens(ctx context.Context, tenant string, f func(have []Token) (put []Token, drop []string, err error)) error

	// NoteUse notes when tokens were used. A use that is older than the one
	// that is known, or of a token that is not there, is passed over.
	NoteUse(ctx context.Context, uses []Use) error

	// ExpiringTokens returns tokens, of all tenants, that are not revoked, have
	// no successor that is not revoked, and expire at a time from after up to
	// before, the first to expire first; 10,000 of them at most.
	ExpiringTokens(ctx context.Context, after, before time.Time) ([]Token, error)

	// LiveTokens returns how many tokens of all tenants are live at a time, and
	// when the oldest of them was made; the zero time if there is none.
	LiveTokens(ctx context.Context, now time.Time) (count int, oldest time.Time, err error)

	// PruneTokens forgets tokens that were revoked or expired before a time.
	PruneTokens(ctx context.Context, before time.Time) error
}

// Index is the least that must be known to tell what exists from what does not
// without asking a Store.
type Index struct {
	Revision int64
	Tenants  []string // sorted
	Tokens   []uint64 // Hash.Short of each, in any order
}

// Short is the first eight bytes of the hash. They are enough to know most
// texts that are no token, and nothing is granted by them.
func (h Hash) Short() uint64 {
	var n uint64
	for _, b := range h[:8] {
		n = n<<8 | uint64(b)
	}
	return n
}

// Use is that a token was used.
type Use struct {
	Tenant string // by name
	Token  string // ID
	At     time.Time
	Client string // "": not known
}
