package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// maxToken bounds the token a client may send, in bytes.
const maxToken = 8 << 10

// Bearer authenticates by static bearer tokens (RFC 6750). It keeps their
// SHA-256 digests only. Safe for concurrent use.
type Bearer struct {
	realm  string
	tenant string
	tokens []token
}

type token struct {
	digest  [sha256.Size]byte
	subject string
}

// ErrNoTokens is returned by NewBearer when no token is given: a method that
// nobody can pass, or everybody, is never what was meant.
var ErrNoTokens = errors.New("auth: no bearer token is given")

// errInvalidToken is the cause of the 401 for a token that is not ours.
// One for a request without credentials has no cause.
var errInvalidToken = errors.New("invalid_token")

// NewBearer returns the method that accepts any of the tokens, for one tenant.
// It returns ErrNoTokens if there is none, and an error if one is empty or
// holds what no client can send (RFC 6750 §2.1).
func NewBearer(realm, tenant string, tokens ...string) (*Bearer, error) {
	b := &Bearer{realm: realm, tenant: tenant}
	for i, text := range tokens {
		if !wellFormed(text) {
			return nil, errors.New("auth: token " + strconv.Itoa(i+1) + " is empty, too long, or has a character that no header can carry")
		}
		digest := sha256.Sum256([]byte(text))
		// Six digits tell tokens apart in the log across restarts and
		// rotations, and are too few to find the token by.
		b.tokens = append(b.tokens, token{digest, "token-" + hex.EncodeToString(digest[:3])})
	}
	if len(b.tokens) == 0 {
		return nil, ErrNoTokens
	}
	return b, nil
}

// Authenticate accepts one Authorization header of the scheme Bearer, in any
// case (RFC 9110 §11.1). Tokens in the query or in a form are not looked at
// (RFC 9700 §2.4). Its time depends on neither the token sent nor on which
// one it equals.
func (b *Bearer) Authenticate(r *http.Request) (Principal, error) {
	text, err := TokenOf(r)
	if err != nil {
		return Principal{}, err
	}
	subject, ok := b.Subject(text)
	if !ok {
		return Principal{}, Invalid("the bearer token is not valid", nil)
	}
	return Principal{Tenant: b.tenant, Subject: subject}, nil
}

// Subject returns the name of the client that has the token, if it is one of
// those accepted. Its time depends on neither the token sent nor on which one it
// equals.
func (b *Bearer) Subject(text string) (name string, ok bool) {
	digest := sha256.Sum256([]byte(text))
	found, at := 0, 0
	for i := range b.tokens {
		equal := subtle.ConstantTimeCompare(digest[:], b.tokens[i].digest[:])
		at = subtle.ConstantTimeSelect(equal, i, at)
		found |= equal
	}
	if found != 1 {
		return "", false
	}
	return b.tokens[at].subject, true
}

// TokenOf returns the token of a request that has one Authorization header, of
// the scheme Bearer in any case, else a *scim.Error of status 401 (RFC 6750
// §2.1). Nothing is said about whether the token is good.
func TokenOf(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) == 0:
		return "", unauthorized("this endpoint needs a bearer token: Authorization: Bearer …", nil)
	case len(headers) > 1:
		return "", unauthorized("the request has more than one Authorization header", errInvalidToken)
	}
	scheme, text, _ := strings.Cut(strings.TrimSpace(headers[0]), " ")
	text = strings.TrimSpace(text)
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", unauthorized("the Authorization header must be of the scheme Bearer (RFC 6750 §2.1)", nil)
	case text == "":
		return "", unauthorized("the Authorization header has no token after Bearer", errInvalidToken)
	case !wellFormed(text):
		return "", unauthorized("the bearer token is malformed (RFC 6750 §2.1)", errInvalidToken)
	}
	return text, nil
}

// Challenge names the scheme and the realm, and the error invalid_token where
// credentials were sent (RFC 6750 §3).
func (b *Bearer) Challenge(err error) string {
	return Challenge(b.realm, err)
}

// Challenge returns the WWW-Authenticate of a refusal: of an error of TokenOf, or
// one that Invalid made (RFC 6750 §3).
func Challenge(realm string, err error) string {
	c := `Bearer realm="` + realm + `"`
	if errors.Is(err, errInvalidToken) {
		c += `, error="invalid_token"`
	}
	return c
}

// Scheme describes bearer tokens (RFC 7643 §5).
func (b *Bearer) Scheme() scim.AuthenticationScheme {
	return scim.AuthenticationScheme{
		Type:        "oauthbearertoken",
		Name:        "OAuth Bearer Token",
		Description: "A token in the Authorization header: Authorization: Bearer <token>",
		SpecURI:     "https://www.rfc-editor.org/info/rfc6750",
		Primary:     true,
	}
}

func wellFormed(token string) bool {
	if token == "" || len(token) > maxToken {
		return false
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return false
		}
	}
	return true
}

// Invalid returns the error for a token that opens nothing, of status 401 and
// with the challenge invalid_token (RFC 6750 §3.1). detail is for the client,
// cause, which may be nil, is not.
func Invalid(detail string, cause error) *scim.Error {
	return unauthorized(detail, errors.Join(errInvalidToken, cause))
}

func unauthorized(detail string, cause error) *scim.Error {
	return &scim.Error{Status: http.StatusUnauthorized, Type: scim.TypeInvalidValue, Detail: detail, Err: cause}
}
