package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTenantsDocs runs every command of docs/tenants.md as a reader would, each
// in a process of its own, against a server.
func TestTenantsDocs(t *testing.T) {
	t.Parallel()
	shell, _ := needTool(t, "bash"), needTool(t, "curl")
	text, err := os.ReadFile("../../docs/tenants.md")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	program := "#!/bin/sh\n" + serveVariable + "=full exec " + self + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "rollcall"), []byte(program), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	blocks := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 6 {
		t.Fatalf("docs/tenants.md has %d blocks of commands", len(blocks))
	}
	for _, b := range blocks {
		script.WriteString(strings.ReplaceAll(b[1], "http://localhost:8080", r.url))
	}
	cmd := exec.CommandContext(t.Context(), shell, "-c", script.String()) //nolint:gosec // our own docs
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "ROLLCALL_DATA_DIR="+r.data, "SCIM_API_TOKEN="+testToken, "ROLLCALL_TOKEN=", "GOCOVERDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\nof the script\n%s", err, out, script.String())
	}
	for _, want := range []string{`"userName":"ada"`, "acme", "globex", "BEGINS", "revoked"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the commands do not print %q:\n%s", want, out)
		}
	}
}
