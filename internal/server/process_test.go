package server_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// get asks a process with the test's token and returns the body.
func (p *process) get(path string) (int, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), "GET", p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	resp, err := noRedirect.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// TestSignals: SIGHUP reads the schemas again (SCM-013), SIGTERM stops with
// exit code 0.
func TestSignals(t *testing.T) {
	schemas := t.TempDir()
	t.Setenv("ROLLCALL_SCHEMAS", schemas)
	p := spawn(t, "full", t.TempDir(), freeAddress(t))
	if status, _ := p.get("/scim/v2/Gadgets"); status != 404 {
		t.Fatalf("GET /Gadgets before there are any: %d", status)
	}
	gadget := `[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:2.0:Gadget","name":"Gadget","attributes":[{"name":"label","type":"string"}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Gadget","schema":"urn:example:2.0:Gadget"}]`
	if err := os.WriteFile(filepath.Join(schemas, "gadget.json"), []byte(gadget), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the new schema", func() bool { status, _ := p.get("/scim/v2/Gadgets"); return status == 200 })
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}

// TestRunAs: as root the program makes the data folder another user's and
// becomes that user; as anybody else it needs no root.
func TestRunAs(t *testing.T) {
	dir, err := os.MkdirTemp("", "rollcall") // t.TempDir lets nobody else in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // so that another user can reach what is in it
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(filepath.Join(data, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(dir, "outside")
	for _, path := range []string{filepath.Join(data, "sub", "file"), outside} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(data, "link")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ROLLCALL_RUN_AS", "65532:65531")
	p := spawn(t, "full", data, freeAddress(t))
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = 65532, 65531
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", uid), fmt.Sprintf("Gid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", gid)} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the process lacks %q:\n%s", want, text)
		}
	}
	owner := func(path string) int {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Sys().(*syscall.Stat_t).Uid)
	}
	for _, name := range []string{"", "sub", "sub/file", "link", "rollcall.db", "rollcall.lock"} {
		if got := owner(filepath.Join(data, name)); got != uid {
			t.Errorf("%s belongs to %d, want %d", name, got, uid)
		}
	}
	if got := owner(outside); got != os.Geteuid() {
		t.Errorf("what a link leads to belongs to %d now", got)
	}
	if status, body := p.get("/scim/v2/Users"); status != 200 {
		t.Errorf("GET /Users: %d %s", status, body)
	}
	// A second name of a file could be one outside the folder.
	p.kill()
	if uid != os.Geteuid() {
		if err := os.Link(outside, filepath.Join(data, "hard")); err != nil {
			t.Fatal(err)
		}
		self, _ := os.Executable()
		out := runToEnd(t, self, data)
		if !strings.Contains(out, "hard link") || owner(outside) != os.Geteuid() {
			t.Errorf("with a hard link in the folder: %q, owner %d", out, owner(outside))
		}
	}
}
