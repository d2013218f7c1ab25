// Command testrun runs "go test" with the arguments it is given and says, at
// the end, what failed and what was skipped: a skipped test looks like a
// passed one to whoever reads only the last line. With CI=true in the
// environment a skip is a failure.
//
// Tests whose name matches -meant may skip: those that run the contract of
// backends on one that lacks something, where the skip is what is tested.
//
// With -results FILE the results are kept, as "go test -json" prints them, for
// the conformance report.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	results := flag.String("results", "", "keep the results in this `file`")
	meant := flag.String("meant", "^$", "tests that match this `pattern` may skip")
	flag.Parse()
	ok, err := run(*results, *meant, flag.Args(), os.Getenv("CI") == "true")
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

func run(results, meant string, args []string, strict bool) (ok bool, err error) {
	mayskip, err := regexp.Compile(meant)
	if err != nil {
		return false, err
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false, err
	}
	var in io.Reader = out
	if results != "" {
		if err := os.MkdirAll(filepath.Dir(results), 0o755); err != nil {
			return false, err
		}
		f, err := os.Create(results)
		if err != nil {
			return false, err
		}
		defer f.Close()
		in = io.TeeReader(out, f)
	}
	if err := cmd.Start(); err != nil {
		return false, err
	}
	s := summary{w: os.Stdout, meant: mayskip, output: map[string]*bytes.Buffer{}}
	readErr := s.read(in)
	err = cmd.Wait()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = nil
		s.failed = append(s.failed, "go test itself: "+exit.String())
	}
	return s.close(strict), errors.Join(readErr, err)
}

// event is one line of "go test -json" (see "go doc test2json").
type event struct{ Action, Package, Test, Output, ImportPath string }

// summary follows a test run: it prints what go test says of each package as
// it comes, and the output of what failed.
type summary struct {
	w       io.Writer
	meant   *regexp.Regexp
	output  map[string]*bytes.Buffer // by package and test, until it ends
	failed  []string
	skipped []string
	passed  int
	asMeant int
}

func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				s.add(e)
			} else {
				s.w.Write(line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) add(e event) {
	name := cmp.Or(e.Package, e.ImportPath) + "." + e.Test
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" && closing(e.Output) {
			fmt.Fprint(s.w, e.Output)
			return
		}
		if s.output[name] == nil {
			s.output[name] = new(bytes.Buffer)
		}
		s.output[name].WriteString(e.Output)
		return
	case "build-fail":
		s.failed = append(s.failed, name)
		s.tell(name)
	case "fail":
		s.failed = append(s.failed, name)
		s.tell(name)
	case "skip":
		switch {
		case e.Test == "": // a package without tests
		case s.meant.MatchString(e.Test):
			s.asMeant++
		default:
			s.skipped = append(s.skipped, name+": "+reason(s.output[name]))
		}
	case "pass":
		s.passed++
	default:
		return
	}
	delete(s.output, name)
}

// closing reports whether a line is go test's last word on a package.
func closing(line string) bool {
	return slices.ContainsFunc([]string{"ok  \t", "FAIL\t", "?   \t"}, func(p string) bool { return strings.HasPrefix(line, p) })
}

func (s *summary) tell(name string) {
	if b := s.output[name]; b != nil {
		s.w.Write(b.Bytes())
	}
}

// reason is what a skipped test printed, on one line.
func reason(b *bytes.Buffer) string {
	if b == nil {
		return ""
	}
	var parts []string
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, " ")
}

// close prints the end of the report and reports whether the run is good.
func (s *summary) close(strict bool) bool {
	for _, name := range s.skipped {
		fmt.Fprintln(s.w, "skipped:", name)
	}
	for _, name := range s.failed {
		fmt.Fprintln(s.w, "failed:", name)
	}
	fmt.Fprintf(s.w, "%d passed, %d failed, %d skipped", s.passed, len(s.failed), len(s.skipped))
	if s.asMeant > 0 {
		fmt.Fprintf(s.w, ", %d more skipped as the test means to", s.asMeant)
	}
	fmt.Fprintln(s.w)
	if strict && len(s.skipped) > 0 {
		fmt.Fprintln(s.w, "a skip is a failure here (CI=true)")
		return false
	}
	return len(s.failed) == 0
}
