package scimhttp_test

import (
	"net/http/httptest"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// TestHosts: a Host that can't be one never gets into a location.
func TestHosts(t *testing.T) {
	t.Parallel()
	e, err := engine.New(new(memory.Store), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := scimhttp.NewHandler(e, scimhttp.Options{})
	for host, want := range map[string]int{
		"id.example": 200, "id.example:8443": 200, "127.0.0.1:80": 200, "[::1]:8080": 200, "[::]": 200, "localhost:": 200,
		"..": 400, "-": 400, "a b": 400, "evil.example:99999": 400, "evil.example:x": 400, "[]:80": 400, ":80": 400, "a/b": 400,
	} {
		r := httptest.NewRequest("GET", "/Users", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("Host %q: status %d, want %d", host, w.Code, want)
		}
	}
}
