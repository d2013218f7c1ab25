package transfer_test

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/transfer"
)

// TestNamed: the last line of an export covers the ids by which its members are
// merged too. One that was written without that is read all the same.
func TestNamed(t *testing.T) {
	t.Parallel()
	place := inSQLite.place(t)
	s, keys, stop := inSQLite.tenant(t, place, "default")
	newAPI(t, s, "default", keys).live(8, 60)
	stop()
	src, err := sqlite.OpenSource(t.Context(), place, sqlite.SourceOptions{IDs: true})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var b bytes.Buffer
	if _, err := transfer.Export(t.Context(), src, &b, "test", now(), quiet); err != nil {
		t.Fatal(err)
	}
	read := func(text string) error {
		_, err := transfer.Sums(t.Context(), transfer.NewFile(strings.NewReader(text)), quiet)
		return err
	}
	text := b.String()
	if err := read(text); err != nil {
		t.Fatal(err)
	}
	early := regexp.MustCompile(`,"named":\[[^]]*\]`).ReplaceAllString(text, "")
	if early == text || read(early) != nil {
		t.Errorf("without the sums of ids: %v", read(early))
	}
	for what, pattern := range map[string]string{"a member": `("kind":"members".*"ids":\[")[0-9a-f]`, "a group": `("kind":"members".*"id":")[0-9a-f]`} {
		at := regexp.MustCompile(pattern).FindStringIndex(text)
		if at == nil {
			t.Fatalf("no %s is named", what)
		}
		if err := read(text[:at[1]-1] + "x" + text[at[1]:]); !errors.Is(err, transfer.ErrAltered) {
			t.Errorf("%s is another: %v", what, err)
		}
	}
}
