package pactflow_test

import (
	"os"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// The answer that PactFlow's own document shows, byte for byte.
func TestSample(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/sample.json")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, pactflowtest.Options{}, pactflow.Options{}).as(pactflowtest.AdminToken)
	a := r.want(200, "GET /Users", "")
	if a.text != strings.TrimSpace(string(want)) {
		t.Errorf("got  %s\nwant %s", a.text, want)
	}
	if len(a.text) != 1528 {
		t.Errorf("%d bytes", len(a.text))
	}
	r.called(listUsers)

	// With the token that the document says to use, system accounts are not seen.
	a = r.as(pactflowtest.SCIMToken).want(200, "GET /Users", "")
	before, after, _ := strings.Cut(strings.TrimSpace(string(want)), `"Resources":[`)
	_, second, _ := strings.Cut(after, `},{"schemas"`)
	only := strings.Replace(before, `"totalResults":2`, `"totalResults":1`, 1) + `"Resources":[{"schemas"` + second
	if a.text != only {
		t.Errorf("got  %s\nwant %s", a.text, only)
	}
}
