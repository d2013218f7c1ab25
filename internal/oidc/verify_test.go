package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/rollcall-scim/rollcall/internal/oidc"
)

// TestGoodTokens: those of the RFC, and those that Entra, Okta, Keycloak and
// Auth0 send in its place, as far as their documentation says.
func TestGoodTokens(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	v := p.verifier(c)
	type m = map[string]any
	type header = map[jose.HeaderKey]any
	jwt := header{"typ": "JWT"}
	for _, tt := range []struct {
		name   string
		alg    jose.SignatureAlgorithm
		kid    string
		key    any
		header header
		claims m
		change func(*oidc.Trust)
		want   string // tenant, scopes, actor
	}{
		{"RFC 9068", jose.RS256, "r1", rsaKey(), nil, nil, nil, "acme|read write|svc by c1"},
		{"its media type", jose.PS256, "r1", rsaKey(), header{"typ": "application/at+jwt"}, nil, nil, "acme|read write|svc by c1"},
		{"its type in capitals", jose.ES256, "e1", ecKey(), header{"typ": "AT+JWT"}, nil, nil, "acme|read write|svc by c1"},
		{"Edwards", jose.EdDSA, "d1", ed25519Key(), nil, nil, nil, "acme|read write|svc by c1"},
		{"RS512", jose.RS512, "r1", rsaKey(), nil, nil, nil, "acme|read write|svc by c1"},
		{"no kid", jose.RS256, "", rsaKey(), nil, nil, nil, "acme|read write|svc by c1"},
		{"audiences", jose.RS256, "r1", rsaKey(), nil, m{"aud": []string{"x", "rollcall"}}, nil, "acme|read write|svc by c1"},
		{"what points elsewhere is not looked at", jose.RS256, "r1", rsaKey(), header{"jku": "https://evil.example/keys", "x5u": "https://evil.example/c", "x5t": "AAAA"}, nil, nil, "acme|read write|svc by c1"},
		{"Entra, application, v2.0", jose.RS256, "r1", rsaKey(), jwt, m{"scope": nil, "client_id": nil, "azp": "app-1", "azpacr": "1", "roles": []string{"rollcall.read", "rollcall.write:User"}, "tid": "t", "ver": "2.0"},
			func(t *oidc.Trust) { t.ScopeClaim, t.ScopePrefix = "roles", "rollcall." }, "acme|read write:User|svc by app-1"},
		{"Entra, delegated, v1.0", jose.RS256, "r1", rsaKey(), jwt, m{"scope": nil, "client_id": nil, "appid": "app-1", "appidacr": "1", "scp": "read bulk"}, nil, "acme|read bulk|svc by app-1"},
		{"Entra, no secret token", jose.RS256, "r1", rsaKey(), jwt, m{"scope": nil, "client_id": nil, "appid": "app-1", "appidacr": "2"},
			func(t *oidc.Trust) { t.Scopes = "read write" }, "acme|read write|svc by app-1"},
		{"Okta", jose.RS256, "r1", rsaKey(), header{"typ": nil}, m{"scope": nil, "client_id": nil, "cid": "0oa1", "sub": "0oa1", "scp": []string{"scim:read", "openid"}},
			func(t *oidc.Trust) { t.ScopePrefix = "scim:" }, "acme|read|0oa1"},
		{"Keycloak", jose.RS256, "r1", rsaKey(), jwt, m{"client_id": nil, "azp": "c2", "typ": "Bearer", "scope": "openid read"}, nil, "acme|read|svc by c2"},
		{"a place in objects", jose.RS256, "r1", rsaKey(), nil, m{"scope": nil, "realm_access": m{"roles": []string{"bulk"}}}, func(t *oidc.Trust) { t.ScopeClaim = "realm_access.roles" }, "acme|bulk|svc by c1"},
		{"a claim that has dots", jose.RS256, "r1", rsaKey(), nil, m{"https://x.example/scopes": "read:Group"}, func(t *oidc.Trust) { t.ScopeClaim = "https://x.example/scopes" }, "acme|read:Group|svc by c1"},
		{"without the prefix", jose.RS256, "r1", rsaKey(), nil, nil, func(t *oidc.Trust) { t.ScopePrefix = "rollcall." }, "acme||svc by c1"},
		{"scopes that are not said", jose.RS256, "r1", rsaKey(), nil, m{"scope": ""}, func(t *oidc.Trust) { t.Scopes = "read write bulk" }, "acme||svc by c1"},
		{"scopes of no form", jose.RS256, "r1", rsaKey(), nil, m{"scope": 7}, func(t *oidc.Trust) { t.Scopes = "read" }, "acme||svc by c1"},
		{"no scope", jose.RS256, "r1", rsaKey(), nil, m{"scope": nil}, nil, "acme||svc by c1"},
		{"scopes of others", jose.RS256, "r1", rsaKey(), nil, m{"scope": "READ admin write,bulk read: openid read:User"}, nil, "acme|read:User|svc by c1"},
		{"the tenant by a claim", jose.RS256, "r1", rsaKey(), nil, m{"org": "globex"}, func(t *oidc.Trust) { t.Tenant, t.TenantClaim = "", "org" }, "globex|read write|svc by c1"},
		{"the tenant's claim", jose.RS256, "r1", rsaKey(), nil, m{"org": "acme"}, func(t *oidc.Trust) { t.TenantClaim = "org" }, "acme|read write|svc by c1"},
		{"the tenant's value", jose.RS256, "r1", rsaKey(), nil, m{"org": "A-1"}, func(t *oidc.Trust) { t.TenantClaim, t.TenantValue = "org", "A-1" }, "acme|read write|svc by c1"},
		{"a client that may", jose.RS256, "r1", rsaKey(), nil, nil, func(t *oidc.Trust) { t.Clients = []string{"c0", "c1"} }, "acme|read write|svc by c1"},
		{"skew", jose.RS256, "r1", rsaKey(), nil, m{"exp": c.now().Add(-59 * time.Second).Unix(), "nbf": c.now().Add(time.Minute).Unix(), "iat": c.now().Add(time.Minute).Unix()}, nil, "acme|read write|svc by c1"},
		{"more skew", jose.RS256, "r1", rsaKey(), nil, m{"exp": c.now().Add(-9 * time.Minute).Unix(), "nbf": c.now().Add(10 * time.Minute).Unix()}, func(t *oidc.Trust) { t.Leeway = 10 * time.Minute }, "acme|read write|svc by c1"},
		{"parts of seconds", jose.RS256, "r1", rsaKey(), nil, m{"exp": float64(c.now().Unix()) + 10.5}, nil, "acme|read write|svc by c1"},
		{"no subject", jose.RS256, "r1", rsaKey(), nil, m{"sub": nil}, nil, "acme|read write|c1"},
		{"a name for the log", jose.RS256, "r1", rsaKey(), nil, m{"sub": "a\nb\u202e" + strings.Repeat("x", 500), "client_id": nil}, nil, "acme|read write|a?b?" + strings.Repeat("x", 196) + "…"},
	} {
		var text string
		if typ, set := tt.header["typ"]; set && typ == nil { // go-jose would always have one
			text = resign(t, m{"alg": "RS256", "kid": tt.kid}, p.claims(c, tt.claims))
		} else {
			text = sign(t, tt.alg, tt.kid, tt.key, tt.header, p.claims(c, tt.claims))
		}
		trust := p.trust()
		if tt.change != nil {
			tt.change(&trust[0])
		}
		a, err := v.Verify(t.Context(), text, trust)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		actor, _, _ := strings.Cut(a.Actor(), " of 127.0.0.1")
		if got := a.Tenant + "|" + a.Scopes.String() + "|" + actor; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		if a.Issuer != p.URL || a.Expires.IsZero() || !oidc.IsJWT(text) {
			t.Errorf("%s: %+v", tt.name, a)
		}
	}
}

