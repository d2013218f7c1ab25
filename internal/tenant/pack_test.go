package tenant_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// TestPack covers T29 for credentials: what is moved is what was there.
func TestPack(t *testing.T) {
	t.Parallel()
	r, s, c := rig(t, tenant.Options{})
	add(t, r, tenant.Spec{Name: "okta", Expires: c.Now().Add(time.Hour)})
	add(t, r, tenant.Spec{Name: "probe", Scopes: tenant.Scopes{}})
	if _, _, err := r.RotateToken(ctx, "acme", "okta", tenant.Rotation{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.RevokeToken(ctx, "acme", "probe"); err != nil {
		t.Fatal(err)
	}
	full, err := tenant.DecodeSettings([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	was, err := r.ChangeTenant(ctx, "acme", func(tenant.Settings) (tenant.Settings, error) { return full, nil })
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := s.ListTokens(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	tokens[0].LastUsed, tokens[0].LastClient = c.Now(), "Okta"
	text, err := tenant.Pack(was, tokens)
	if err != nil {
		t.Fatal(err)
	}
	again, moved, err := tenant.Unpack("acme", text)
	if err != nil || !reflect.DeepEqual(again.Settings, was.Settings) || !again.Created.Equal(was.Created) {
		t.Errorf("the tenant is %+v, %v; want %+v", again, err, was)
	}
	for i := range tokens {
		if len(tokens[i].Scopes) == 0 {
			tokens[i].Scopes = nil
		}
	}
	if !reflect.DeepEqual(moved, tokens) {
		t.Errorf("the tokens are\n%+v, want\n%+v", moved, tokens)
	}
	if text, err := tenant.Pack(tenant.Tenant{ID: 7, Name: "x", Revision: 9}, nil); text != nil || err != nil {
		t.Errorf("nothing is %s, %v", text, err)
	}
	if again, moved, err := tenant.Unpack("x", nil); again.Name != "x" || moved != nil || err != nil {
		t.Errorf("of nothing: %+v, %+v, %v", again, moved, err)
	}
	for _, bad := range []string{`7`, `{}`, `{"settings":{"version":2}}`, `{"settings":{},"x":1}`, `{"settings":{},"tokens":[{"id":"a","hash":"00"}]}`,
		`{"settings":{},"tokens":[{"id":"","hash":"` + strings.Repeat("0", 64) + `"}]}`,
		`{"settings":{},"tokens":[{"id":"a","scopes":"all","hash":"` + strings.Repeat("0", 64) + `"}]}`} {
		if _, moved, err := tenant.Unpack("x", []byte(bad)); !errors.Is(err, tenant.ErrInvalid) || moved != nil {
			t.Errorf("%s: %+v, %v", bad, moved, err)
		}
	}
	if _, err := tenant.Pack(tenant.Tenant{Fault: tenant.ErrInvalid}, nil); err == nil {
		t.Error("settings that can't be read are packed")
	}
}
