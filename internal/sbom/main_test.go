package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestList(t *testing.T) {
	t.Parallel()
	got := list(&debug.BuildInfo{
		GoVersion: "go1.26.8 X:none",
		Main:      debug.Module{Path: "example.com/program", Version: "v1.2.3+dirty"},
		Deps: []*debug.Module{
			{Path: "example.com/one", Version: "v1.0.0", Sum: "h1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
			{Path: "example.com/two", Version: "v2.0.0", Replace: &debug.Module{Path: "example.com/instead", Version: "v2.1.0+incompatible"}},
			{Path: "example.com/local", Version: "(devel)"},
		},
	}, []byte{0xab})
	program := component{"pkg:golang/example.com/program@v1.2.3%2Bdirty", "application", "example.com/program", "v1.2.3+dirty", []hash{{"SHA-256", "ab"}}, "pkg:golang/example.com/program@v1.2.3%2Bdirty"}
	want := document{"CycloneDX", "1.6", 1, metadata{program}, []component{
		{"pkg:golang/std@1.26.8", "library", "std", "1.26.8", nil, "pkg:golang/std@1.26.8"},
		{"pkg:golang/example.com/one@v1.0.0", "library", "example.com/one", "v1.0.0",
			[]hash{{"SHA-256", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"}}, "pkg:golang/example.com/one@v1.0.0"},
		{"pkg:golang/example.com/instead@v2.1.0%2Bincompatible", "library", "example.com/instead", "v2.1.0+incompatible", nil, "pkg:golang/example.com/instead@v2.1.0%2Bincompatible"},
		{"pkg:golang/example.com/local", "library", "example.com/local", "", nil, "pkg:golang/example.com/local"},
	}, []dependency{{program.Ref, []string{"pkg:golang/std@1.26.8", "pkg:golang/example.com/one@v1.0.0",
		"pkg:golang/example.com/instead@v2.1.0%2Bincompatible", "pkg:golang/example.com/local"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestRun lists this test, twice.
func TestRun(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var one, two bytes.Buffer
	if err := run(self, &one); err != nil {
		t.Fatal(err)
	}
	if err := run(self, &two); err != nil || one.String() != two.String() {
		t.Errorf("%v\n%s\nand then\n%s", err, one.String(), two.String())
	}
	var d document
	if err := json.Unmarshal(one.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Components) == 0 || d.Components[0].Name != "std" || len(d.Metadata.Component.Hashes[0].Content) != 64 {
		t.Error(one.String())
	}
	if err := run("main.go", &one); err == nil {
		t.Error("what is no program has a list")
	}
}
