package server_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuer is an identity provider on this machine, which lets in whoever comes.
type issuer struct {
	t      *testing.T
	url    string
	ca     string // file
	server *httptest.Server

	asked atomic.Int32 // for keys

	mu    sync.Mutex
	down  bool
	roles any                   // of who signs in
	left  map[string]url.Values // by code: what they were sent with
}

var issuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, left: map[string]url.Values{}}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "k1", Key: issuerKey().Public(), Use: "sig"}}})
	})
	mux.HandleFunc("/authorize", func(w http.ResponseWriter, r *http.Request) {
		code := rand.Text()
		i.mu.Lock()
		i.left[code] = r.URL.Query()
		i.mu.Unlock()
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		left := i.left[r.PostFormValue("code")]
		delete(i.left, r.PostFormValue("code"))
		roles := i.roles
		i.mu.Unlock()
		user, secret, _ := r.BasicAuth()
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if left == nil || user != "console" || secret != "canary-client-secret" || base64.RawURLEncoding.EncodeToString(sum[:]) != left.Get("code_challenge") || r.PostFormValue("redirect_uri") != left.Get("redirect_uri") {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		answer(w, map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": i.sign("JWT", map[string]any{
			"aud": "console", "sub": "u1", "preferred_username": "ada@example.com", "nonce": left.Get("nonce"), "roles": roles})})
	})
	i.server = httptest.NewTLSServer(mux)
	t.Cleanup(i.server.Close)
	i.url = i.server.URL
	i.ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(i.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return i
}

// trust puts the certificate of another issuer into the file of this one.
func (i *issuer) trust(other *issuer) {
	i.t.Helper()
	var both []byte
	for _, of := range []*issuer{i, other} {
		text, err := os.ReadFile(of.ca)
		if err != nil {
			i.t.Fatal(err)
		}
		both = append(both, text...)
	}
	if err := os.WriteFile(i.ca, both, 0o600); err != nil {
		i.t.Fatal(err)
	}
}

// sign makes a token of the issuer's, good for an hour unless claims say
// otherwise.
func (i *issuer) sign(typ string, claims map[string]any) string {
	all := map[string]any{"iss": i.url, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	for k, v := range claims {
		all[k] = v
	}
	o := &jose.SignerOptions{}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: issuerKey()}, o.WithType(jose.ContentType(typ)).WithHeader("kid", "k1"))
	if err != nil {
		panic(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	signed, err := s.Sign(text)
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

// access makes an access token; claims are over good ones.
func (i *issuer) access(scope string, claims map[string]any) string {
	all := map[string]any{"aud": "rollcall", "sub": "svc", "client_id": "entra-app", "scope": scope}
	for k, v := range claims {
		all[k] = v
	}
	return i.sign("at+jwt", all)
}

// environ is what a server needs to trust the issuer.
func (i *issuer) environ(more ...string) []string {
	return append([]string{"ROLLCALL_OIDC_ISSUER=" + i.url, "ROLLCALL_OIDC_AUDIENCE=rollcall", "ROLLCALL_OUTBOUND_ALLOW=127.0.0.1", "ROLLCALL_OUTBOUND_CA=" + i.ca}, more...)
}
