//go:build unix

package conformance_test

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// TestPostgreSQLDocument runs the commands of docs/postgresql.md word for word,
// but for where the database is and on which ports the instances listen.
func TestPostgreSQLDocument(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "psql"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink(build(t, "./cmd/rollcall"), filepath.Join(dir, "rollcall")); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(pgtest.Start(t, pgtest.Options{}).URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	script := strings.Join(blocksOf(t, "docs/postgresql.md", "sh"), "\n")
	connect := ""
	at := addresses(t, 2)
	slices.Sort(at) // as they are listed
	for i, port := range []string{"8080", "8081"} {
		addr := at[i]
		if !strings.Contains(script, "--listen :"+port) || !strings.Contains(script, "@localhost:5432/") {
			t.Fatal("the script is not the one that this test knows")
		}
		script = strings.ReplaceAll(script, "--listen :"+port, "--listen "+addr)
		script = strings.ReplaceAll(script, "listens on …"+port, "listens on "+addr)
		connect += "connect-to = localhost:" + port + ":" + addr + "\n"
	}
	script = strings.ReplaceAll(script, "@localhost:5432/", "@localhost:"+u.Port()+"/")
	if err := os.WriteFile(filepath.Join(dir, ".curlrc"), []byte(connect), 0o600); err != nil {
		t.Fatal(err)
	}
	setting := "export PATH=$PWD:$PATH PGHOST=127.0.0.1 PGUSER=" + u.User.Username() + " PGPASSWORD=" + password + " PGPORT=" + u.Port() + "\n" +
		"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
	checkOutput(t, script, bash(t, dir, setting+script))
}
