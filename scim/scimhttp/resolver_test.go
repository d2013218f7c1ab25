package scimhttp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// resolving starts a server whose engine resolve chooses.
func resolving(t *testing.T, resolve func(*http.Request) (*engine.Engine, error), o scimhttp.Options) string {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s := httptest.NewServer(http.StripPrefix("/scim", scimhttp.NewResolver(resolve, o)))
	t.Cleanup(s.Close)
	return s.URL + "/scim"
}

func newEngine(t *testing.T, c engine.Config) *engine.Engine {
	t.Helper()
	e, err := engine.New(new(memory.Store), c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestResolverChooses(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engine.Config{})
	var mu sync.Mutex
	customers := map[string]*memory.Store{"a": {}, "b": {}}
	calls := 0
	url := resolving(t, func(r *http.Request) (*engine.Engine, error) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if customers[token] == nil {
			return nil, &scim.Error{Status: 401, Detail: "no such token"}
		}
		return e.For(customers[token], token), nil
	}, scimhttp.Options{})
	const a, b = "Authorization: Bearer a", "Authorization: Bearer b"
	made := do(t, "POST", url+"/v2/Users", `{"userName":"ann"}`, a)
	if made.status != 201 || calls != 1 {
		t.Fatalf("%d %s after %d calls", made.status, made.body, calls)
	}
	for header, want := range map[string]int{a: 1, b: 0} {
		got := do(t, "GET", url+"/Users", "", header)
		if !strings.Contains(got.body, fmt.Sprintf(`"totalResults":%d`, want)) {
			t.Errorf("%s: %s, want %d users", header, got.body, want)
		}
	}
	path := made.header.Get("Location")
	if got := do(t, "GET", path, "", b); got.status != 404 {
		t.Errorf("one customer reads another's user: %d", got.status)
	}
	mu.Lock()
	delete(customers, "a")
	mu.Unlock()
	if got := do(t, "GET", path, "", a); got.status != 401 {
		t.Errorf("a customer who is gone still gets %d", got.status)
	}
}

func TestResolverErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		resolve   func(*http.Request) (*engine.Engine, error)
		path      string
		status    int
		typ       string
		challenge string
		says      string
	}{
		{"as it is", func(*http.Request) (*engine.Engine, error) {
			return nil, fmt.Errorf("token: %w", &scim.Error{Status: 429, Detail: "slowly"})
		}, "/Users", 429, "", "", "slowly"},
		{"unauthorized", func(*http.Request) (*engine.Engine, error) {
			return nil, &scim.Error{Status: 401, Type: scim.TypeInvalidValue, Detail: "no"}
		}, "/Users", 401, "invalidValue", "Bearer", "no"},
		{"nobody learns of paths", func(*http.Request) (*engine.Engine, error) {
			return nil, &scim.Error{Status: 401, Detail: "no"}
		}, "/v3/Users", 401, "", "Bearer", "no"},
		{"any other", func(*http.Request) (*engine.Engine, error) { return nil, errors.New("secret: the database is down") },
			"/Users", 500, "", "", "internal error"},
		{"nobody", func(*http.Request) (*engine.Engine, error) { return nil, nil }, "/Users", 404, "", "", "no SCIM service"},
		{"out of time", func(*http.Request) (*engine.Engine, error) { return nil, context.DeadlineExceeded }, "/Users", 503, "", "", "try again"},
		{"panic", func(*http.Request) (*engine.Engine, error) { panic("secret") }, "/Users", 500, "", "", "internal error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var seen atomic.Value
			url := resolving(t, tt.resolve, scimhttp.Options{Observe: func(x scimhttp.Exchange) { seen.Store(x) }})
			a := do(t, "POST", url+tt.path, `{"userName":"ann"}`)
			isError(t, a, tt.status, tt.typ)
			if !strings.Contains(a.body, tt.says) || strings.Contains(a.body, "secret") {
				t.Errorf("%s, want %q", a.body, tt.says)
			}
			if got := a.header.Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("challenge %q, want %q", got, tt.challenge)
			}
			if x, ok := seen.Load().(scimhttp.Exchange); !ok || x.Response.Status != tt.status {
				t.Errorf("observed %+v", seen.Load())
			}
		})
	}
}

func TestResolverRequest(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engine.Config{Profile: compat.Strict()})
	var id, path string
	resolve := func(r *http.Request) (*engine.Engine, error) {
		id, path = scim.OriginOf(r.Context()).RequestID, r.URL.Path
		return e, nil
	}
	url := resolving(t, resolve, scimhttp.Options{MaxBody: 100})
	a := do(t, "GET", url+"/v2/Users", "", "X-Request-Id: r-1")
	if a.status != 200 || id != "r-1" || path != "/v2/Users" {
		t.Errorf("%d, the resolver saw id %q and path %q", a.status, id, path)
	}
	isError(t, do(t, "GET", url+"/v3/Users", ""), 400, "invalidVers")
	isError(t, do(t, "GET", url+"/v2/Users", "", "Accept: text/plain"), 406, "") // the profile of the engine chosen
	isError(t, do(t, "POST", url+"/v2/Users", `{"userName":"`+strings.Repeat("a", 100)+`"}`), 413, "")

	// A middleware's own challenge stays.
	h := scimhttp.NewResolver(func(*http.Request) (*engine.Engine, error) { return nil, &scim.Error{Status: 401} }, scimhttp.Options{})
	w := httptest.NewRecorder()
	w.Header().Set("WWW-Authenticate", `Bearer realm="acme"`)
	h.ServeHTTP(w, httptest.NewRequest("GET", "/Users", nil))
	if got := w.Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != `Bearer realm="acme"` {
		t.Errorf("challenges %q", got)
	}
}
