package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bench runs "rollcall bench …" in a process of its own, since it starts
// servers from its own file.
func bench(t *testing.T, environ []string, args ...string) (string, error) {
	t.Helper()
	cmd := benchCommand(t, environ, args...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func benchCommand(t *testing.T, environ []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append([]string{"bench"}, args...)...) //nolint:gosec // our own words
	cmd.Env = append(append(os.Environ(), serveVariable+"=full", "GOCOVERDIR="+t.TempDir()), environ...)
	return cmd
}

// TestBenchSelf fills a folder, measures a server on it beside the yardstick,
// and does so again with what is there.
func TestBenchSelf(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "report.json")
	args := []string{"self", "--users", "120", "--requests", "4", "--rounds", "2", "--time", "1h", "--workers", "2", "--writers", "3", "--data", dir, "--json", file}
	out, err := bench(t, []string{"PACTFLOW_URL=http://192.0.2.1", "ROLLCALL_TOKEN=another-token-than-that-of-the-bench"}, append(args, "--only", "get,create,group-*")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"building 120 people", "(the yardstick)", "raw group commit, 3 writers", "GET by id", "× yardstick", "resident memory, peak", "figures,"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	var report struct {
		Servers   []struct{ StartMS, Binary, Peak float64 }
		Scenarios []struct {
			Name  string
			Ratio *struct{ Rate float64 }
		}
		Checks []struct{ Name string }
	}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &report)
	}
	if err != nil || len(report.Servers) != 2 || report.Servers[0].StartMS <= 0 || report.Servers[0].Binary <= 0 || report.Servers[0].Peak <= 0 ||
		report.Scenarios[0].Name != "get" || report.Scenarios[0].Ratio == nil || len(report.Checks) < 6 {
		t.Errorf("%v, %+v", err, report)
	}
	out, err = bench(t, nil, append(args, "--only", "get")...)
	if err != nil || !strings.Contains(out, `the population "self" is there`) || strings.Contains(out, "building") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = bench(t, nil, "compare", file, file)
	if err != nil || !strings.Contains(out, "1.00 ×") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBenchNeighbour measures two tenants in turns too short to say anything.
func TestBenchNeighbour(t *testing.T) {
	t.Parallel()
	out, err := bench(t, []string{"ROLLCALL_TOKEN=another-token-than-that-of-the-bench"}, "neighbour", "--rounds", "1", "--time", "200ms")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"beside a loud tenant, GET by id", "beside a loud tenant, PATCH", "the noise of that, GET by id", "figures,"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	line := regexp.MustCompile(`the loud tenant +(\d+)/s, of which (\d+)/s are not 429`).FindStringSubmatch(out)
	if line == nil {
		t.Fatal(out)
	}
	sent, err := strconv.Atoi(line[1])
	let, _ := strconv.Atoi(line[2])
	if err != nil || sent == 0 || let > sent {
		t.Errorf("%q:\n%s", line, out)
	}
}

// TestBenchInterrupted interrupts a run against a server: what it had created
// is removed all the same.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	r := start(t)
	cmd := benchCommand(t, []string{"ROLLCALL_TOKEN=" + testToken}, r.url+"/scim/v2", "--users", "50", "--time", "1h", "--only", "get")
	var out logBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); total(t, r, "Users") < 51; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is no population\n%s", out.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v\n%s", err, out.String())
	}
	if n := total(t, r, "Users") + total(t, r, "Groups"); n != 0 {
		t.Errorf("%d resources are left\n%s", n, out.String())
	}
}

// total returns how many resources of a type a server has.
func total(t *testing.T, r *running, endpoint string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/scim/v2/"+endpoint+"?count=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var page struct{ TotalResults int }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil {
		t.Fatal(err)
	}
	return page.TotalResults
}

// TestBenchPopulate fills a folder, which nobody may serve meanwhile.
func TestBenchPopulate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"populate", "--data", dir, "--users", "30", "--name", "mine"}
	for _, want := range []string{"30 people, ", `the population "mine" is there`} {
		if out, err := bench(t, nil, args...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%v, want %q\n%s", err, want, out)
		}
	}
}

// TestBenchRefuses: what holds people, or is served, is no place for a bench.
func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.create("ada")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	const others = "holds others than the people of this population"
	for _, name := range []string{"populate", "self"} {
		if out, err := bench(t, nil, name, "--data", r.data, "--users", "30"); err == nil || !strings.Contains(out, others+"; --yes") || !strings.Contains(out, "(1 users)") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	if out, err := bench(t, nil, "populate", "--data", r.data, "--users", "30", "--yes"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	served, db := instances(t, 1)
	waitFor(t, "the refusal of a database that is served", func() bool {
		out, err := bench(t, nil, "populate", "--database", db, "--users", "30", "--yes")
		return err != nil && strings.Contains(out, "1 instances of rollcall serve this database")
	})
	if err := served[0].stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := bench(t, nil, "populate", "--database", db, "--users", "30", "--yes"); err != nil {
		t.Errorf("after it has stopped: %v\n%s", err, out)
	}
}
