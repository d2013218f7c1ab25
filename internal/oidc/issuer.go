package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/internal/outbound"
)

// How keys are kept.
const (
	freshFor    = 10 * time.Minute // then they are fetched again, beside the requests
	usableFor   = 24 * time.Hour   // while they can't be fetched again
	betweenAsks = 10 * time.Second // of an issuer, at least, whatever tokens say
	waitFor     = 5 * time.Second  // for keys, of one request
	knownFor    = time.Hour        // where the keys are
	renewAfter  = 9 * time.Minute  // by Prepare
	retryAfter  = time.Minute      // by Prepare, if that failed
	mostBegun   = 16               // fetches that a call of Prepare begins
	mostWaiting = 32               // requests for the keys of one issuer
	maxKeys     = 100
	maxIssuers  = 2_000
)

// issuer is where the keys of one issuer come from, and what is known of it.
type issuer struct {
	v   *Verifier
	url string

	mu       sync.Mutex
	used     time.Time // last
	meta     metadata  // zero: not known yet
	metaAt   time.Time
	keys     []jose.JSONWebKey
	keysAt   time.Time // of the last fetch that succeeded
	askedAt  time.Time // of the last fetch
	failure  error     // of the last fetch
	inflight chan struct{}
	waiting  int // requests, for inflight
}

// metadata is what an issuer's configuration says (OpenID Connect Discovery 1.0
// §3, RFC 8414 §2).
type metadata struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Methods       []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself   bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// issuer returns the issuer of that URL, which somebody configured.
func (v *Verifier) issuer(of string) *issuer {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.issuers[of]
	if i == nil {
		if len(v.issuers) >= maxIssuers {
			v.forget()
		}
		i = &issuer{v: v, url: of}
		v.issuers[of] = i
	}
	i.used = v.o.Now()
	return i
}

// forget drops the issuer that was not asked for the longest.
func (v *Verifier) forget() {
	var oldest *issuer
	for _, i := range v.issuers {
		if oldest == nil || i.used.Before(oldest.used) {
			oldest = i
		}
	}
	delete(v.issuers, oldest.url)
}

// keysFor returns the keys that may have signed a token. An unknown name of a key
// makes the issuer be asked, but not more often than once in betweenAsks. As long
// as the keys are fresh nobody waits for that: how long a refusal takes would tell
// who signed nothing whether the issuer is trusted.
func (i *issuer) keysFor(ctx context.Context, t *token) (found, error) {
	now := i.v.o.Now()
	i.mu.Lock()
	list := i.fitting(t, now)
	if len(list) > 0 {
		if now.Sub(i.keysAt) >= freshFor && now.Sub(i.askedAt) >= betweenAsks {
			i.fetch(now)
		}
		i.mu.Unlock()
		return list, nil
	}
	if i.inflight == nil && (i.askedAt.IsZero() || now.Sub(i.askedAt) >= betweenAsks) {
		i.fetch(now)
	}
	none := func() error { return refuse(BadKey, "its key %q is none of the issuer's", shown(t.kid)) }
	if now.Sub(i.keysAt) < freshFor {
		i.mu.Unlock()
		return nil, none()
	}
	if i.inflight != nil && i.waiting >= mostWaiting {
		i.mu.Unlock()
		return nil, i.unavailable(errors.New("too many requests wait for them"))
	}
	err := i.wait(ctx)
	defer i.mu.Unlock()
	switch list = i.fitting(t, i.v.o.Now()); {
	case err != nil:
		return nil, i.unavailable(err)
	case len(list) > 0:
		return list, nil
	case i.failure != nil:
		return nil, i.unavailable(i.failure)
	}
	return nil, none()
}

// wait waits until what is being fetched is there. mu is held, but not meanwhile.
func (i *issuer) wait(ctx context.Context) (err error) {
	done := i.inflight
	if done == nil {
		return nil
	}
	i.waiting++
	i.mu.Unlock()
	timeout := time.NewTimer(waitFor)
	defer timeout.Stop()
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timeout.C:
		err = errors.New("it takes too long")
	}
	i.mu.Lock()
	i.waiting--
	return err
}

// Prepare fetches the keys of issuers beside the requests, so that those need not
// wait for them: of those whose keys are not known yet or will be old soon. It is
// to be called again and again, and begins a few fetches each time.
func (v *Verifier) Prepare(issuers []string) {
	begun := 0
	for _, of := range issuers[:min(len(issuers), maxIssuers)] {
		if begun == mostBegun {
			return
		}
		if v.issuer(of).renew() {
			begun++
		}
	}
}

// renew asks the issuer if that is due, and reports whether it was.
func (i *issuer) renew() bool {
	now := i.v.o.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.inflight != nil || now.Sub(i.keysAt) < renewAfter || now.Sub(i.askedAt) < retryAfter {
		return false
	}
	i.fetch(now)
	return true
}

func (i *issuer) unavailable(cause error) error {
	return &Unavailable{Issuer: i.url, RetryAfter: betweenAsks, Cause: cause}
}

