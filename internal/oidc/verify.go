// Package oidc knows callers by what an identity provider signed: clients by JWT
// access tokens (RFC 9068), people by OpenID Connect.
//
// A Verifier keeps the keys of issuers, all of which somebody configured: what a
// token says of where its keys are is never looked at.
package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// MaxToken bounds the tokens that are looked at, in bytes.
const MaxToken = 8 << 10

// defaultLeeway is how far the clock of an issuer may be from ours.
const defaultLeeway = time.Minute

// algorithms are those that tokens may be signed with: with a private key, never
// with a shared one, and never not at all (RFC 8725 §3.1).
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Options configures a Verifier. Client is required.
type Options struct {
	Client *http.Client     // for all calls to issuers; see package outbound
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: slog.Default()
}

// Verifier judges tokens. Safe for concurrent use.
type Verifier struct {
	o       Options
	ctx     context.Context // of what is fetched; ends with Close
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	mu      sync.Mutex
	issuers map[string]*issuer // by URL
}

// NewVerifier returns a Verifier. Nothing is fetched before the first token comes.
func NewVerifier(o Options) *Verifier {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	v := &Verifier{o: o, issuers: map[string]*issuer{}}
	v.ctx, v.stop = context.WithCancel(context.Background())
	return v
}

// Close ends what is being fetched. No token is good afterwards whose key is not
// known already.
func (v *Verifier) Close() {
	v.stop()
	v.mu.Lock() // nothing starts any more: see issuer.fetch
	defer v.mu.Unlock()
	v.tasks.Wait()
	v.o.Client.CloseIdleConnections()
}

// Trust is an issuer whose tokens are accepted, and what for.
type Trust struct {
	tenant.Issuer
	// Tenant is whose directory its tokens are for. "": each token names it, in
	// TenantClaim.
	Tenant string
}

// Access is what a token permits.
type Access struct {
	Tenant  string // by name; it need not exist
	Scopes  tenant.Scopes
	Issuer  string
	Subject string // unique at the issuer; printable
	Client  string // whom the token was issued to, "" if it does not say; printable
	Expires time.Time
}

// Actor is a name for the logs: who had the token, and who says so.
func (a Access) Actor() string {
	host := strings.TrimPrefix(strings.TrimPrefix(a.Issuer, "https://"), "http://")
	host, _, _ = strings.Cut(host, "/")
	if a.Client != "" && a.Client != a.Subject {
		return a.Subject + " by " + a.Client + " of " + host
	}
	return a.Subject + " of " + host
}

// IsJWT reports whether a text has the form of a signed JWT: three parts of which
// the first begins as JSON objects do in base64 (RFC 7515 §3.1).
func IsJWT(text string) bool {
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
}

// Verify returns what a token permits to somebody who trusts these issuers. The
// error is a *Refusal if it permits nothing, or Unavailable if that can't be found
// out for now.
func (v *Verifier) Verify(ctx context.Context, text string, trusts []Trust) (Access, error) {
	t, err := parse(text)
	if err != nil {
		return Access{}, err
	}
	from := slices.DeleteFunc(slices.Clone(trusts), func(tr Trust) bool { return tr.URL != t.claims.text("iss") })
	if len(from) == 0 {
		return Access{}, refuse(BadIssuer, "its issuer %q is none that is trusted here", shown(t.claims.text("iss")))
	}
	if err := t.isAccess(); err != nil { // before anything is fetched for it
		return Access{}, err
	}
	var first error // before anything is fetched, either
	from = slices.DeleteFunc(from, func(tr Trust) bool {
		err := t.valid(tr.URL, tr.Audience, v.o.Now(), cmp.Or(tr.Leeway, defaultLeeway))
		if first == nil {
			first = err
		}
		return err != nil
	})
	if len(from) == 0 {
		return Access{}, first
	}
	keys, err := v.issuer(from[0].URL).keysFor(ctx, t)
	if err != nil {
		return Access{}, err
	}
	first = nil
	for _, trust := range from {
		access, err := v.accept(ctx, t, keys, trust)
		if err == nil {
			return access, nil
		}
		if first == nil {
			first = err
		}
	}
	return Access{}, first
}

