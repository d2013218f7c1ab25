//go:build unix

package pgtest

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Dump returns all that the database behind url holds, as pg_dump writes it.
func Dump(t testing.TB, url string) string {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "pg_dump"), "--dbname", url).Output() //nolint:gosec // our own words
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
