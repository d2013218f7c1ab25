package rollcall_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	quoted  = regexp.MustCompile("`([^`]+)`")
	aTest   = regexp.MustCompile(`^([\w/]+)\.((?:Test|Fuzz)\w+)$`)
	fixture = regexp.MustCompile(`^rfc\d+/\S+$`)
)

// TestSecurityTests holds docs/security-tests.md to what there is: each of T1 to T30
// has one row, what a row names exists, and a row that names nothing says why.
func TestSecurityTests(t *testing.T) {
	text, err := os.ReadFile("docs/security-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || !strings.HasPrefix(line, "| T") {
			continue
		}
		id := strings.TrimSpace(cells[0])
		rows = append(rows, id)
		shown := quoted.FindAllStringSubmatch(cells[2], -1)
		if len(shown) == 0 && strings.TrimSpace(cells[3]) == "" {
			t.Errorf("%s names no test, and no reason", id)
		}
		for _, name := range shown {
			if fault := isProof(t, name[1]); fault != "" {
				t.Errorf("%s: %s: %s", id, name[1], fault)
			}
		}
		for _, name := range quoted.FindAllStringSubmatch(cells[3], -1) {
			if fault := isProof(t, name[1]); aTest.MatchString(name[1]) && fault != "" {
				t.Errorf("%s: %s: %s", id, name[1], fault)
			}
		}
	}
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprint("T", i+1))
		if slices.Contains([]int{17, 20, 23}, i+1) {
			want = append(want, fmt.Sprint("T", i+1, "b"))
		}
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows are %v, want %v", rows, want)
	}
}

// isProof says why a name is no test, fixture or target of make, or "".
func isProof(t *testing.T, name string) string {
	t.Helper()
	if target, ok := strings.CutPrefix(name, "make "); ok {
		text, err := os.ReadFile("Makefile")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\n"+target+":") {
			return "there is no such target"
		}
		return ""
	}
	if fixture.MatchString(name) {
		if _, err := os.Stat(filepath.Join("testdata", filepath.FromSlash(name)+".txtar")); err != nil {
			return "there is no such fixture"
		}
		return ""
	}
	m := aTest.FindStringSubmatch(name)
	if m == nil {
		return "neither a test nor a fixture nor a target of make"
	}
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(m[1]), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(src), "\nfunc "+m[2]+"(") {
			return ""
		}
	}
	return "there is no such test"
}