// fitting returns the known keys for a token: of its name, or, if it names none,
// all that its algorithm can be used with. mu is held.
func (i *issuer) fitting(t *token, now time.Time) (list found) {
	if now.Sub(i.keysAt) >= usableFor {
		return nil
	}
	for _, k := range i.keys {
		if (t.kid == "" || k.KeyID == t.kid) && suits(k, t.alg) {
			list = append(list, k)
		}
	}
	return list
}

// suits reports whether a key is of the kind that an algorithm needs. A key may
// be for one algorithm alone.
func suits(k jose.JSONWebKey, alg string) bool {
	if k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return alg[:2] == "RS" || alg[:2] == "PS"
	case *ecdsa.PublicKey: // RFC 7518 §3.4: one curve each
		return map[string]int{"ES256": 256, "ES384": 384, "ES512": 521}[alg] == key.Curve.Params().BitSize
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// fetch asks the issuer, beside the requests, unless that is being done. mu is
// held.
func (i *issuer) fetch(now time.Time) {
	if i.inflight != nil || i.v.ctx.Err() != nil {
		return
	}
	done := make(chan struct{})
	i.inflight, i.askedAt = done, now
	meta := i.meta
	if now.Sub(i.metaAt) >= knownFor {
		meta = metadata{}
	}
	i.v.tasks.Go(func() {
		meta, fresh, keys, err := i.ask(meta)
		i.mu.Lock()
		defer i.mu.Unlock()
		if fresh {
			i.meta, i.metaAt = meta, now
		}
		switch {
		case err == nil:
			i.keys, i.keysAt = keys, now
			if i.failure != nil {
				i.v.o.Logger.Info("the keys of an issuer can be fetched again", "issuer", i.url)
			}
		case i.failure == nil || i.failure.Error() != err.Error():
			i.v.o.Logger.Warn("the keys of an issuer can't be fetched; those that are known stay good for a while", "issuer", i.url, "error", err)
			i.metaAt = time.Time{} // they may be somewhere else
		default:
			i.metaAt = time.Time{}
		}
		i.failure, i.inflight = err, nil
		close(done)
	})
}

// ask fetches the keys, and if it is not known where they are, that first.
func (i *issuer) ask(meta metadata) (_ metadata, fresh bool, keys []jose.JSONWebKey, err error) {
	if meta.Issuer == "" {
		if meta, err = i.discover(); err != nil {
			return meta, false, nil, err
		}
		fresh = true
	}
	text, err := outbound.JSON(i.v.ctx, i.v.o.Client, meta.Keys)
	if err != nil {
		return meta, fresh, nil, err
	}
	keys, err = readKeys(text)
	return meta, fresh, keys, err
}

// discover fetches the configuration of the issuer.
func (i *issuer) discover() (m metadata, err error) {
	from := strings.TrimSuffix(i.url, "/") + "/.well-known/openid-configuration"
	text, err := outbound.JSON(i.v.ctx, i.v.o.Client, from)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return metadata{}, fmt.Errorf("%s is no configuration of an issuer", from)
	}
	// Otherwise one issuer could speak for another (RFC 8414 §3.3).
	if m.Issuer != i.url {
		return metadata{}, fmt.Errorf("%s is the configuration of the issuer %q: give that one's URL, to the letter", from, shown(m.Issuer))
	}
	if u, err := url.Parse(m.Keys); err != nil || u.Host == "" {
		return metadata{}, fmt.Errorf("%s does not say where the keys are (jwks_uri)", from)
	}
	return m, nil
}

// about returns the configuration of the issuer, which may be an hour old.
func (i *issuer) about(ctx context.Context) (metadata, error) {
	now := i.v.o.Now()
	i.mu.Lock()
	known := i.meta
	if known.Issuer == "" && i.inflight == nil && (i.askedAt.IsZero() || now.Sub(i.askedAt) >= betweenAsks) {
		i.fetch(now)
	}
	done := i.inflight
	i.mu.Unlock()
	if known.Issuer != "" {
		return known, nil
	}
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			return metadata{}, i.unavailable(ctx.Err())
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.meta.Issuer == "" {
		if i.failure == nil {
			return metadata{}, i.unavailable(errors.New("the server is stopping"))
		}
		return metadata{}, i.unavailable(i.failure)
	}
	return i.meta, nil
}

// readKeys reads a set of keys (RFC 7517 §5), less those that tokens can't be
// signed with or that nobody should: shared and private ones, and short ones of
// RSA (RFC 7518 §3.3).
func readKeys(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errors.New("the issuer's keys are no JSON Web Key Set")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the issuer has more than %d keys", maxKeys)
	}
	var list []jose.JSONWebKey
	for _, text := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(text) != nil || k.Use != "" && k.Use != "sig" || len(k.KeyID) > maxKid {
			continue // kinds of keys that are not known have to be passed over (§5)
		}
		switch key := k.Key.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < 2048 || key.N.BitLen() > 8192 {
				continue
			}
		case *ecdsa.PublicKey, ed25519.PublicKey:
		default:
			continue
		}
		if slices.ContainsFunc(algorithms, func(alg string) bool { return suits(k, alg) }) {
			list = append(list, k)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the issuer has no key that tokens can be signed with")
	}
	return list, nil
}
