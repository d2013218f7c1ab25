package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"
)

// SharedSessions makes a login at one instance of the program one at all of
// them: the cookie holds the session itself, sealed, and no instance keeps it.
type SharedSessions struct {
	// Keys returns keys of 32 bytes that all instances have: the first seals,
	// all open.
	Keys func() [][]byte
	// End makes it known to all instances that a session has ended before its
	// time. It may take some seconds until they know.
	End func(id string, until time.Time)
	// Ended reports whether a session is known to have ended.
	Ended func(id string) bool
}

// maxCookie is what browsers take of a cookie, less its name and attributes.
const maxCookie = 3800

// errLongToken says that a session does not fit into a cookie.
var errLongToken = errors.New("this token, or the list of your roles, is too long for a login that all instances know: 2,000 characters at most")

// sealed is what the cookie of a shared session holds.
type sealed struct {
	ID      string   `json:"i"`
	Token   string   `json:"t,omitempty"`
	Name    string   `json:"n,omitempty"`
	Roles   []string `json:"r,omitempty"`
	Expires int64    `json:"e"` // Unix seconds
}

func (s *SharedSessions) seal(in sealed) (string, error) {
	plain, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	return seals{s.Keys}.seal(cookieName, plain)
}

// seal makes the value of a cookie of that name.
func (s seals) seal(name string, plain []byte) (string, error) {
	keys := s.keys()
	if len(keys) == 0 {
		return "", errors.New("there is no key for sessions")
	}
	aead, err := sessionAEAD(keys[0])
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // it never fails
	cookie := base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, []byte(name)))
	if len(cookie) > maxCookie {
		return "", errLongToken
	}
	return cookie, nil
}

// open returns what is sealed in a cookie, if it is one of ours that is good
// still.
func (s *SharedSessions) open(cookie string, now time.Time) (in sealed, ok bool) {
	plain, ok := seals{s.Keys}.open(cookieName, cookie)
	return in, ok && json.Unmarshal(plain, &in) == nil && now.Unix() < in.Expires && !s.Ended(in.ID)
}

// open returns what is sealed in a cookie of that name.
func (s seals) open(name, cookie string) (plain []byte, ok bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	if err != nil {
		return nil, false
	}
	for _, key := range s.keys() {
		aead, err := sessionAEAD(key)
		if err != nil || len(text) < aead.NonceSize() {
			return nil, false
		}
		n := aead.NonceSize()
		if plain, err := aead.Open(nil, text[:n], text[n:], []byte(name)); err == nil {
			return plain, true
		}
	}
	return nil, false
}

// sessionAEAD makes of a key, which has other uses, one for sessions alone.
func sessionAEAD(key []byte) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("sessions of the console"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
