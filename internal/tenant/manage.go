package tenant

import "context"

// AddTenant makes a tenant. Its name must be a new one; see CheckName.
func (r *Registry) AddTenant(ctx context.Context, name string, s Settings) (Tenant, error) {
	if err := CheckName(name); err != nil {
		return Tenant{}, err
	}
	if err := s.Check(); err != nil {
		return Tenant{}, err
	}
	defer r.changed()
	return r.store.AddTenant(ctx, name, s)
}

// ChangeTenant replaces the settings of a tenant by what f makes of them, such as
// Settings.Set does. f may be called more than once.
func (r *Registry) ChangeTenant(ctx context.Context, name string, f func(Settings) (Settings, error)) (Tenant, error) {
	defer r.changed()
	return r.store.ChangeTenant(ctx, name, func(s Settings) (Settings, error) {
		s, err := f(s)
		if err == nil {
			err = s.Check()
		}
		return s, err
	})
}

// RemoveTenant removes a tenant with all that is its own. Its tokens open nothing
// from now on; see Store.RemoveTenant. The default tenant stays.
func (r *Registry) RemoveTenant(ctx context.Context, name string) error {
	if name == Default {
		return invalidf("the tenant %q always exists and can't be removed", Default)
	}
	defer r.changed()
	return r.store.RemoveTenant(ctx, name)
}

// Tenants returns all tenants, sorted by name.
func (r *Registry) Tenants(ctx context.Context) ([]Tenant, error) { return r.store.ListTenants(ctx) }

// Tokens returns the tokens of a tenant, those too that are not live any more.
func (r *Registry) Tokens(ctx context.Context, tenant string) ([]Token, error) {
	return r.store.ListTokens(ctx, tenant)
}

// AddToken makes a token of a tenant. No live token of it may have the name.
func (r *Registry) AddToken(ctx context.Context, tenant string, s Spec) (Issued, error) {
	defer r.changed()
	made := Issued{Secret: newSecret()}
	err := r.store.ChangeTokens(ctx, tenant, func(have []Token) (put []Token, drop []string, err error) {
		made.Token, err = add(have, tenant, s, made.Secret, r.o.Now())
		return []Token{made.Token}, surplus(have, r.o.Now()), err
	})
	return given(made, err)
}

// RotateToken makes the successor of a token, which is named by its ID or name,
// and gives the predecessor an end; both are live until then. The tokens that it
// returns beside the new one are the predecessors as they are now.
func (r *Registry) RotateToken(ctx context.Context, tenant, which string, o Rotation) (made Issued, before []Token, err error) {
	defer r.changed()
	made.Secret = newSecret()
	err = r.store.ChangeTokens(ctx, tenant, func(have []Token) (put []Token, drop []string, err error) {
		made.Token, before, err = rotate(have, tenant, which, o, made.Secret, r.o.Now())
		return append([]Token{made.Token}, before...), surplus(have, r.o.Now()), err
	})
	if made, err = given(made, err); err != nil {
		return made, nil, err
	}
	return made, before, nil
}

// RevokeToken ends a token, which is named by its ID, or all live ones of a
// name, and returns them. To do so again changes nothing.
func (r *Registry) RevokeToken(ctx context.Context, tenant, which string) (gone []Token, err error) {
	defer r.changed()
	err = r.store.ChangeTokens(ctx, tenant, func(have []Token) (put []Token, drop []string, err error) {
		gone, err = revoke(have, tenant, which, r.o.Now())
		return gone, nil, err
	})
	if err != nil {
		return nil, err
	}
	return gone, nil
}

// given is a token that was stored, or nothing.
func given(made Issued, err error) (Issued, error) {
	if err != nil {
		return Issued{}, err
	}
	return made, nil
}
