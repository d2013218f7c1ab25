package patch_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim/patch"
)

// TestTraces carries out every PATCH of the recorded conversations: real
// clients' requests decode and apply with the tolerances on. Those that end in
// an error do so for what only a backend knows.
func TestTraces(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/idp/traces/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	count := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var steps []struct {
			Name, Method, Path string
			Body               json.RawMessage
		}
		if err := json.Unmarshal(text, &steps); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, s := range steps {
			if s.Method != "PATCH" {
				continue
			}
			count++
			typ, before := core(t, "User"), `"userName":"u","active":true,"emails":[{"value":"a@b.example","type":"work"}]`
			if strings.Contains(s.Path, "/Groups") {
				typ, before = core(t, "Group"), group("u1", "u2")
			}
			o := tolerant(nil)
			ops, err := patch.Decode(typ, object(t, string(s.Body)), o)
			if err == nil {
				_, err = patch.Apply(resource(t, typ, before), ops, o)
			}
			if err != nil {
				t.Errorf("%s, %q: %v", filepath.Base(file), s.Name, err)
			}
		}
	}
	if count < 50 {
		t.Errorf("%d requests in the traces, want more than 50", count)
	}
}
