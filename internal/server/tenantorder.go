package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// What orders about tenants and tokens say beside the name, and what comes of
// them.
type (
	// setting is one of tenant.Settings by its name and its value as written.
	setting struct{ Name, Value string }

	tokenOrder struct {
		Scopes  *string `json:",omitempty"` // nil: the default
		Expires time.Time
		Grace   time.Duration
		Now     bool
	}

	// tenantReport is a tenant as it is shown: never more than its operator may
	// see, and no credential.
	tenantReport struct {
		Name     string         `json:"name"`
		Created  time.Time      `json:"created,omitzero"`
		Tokens   int            `json:"tokens"` // live
		Settings jsontext.Value `json:"settings,omitempty"`
		Fault    string         `json:"fault,omitempty"`
	}

	tokenReport struct {
		ID         string    `json:"id"`
		Tenant     string    `json:"tenant"`
		Name       string    `json:"name"`
		Prefix     string    `json:"prefix"`
		Scopes     string    `json:"scopes"`
		State      string    `json:"state"`
		Created    time.Time `json:"created"`
		Expires    time.Time `json:"expires,omitzero"`
		Revoked    time.Time `json:"revoked,omitzero"`
		LastUsed   time.Time `json:"lastUsed,omitzero"`
		LastClient string    `json:"lastClient,omitempty"`
		Replaces   string    `json:"replaces,omitempty"`
	}
)

// tokenSize is about what the report of one token takes, in bytes.
const tokenSize = 512

// managing are the orders that need no tenant to be served: with them settings
// are mended that can't be.
var managing = map[string]func(context.Context, *directory, order) (report, error){
	"breaker show":    breakerShow,
	"breaker approve": breakerApprove,
	"breaker reset":   breakerReset,
	"tenant add": func(ctx context.Context, d *directory, o order) (report, error) {
		s, err := d.withSettings(tenant.Settings{}, o.Settings)
		if err != nil {
			return report{}, err
		}
		t, err := d.registry.AddTenant(ctx, o.Name, s)
		if err != nil {
			return report{}, err
		}
		d.log.Info("a tenant was added", "tenant", t.Name)
		return report{Tenants: []tenantReport{tenantReported(t, 0)}, Warnings: d.warnings(ctx, t, o)}, nil
	},
	"tenant list": func(ctx context.Context, d *directory, o order) (r report, err error) {
		list, err := d.registry.Tenants(ctx)
		size := 0
		for i, t := range list {
			if o.Name != "" && t.Name != o.Name || t.Name <= o.After {
				continue
			}
			tokens, err := d.registry.Tokens(ctx, t.Name)
			if errors.Is(err, tenant.ErrNoTenant) { // removed meanwhile
				continue
			}
			if err != nil {
				return r, err
			}
			live, now := 0, time.Now()
			for i := range tokens {
				if tokens[i].State(now) == tenant.Live {
					live++
				}
			}
			one := tenantReported(t, live)
			r.Tenants = append(r.Tenants, one)
			if size += 256 + len(one.Settings) + len(one.Fault); size > mostPage && i < len(list)-1 {
				r.Next = t.Name
				return r, nil
			}
		}
		if err == nil && o.Name != "" && len(r.Tenants) == 0 {
			err = fmt.Errorf("%w: %q; \"rollcall tenant list\" has them all", tenant.ErrNoTenant, printable(o.Name))
		}
		return r, err
	},
	"tenant set": func(ctx context.Context, d *directory, o order) (report, error) {
		t, err := d.registry.ChangeTenant(ctx, o.Name, func(s tenant.Settings) (tenant.Settings, error) { return d.withSettings(s, o.Settings) })
		if err != nil {
			return report{}, err
		}
		d.log.Info("the settings of a tenant were changed", "tenant", t.Name)
		return report{Tenants: []tenantReport{tenantReported(t, 0)}, Warnings: d.warnings(ctx, t, o)}, nil
	},
	"tenant remove": func(ctx context.Context, d *directory, o order) (report, error) {
		if err := d.registry.RemoveTenant(ctx, o.Name); err != nil {
			return report{}, err
		}
		d.log.Info("a tenant was removed", "tenant", o.Name)
		d.forget(ctx, o.Name)
		return report{}, nil
	},
	"token add": func(ctx context.Context, d *directory, o order) (report, error) {
		spec := tenant.Spec{Name: o.Name, Expires: o.Token.Expires}
		if o.Token.Scopes != nil {
			var err error
			if spec.Scopes, err = tenant.ParseScopes(*o.Token.Scopes); err != nil {
				return report{}, err
			}
			if spec.Scopes == nil { // asked for none: discovery alone
				spec.Scopes = tenant.Scopes{}
			}
		}
		made, err := d.registry.AddToken(ctx, o.Tenant, spec)
		if err != nil {
			return report{}, err
		}
		d.log.Info("a token was made", "tenant", o.Tenant, "token", made.Token.Name, "id", made.Token.ID)
		r := report{Secret: made.Secret, Tokens: tokensReported(made.Token)}
		if o.Tenant == tenant.Default && d.opened.Load() && d.isOpen() {
			r.Warnings = []string{stillOpen}
		}
		return r, nil
	},
	"token list": func(ctx context.Context, d *directory, o order) (r report, err error) {
		names := []string{o.Tenant}
		if o.Tenant == "" {
			names = nil
			list, err := d.registry.Tenants(ctx)
			if err != nil {
				return r, err
			}
			for _, t := range list {
				names = append(names, t.Name)
			}
		}
		for i, name := range names {
			if name <= o.After {
				continue
			}
			tokens, err := d.registry.Tokens(ctx, name)
			if err != nil && (o.Tenant != "" || !errors.Is(err, tenant.ErrNoTenant)) {
				return r, err
			}
			r.Tokens = append(r.Tokens, tokensReported(tokens...)...)
			if len(r.Tokens)*tokenSize > mostPage && i < len(names)-1 {
				r.Next = name
				break
			}
		}
		return r, nil
	},
	"token rotate": func(ctx context.Context, d *directory, o order) (report, error) {
		made, before, err := d.registry.RotateToken(ctx, o.Tenant, o.Name, tenant.Rotation{Now: o.Token.Now, Grace: o.Token.Grace, Expires: o.Token.Expires})
		if err != nil {
			return report{}, err
		}
		d.log.Info("a token was rotated", "tenant", o.Tenant, "token", made.Token.Name, "id", made.Token.ID)
		return report{Secret: made.Secret, Tokens: tokensReported(append([]tenant.Token{made.Token}, before...)...)}, nil
	},
	"token revoke": func(ctx context.Context, d *directory, o order) (report, error) {
		gone, err := d.registry.RevokeToken(ctx, o.Tenant, o.Name)
		for _, t := range gone {
			d.log.Info("a token was revoked", "tenant", o.Tenant, "token", t.Name, "id", t.ID)
		}
		return report{Tokens: tokensReported(gone...)}, err
	},
}

