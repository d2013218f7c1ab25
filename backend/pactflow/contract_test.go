package pactflow_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

// caller is a Backend whose every call is a request of its own.
type caller struct{ *pactflow.Backend }

func (c caller) with(ctx context.Context) context.Context {
	return facade.WithCaller(ctx, pactflowtest.SCIMToken)
}

func (c caller) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	return c.Backend.Create(c.with(ctx), r)
}

func (c caller) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	return c.Backend.Get(c.with(ctx), ref, sel)
}

func (c caller) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	return c.Backend.List(c.with(ctx), q)
}

func (c caller) Update(ctx context.Context, ch scim.Change) (*scim.Resource, error) {
	return c.Backend.Update(c.with(ctx), ch)
}

func (c caller) UpdateMembers(ctx context.Context, ch scim.Change) (*scim.Resource, error) {
	return c.Backend.UpdateMembers(c.with(ctx), ch)
}

func (c caller) Delete(ctx context.Context, ref scim.Ref, version string) error {
	return c.Backend.Delete(c.with(ctx), ref, version)
}

// TestContractWithLacks holds PactFlow, as far as the emulator is one, to the
// contract of backends.
func TestContractWithLacks(t *testing.T) {
	t.Parallel()
	scimtest.Run(t, scimtest.Harness{
		Open: func(t *testing.T) (a, b scim.Backend) {
			open := func() scim.Backend {
				emu, err := pactflowtest.New(pactflowtest.Options{Seed: "empty", NoDefaults: true, AllowSameUserName: true})
				if err != nil {
					t.Fatal(err)
				}
				if err := emu.Change(func(s *pactflowtest.State) { s.Teams, s.DefaultTeam = nil, "" }); err != nil {
					t.Fatal(err)
				}
				up := httptest.NewServer(emu)
				t.Cleanup(up.Close)
				u, err := pactflow.ParseURL(up.URL)
				if err != nil {
					t.Fatal(err)
				}
				return caller{pactflow.New(pactflow.Options{URL: u, DeleteUsers: true, Logger: slog.New(slog.DiscardHandler)})}
			}
			return open(), open()
		},
		Types: pactflow.Types(),
		Fit:   fit(t),
		Short: true,
		Lacks: scimtest.Lacks{Types: []string{"Widget"}, Keysets: false, Order: true, Nesting: true},
	})
}

// fit gives every user an e-mail address, and leaves the rest to Shape.
func fit(t *testing.T) func(*scim.Resource) {
	u, err := pactflow.ParseURL("http://pactflow.example.com")
	if err != nil {
		t.Fatal(err)
	}
	b := pactflow.New(pactflow.Options{URL: u})
	return func(r *scim.Resource) {
		switch r.Type.Name {
		case "Group":
			r.ExternalID = ""
			return
		case "User":
		default:
			return
		}
		mails, _ := r.Attrs.Get("emails").([]any)
		with := []any{}
		for _, v := range mails {
			o, _ := v.(scim.Object)
			if s, _ := o.Get("value").(string); s != "" {
				if !strings.Contains(s, "@") {
					o.Set("value", s+"@example.com")
				}
				with = append(with, o)
			}
		}
		if len(with) == 0 {
			with = []any{scim.Object{{Name: "value", Value: "nobody@example.com"}}}
		}
		r.Attrs.Set("emails", with)
		r.Attrs.Set("roles", nil) // those of the suite are no ids
		if d, _ := r.Attrs.Get("displayName").(string); d != "" {
			// The suite changes it without naming it.
			name, _ := scim.Clone(r.Attrs.Get("name")).(scim.Object)
			name.Set("formatted", d)
			r.Attrs.Set("name", name)
		}
		if err := b.Shape(context.Background(), &scim.Change{After: r, Method: "POST"}); err != nil {
			t.Errorf("%s: %v", show(r), err)
		}
	}
}
