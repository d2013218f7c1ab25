package remote_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/transfer/remote"
)

// TestCursorsThatLeadNowhere: a server whose cursors end too early, or go round,
// is read by index pages; nobody is left out, and it ends.
func TestCursorsThatLeadNowhere(t *testing.T) {
	t.Parallel()
	var asked, made atomic.Int64
	var first atomic.Value
	for name, change := range map[string]func(r *http.Request, doc object){
		"a first page and no next cursor": func(_ *http.Request, doc object) { delete(doc, "nextCursor") },
		"a circle": func(r *http.Request, doc object) {
			next, _ := doc["nextCursor"].(string)
			if r.URL.Query().Get("cursor") == "" {
				first.Store(next)
			} else if asked.Add(1) > 1 && strings.HasSuffix(r.URL.Path, "/Users") {
				doc["nextCursor"], doc["totalResults"] = first.Load(), 0
			}
			if asked.Load() > 50 {
				panic(http.ErrAbortHandler)
			}
		},
		"another cursor each time, with nobody": func(_ *http.Request, doc object) {
			doc["nextCursor"], doc["Resources"], doc["totalResults"] = fmt.Sprint("nobody", made.Add(1)), []any{}, 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, 60)
			p.T = t
			p.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				q := r.URL.Query()
				if !q.Has("cursor") {
					next.ServeHTTP(w, r)
					return
				}
				if q.Set("count", "7"); strings.HasPrefix(q.Get("cursor"), "nobody") {
					q.Set("cursor", "")
				}
				r.URL.RawQuery = q.Encode()
				without(w, r, next, func(doc object) { change(r, doc) })
			})
			if r := mustCopy(t, p.fresh()); r.Counts["User"] != 60 || r.Counts["Group"] != 7 {
				t.Errorf("report: %+v", r)
			}
		})
	}
}

// TestShort: a list of which the server gives less than it speaks of is no whole
// copy, and compared no same one.
func TestShort(t *testing.T) {
	t.Parallel()
	p := serve(t, 12)
	p.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		without(w, r, next, func(doc object) {
			delete(doc, "pagination")
			if strings.HasSuffix(r.URL.Path, "/Users") {
				doc["totalResults"] = 15
			}
		})
	})
	j := p.fresh()
	for what, f := range map[string]func() (*remote.Report, error){
		"copy":   func() (*remote.Report, error) { return remote.Copy(t.Context(), j) },
		"verify": func() (*remote.Report, error) { return remote.Verify(t.Context(), j) },
	} {
		if r, err := f(); err != nil || !strings.Contains(strings.Join(r.Faults, "\n"), "says that there are 15, and gives 12") {
			t.Errorf("%s: %v, %v", what, r.Faults, err)
		}
	}
}
