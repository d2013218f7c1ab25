package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestBearer covers SEC-002, SEC-003, SEC-005, SEC-006, SEC-007 and T11.
func TestBearer(t *testing.T) {
	t.Parallel()
	const one, two = "first-token-0123456789", "second-token-0123456789"
	b, err := auth.NewBearer("rollcall", "default", one, two)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 1<<20)
	tests := []struct {
		name      string
		headers   []string
		ok        bool
		challenge string
	}{
		{"first token", []string{"Bearer " + one}, true, ""},
		{"second token", []string{"Bearer " + two}, true, ""},
		{"scheme in lower case", []string{"bearer " + one}, true, ""},
		{"scheme in capitals, blanks", []string{"  BEARER   " + one + " "}, true, ""},
		{"none", nil, false, `Bearer realm="rollcall"`},
		{"empty header", []string{""}, false, `Bearer realm="rollcall"`},
		{"other scheme", []string{"Basic " + one}, false, `Bearer realm="rollcall"`},
		{"raw token", []string{one}, false, `Bearer realm="rollcall"`},
		{"scheme alone", []string{"Bearer"}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"scheme and blank", []string{"Bearer "}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"wrong token", []string{"Bearer nope"}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"prefix of a token", []string{"Bearer " + one[:10]}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"token and more", []string{"Bearer " + one + "x"}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"both tokens", []string{"Bearer " + one + "," + two}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"two headers", []string{"Bearer " + one, "Bearer " + one}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"NUL", []string{"Bearer " + one + "\x00"}, false, `Bearer realm="rollcall", error="invalid_token"`},
		{"a megabyte", []string{"Bearer " + long}, false, `Bearer realm="rollcall", error="invalid_token"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/Users?access_token="+one, nil)
			r.Header["Authorization"] = tt.headers
			p, err := b.Authenticate(r)
			if tt.ok {
				if err != nil || p.Tenant != "default" || !strings.HasPrefix(p.Subject, "token-") {
					t.Fatalf("Authenticate = %+v, %v, want the tenant's client", p, err)
				}
				return
			}
			var e *scim.Error
			if !errors.As(err, &e) || e.Status != 401 || e.Type != scim.TypeInvalidValue || p != (auth.Principal{}) {
				t.Fatalf("Authenticate = %+v, %v, want a 401 invalidValue", p, err)
			}
			if strings.Contains(e.Detail, one) || strings.Contains(e.Detail, "nope") {
				t.Errorf("the error says the token: %q", e.Detail)
			}
			if got := b.Challenge(err); got != tt.challenge {
				t.Errorf("Challenge = %s, want %s", got, tt.challenge)
			}
		})
	}
}

func TestBearerSubjects(t *testing.T) {
	t.Parallel()
	subject := func(token string, all ...string) string {
		b, err := auth.NewBearer("r", "t", all...)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		p, err := b.Authenticate(r)
		if err != nil {
			t.Fatal(err)
		}
		return p.Subject
	}
	if a, b := subject("aaaa", "aaaa", "bbbb"), subject("bbbb", "aaaa", "bbbb"); a == b {
		t.Errorf("two tokens have one name, %q", a)
	}
	if a, b := subject("bbbb", "aaaa", "bbbb"), subject("bbbb", "bbbb", "cccc"); a != b {
		t.Errorf("a token is called %q before and %q after a rotation", a, b)
	}
}

// TestBearerWeak: an empty secret never becomes one that an empty token equals.
func TestBearerWeak(t *testing.T) {
	t.Parallel()
	if _, err := auth.NewBearer("r", "t"); !errors.Is(err, auth.ErrNoTokens) {
		t.Errorf("NewBearer without tokens: %v, want ErrNoTokens", err)
	}
	for _, token := range []string{"", " ", "a b", "tab\t", "ümlaut", strings.Repeat("x", 9000)} {
		if _, err := auth.NewBearer("r", "t", "good-token", token); err == nil {
			t.Errorf("NewBearer accepts the token %.20q", token)
		} else if token != "" && token != " " && strings.Contains(err.Error(), token) {
			t.Errorf("the error says the token: %v", err)
		}
	}
}

func TestScheme(t *testing.T) {
	t.Parallel()
	b, err := auth.NewBearer("r", "t", "good-token")
	if err != nil {
		t.Fatal(err)
	}
	if s := b.Scheme(); s.Type != "oauthbearertoken" || s.Name == "" || s.Description == "" {
		t.Errorf("Bearer.Scheme() = %+v, lacks what RFC 7643 §5 requires", s)
	}
	o := auth.Open{Tenant: "default"}
	p, err := o.Authenticate(httptest.NewRequest(http.MethodGet, "/", nil))
	if err != nil || p.Tenant != "default" || p.Subject != "anonymous" {
		t.Errorf("Open.Authenticate = %+v, %v", p, err)
	}
	if o.Scheme().Type != "" || o.Challenge(nil) != "" {
		t.Error("Open publishes a scheme or a challenge")
	}
}
