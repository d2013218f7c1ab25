//go:build unix

package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// TestMovingDocument runs the commands of docs/moving.md word for word, but for
// where the databases are and on which port the server listens.
func TestMovingDocument(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink(build(t, "./cmd/rollcall"), filepath.Join(dir, "rollcall")); err != nil {
		t.Fatal(err)
	}
	script := strings.Join(blocksOf(t, "docs/moving.md", "sh"), "\n")
	for _, name := range []string{"rehearsal", "rollcall"} {
		place := "postgres://rollcall:a-long-password@localhost:5432/" + name
		if !strings.Contains(script, place+"\n") {
			t.Fatal("the script is not the one that this test knows")
		}
		db := pgtest.Database(t)
		script = strings.ReplaceAll(script, place+"\n", "'"+db+"'\n")
	}
	addr := addresses(t, 1)[0]
	script = strings.ReplaceAll(script, "--listen :8080", "--listen "+addr)
	script = strings.ReplaceAll(script, "localhost:8080", addr)
	checkOutput(t, script, bash(t, dir, "export PATH=$PWD:$PATH\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+script))
}
