package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/outbound"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// provider is an issuer on this machine.
type provider struct {
	t      testing.TB
	URL    string
	server *httptest.Server
	calls  atomic.Int32 // for keys

	mu        sync.Mutex
	keys      []jose.JSONWebKey
	configure map[string]any                      // over what discovery says
	answer    func(http.ResponseWriter) (ok bool) // in the place of keys
	codes     map[string]grant
}

var (
	rsaKey     = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	weakRSA    = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 1024)) })
	ecKey      = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	ed25519Key = sync.OnceValue(func() ed25519.PrivateKey {
		_, k, err := ed25519.GenerateKey(rand.Reader)
		return must(k, err)
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{t: t, codes: map[string]grant{}}
	p.keys = []jose.JSONWebKey{public("r1", rsaKey()), public("e1", ecKey()), public("d1", ed25519Key())}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		m := map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
		p.mu.Lock()
		for k, v := range p.configure {
			m[k] = v
		}
		p.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(m)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.mu.Lock()
		p.calls.Add(1)
		answer, keys := p.answer, p.keys
		p.mu.Unlock()
		w.Header().Set("Content-Type", "application/jwk-set+json")
		if answer == nil || answer(w) {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: keys})
		}
	})
	mux.HandleFunc("/token", p.token)
	p.server = httptest.NewTLSServer(mux)
	p.URL = p.server.URL
	t.Cleanup(p.server.Close)
	return p
}

func public(kid string, key crypto.Signer) jose.JSONWebKey {
	return jose.JSONWebKey{KeyID: kid, Key: key.Public(), Use: "sig"}
}

func (p *provider) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// clock is a time that tests move.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

// verifier returns one that may call the provider.
func (p *provider) verifier(c *clock) *oidc.Verifier {
	p.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	policy, err := outbound.ParsePolicy("127.0.0.1")
	if err != nil {
		p.t.Fatal(err)
	}
	v := oidc.NewVerifier(oidc.Options{Client: outbound.New(outbound.Options{Policy: policy, Roots: roots}), Now: c.now, Logger: slog.New(slog.DiscardHandler)})
	p.t.Cleanup(v.Close)
	return v
}

// trust is the provider's, with audience "rollcall", for the tenant "acme".
func (p *provider) trust(change ...func(*oidc.Trust)) []oidc.Trust {
	t := oidc.Trust{Issuer: tenant.Issuer{URL: p.URL, Audience: "rollcall"}, Tenant: "acme"}
	for _, f := range change {
		f(&t)
	}
	return []oidc.Trust{t}
}

