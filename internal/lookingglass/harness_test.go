package lookingglass_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

const (
	userURN  = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN = "urn:ietf:params:scim:schemas:core:2.0:Group"
	patchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// site is a directory in memory, watched by a Recorder.
type site struct {
	*lookingglass.Recorder
	t       testing.TB
	handler http.Handler
}

func watch(t testing.TB, o lookingglass.Options) *site {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	rec, err := lookingglass.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rec.Close(); err != nil {
			t.Error(err)
		}
	})
	return &site{Recorder: rec, t: t, handler: serve(t, rec.Observe)}
}

// serve returns a directory in memory, whose requests are made by "tester".
func serve(t testing.TB, observe func(scimhttp.Exchange)) http.Handler {
	t.Helper()
	e, err := engine.New(new(memory.Store), engine.Config{Password: func(string) (string, error) { return "hash-of-it", nil }})
	if err != nil {
		t.Fatal(err)
	}
	h := scimhttp.NewHandler(e, scimhttp.Options{Observe: observe, Bodies: lookingglass.Bodies})
	h = http.StripPrefix("/scim/v2", h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := scim.WithOrigin(r.Context(), scim.Origin{Actor: "tester"})
		h.ServeHTTP(w, r.WithContext(scim.WithTrace(ctx, new(scim.Trace))))
	})
}

// do sends a request and returns the answer. Headers are "Name: value".
func (s *site) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), method, "/scim/v2"+path, in)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// make creates a resource and returns its id.
func (s *site) make(path, body string) string {
	s.t.Helper()
	w := s.do("POST", path, body)
	_, after, _ := strings.Cut(w.Body.String(), `"id":"`)
	id, _, _ := strings.Cut(after, `"`)
	if w.Code != 201 || id == "" {
		s.t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	return id
}

func (s *site) user(name string) string {
	return s.make("/Users", `{"schemas":["`+userURN+`"],"userName":"`+name+`","active":true}`)
}

// find flushes and returns what a query selects.
func (s *site) find(q lookingglass.Query) []*lookingglass.Exchange {
	s.t.Helper()
	s.flush()
	list, err := s.Find(context.Background(), q)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func (s *site) flush() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// last returns the newest exchange.
func (s *site) last() *lookingglass.Exchange {
	s.t.Helper()
	list := s.find(lookingglass.Query{Limit: 1})
	if len(list) != 1 {
		s.t.Fatal("nothing was recorded")
	}
	return list[0]
}
