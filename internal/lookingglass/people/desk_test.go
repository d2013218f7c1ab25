package people_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

const (
	okta  = "Okta SCIM Client 1.0.0"
	entra = "Azure-AD-Provisioning"
)

// world is a directory with a change log, a recorder and those who ask it.
type world struct {
	t       *testing.T
	store   *sqlite.Store
	rec     *lookingglass.Recorder
	engine  *engine.Engine
	handler http.Handler
	desk    *people.Desk
}

func newWorld(t *testing.T) *world { return newWorldAt(t, nil) }

// newWorldAt is newWorld over a directory with a clock of its own; nil: the
// machine's.
func newWorldAt(t *testing.T, now func() time.Time) *world {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "d.db"), sqlite.Options{Load: schema.Load, Encode: schema.Encode,
		UndeleteDays: 30, Now: now, UnsafeSynchronousForTests: "OFF"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, store: db.Tenant("default")}
	if w.engine, err = engine.New(w.store, engine.Config{}); err != nil {
		t.Fatal(err)
	}
	if w.rec, err = lookingglass.New(lookingglass.Options{Types: w.engine.Types}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.rec.Close() })
	w.handler = scimhttp.NewHandler(w.engine, scimhttp.Options{BaseURL: "https://id.example.com", Bodies: lookingglass.Bodies, Observe: w.rec.Observe})
	w.desk = people.NewDesk(people.Sources{Engine: func() *engine.Engine { return w.engine }, Changes: w.store, Deleted: w.store, Log: w.rec})
	return w
}

// do sends a request as a client and returns the id in the answer.
func (w *world) do(agent, method, path, body string, status int) string {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("User-Agent", agent)
	r.Header.Set("Content-Type", "application/scim+json")
	ctx := scim.WithOrigin(r.Context(), scim.Origin{Actor: "token-1", RequestID: scimhttp.RequestID(r)})
	ctx = scim.WithTrace(ctx, new(scim.Trace))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r.WithContext(ctx))
	if rec.Code != status {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	var made struct{ ID string }
	_ = json.Unmarshal(rec.Body.Bytes(), &made)
	if err := w.rec.Flush(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return made.ID
}

func (w *world) user(agent, body string) string { return w.do(agent, "POST", "/Users", body, 201) }

func (w *world) find(asked string) *people.Verdict {
	w.t.Helper()
	v, err := w.desk.Find(w.t.Context(), asked)
	if err != nil {
		w.t.Fatalf("Find(%q): %v", asked, err)
	}
	return v
}

var (
	moments = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d UTC`)
	uuids   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`)
)

// still takes out of a text what differs from run to run.
func still(s string) string {
	return uuids.ReplaceAllString(moments.ReplaceAllString(s, "TIME"), "ID")
}

func patch(ops string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`
}
