package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"golang.org/x/oauth2"

	"github.com/rollcall-scim/rollcall/internal/outbound"
)

// Client is this program as a client of an issuer that knows people (OpenID
// Connect Core 1.0).
type Client struct {
	Issuer string // its URL
	ID     string
	Secret string // "": it is a public client
	Roles  string // the claim of the ID token that says what somebody may; as in Trust, it may be a place in objects
}

// SignIn lets people sign in, by the authorization code flow with PKCE. It keeps
// nothing between Begin and Finish. Safe for concurrent use.
type SignIn struct {
	v *Verifier
	c Client
}

// SignIn returns a sign-in at an issuer. Nothing is fetched before the first.
func (v *Verifier) SignIn(c Client) *SignIn { return &SignIn{v, c} }

// Person is who signed in.
type Person struct {
	Name  string // to show; printable
	Roles []string
}

// The errors of Finish that a person can do something about. Others are for the
// log.
var (
	ErrDenied = errors.New("the identity provider did not let them in")
	ErrState  = errors.New("the sign-in was not begun by this browser, or is too long ago")
)

// flow is what has to be the same when somebody comes back.
type flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Redirect string `json:"r"`
}

// Begin returns where to send a browser, and what Finish needs when it comes back
// to redirect. That must reach the same browser by a way that nobody else can
// write or read.
func (s *SignIn) Begin(ctx context.Context, redirect string) (to string, secret []byte, err error) {
	config, _, err := s.config(ctx, redirect)
	if err != nil {
		return "", nil, err
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Redirect: redirect}
	if secret, err = json.Marshal(f); err != nil {
		return "", nil, err
	}
	return config.AuthCodeURL(f.State, oauth2.S256ChallengeOption(f.Verifier), oauth2.SetAuthURLParam("nonce", f.Nonce)), secret, nil
}

func (s *SignIn) config(ctx context.Context, redirect string) (*oauth2.Config, metadata, error) {
	m, err := s.v.issuer(s.c.Issuer).about(ctx)
	if err != nil {
		return nil, m, err
	}
	for _, text := range []string{m.Authorization, m.Token} {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
			return nil, m, fmt.Errorf("the issuer %s has no authorization_endpoint or token_endpoint that begins with https://", s.c.Issuer)
		}
	}
	style := oauth2.AuthStyleInHeader // the default of RFC 8414 §2
	if s.c.Secret == "" || len(m.Methods) > 0 && !slices.Contains(m.Methods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: s.c.ID, ClientSecret: s.c.Secret, RedirectURL: redirect, Scopes: []string{"openid", "profile", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style}}, m, nil
}

// isLoopback reports whether a host is this machine: for trials.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Finish returns who signed in, by what Begin returned and the query that the
// browser brought back.
func (s *SignIn) Finish(ctx context.Context, secret []byte, query url.Values) (Person, error) {
	var f flow
	if err := json.Unmarshal(secret, &f); err != nil || f.State == "" {
		return Person{}, ErrState
	}
	for name := range query {
		if len(query[name]) > 1 {
			return Person{}, errors.New("the issuer's answer has a parameter twice")
		}
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 {
		return Person{}, ErrState
	}
	config, m, err := s.config(ctx, f.Redirect)
	if err != nil {
		return Person{}, err
	}
	// Another issuer's answer must not be taken to this one (RFC 9207).
	if from := query.Get("iss"); from != s.c.Issuer && (from != "" || m.NamesItself) {
		return Person{}, fmt.Errorf("the answer is of the issuer %q", shown(from))
	}
	if code := query.Get("error"); code != "" {
		return Person{}, fmt.Errorf("%w: %s: %s", ErrDenied, shown(code), shown(query.Get("error_description")))
	}
	code := query.Get("code")
	if code == "" || len(code) > MaxToken {
		return Person{}, errors.New("the issuer's answer has no code")
	}
	tokens, err := config.Exchange(context.WithValue(ctx, oauth2.HTTPClient, s.v.o.Client), code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Person{}, refusedCode(err)
	}
	text, ok := tokens.Extra("id_token").(string)
	if !ok {
		return Person{}, errors.New("the issuer gave no ID token for the code")
	}
	return s.person(ctx, text, f.Nonce)
}

// refusedCode is the error of an exchange without the issuer's answer, which may
// be anything.
func refusedCode(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return fmt.Errorf("the issuer does not take its code back: %d %s", refused.Response.StatusCode, shown(refused.ErrorCode))
	}
	return fmt.Errorf("the issuer does not take its code back: %w", outbound.Plain(err))
}

// person checks an ID token (OpenID Connect Core 1.0 §3.1.3.7).
func (s *SignIn) person(ctx context.Context, text, nonce string) (Person, error) {
	t, err := parse(text)
	if err != nil {
		return Person{}, err
	}
	if t.typ != "" && t.typ != "jwt" {
		return Person{}, refuse(BadType, "it is %q, not an ID token", shown(t.typ))
	}
	keys, err := s.v.issuer(s.c.Issuer).keysFor(ctx, t)
	if err != nil {
		return Person{}, err
	}
	if err := s.v.signed(ctx, t, keys, s.c.Issuer, s.c.ID, 0); err != nil {
		return Person{}, err
	}
	audiences, _ := t.claims.list("aud")
	switch party, named := t.claims.text("azp"), t.claims["azp"] != nil; {
	case subtle.ConstantTimeCompare([]byte(t.claims.text("nonce")), []byte(nonce)) != 1:
		return Person{}, refuse(BadClaims, "its nonce is another one")
	case (named || len(audiences) > 1) && party != s.c.ID:
		return Person{}, refuse(BadClient, "it was issued to %q", shown(party))
	case t.claims.text("sub") == "":
		return Person{}, refuse(BadClaims, "it does not say who its subject is")
	}
	p := Person{Name: shown(cmp.Or(t.claims.text("preferred_username"), t.claims.text("email"), t.claims.text("name"), t.claims.text("sub")))}
	p.Roles, _ = t.claims.list(s.c.Roles)
	if s.c.Roles == "email" && strings.Trim(string(t.claims["email_verified"]), `"`) != "true" {
		p.Roles = nil // anybody can say that an address is theirs
	}
	return p, nil
}