// accept checks a token against one trust.
func (v *Verifier) accept(ctx context.Context, t *token, keys found, trust Trust) (Access, error) {
	if err := v.signed(ctx, t, keys, trust.URL, trust.Audience, trust.Leeway); err != nil {
		return Access{}, err
	}
	a := Access{Tenant: trust.Tenant, Issuer: trust.URL, Expires: t.expires}
	subject, client := t.claims.text("sub"), t.claims.client()
	switch {
	case subject == "" && client == "":
		return Access{}, refuse(BadClaims, "it says neither who its subject is (sub) nor to whom it was issued (client_id)")
	case len(trust.Clients) > 0 && !slices.Contains(trust.Clients, client):
		return Access{}, refuse(BadClient, "it was issued to %q, which is none of the clients that may call", shown(client))
	case subject == "":
		subject = client
	}
	a.Subject, a.Client = shown(subject), shown(client)
	switch name := t.claims.text(trust.TenantClaim); {
	case trust.Tenant == "" && trust.TenantClaim == "":
		return Access{}, refuse(BadTenant, "nothing says whose directory it is for")
	case trust.Tenant == "":
		if tenant.CheckName(name) != nil {
			return Access{}, refuse(BadTenant, "its claim %q, which must name the tenant, is missing or no such name", trust.TenantClaim)
		}
		a.Tenant = name
	case trust.TenantClaim != "":
		want := trust.TenantValue
		if want == "" {
			want = trust.Tenant
		}
		if name != want {
			return Access{}, refuse(BadTenant, "its claim %q is not %q", trust.TenantClaim, want)
		}
	}
	words, said := t.claims.scopes(trust.ScopeClaim)
	if !said {
		words, trust.ScopePrefix = strings.Fields(trust.Scopes), ""
	}
	a.Scopes = scopesOf(words, trust.ScopePrefix)
	return a, nil
}

// signed checks the claims that every token has, then the signature: by go-oidc,
// which looks at issuer and audience once more.
func (v *Verifier) signed(ctx context.Context, t *token, keys found, issuer, audience string, leeway time.Duration) error {
	if leeway == 0 {
		leeway = defaultLeeway
	}
	now := v.o.Now()
	if err := t.valid(issuer, audience, now, leeway); err != nil {
		return err
	}
	_, err := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms,
		SkipExpiryCheck: true}).Verify(ctx, t.text) // it would bear five minutes, whatever leeway is
	if err != nil {
		return &Refusal{BadSignature, errors.New("its signature is not that of a key of the issuer")}
	}
	return nil
}

// found are the keys that may have signed a token.
type found []jose.JSONWebKey

// VerifySignature returns what a token says, if one of the keys signed it
// (oidc.KeySet).
func (f found) VerifySignature(_ context.Context, text string) ([]byte, error) {
	var allowed []jose.SignatureAlgorithm
	for _, a := range algorithms {
		allowed = append(allowed, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(text, allowed)
	if err != nil {
		return nil, err
	}
	for i := range f {
		if payload, err := jws.Verify(&f[i]); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key fits")
}

// scopesOf are the scopes among words, each after the prefix. Others are not
// ours: "openid", and what belongs to another resource.
func scopesOf(words []string, prefix string) tenant.Scopes {
	var text strings.Builder
	for _, w := range words {
		rest, ok := strings.CutPrefix(w, prefix)
		if !ok || rest == "" || strings.ContainsAny(rest, " ,") {
			continue
		}
		if s, err := tenant.ParseScopes(rest); err == nil && len(s) == 1 {
			text.WriteString(rest + " ")
		}
	}
	list, err := tenant.ParseScopes(text.String())
	if err != nil { // too many
		return nil
	}
	return list
}

// Reason is why a token is refused. There are few, so that they can be labels of
// metrics.
type Reason string

// The reasons. The client is told none of them.
const (
	Malformed    Reason = "malformed"
	BadAlgorithm Reason = "algorithm"
	BadType      Reason = "type" // no access token
	BadIssuer    Reason = "issuer"
	BadKey       Reason = "key" // the issuer has none of that name
	BadSignature Reason = "signature"
	BadAudience  Reason = "audience"
	Expired      Reason = "expired"
	NotYet       Reason = "early"
	BadClaims    Reason = "claims"
	BadTenant    Reason = "tenant"
	BadClient    Reason = "client"
)

// Refusal is the error of a token that permits nothing. Its text is for the log,
// not for the client.
type Refusal struct {
	Reason Reason
	Cause  error
}

// Error says what is wrong with the token.
func (r *Refusal) Error() string { return "the access token is refused: " + r.Cause.Error() }

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

func refuse(reason Reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Errorf(format, args...)}
}

// Unavailable is the error of a token whose key can't be had for now.
type Unavailable struct {
	Issuer     string
	RetryAfter time.Duration
	Cause      error
}

// Error says whose keys are missing, and why.
func (u *Unavailable) Error() string {
	return fmt.Sprintf("the keys of the issuer %s can't be fetched: %v", u.Issuer, u.Cause)
}

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Cause }

// shown is a text that may be printed: short, and on one line.
func shown(s string) string {
	const most = 200
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
