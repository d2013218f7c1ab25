package tenant_test

import (
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// scannable is what a scanner of source code would look for.
var scannable = regexp.MustCompile(`\brc_[0-9A-Za-z]{49}\b`)

// TestSecret covers SEC-009 with the tests of issuing: 256 random bits, kept as
// a hash and found by it.
func TestSecret(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		s := tenant.NewSecret()
		if len(s) != 52 || !scannable.MatchString("token = \""+s+"\"") || !tenant.IsManaged(s) || seen[s] {
			t.Fatalf("%q is no good secret", s)
		}
		seen[s] = true
		h, err := tenant.HashOf(s)
		if err != nil || h != sha256.Sum256([]byte(s)) {
			t.Fatalf("HashOf(%q): %v", s, err)
		}
	}
	// Each digit takes many values: no part is constant or small.
	for i := 3; i < 46; i++ {
		digits := map[byte]bool{}
		for s := range seen {
			digits[s[i]] = true
		}
		least := 50
		if i == 3 { // 62^43 is little more than 2^256
			least = 40
		}
		if len(digits) < least {
			t.Errorf("digit %d takes %d values", i, len(digits))
		}
	}
}

// TestSecretForms covers T11: what is no token is known to be none without
// looking for it.
func TestSecretForms(t *testing.T) {
	t.Parallel()
	good := tenant.NewSecret()
	twisted := []byte(good)
	twisted[10], twisted[11] = twisted[11], twisted[10]
	if twisted[10] == twisted[11] {
		twisted[10] ^= 1
	}
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"as made":              {good, nil},
		"empty":                {"", tenant.ErrForm},
		"prefix alone":         {"rc_", tenant.ErrForm},
		"other prefix":         {"RC_" + good[3:], tenant.ErrForm},
		"without prefix":       {good[3:], tenant.ErrForm},
		"one short":            {good[:51], tenant.ErrForm},
		"one more":             {good + "0", tenant.ErrForm},
		"blank before":         {" " + good, tenant.ErrForm},
		"newline after":        {good + "\n", tenant.ErrForm},
		"NUL":                  {good[:51] + "\x00", tenant.ErrForm},
		"no digit":             {good[:20] + "-" + good[21:], tenant.ErrForm},
		"two digits swapped":   {string(twisted), tenant.ErrChecksum},
		"other case":           {"rc_" + strings.ToUpper(good[3:]), tenant.ErrChecksum},
		"another one's digits": {good[:46] + tenant.Checksum("x"), tenant.ErrChecksum},
		"a megabyte":           {"rc_" + strings.Repeat("a", 1<<20), tenant.ErrForm},
	} {
		h, err := tenant.HashOf(tt.text)
		if !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if err != nil && h != (tenant.Hash{}) {
			t.Errorf("%s: has the hash %x", name, h)
		}
		if err != nil && len(tt.text) > 20 && strings.Contains(err.Error(), tt.text[3:20]) {
			t.Errorf("%s: the error holds the text: %v", name, err)
		}
	}
}

func FuzzSecret(f *testing.F) {
	f.Add("")
	f.Add("rc_")
	f.Add("rc_0000000000000000000000000000000000000000000000000")
	f.Add(tenant.NewSecret())
	f.Add("rc_" + strings.Repeat("z", 49))
	f.Fuzz(func(t *testing.T, text string) {
		h, err := tenant.HashOf(text)
		switch {
		case err == nil && (!scannable.MatchString(text) || text[46:] != tenant.Checksum(text[:46]) || h != sha256.Sum256([]byte(text))):
			t.Errorf("%q is taken for a token", text)
		case err != nil && len(text) == 52 && scannable.MatchString(text) && text[46:] == tenant.Checksum(text[:46]):
			t.Errorf("%q is not taken for a token: %v", text, err)
		}
	})
}
