package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	const good = `{"Action":"run","Package":"m/p","Test":"TestA"}
{"Action":"output","Package":"m/p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"m/p","Test":"TestA"}
{"Action":"output","Package":"m/p","Output":"ok  \tm/p\t0.1s\n"}
{"Action":"pass","Package":"m/p"}
`
	const skip = `{"Action":"output","Package":"m/p","Test":"TestB","Output":"    b_test.go:7: needs strace\n"}
{"Action":"skip","Package":"m/p","Test":"TestB"}
{"Action":"skip","Package":"m/empty"}
`
	const fail = `{"Action":"output","Package":"m/p","Test":"TestC","Output":"    c_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"m/p","Test":"TestC"}
`
	const build = `{"Action":"build-output","ImportPath":"m/q","Output":"q.go:1:1: expected package\n"}
{"Action":"build-fail","ImportPath":"m/q"}
`
	tests := []struct {
		name, in   string
		strict, ok bool
		has, lacks []string
	}{
		{"all pass", good, true, true, []string{"ok  \tm/p", "2 passed, 0 failed, 0 skipped"}, []string{"chatter"}},
		{"skip on a laptop", good + skip, false, true, []string{"skipped: m/p.TestB: b_test.go:7: needs strace"}, []string{"m/empty"}},
		{"skip in CI", good + skip, true, false, []string{"a skip is a failure"}, nil},
		{"skip as meant", good + `{"Action":"skip","Package":"m/p","Test":"TestLacks/Sorting"}` + "\n", true, true,
			[]string{"0 skipped, 1 more skipped as"}, []string{"skipped: "}},
		{"failure", good + fail, false, false, []string{"got 1, want 2", "failed: m/p.TestC"}, []string{"chatter"}},
		{"build failure", build, false, false, []string{"expected package", "failed: m/q."}, nil},
		{"not JSON", "hello\n", false, true, []string{"hello"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			s := summary{w: &out, meant: regexp.MustCompile("^TestLacks/"), output: map[string]*bytes.Buffer{}}
			if err := s.read(strings.NewReader(tt.in)); err != nil {
				t.Fatal(err)
			}
			if got := s.close(tt.strict); got != tt.ok {
				t.Errorf("good: %v, want %v\n%s", got, tt.ok, out.String())
			}
			for _, want := range tt.has {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
			for _, not := range tt.lacks {
				if strings.Contains(out.String(), not) {
					t.Errorf("%q in\n%s", not, out.String())
				}
			}
		})
	}
}
