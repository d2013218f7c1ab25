package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/server"
)

// serveVariable makes this test binary be the program: its value is "full" or
// "off", SQLite's synchronous. So the tests that kill a server or trace its
// system calls run the real wiring in a process of its own.
const serveVariable = "TEST_OF_ROLLCALL_SERVES"

func TestMain(m *testing.M) {
	switch os.Getenv(serveVariable) {
	case "":
		os.Exit(m.Run())
	case "full":
		os.Exit(server.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(serveUnsafely())
}

// serveUnsafely is the program, but for synchronous=OFF.
func serveUnsafely() int {
	var c server.Config
	_, err := c.Load(os.Environ())
	if err == nil {
		var s server.Settings
		if s, err = c.Settings(); err == nil {
			s.SetUnsafeSynchronous()
			var srv *server.Server
			if srv, err = server.Open(context.Background(), s, slog.Default()); err == nil {
				defer srv.Close()
				err = srv.Serve(context.Background())
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// process is a server in a process of its own.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

// spawn starts a process that serves the data folder on an address; before are
// words to put before the command line.
func spawn(t *testing.T, mode, dir, address string, before ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	line := append(before, self)
	cmd := exec.Command(line[0], line[1:]...) //nolint:gosec,noctx // our own words; killed by the test
	cmd.Env = append(os.Environ(), serveVariable+"="+mode, "ROLLCALL_DATA_DIR="+dir, "ROLLCALL_LISTEN="+address,
		"ROLLCALL_TOKEN="+testToken, "ROLLCALL_LOG_LEVEL=ERROR", "SCIM_API_TOKEN=", "GOCOVERDIR="+t.TempDir())
	var log logBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t, cmd, "http://" + address}
	t.Cleanup(p.kill)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		resp, err := noRedirect.Get(p.url + "/health") //nolint:noctx // short
		if err == nil {
			_ = resp.Body.Close()
			return p
		}
		if time.Now().After(end) {
			t.Fatalf("the process does not answer: %v\n%s", err, log.String())
		}
	}
}

// kill ends the process by SIGKILL and waits. If it runs under another, that
// one is left to end by itself.
func (p *process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", p.cmd.Process.Pid))
	pids := strings.Fields(string(children))
	if len(pids) == 0 {
		_ = p.cmd.Process.Kill()
	}
	for _, field := range pids {
		if pid, err := strconv.Atoi(field); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	_ = p.cmd.Wait()
}

// needTool skips a test where a tool is missing; CI has it.
func needTool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is needed: %v", name, err)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// user is the body of a request that creates a user.
func user(name string) *strings.Reader {
	return strings.NewReader(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `"}`)
}

// runToEnd runs the program on a data folder and returns what it says until it
// ends by itself.
func runToEnd(t *testing.T, self, dir string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), serveVariable+"=full", "ROLLCALL_DATA_DIR="+dir, "ROLLCALL_LISTEN=127.0.0.1:0", "ROLLCALL_TOKEN="+testToken)
	out, _ := cmd.CombinedOutput() // its exit code is not 0
	return string(out)
}
