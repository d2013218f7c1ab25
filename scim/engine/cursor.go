package engine

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rollcall-scim/rollcall/scim"
)

// position is what a cursor holds (RFC 9865 §2): where a scan stands. The
// server keeps nothing of it.
type position struct {
	Expires int64   `json:"e"` // Unix seconds
	Count   int     `json:"n"` // resources per page
	Total   int     `json:"t"` // of the first page; -1: not known
	Places  []place `json:"p"` // one per type searched; none: the beginning
}

// place is where the scan of one type stands: at its beginning, after a
// resource, or at its end.
type place struct {
	After *scim.Keyset `json:"a,omitempty"`
	Done  bool         `json:"d,omitempty"`
}

// Cursors that were forged, damaged, or made for another tenant, endpoint or
// query are all one error with one text: what it is that does not fit would
// help a forger.
var errCursor = &scim.Error{Status: 400, Type: scim.TypeInvalidCursor,
	Detail: "cursor: not one that this query was given; begin again with an empty one (RFC 9865 §2.1)"}

// binding is the data a cursor is authenticated with but does not hold.
func (c *call) binding(endpoint string, p params) []byte {
	h := sha256.New()
	put := func(parts ...string) {
		for _, s := range parts {
			var n [8]byte
			binary.BigEndian.PutUint64(n[:], uint64(len(s)))
			h.Write(n[:])
			h.Write([]byte(s))
		}
	}
	order := "ascending"
	if p.descending {
		order = "descending"
	}
	given := "absent"
	if p.hasFilter {
		given = "given"
	}
	scope := ""
	if c.e.c.Scope != nil {
		scope = c.e.c.Scope(c.ctx)
	}
	put(c.e.c.Tenant, scope, endpoint, given, p.filter, p.sortBy, order)
	put(p.projection.names...)
	return h.Sum(nil)
}

// sealCursor returns at as a cursor: base64url, which needs no escaping
// anywhere (RFC 9865 §2).
func (c *call) sealCursor(endpoint string, p params, at position) (string, error) {
	at.Expires = c.e.c.Now().Add(c.e.c.CursorTimeout).Unix()
	plain, err := json.Marshal(at)
	if err != nil {
		return "", fmt.Errorf("engine: cursor: %w", err)
	}
	keys := c.e.c.CursorKeys()
	if len(keys) == 0 {
		return "", errors.New("engine: there is no key for cursors")
	}
	aead, err := newAEAD(keys[0])
	if err != nil {
		return "", err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails: crypto/rand
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, plain, c.binding(endpoint, p))), nil
}

// openCursor returns the position of the request's cursor: the beginning for
// an empty one. count is that of the request, and becomes the cursor's where
// the request gives none.
func (c *call) openCursor(endpoint string, p params, count *int) (position, error) {
	if p.cursor == "" {
		return position{Count: *count, Total: -1}, nil
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(p.cursor)
	if err != nil {
		return position{}, errCursor
	}
	var plain []byte
	for _, key := range c.e.c.CursorKeys() {
		aead, err := newAEAD(key)
		if err != nil {
			return position{}, err
		}
		if len(sealed) < aead.NonceSize() {
			return position{}, errCursor
		}
		n := aead.NonceSize()
		if plain, err = aead.Open(nil, sealed[:n], sealed[n:], c.binding(endpoint, p)); err == nil {
			break
		}
	}
	var at position
	if plain == nil || json.Unmarshal(plain, &at) != nil {
		return position{}, errCursor
	}
	if c.e.c.Now().Unix() >= at.Expires {
		return position{}, scim.Errorf(scim.TypeExpiredCursor, "cursor: it has expired; begin again with an empty one (RFC 9865 §2.1)")
	}
	if p.hasCount && at.Count != *count {
		return position{}, scim.Errorf(scim.TypeInvalidCount, "count: it must stay %d while a cursor is followed (RFC 9865 §2)", at.Count)
	}
	*count = at.Count
	return at, nil
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("engine: a cursor key of %d bytes; 32 expected", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
