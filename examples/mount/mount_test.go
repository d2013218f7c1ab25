package main_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	main "github.com/rollcall-scim/rollcall/examples/mount"
)

func TestMount(t *testing.T) {
	t.Parallel()
	h, err := main.Handler("secret")
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, path, token, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, token := range []string{"", "Secret", "secret "} {
		if w := do("GET", "/scim/v2/Users", token, ""); w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" || !strings.Contains(w.Body.String(), `"status":"401"`) {
			t.Errorf("token %q: %d %s", token, w.Code, w.Body)
		}
	}
	w := do("POST", "/scim/v2/Users", "secret", `{"userName":"ann","displayName":"Ann"}`)
	if w.Code != http.StatusCreated || !strings.HasPrefix(w.Header().Get("Location"), "http://example.com/scim/v2/Users/") {
		t.Errorf("%d %s %s", w.Code, w.Header().Get("Location"), w.Body)
	}
	if w := do("GET", "/", "", ""); w.Body.String() != "1 people work here\nAnn\n" {
		t.Errorf("the application says %q", w.Body)
	}
	if w := do("GET", "/scim/v2/ServiceProviderConfig", "secret", ""); !strings.Contains(w.Body.String(), "oauthbearertoken") {
		t.Errorf("%s", w.Body)
	}
}
