package conformance_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// blocks returns the code blocks of README.md in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	return blocksOf(t, "README.md", language)
}

func blocksOf(t *testing.T, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1) {
		found = append(found, string(m[1]))
	}
	if len(found) == 0 {
		t.Fatalf("%s has no block in %s", file, language)
	}
	return found
}

// build compiles the program, or a file against this module.
func build(t *testing.T, what string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, what)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", what, err, out)
	}
	return bin
}

// TestReadmeLibrary compiles the README's Go code.
func TestReadmeLibrary(t *testing.T) {
	t.Parallel()
	for _, code := range blocks(t, "go") {
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		build(t, file)
	}
}

// TestReadmeConversation runs the README's commands word for word against the
// program, and again after a kill -9: what was acknowledged is there. Each
// "# → …" line has to be in the output at that point; "…" stands for anything.
func TestReadmeConversation(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	dir := t.TempDir()
	addr := addresses(t, 1)[0]
	// curl is told to find port 8080 of the README where the server is.
	if err := os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("connect-to = localhost:8080:"+addr+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := build(t, "./cmd/rollcall")
	server := start(t, bin, dir, addr)

	script := strings.Join(blocks(t, "sh"), "\n")
	checkOutput(t, script, bash(t, dir, script))

	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	start(t, bin, dir, addr)
	again := bash(t, dir, `curl -s -H "Authorization: Bearer $(cat data/token)" "http://localhost:8080/scim/v2/Groups?attributes=displayName"`)
	if !strings.Contains(again, `"totalResults":1`) || !strings.Contains(again, `"displayName":"Analysts"`) {
		t.Errorf("after kill -9 and a restart: %s", again)
	}
}

// TestReadmeFacade runs the README's commands for PactFlow against the program
// and its emulator.
func TestReadmeFacade(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s", tool)
		}
	}
	dir, bin := t.TempDir(), build(t, "./cmd/rollcall")
	addrs := addresses(t, 2)
	if err := os.WriteFile(filepath.Join(dir, ".curlrc"), []byte("connect-to = localhost:8100:"+addrs[1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, addrs[0], "/diagnostic/status/heartbeat", exec.Command(bin, "pactflow-emulator", "--listen", addrs[0]))
	serve := exec.Command(bin, "serve", "--listen", addrs[1])
	serve.Env = append(os.Environ(), "PACTFLOW_URL=http://"+addrs[0])
	await(t, addrs[1], "/health/ready", serve)
	script := strings.Join(blocks(t, "bash"), "\n")
	checkOutput(t, script, bash(t, dir, script))
}

// addresses returns n that nothing listens on.
func addresses(t *testing.T, n int) []string {
	t.Helper()
	list, err := freeport.Addresses("127.0.0.1", n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// start runs the program as "make run" does, until the test ends.
func start(t *testing.T, bin, dir, addr string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(bin, "serve", "--data", "data", "--token-file", "data/token", "--listen", addr, "--base-url", "http://localhost:8080")
	cmd.Dir = dir
	return await(t, addr, "/health", cmd)
}

// await runs a command that serves an address until the test ends. It is there
// when the path answers.
func await(t *testing.T, addr, path string, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		if resp, err := http.Get("http://" + addr + path); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return cmd
			}
		}
		select {
		case <-tick.C:
		case <-late:
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			t.Fatalf("the server did not become healthy:\n%s", log.String())
		}
	}
}

// bash runs a script whose expectation lines print a mark, and returns its output.
func bash(t *testing.T, dir, script string) string {
	t.Helper()
	var marked strings.Builder
	n := 0
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "# → ") {
			n++
			fmt.Fprintf(&marked, "printf '\\n=%d=\\n'\n", n)
			continue
		}
		marked.WriteString(line)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", marked.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "CURL_HOME="+dir, "no_proxy=*")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the README's commands: %v\n%s", err, out)
	}
	return string(out)
}

func checkOutput(t *testing.T, script, out string) {
	t.Helper()
	n, rest := 0, out
	for line := range strings.Lines(script) {
		want, ok := strings.CutPrefix(strings.TrimSpace(line), "# → ")
		if !ok {
			continue
		}
		n++
		got, after, found := strings.Cut(rest, fmt.Sprintf("\n=%d=\n", n))
		if !found {
			t.Fatalf("the output ends before %q:\n%s", want, rest)
		}
		rest = after
		at := got
		for part := range strings.SplitSeq(want, "…") {
			i := strings.Index(at, part)
			if i < 0 {
				t.Errorf("the README expects\n%s\nthe server says\n%s", want, got)
				break
			}
			at = at[i+len(part):]
		}
	}
	if n == 0 {
		t.Error("the README's conversation expects nothing")
	}
}

// TestConfigurationDocument demands that docs/configuration.md lists exactly
// the flags and variables that the program knows.
func TestConfigurationDocument(t *testing.T) {
	t.Parallel()
	help, err := exec.CommandContext(t.Context(), build(t, "./cmd/rollcall"), "serve", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join(root, "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?m)^\| [^|]* \| [^|]*\b[A-Z]+_[A-Z0-9_]+\b[^|]*\|`).FindAll(doc, -1)
	listed := names(string(bytes.Join(table, []byte("\n"))))
	known := names(string(help))
	if len(known) < 20 {
		t.Fatalf("the help names too little:\n%s", help)
	}
	for name := range known {
		if !listed[name] {
			t.Errorf("docs/configuration.md lacks %s", name)
		}
	}
	for name := range listed {
		if !known[name] {
			t.Errorf("docs/configuration.md has %s, which the program does not know", name)
		}
	}
}

// names returns the variables and flags in a text.
func names(text string) map[string]bool {
	found := map[string]bool{}
	for _, name := range regexp.MustCompile(`\b(?:ROLLCALL|SCIM|SHOWCASE|LOGGING|PACTFLOW|SERVER)_[A-Z0-9_]+[A-Z0-9]\b|--[a-z][a-z-]+`).FindAllString(text, -1) {
		found[name] = name != "--help"
	}
	delete(found, "--help")
	return found
}