// withSettings returns settings with some of them changed, if a tenant can be
// served with what comes of it.
func (d *directory) withSettings(s tenant.Settings, list []setting) (tenant.Settings, error) {
	for _, one := range list {
		var err error
		if s, err = s.Set(one.Name, one.Value); err != nil {
			return s, err
		}
	}
	types, err := d.serverTypes()
	if err == nil {
		types, err = s.Types(types)
	}
	if err == nil {
		s.Protected, err = protectable(types, s.Protected)
	}
	return s, err
}

// protectable returns what is to be protected with the names of types as they are
// served. A type that is not would protect nothing.
func protectable(types []*scim.ResourceType, list []string) ([]string, error) {
	list = slices.Clone(list)
	for i, text := range list {
		typ, name, _ := strings.Cut(text, ":")
		t := guard.TypeOf(types, typ)
		if t == nil {
			known := make([]string, len(types))
			for i, t := range types {
				known[i] = t.Name
			}
			return nil, fmt.Errorf("setting protected: %q would protect nothing: no resource type is called %q; there are %s",
				printable(text), printable(typ), strings.Join(known, ", "))
		}
		list[i] = t.Name + ":" + name
	}
	return list, nil
}

func tenantReported(t tenant.Tenant, tokens int) tenantReport {
	r := tenantReport{Name: t.Name, Created: t.Created, Tokens: tokens}
	if t.Fault != nil {
		r.Fault = t.Fault.Error()
		return r
	}
	r.Settings, _ = t.Encode() // it was decoded from such
	return r
}

func tokensReported(tokens ...tenant.Token) (list []tokenReport) {
	now := time.Now()
	for i := range tokens {
		t := &tokens[i]
		list = append(list, tokenReport{t.ID, t.Tenant, t.Name, t.Prefix, t.Scopes.String(), t.State(now).String(),
			t.Created, t.Expires, t.Revoked, t.LastUsed, t.LastClient, t.Replaces})
	}
	return list
}

// spreadTime is how long a change of a tenant or a token may take to hold at all
// instances of a database, and what one recorded to be there.
const spreadTime = 2 * time.Second

// spread waits until what was changed holds at all instances, if there are any:
// then a token that is printed is good everywhere, and one that was revoked
// nowhere. Who can't wait is not kept from what was done.
func (d *directory) spread(ctx context.Context) {
	db, ok := d.db.(postgresDB)
	if !ok {
		return
	}
	if list, err := db.Instances(ctx); err == nil && len(list) == 0 {
		return
	}
	select {
	case <-time.After(spreadTime):
	case <-ctx.Done():
	}
}