// resign signs any header and claims, which may be text, with the provider's key.
func resign(t testing.TB, header, claims any) string {
	t.Helper()
	part := func(v any) string {
		text, ok := v.(string)
		if !ok {
			text = string(must(json.Marshal(v)))
		}
		return base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	signed := part(header) + "." + part(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(rs256(signed))
}

// TestBadTokens: each is refused for its own reason, and nothing is fetched from
// where it points to.
func TestBadTokens(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newClock()
	v := p.verifier(c)
	good := p.good(c)
	if _, err := v.Verify(t.Context(), good, p.trust()); err != nil {
		t.Fatal(err)
	}
	type m = map[string]any
	head := func(change m) m {
		h := m{"alg": "RS256", "kid": "r1", "typ": "at+jwt"}
		for k, v := range change {
			if v == nil {
				delete(h, k)
			} else {
				h[k] = v
			}
		}
		return h
	}
	by := func(change m) string { return resign(t, head(nil), p.claims(c, change)) }
	plain := func(change m) string { return resign(t, head(m{"typ": "JWT"}), p.claims(c, change)) }
	raw := string(must(json.Marshal(p.claims(c, nil))))
	parts := strings.Split(good, ".")
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	embedded := jose.JSONWebKey{Key: otherRSA().Public()}
	tests := map[string]struct {
		text string
		want oidc.Reason
	}{
		"nothing":                 {"", oidc.Malformed},
		"no token":                {"rc_abc", oidc.Malformed},
		"dots":                    {"..", oidc.Malformed},
		"two parts":               {parts[0] + "." + parts[1], oidc.Malformed},
		"encrypted":               {"eyJhbGciOiJSU0EtT0FFUCJ9.a.b.c.d", oidc.Malformed},
		"padding":                 {parts[0] + "=." + parts[1] + "." + parts[2], oidc.Malformed},
		"no signature":            {parts[0] + "." + parts[1] + ".", oidc.Malformed},
		"huge":                    {parts[0] + "." + strings.Repeat("A", 9000) + "." + parts[2], oidc.Malformed},
		"header is null":          {resign(t, "null", raw), oidc.Malformed},
		"header is an array":      {resign(t, "[]", raw), oidc.Malformed},
		"claims are null":         {resign(t, head(nil), "null"), oidc.Malformed},
		"claims are text":         {resign(t, head(nil), `"x"`), oidc.Malformed},
		"claims and more":         {resign(t, head(nil), raw+"{}"), oidc.Malformed},
		"claims of no UTF-8":      {resign(t, head(nil), "{\"iss\":\"\xff\"}"), oidc.Malformed},
		"a claim twice":           {resign(t, head(nil), strings.Replace(raw, "{", `{"sub":"admin",`, 1)), oidc.Malformed},
		"alg twice":               {resign(t, `{"alg":"none","alg":"RS256","kid":"r1"}`, raw), oidc.Malformed},
		"critical":                {resign(t, head(m{"crit": []string{"exp"}, "exp": 1}), raw), oidc.Malformed},
		"detached":                {resign(t, head(m{"b64": false}), raw), oidc.Malformed},
		"kid is a number":         {resign(t, head(m{"kid": 1}), raw), oidc.Malformed},
		"kid is long":             {resign(t, head(m{"kid": strings.Repeat("k", 600)}), raw), oidc.Malformed},
		"none":                    {unsigned, oidc.BadAlgorithm},
		"None":                    {resign(t, head(m{"alg": "None"}), raw), oidc.BadAlgorithm},
		"no alg":                  {resign(t, head(m{"alg": nil}), raw), oidc.BadAlgorithm},
		"HS256 with the key":      {hs256(t, p, c), oidc.BadAlgorithm},
		"ES256K":                  {resign(t, head(m{"alg": "ES256K"}), raw), oidc.BadAlgorithm},
		"kid of a path":           {resign(t, head(m{"kid": "../../../../dev/null"}), raw), oidc.BadKey},
		"kid of SQL":              {resign(t, head(m{"kid": "' OR 1=1 --"}), raw), oidc.BadKey},
		"kid of another key":      {resign(t, head(m{"kid": "e1"}), raw), oidc.BadKey},
		"another alg of the key":  {resign(t, head(m{"alg": "ES256"}), raw), oidc.BadKey},
		"its own key":             {sign(t, jose.RS256, "r1", otherRSA(), map[jose.HeaderKey]any{"jwk": embedded}, p.claims(c, nil)), oidc.BadSignature},
		"another key":             {sign(t, jose.RS256, "r1", otherRSA(), nil, p.claims(c, nil)), oidc.BadSignature},
		"another alg":             {resign(t, head(m{"alg": "RS384"}), raw), oidc.BadSignature},
		"other claims":            {parts[0] + "." + strings.Split(by(m{"sub": "admin"}), ".")[1] + "." + parts[2], oidc.BadSignature},
		"another issuer":          {by(m{"iss": "https://evil.example"}), oidc.BadIssuer},
		"issuer with a slash":     {by(m{"iss": p.URL + "/"}), oidc.BadIssuer},
		"issuer in capitals":      {by(m{"iss": strings.ToUpper(p.URL)}), oidc.BadIssuer},
		"no issuer":               {by(m{"iss": nil}), oidc.BadIssuer},
		"issuers":                 {by(m{"iss": []string{p.URL}}), oidc.BadIssuer},
		"ISS":                     {by(m{"iss": "https://evil.example", "ISS": p.URL}), oidc.BadIssuer},
		"another audience":        {by(m{"aud": "other"}), oidc.BadAudience},
		"other audiences":         {by(m{"aud": []string{"rollcal", "rollcall2", ""}}), oidc.BadAudience},
		"no audience":             {by(m{"aud": nil}), oidc.BadAudience},
		"an audience of no text":  {by(m{"aud": m{"rollcall": 1}}), oidc.BadAudience},
		"an audience in capitals": {by(m{"aud": "Rollcall"}), oidc.BadAudience},
		"expired":                 {by(m{"exp": c.now().Add(-time.Minute).Unix()}), oidc.Expired},
		"expired long ago":        {by(m{"exp": 0}), oidc.Expired},
		"not yet":                 {by(m{"nbf": c.now().Add(61 * time.Second).Unix()}), oidc.NotYet},
		"made tomorrow":           {by(m{"iat": c.now().Add(24 * time.Hour).Unix()}), oidc.NotYet},
		"for ever":                {by(m{"exp": nil}), oidc.BadClaims},
		"until text":              {by(m{"exp": "4102444800"}), oidc.BadClaims},
		"until null":              {resign(t, head(nil), strings.Replace(raw, `"exp":`, `"exp":null,"x":`, 1)), oidc.BadClaims},
		"until infinity":          {resign(t, head(nil), strings.Replace(raw, `"exp":`, `"exp":1e300,"x":`, 1)), oidc.BadClaims},
		"until before time":       {by(m{"exp": -1}), oidc.BadClaims},
		"nbf of text":             {by(m{"nbf": "now"}), oidc.BadClaims},
		"nobody":                  {by(m{"sub": nil, "client_id": nil}), oidc.BadClaims},
		"ID token by type":        {resign(t, head(m{"typ": "id_token+jwt"}), raw), oidc.BadType},
		"logout token":            {resign(t, head(m{"typ": "logout+jwt"}), raw), oidc.BadType},
		"security event":          {resign(t, head(m{"typ": "secevent+jwt"}), raw), oidc.BadType},
		"ID token with nonce":     {plain(m{"nonce": "n"}), oidc.BadType},
		"ID token with at_hash":   {plain(m{"at_hash": "n"}), oidc.BadType},
		"ID token of Keycloak":    {plain(m{"typ": "ID"}), oidc.BadType},
		"refresh token":           {plain(m{"typ": "Refresh"}), oidc.BadType},
		"ID token of Cognito":     {plain(m{"token_use": "id"}), oidc.BadType},
		"ID token of Entra":       {plain(m{"scope": nil, "client_id": nil, "roles": []string{"read"}, "oid": "x", "preferred_username": "p"}), oidc.BadType},
		"bound to a key":          {by(m{"cnf": m{"jkt": "x"}}), oidc.BadType},
	}
	for name, tt := range tests {
		a, err := v.Verify(t.Context(), tt.text, p.trust())
		if got := reason(err); got != tt.want {
			t.Errorf("%s: %v (%s), want %s", name, err, got, tt.want)
		}
		if a.Tenant != "" || a.Scopes != nil {
			t.Errorf("%s: refused, and yet %+v", name, a)
		}
		if err != nil && len(tt.text) > 50 && strings.Contains(err.Error(), tt.text[len(tt.text)-40:]) {
			t.Errorf("%s: the error has the token in it", name)
		}
	}
	for name, change := range map[string]func(*oidc.Trust){
		"no audience is wanted": func(t *oidc.Trust) { t.Audience = "" },
		"no tenant":             func(t *oidc.Trust) { t.Tenant = "" },
		"no claim":              func(t *oidc.Trust) { t.Tenant, t.TenantClaim = "", "org" },
		"no name":               func(t *oidc.Trust) { t.Tenant, t.TenantClaim = "", "iss" },
		"another tenant":        func(t *oidc.Trust) { t.TenantClaim = "sub" },
		"another client":        func(t *oidc.Trust) { t.Clients = []string{"c2", ""} },
	} {
		if a, err := v.Verify(t.Context(), good, p.trust(change)); err == nil || a.Tenant != "" {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if _, err := v.Verify(t.Context(), good, nil); reason(err) != oidc.BadIssuer {
		t.Errorf("nobody is trusted: %v", err)
	}
	// Of two trusts in one issuer the one that fits counts.
	two := append(p.trust(func(t *oidc.Trust) { t.Audience = "other" }), p.trust(func(t *oidc.Trust) { t.Tenant = "globex" })...)
	if a, err := v.Verify(t.Context(), good, two); err != nil || a.Tenant != "globex" {
		t.Errorf("the second trust: %+v, %v", a, err)
	}
}

// FuzzVerify: no text but one that the issuer signed is good, and none is a
// panic.
func FuzzVerify(f *testing.F) {
	p, c := newProvider(f), newClock()
	v := p.verifier(c)
	good := p.good(c)
	if _, err := v.Verify(f.Context(), good, p.trust()); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(hs256(f, p, c))
	f.Add(resign(f, map[string]any{"alg": "RS256", "typ": 1, "kid": nil}, "{}"))
	f.Fuzz(func(t *testing.T, text string) {
		a, err := v.Verify(t.Context(), text, p.trust())
		if err == nil && text != good {
			t.Errorf("%q is good: %+v", text, a)
		}
	})
}
