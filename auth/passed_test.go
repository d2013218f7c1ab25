package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestPassed: whoever has a token is let through with it, and told apart; who
// has none, or something that can't be one, is not.
func TestPassed(t *testing.T) {
	t.Parallel()
	p := auth.Passed{Realm: "rollcall", Tenant: "default", Published: scim.AuthenticationScheme{Type: "oauthbearertoken"}}
	request := func(headers ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/Users", nil)
		r.Header["Authorization"] = headers
		return r
	}
	one, err := p.Authenticate(request("bearer  some-token "))
	if err != nil || one.Token != "some-token" || one.Subject != "token-308eda9d" || one.Tenant != "default" {
		t.Errorf("Authenticate = %+v, %v", one, err)
	}
	other, err := p.Authenticate(request("Bearer another-token"))
	if err != nil || other.Subject == one.Subject {
		t.Errorf("two tokens have one name: %+v, %v", other, err)
	}
	for challenge, headers := range map[string][]string{
		`Bearer realm="rollcall"`: nil, `Bearer realm="rollcall", error="invalid_token"`: {"Bearer "},
	} {
		_, err := p.Authenticate(request(headers...))
		if e := (*scim.Error)(nil); !errors.As(err, &e) || e.Status != 401 || p.Challenge(err) != challenge {
			t.Errorf("%q: %v, challenge %s", headers, err, p.Challenge(err))
		}
	}
	for _, headers := range [][]string{{"Basic dXNlcjpw"}, {"Bearer a b"}, {"Bearer a", "Bearer b"}, {"Bearer \x01"}} {
		if got, err := p.Authenticate(request(headers...)); err == nil || got != (auth.Principal{}) {
			t.Errorf("%q is let in: %+v", headers, got)
		}
	}
	if p.Scheme().Type != "oauthbearertoken" {
		t.Error("the scheme is not published")
	}
}
