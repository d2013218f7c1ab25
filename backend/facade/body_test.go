package facade_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

// TestBodyThatDoesNotMatter: of an answer that nothing is read from, the body is
// none or JSON. A page that asks to sign in is no success.
func TestBodyThatDoesNotMatter(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, kind, body string
		status           int
		well             bool
	}{
		{"no content", "", "", 204, true},
		{"empty", "application/hal+json", "", 200, true},
		{"empty, of any type", "text/html", "", 202, true},
		{"HAL", "application/hal+json;charset=utf-8", `{"_links":{"self":[{"href":"x"}]}}`, 200, true},
		{"JSON", "application/json", ` {} `, 202, true},
		{"JSON that says it is a text", "text/plain; charset=utf-8", `{}`, 200, true},
		{"JSON of no type", "", `[1,{"a":[]}]`, 200, true},
		{"null", "application/json", `null`, 200, true},
		{"much", "application/json", `{"x":"` + strings.Repeat("x", 200<<10) + `"}`, 200, true},
		{"HTML", "text/html", `<html>Sign in</html>`, 200, false},
		{"HTML that says it is JSON", "application/json", `<html>Sign in</html>`, 200, false},
		{"a text", "text/plain", `OK`, 200, false},
		{"half", "application/json", `{"x":[1`, 200, false},
		{"two", "application/json", `{}{}`, 200, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newHostile(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if c.kind != "" {
					w.Header().Set("Content-Type", c.kind)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			a, err := upstream(t, s.URL, nil).Do(t.Context(), facade.Call{Method: "PUT", Path: "/a"}, nil)
			switch {
			case c.well && (err != nil || a.Status != c.status):
				t.Errorf("%v, %v", a, err)
			case c.well:
			case err == nil:
				t.Error("it counts as done")
			default:
				f := failure(t, err)
				if f.Reason != facade.Nonsense || !f.Sent || f.SCIM().Status != 502 || !strings.Contains(f.SCIM().Detail, "outcome is unknown") {
					t.Errorf("%+v: %v", f, f.SCIM())
				}
			}
		})
	}
}
