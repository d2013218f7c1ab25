package tenant

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"math/big"
	"strings"
)

// The text of a token is secretPrefix, 43 digits to the base 62, which are 256
// random bits, and 6 more, which are the CRC-32 of all before them. Scanners of
// source code find it by its prefix and tell it from other text by the checksum.
const (
	secretPrefix = "rc_"
	secretDigits = 43
	checkDigits  = 6
	secretLength = len(secretPrefix) + secretDigits + checkDigits

	// shownDigits are as many as are kept, to recognize a token by.
	shownDigits = 4
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Hash is what is kept of a token's text: its SHA-256. The text has 256 random
// bits, so that neither salt nor a slow function would add anything, and being
// found by its hash says nothing about how near a wrong one was.
type Hash [sha256.Size]byte

// newSecret returns the text of a new token.
func newSecret() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand
	text := secretPrefix + digits(new(big.Int).SetBytes(random[:]), secretDigits)
	return text + checksum(text)
}

func digits(n *big.Int, count int) string {
	out := make([]byte, count)
	base, rest := big.NewInt(int64(len(base62))), new(big.Int)
	for i := count - 1; i >= 0; i-- {
		n.QuoRem(n, base, rest)
		out[i] = base62[rest.Int64()]
	}
	return string(out)
}

func checksum(text string) string {
	return digits(big.NewInt(int64(crc32.ChecksumIEEE([]byte(text)))), checkDigits)
}

// Why a text can be no token.
var (
	errForm     = errors.New("it does not have the form of a managed token")
	errChecksum = errors.New("its checksum is wrong: a part of it is missing or mistyped")
)

// hashOf returns the hash of a token's text, or errForm or errChecksum without
// having looked for it anywhere.
func hashOf(text string) (Hash, error) {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	if !ok || len(text) != secretLength {
		return Hash{}, errForm
	}
	for i := range len(rest) {
		if strings.IndexByte(base62, rest[i]) < 0 {
			return Hash{}, errForm
		}
	}
	at := len(text) - checkDigits
	if checksum(text[:at]) != text[at:] {
		return Hash{}, errChecksum
	}
	return sha256.Sum256([]byte(text)), nil
}

// IsManaged reports whether a text is meant to be a token of a [Registry], by
// its first characters alone.
func IsManaged(text string) bool { return strings.HasPrefix(text, secretPrefix) }
