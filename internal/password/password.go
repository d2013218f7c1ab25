// Package password hashes the passwords that clients set (RFC 7643 §9.2).
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of a hash: about 30 ms and 19 MiB.
const (
	memory  = 19 << 10 // KiB
	time    = 2        // passes
	threads = 1
	saltLen = 16 // bytes
	keyLen  = 32 // bytes
)

// The most that Verify takes from a stored hash, so that no tampered record
// can ask for a machine's memory.
const (
	maxMemory = 256 << 10 // KiB
	maxTime   = 16
)

// Hasher hashes passwords with Argon2id (RFC 9106), at most one at a time per
// core: others wait, so that many at once cost time and not memory. Safe for
// concurrent use.
type Hasher struct{ slots chan struct{} }

// NewHasher returns a Hasher for this machine's cores.
func NewHasher() *Hasher { return &Hasher{make(chan struct{}, runtime.GOMAXPROCS(0))} }

// Hash returns the hash of a password in the PHC string format,
// "$argon2id$v=19$m=…,t=…,p=…$salt$hash". It waits for its turn until ctx ends,
// and then returns ctx's error.
func (h *Hasher) Hash(ctx context.Context, clear string) (string, error) {
	salt := make([]byte, saltLen)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	key, err := h.key(ctx, clear, salt, time, memory, threads, keyLen)
	if err != nil {
		return "", err
	}
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, time, threads,
		enc.EncodeToString(salt), enc.EncodeToString(key)), nil
}

// ErrFormat is returned by Verify for a hash that is not one of Argon2id in
// the PHC string format, or that asks for more than this package ever does.
var ErrFormat = errors.New("password: not an Argon2id hash in the PHC string format")

// Verify reports whether clear is the password that hash was made of. It
// returns ErrFormat, or ctx's error once ctx is done before its turn.
func (h *Hasher) Verify(ctx context.Context, clear, hash string) (bool, error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, ErrFormat
	}
	var m, t uint32
	var p uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &m, &t, &p); err != nil {
		return false, ErrFormat
	}
	enc := base64.RawStdEncoding.Strict()
	salt, err1 := enc.DecodeString(parts[4])
	want, err2 := enc.DecodeString(parts[5])
	if err1 != nil || err2 != nil || m > maxMemory || t == 0 || t > maxTime || p == 0 || len(want) < 16 || len(want) > 64 {
		return false, ErrFormat
	}
	got, err := h.key(ctx, clear, salt, t, m, p, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func (h *Hasher) key(ctx context.Context, clear string, salt []byte, t, m uint32, p uint8, n uint32) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(clear), salt, t, m, p, n), nil
}
