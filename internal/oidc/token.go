package oidc

import (
	"encoding/base64"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// token is a JWT that was read, and nothing of it believed.
type token struct {
	text     string
	alg, kid string
	typ      string // in lower case, without "application/"
	claims   claims
	expires  time.Time
}

// maxKid bounds the name of a key.
const maxKid = 512

// parse reads a signed JWT in its compact form (RFC 7519 §7.2), strictly: a member
// that is there twice is an error.
func parse(text string) (*token, error) {
	if len(text) > MaxToken {
		return nil, refuse(Malformed, "it is longer than %d bytes", MaxToken)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, refuse(Malformed, "it has %d parts, and a signed JWT three", len(parts))
	}
	header, err := object(parts[0])
	if err != nil {
		return nil, refuse(Malformed, "its header can't be read")
	}
	t := &token{text: text, alg: header.text("alg"), kid: header.text("kid"), typ: strings.TrimPrefix(strings.ToLower(header.text("typ")), "application/")}
	if !slices.Contains(algorithms, t.alg) {
		return nil, refuse(BadAlgorithm, "its algorithm is %q", shown(t.alg))
	}
	for _, name := range []string{"kid", "typ"} {
		if _, there := header[name]; there && header.text(name) == "" {
			return nil, refuse(Malformed, "its header's %s is no text", name)
		}
	}
	for _, name := range []string{"crit", "b64", "enc", "zip"} { // what we would have to understand, or to undo
		if _, there := header[name]; there {
			return nil, refuse(Malformed, "its header has %q", name)
		}
	}
	if len(t.kid) > maxKid {
		return nil, refuse(Malformed, "the name of its key is longer than %d bytes", maxKid)
	}
	if t.claims, err = object(parts[1]); err != nil {
		return nil, refuse(Malformed, "its claims can't be read")
	}
	if _, err := decode(parts[2]); err != nil || parts[2] == "" {
		return nil, refuse(Malformed, "its signature can't be read")
	}
	return t, nil
}

// object reads a JSON object in base64.
func object(part string) (claims, error) {
	text, err := decode(part)
	if err != nil {
		return nil, err
	}
	var c claims
	err = json.Unmarshal(text, &c)
	if err == nil && c == nil { // null
		err = errNull
	}
	return c, err
}

// errNull is the error for JSON's null in the place of an object.
var errNull = refuse(Malformed, "it is null")

func decode(part string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(part)
}

// claims are the members of an object, each as it is written.
type claims map[string]jsontext.Value

// text returns a claim that is text, or "".
func (c claims) text(name string) string {
	var s string
	if v := c.find(name); v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return ""
	}
	return s
}

// find returns a claim by its name, or by its place in objects:
// "realm_access.roles". It is nil if there is none.
func (c claims) find(name string) jsontext.Value {
	if v, ok := c[name]; ok {
		return v
	}
	first, rest, ok := strings.Cut(name, ".")
	v := c[first]
	if !ok || v.Kind() != '{' {
		return nil
	}
	var inner claims
	if json.Unmarshal(v, &inner) != nil {
		return nil
	}
	return inner.find(rest)
}

// list returns the texts of a claim that is text or an array of texts, and
// whether it is one of both.
func (c claims) list(name string) ([]string, bool) {
	v := c.find(name)
	switch v.Kind() {
	case '"':
		return []string{c.text(name)}, true
	case '[':
		var list []string
		if json.Unmarshal(v, &list) == nil && list != nil {
			return list, true
		}
	}
	return nil, false
}

// scopes returns the words of the claim that scopes are in, and whether it is
// there: text separated by blanks (RFC 8693 §4.2), or an array.
func (c claims) scopes(name string) (words []string, said bool) {
	names := []string{name}
	if name == "" {
		names = []string{"scope", "scp"}
	}
	for _, name := range names {
		if c.find(name) == nil {
			continue
		}
		list, _ := c.list(name) // neither is no scope
		for _, text := range list {
			words = append(words, strings.Fields(text)...)
		}
		return words, true
	}
	return nil, false
}

// client returns whom a token was issued to: RFC 9068 §2.2 calls it client_id,
// Entra appid and azp, Okta cid.
func (c claims) client() string {
	for _, name := range []string{"client_id", "azp", "appid", "cid"} {
		if s := c.text(name); s != "" {
			return s
		}
	}
	return ""
}

// instant returns a claim that is a time (RFC 7519 §2), and whether it is there.
func (c claims) instant(name string) (at time.Time, there bool, err error) {
	v, there := c[name]
	if !there {
		return at, false, nil
	}
	var seconds float64
	const most = 253402300799 // the end of the year 9999
	if v.Kind() != '0' || json.Unmarshal(v, &seconds) != nil || !(seconds >= 0 && seconds <= most) {
		return at, true, refuse(BadClaims, "its %s is no time", name)
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), true, nil
}

// isAccess refuses what the issuer signed for another purpose, such as ID tokens
// (RFC 9068 §4, RFC 8725 §3.11). Not every issuer says in the header what a token
// is; then the claims have to.
func (t *token) isAccess() error {
	if _, there := t.claims["cnf"]; there { // RFC 7800, RFC 9449
		return refuse(BadType, "it is good only together with a key, which is not asked for here")
	}
	switch t.typ {
	case "at+jwt":
		return nil
	case "", "jwt":
	default:
		return refuse(BadType, "it is %q, not an access token", shown(t.typ))
	}
	for _, name := range []string{"nonce", "at_hash", "c_hash", "s_hash", "events"} {
		if _, there := t.claims[name]; there {
			return refuse(BadType, "its claim %q is not one of plain access tokens", name)
		}
	}
	kind, use := t.claims.text("typ"), t.claims.text("token_use")
	if kind != "" && !strings.EqualFold(kind, "Bearer") || use != "" && use != "access" {
		return refuse(BadType, "it says that it is %q, not an access token", shown(kind+use))
	}
	if kind != "" || use != "" {
		return nil
	}
	for _, name := range []string{"scope", "scp", "client_id", "cid", "appid", "azpacr", "appidacr", "gty"} {
		if _, there := t.claims[name]; there {
			return nil
		}
	}
	return refuse(BadType, "nothing shows that it is an access token: its header has no typ at+jwt, and its claims no scope and no client_id")
}

// valid checks whom a token is from, whom it is for, and whether it is good now.
func (t *token) valid(issuer, audience string, now time.Time, leeway time.Duration) error {
	if t.claims.text("iss") != issuer {
		return refuse(BadIssuer, "its issuer is %q", shown(t.claims.text("iss")))
	}
	if list, _ := t.claims.list("aud"); !slices.Contains(list, audience) || audience == "" {
		return refuse(BadAudience, "it is for %q, not for %q", shown(strings.Join(list, " ")), audience)
	}
	exp, there, err := t.claims.instant("exp")
	switch {
	case err != nil:
		return err
	case !there:
		return refuse(BadClaims, "it does not say when it expires (exp)")
	case !now.Before(exp.Add(leeway)):
		return refuse(Expired, "it expired %s ago", now.Sub(exp).Round(time.Second))
	}
	t.expires = exp
	for _, name := range []string{"nbf", "iat"} {
		switch at, _, err := t.claims.instant(name); {
		case err != nil:
			return err
		case at.After(now.Add(leeway)):
			return refuse(NotYet, "its %s is %s from now; one of both clocks is wrong", name, at.Sub(now).Round(time.Second))
		}
	}
	return nil
}
