package oidc_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/oidc"
)

// grant is what the provider gives for a code.
type grant struct {
	challenge, redirect string
	idToken             string
}

// token is the provider's token endpoint: it takes a code once, from the client
// that proves itself, with the verifier of its challenge.
func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	user, secret, _ := r.BasicAuth()
	if user == "" {
		user, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	p.mu.Lock()
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	w.Header().Set("Content-Type", "application/json")
	if !ok || user != "console" || secret != "console-secret" || r.PostFormValue("redirect_uri") != g.redirect ||
		r.PostFormValue("grant_type") != "authorization_code" || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"what-the-issuer-knows"}`))
		return
	}
	answer := map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 60}
	if g.idToken != "" {
		answer["id_token"] = g.idToken
	}
	_ = json.NewEncoder(w).Encode(answer)
}

const redirect = "https://rollcall.example/looking-glass/login/callback"

// TestSignIn: the way of a browser, and each thing that can be wrong with it.
func TestSignIn(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	tests := map[string]struct {
		claims  m                   // of the ID token, over good ones
		header  m                   // over a good one
		query   func(url.Values)    // of the answer
		secret  func([]byte) []byte // of the browser
		client  func(*oidc.Client)  // that this is
		code    func(*grant)        // that the issuer gives
		prepare func(*provider)     // of the issuer
		want    string              // in the error; "": none
		is      error               // the error
		roles   []string            // if there is none
	}{
		"good":                      {roles: []string{"ops"}},
		"roles in a place":          {claims: m{"realm": m{"roles": []string{"a", "b"}}}, client: func(c *oidc.Client) { c.Roles = "realm.roles" }, roles: []string{"a", "b"}},
		"no roles":                  {claims: m{"roles": nil}},
		"roles of no text":          {claims: m{"roles": []int{1}}},
		"an e-mail address":         {claims: m{"email": "a@x.example", "email_verified": true}, client: func(c *oidc.Client) { c.Roles = "email" }, roles: []string{"a@x.example"}},
		"somebody's e-mail address": {claims: m{"email": "a@x.example"}, client: func(c *oidc.Client) { c.Roles = "email" }},
		"secret in the body": {prepare: func(p *provider) {
			p.configure = m{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}
		}, roles: []string{"ops"}},
		"names itself":            {prepare: func(p *provider) { p.configure = m{"authorization_response_iss_parameter_supported": true} }, query: func(q url.Values) { q.Set("iss", "https://x") }, want: "issuer"},
		"does not name itself":    {prepare: func(p *provider) { p.configure = m{"authorization_response_iss_parameter_supported": true} }, want: "issuer"},
		"another issuer's answer": {query: func(q url.Values) { q.Set("iss", "https://evil.example") }, want: "evil.example"},
		"another state":           {query: func(q url.Values) { q.Set("state", "x") }, is: oidc.ErrState},
		"no state":                {query: func(q url.Values) { q.Del("state") }, is: oidc.ErrState},
		"state twice":             {query: func(q url.Values) { q.Add("state", q.Get("state")) }, want: "twice"},
		"no browser":              {secret: func([]byte) []byte { return nil }, is: oidc.ErrState},
		"an empty browser":        {secret: func([]byte) []byte { return []byte("{}") }, query: func(q url.Values) { q.Del("state") }, is: oidc.ErrState},
		"another browser":         {secret: func(s []byte) []byte { return []byte(strings.Replace(string(s), `"v":"`, `"v":"x`, 1)) }, want: "invalid_grant"},
		"denied":                  {query: func(q url.Values) { q.Set("error", "access_denied") }, is: oidc.ErrDenied},
		"no code":                 {query: func(q url.Values) { q.Del("code") }, want: "no code"},
		"another code":            {query: func(q url.Values) { q.Set("code", "x") }, want: "invalid_grant"},
		"another secret":          {client: func(c *oidc.Client) { c.Secret = "guess" }, want: "invalid_grant"},
		"another address":         {code: func(g *grant) { g.redirect = "https://evil.example" }, want: "invalid_grant"},
		"no ID token":             {code: func(g *grant) { g.idToken = "" }, want: "no ID token"},
		"another nonce":           {claims: m{"nonce": "x"}, want: "nonce"},
		"no nonce":                {claims: m{"nonce": nil}, want: "nonce"},
		"for another client":      {claims: m{"aud": "other"}, want: "for"},
		"for two":                 {claims: m{"aud": []string{"console", "other"}}, want: "issued to"},
		"for two, to us":          {claims: m{"aud": []string{"console", "other"}, "azp": "console"}, roles: []string{"ops"}},
		"to another":              {claims: m{"azp": "other"}, want: "issued to"},
		"to nobody":               {claims: m{"azp": 1}, want: "issued to"},
		"of another issuer":       {claims: m{"iss": "https://evil.example"}, want: "issuer"},
		"expired":                 {claims: m{"exp": 1}, want: "expired"},
		"nobody":                  {claims: m{"sub": nil}, want: "subject"},
		"an access token":         {header: m{"typ": "at+jwt"}, want: "ID token"},
		"unsigned":                {header: m{"alg": "none"}, want: "algorithm"},
		"by a key of nobody":      {header: m{"kid": "r7"}, want: "key"},
		"to a script":             {prepare: func(p *provider) { p.configure = m{"authorization_endpoint": "javascript:alert(1)"} }, want: "https://"},
		"without TLS":             {prepare: func(p *provider) { p.configure = m{"token_endpoint": "http://idp.example/token"} }, want: "https://"},
		"tokens inside":           {prepare: func(p *provider) { p.configure = m{"token_endpoint": "https://10.0.0.1/token"} }, want: "is not called"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := newProvider(t), newClock()
			if tt.prepare != nil {
				p.set(func() { tt.prepare(p) })
			}
			client := oidc.Client{Issuer: p.URL, ID: "console", Secret: "console-secret", Roles: "roles"}
			if tt.client != nil {
				tt.client(&client)
			}
			s := p.verifier(c).SignIn(client)
			person, err := func() (oidc.Person, error) {
				to, secret, err := s.Begin(t.Context(), redirect)
				if err != nil {
					return oidc.Person{}, err
				}
				u := must(url.Parse(to))
				q := u.Query()
				if u.Path != "/authorize" || q.Get("response_type") != "code" || q.Get("client_id") != "console" || q.Get("redirect_uri") != redirect ||
					q.Get("code_challenge_method") != "S256" || !strings.Contains(q.Get("scope"), "openid") || len(q.Get("state")) < 20 || len(q.Get("nonce")) < 20 {
					t.Errorf("sent to %s", to)
				}
				claims := m{"iss": p.URL, "aud": "console", "sub": "u1", "preferred_username": "ada", "roles": "ops", "nonce": q.Get("nonce"),
					"iat": c.now().Unix(), "exp": c.now().Add(time.Hour).Unix()}
				for k, v := range tt.claims {
					claims[k] = v
					if v == nil {
						delete(claims, k)
					}
				}
				header := m{"alg": "RS256", "kid": "r1"}
				for k, v := range tt.header {
					header[k] = v
				}
				g := grant{q.Get("code_challenge"), redirect, resign(t, header, claims)}
				if tt.code != nil {
					tt.code(&g)
				}
				p.set(func() { p.codes["code-1"] = g })
				back := url.Values{"code": {"code-1"}, "state": {q.Get("state")}}
				if tt.query != nil {
					tt.query(back)
				}
				if tt.secret != nil {
					secret = tt.secret(secret)
				}
				person, err := s.Finish(t.Context(), secret, back)
				if err == nil {
					if _, again := s.Finish(t.Context(), secret, back); again == nil {
						t.Error("a code is good twice")
					}
				}
				return person, err
			}()
			switch {
			case tt.want == "" && tt.is == nil:
				if err != nil || person.Name != "ada" || !slices.Equal(person.Roles, tt.roles) {
					t.Errorf("%+v, %v", person, err)
				}
			case err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) || person.Name != "":
				t.Errorf("%+v, %v; want %q", person, err, cmpOr(tt.is, tt.want))
			case strings.Contains(err.Error(), "what-the-issuer-knows") || strings.Contains(err.Error(), "console-secret"):
				t.Errorf("the error says too much: %v", err)
			}
		})
	}
}

func cmpOr(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}

// rs256 signs with the provider's key whatever the header says.
func rs256(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return must(rsa.SignPKCS1v15(rand.Reader, rsaKey(), crypto.SHA256, sum[:]))
}

// hs256 is the token of who takes the public key for a secret.
func hs256(t testing.TB, p *provider, c *clock) string {
	t.Helper()
	part := func(v any) string { return base64.RawURLEncoding.EncodeToString(must(json.Marshal(v))) }
	text := part(map[string]any{"alg": "HS256", "kid": "r1", "typ": "at+jwt"}) + "." + part(p.claims(c, nil))
	mac := hmac.New(sha256.New, must(x509.MarshalPKIXPublicKey(rsaKey().Public())))
	_, _ = fmt.Fprint(mac, text)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