// claims are those of a good access token, with changes; nil removes one.
func (p *provider) claims(c *clock, change map[string]any) map[string]any {
	m := map[string]any{"iss": p.URL, "aud": "rollcall", "sub": "svc", "client_id": "c1", "scope": "read write", "jti": "1",
		"iat": c.now().Unix(), "nbf": c.now().Unix(), "exp": c.now().Add(time.Hour).Unix()}
	for k, v := range change {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	return m
}

// sign makes a token; header is over alg, kid and typ.
func sign(t testing.TB, alg jose.SignatureAlgorithm, kid string, key any, header map[jose.HeaderKey]any, claims any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	o.WithType("at+jwt")
	if kid != "" {
		o.WithHeader("kid", kid)
	}
	for k, v := range header {
		o.WithHeader(k, v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := claims.(string)
	if !ok {
		text = string(must(json.Marshal(claims)))
	}
	return must(must(s.Sign([]byte(text))).CompactSerialize())
}

func (p *provider) good(c *clock) string {
	return sign(p.t, jose.RS256, "r1", rsaKey(), nil, p.claims(c, nil))
}

func reason(err error) oidc.Reason {
	var r *oidc.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return oidc.Reason(fmt.Sprintf("no refusal: %v", err))
}

// TestRotation: a key that is new at the issuer is found with the first token of
// it, which itself is refused; one that is gone is good no longer than ten minutes of use.
func TestRotation(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	v := p.verifier(c)
	check := func(text string) error { _, err := v.Verify(t.Context(), text, p.trust()); return err }
	if err := check(p.good(c)); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	fresh := sign(t, jose.RS256, "r2", otherRSA(), nil, p.claims(c, nil))
	if r := reason(check(fresh)); r != oidc.BadKey {
		t.Fatalf("a key that is not there yet: %s", r)
	}
	poll(t, "the issuer was asked", func() bool { return p.calls.Load() == 2 })
	p.set(func() { p.keys = []jose.JSONWebKey{public("r2", otherRSA())} })
	if r := reason(check(fresh)); r != oidc.BadKey {
		t.Errorf("asked again before its time: %s", r)
	}
	c.advance(11 * time.Second)
	old := p.good(c)
	if err := check(old); err != nil {
		t.Errorf("a key that was known: %v", err)
	}
	if r := reason(check(fresh)); r != oidc.BadKey {
		t.Errorf("the new key, for which nobody waits: %s", r)
	}
	poll(t, "the new key is known", func() bool { return check(fresh) == nil })
	if r := reason(check(old)); r != oidc.BadKey {
		t.Errorf("the old key, gone with the fetch of the new one: %s", r)
	}

	// Without a token of a new key, the old one goes by itself.
	p.set(func() { p.keys = []jose.JSONWebKey{public("r1", rsaKey())} })
	c.advance(11 * time.Minute)
	fresh = sign(t, jose.RS256, "r2", otherRSA(), nil, p.claims(c, nil))
	if err := check(fresh); err != nil {
		t.Errorf("while the keys are fetched again: %v", err)
	}
	poll(t, "the withdrawn key is refused", func() bool { return check(fresh) != nil })
}

func poll(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not so after a minute", what)
		}
	}
}

// TestNoStorm: who makes up names of keys does not make this server call the
// issuer with each.
func TestNoStorm(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	v := p.verifier(c)
	if _, err := v.Verify(t.Context(), p.good(c), p.trust()); err != nil {
		t.Fatal(err)
	}
	before := p.calls.Load()
	// A wrong signature under a known name asks nobody.
	if _, err := v.Verify(t.Context(), sign(t, jose.RS256, "r1", otherRSA(), nil, p.claims(c, nil)), p.trust()); reason(err) != oidc.BadSignature {
		t.Errorf("another key under the name of one: %v", err)
	}
	if p.calls.Load() != before {
		t.Error("a wrong signature made a call")
	}
	var all sync.WaitGroup
	for range 4 {
		c.advance(11 * time.Second)
		for n := range 50 {
			text := sign(t, jose.ES256, fmt.Sprintf("made-up-%d", n), ecKey(), nil, p.claims(c, nil))
			all.Go(func() {
				if _, err := v.Verify(t.Context(), text, p.trust()); reason(err) != oidc.BadKey {
					t.Errorf("a made-up key: %v", err)
				}
			})
		}
		all.Wait()
	}
	poll(t, "the issuer was asked", func() bool { return p.calls.Load() > before })
	if n := p.calls.Load() - before; n > 4 {
		t.Errorf("%d calls for 200 made-up keys in 44 s, want 4 at most", n)
	}
	if _, err := v.Verify(t.Context(), p.good(c), p.trust()); err != nil {
		t.Errorf("a good token meanwhile: %v", err)
	}
}

// TestIssuerDown: what was known stays good for a day, what was not is 503.
func TestIssuerDown(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	fails := true
	p.set(func() {
		p.answer = func(w http.ResponseWriter) bool {
			if fails {
				w.WriteHeader(http.StatusBadGateway)
			}
			return !fails
		}
	})
	v := p.verifier(c)
	check := func() error { _, err := v.Verify(t.Context(), p.good(c), p.trust()); return err }
	down := (*oidc.Unavailable)(nil)
	if err := check(); !errors.As(err, &down) || down.RetryAfter <= 0 || down.Issuer != p.URL {
		t.Fatalf("the issuer was never there: %v", err)
	}
	if p.calls.Load() != 1 || check() == nil || p.calls.Load() != 1 {
		t.Errorf("%d calls, want one in ten seconds", p.calls.Load())
	}
	p.set(func() { fails = false })
	c.advance(11 * time.Second)
	if err := check(); err != nil {
		t.Fatal(err)
	}
	p.set(func() { fails = true })
	for range 23 {
		c.advance(time.Hour)
		if err := check(); err != nil {
			t.Fatalf("%v: %v", c.now(), err)
		}
	}
	unknown := sign(t, jose.RS256, "r9", otherRSA(), nil, p.claims(c, nil))
	if _, err := v.Verify(t.Context(), unknown, p.trust()); !errors.As(err, &down) {
		t.Errorf("an unknown key while the issuer is down: %v", err)
	}
	c.advance(2 * time.Hour)
	if err := check(); !errors.As(err, &down) {
		t.Errorf("after a day without the issuer: %v", err)
	}
	p.set(func() { fails = false })
	c.advance(11 * time.Second)
	if err := check(); err != nil {
		t.Errorf("the issuer is there again: %v", err)
	}
}

// TestBadIssuers: what an issuer answers may be anything.
func TestBadIssuers(t *testing.T) {
	t.Parallel()
	write := func(text string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool { _, _ = w.Write([]byte(text)); return false }
	}
	private := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "r1", Key: rsaKey()}, {KeyID: "s", Key: []byte("0123456789abcdef0123456789abcdef")}}}))
	for name, change := range map[string]func(*provider){
		"no JSON":    func(p *provider) { p.answer = write("<html>") },
		"null":       func(p *provider) { p.answer = write("null") },
		"no keys":    func(p *provider) { p.answer = write(`{"keys":[]}`) },
		"keys twice": func(p *provider) { p.answer = write(`{"keys":[],"keys":[]}`) },
		"keys of no kind": func(p *provider) {
			p.answer = write(`{"keys":[{"kty":"ML","kid":"r1"},{},{"kty":"RSA","n":"","e":""},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`)
		},
		"private and shared": func(p *provider) { p.answer = write(string(private)) },
		"huge":               func(p *provider) { p.answer = write(`{"keys":[` + strings.Repeat(" ", 2<<20) + `]}`) },
		"too many":           func(p *provider) { p.answer = write(`{"keys":[` + strings.Repeat(`{},`, 200) + `{}]}`) },
		"weak key":           func(p *provider) { p.keys = []jose.JSONWebKey{public("r1", weakRSA())} },
		"key to encrypt":     func(p *provider) { p.keys = []jose.JSONWebKey{{KeyID: "r1", Key: rsaKey().Public(), Use: "enc"}} },
		"another issuer":     func(p *provider) { p.configure = map[string]any{"issuer": p.URL + "/"} },
		"keys inside":        func(p *provider) { p.configure = map[string]any{"jwks_uri": "https://169.254.169.254/keys"} },
		"keys without TLS": func(p *provider) {
			p.configure = map[string]any{"jwks_uri": strings.Replace(p.URL, "https", "http", 1) + "/keys"}
		},
		"keys in a file": func(p *provider) { p.configure = map[string]any{"jwks_uri": "file:///etc/passwd"} },
		"keys nowhere":   func(p *provider) { p.configure = map[string]any{"jwks_uri": nil} },
		"stalls":         func(p *provider) { p.answer = func(http.ResponseWriter) bool { <-p.t.Context().Done(); return false } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c := newProvider(t), newClock()
			p.set(func() { change(p) })
			v := p.verifier(c)
			_, err := v.Verify(t.Context(), p.good(c), p.trust())
			if down := (*oidc.Unavailable)(nil); !errors.As(err, &down) {
				t.Errorf("%v, want that the keys can't be had", err)
			}
			if err != nil && (strings.Contains(err.Error(), "<html>") || strings.Contains(err.Error(), "root:")) {
				t.Errorf("the error repeats what the issuer said: %v", err)
			}
		})
	}
}

// TestVerifierEnds: a request that ends does not wait for the issuer, and Close
// does not either.
func TestVerifierEnds(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	p.set(func() { p.answer = func(http.ResponseWriter) bool { <-p.t.Context().Done(); return false } })
	v := p.verifier(c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Verify(ctx, p.good(c), p.trust())
	if down := (*oidc.Unavailable)(nil); !errors.As(err, &down) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	v.Close()
	c.advance(time.Minute)
	if _, err := v.Verify(t.Context(), p.good(c), p.trust()); err == nil {
		t.Error("a token is good whose key was never known")
	}
}
