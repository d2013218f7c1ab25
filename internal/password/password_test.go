package password_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/password"
)

func TestHash(t *testing.T) {
	t.Parallel()
	h, ctx := password.NewHasher(), context.Background()
	for _, clear := range []string{"correct horse", "", "pässwörd 🐎", strings.Repeat("x", 10_000)} {
		hash, err := h.Hash(ctx, clear)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("Hash = %s, want the parameters agreed on", hash)
		}
		if clear != "" && strings.Contains(hash, clear) {
			t.Errorf("the hash contains its password")
		}
		if ok, err := h.Verify(ctx, clear, hash); !ok || err != nil {
			t.Errorf("Verify of the password = %v, %v, want true", ok, err)
		}
		if ok, err := h.Verify(ctx, clear+"x", hash); ok || err != nil {
			t.Errorf("Verify of another password = %v, %v, want false", ok, err)
		}
	}
	a, err1 := h.Hash(ctx, "same")
	b, err2 := h.Hash(ctx, "same")
	if err1 != nil || err2 != nil || a == b {
		t.Errorf("two hashes of one password are equal: no salt (%v, %v)", err1, err2)
	}
}

func TestVerifyKnown(t *testing.T) {
	t.Parallel()

	h := password.NewHasher()
	hash, err := h.Hash(context.Background(), "p")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(hash, "$")
	bad := map[string]string{
		"empty":           "",
		"clear text":      "p",
		"other algorithm": strings.Replace(hash, "argon2id", "argon2i", 1),
		"other version":   strings.Replace(hash, "v=19", "v=16", 1),
		"huge memory":     strings.Replace(hash, "m=19456", "m=4294967295", 1),
		"no passes":       strings.Replace(hash, "t=2", "t=0", 1),
		"no lanes":        strings.Replace(hash, "p=1", "p=0", 1),
		"bad salt":        strings.Replace(hash, parts[4], "!!", 1),
		"short hash":      strings.Replace(hash, parts[5], "AAAA", 1),
		"too few parts":   strings.Join(parts[:5], "$"),
	}
	for name, hash := range bad {
		if ok, err := h.Verify(context.Background(), "p", hash); ok || !errors.Is(err, password.ErrFormat) {
			t.Errorf("%s: Verify = %v, %v, want ErrFormat", name, ok, err)
		}
	}
}

// TestTurn fills all slots and checks that who waits gives up with its context.
func TestTurn(t *testing.T) {
	t.Parallel()
	h := password.NewHasher()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.Hash(ctx, "p"); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash with a cancelled context: %v, want context.Canceled", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := h.Hash(context.Background(), "p"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
