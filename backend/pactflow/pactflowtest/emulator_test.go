package pactflowtest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

func start(t testing.TB, o pactflowtest.Options) *pactflowtest.Emulator {
	t.Helper()
	e, err := pactflowtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// reply is an answer as a client sees it.
type reply struct {
	code   int
	header http.Header
	body   string
}

// json decodes the body.
func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return v
}

// do makes a request to the handler; body "" is none. Further arguments are
// headers, name and value.
func do(t testing.TB, h http.Handler, token, method, url, body string, header ...string) reply {
	t.Helper()
	if strings.HasPrefix(url, "/") {
		url = "http://pactflow:9292" + url
	}
	r := httptest.NewRequest(method, url, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// at walks through decoded JSON: keys, and numbers as indexes.
func at(t testing.TB, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%v: %v is no object", path, v)
			}
			v = m[p]
		case int:
			l, ok := v.([]any)
			if !ok || p >= len(l) {
				t.Fatalf("%v: %v has no element %d", path, v, p)
			}
			v = l[p]
		}
	}
	return v
}

// TestSampleList compares the answer that the sample of the documented SCIM API
// stems from, byte for byte.
func TestSampleList(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{BaseURL: "http://localhost http://pactflow:9292"})
	want, err := os.ReadFile("testdata/sample-users.json")
	if err != nil {
		t.Fatal(err)
	}
	got := do(t, e, pactflowtest.AdminToken, "GET", "/admin/users", "")
	if got.code != 200 || got.body+"\n" != string(want) {
		t.Errorf("%d %s", got.code, got.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/hal+json;charset=utf-8", "Vary": "Accept", "Cache-Control": "no-cache",
		"X-Pact-Broker-Version": "2.106.0", "X-Request-Id": "00000000000000000000000000000001",
	} {
		if v := got.header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}

// TestSampleHidesSystemAccounts: the SCIM role cannot see them.
func TestSampleHidesSystemAccounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		o    pactflowtest.Options
		want int
	}{{pactflowtest.Options{}, 1}, {pactflowtest.Options{ShowSystemAccounts: true}, 2}} {
		got := do(t, start(t, tt.o), pactflowtest.SCIMToken, "GET", "/admin/users?page=1&size=10", "").json(t)
		if n := at(t, got, "page", "totalElements"); n != float64(tt.want) {
			t.Errorf("%+v: %v users, want %d", tt.o, n, tt.want)
		}
	}
}

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
