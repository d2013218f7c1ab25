package tenant

import (
	"context"
	"errors"
)

// Alone reports whether the default tenant is all there is, and no credential
// that the registry knows of is meant for it: there is no other tenant, no token,
// live or not, and the default one trusts no issuer. Where its settings can't be
// understood, nobody knows what they protect, and it is not so.
func (r *Registry) Alone(ctx context.Context) (bool, error) {
	for {
		home, err := r.Tenant(ctx, Default)
		if errors.Is(err, ErrInvalid) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		r.mu.Lock()
		index := r.index
		r.mu.Unlock()
		if index != nil { // else something changed just now
			return len(home.Issuers) == 0 && len(index.Tenants) == 1 && len(index.Tokens) == 0, nil
		}
	}
}

// Generation is a number that is another one after each change of tenants and
// tokens that the registry has noticed, and may be another one without any.
func (r *Registry) Generation() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.generation
}
