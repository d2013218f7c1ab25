package scimhttp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

const ann = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann"}`

// observed starts a server and returns its address and a function that gives
// the exchange that was observed last.
func observed(t *testing.T, c engine.Config, bodies int) (url string, last func() scimhttp.Exchange) {
	t.Helper()
	seen := make(chan scimhttp.Exchange, 100)
	url = serve(t, nil, c, scimhttp.Options{Bodies: func(*http.Request) int { return bodies }, Observe: func(x scimhttp.Exchange) { seen <- x }})
	return url, func() scimhttp.Exchange { return <-seen }
}

func TestBodiesKept(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(strings.Repeat(" ", 900) + ann))
	_ = z.Close()
	for _, tc := range []struct {
		name          string
		bodies        int
		method, path  string
		body          string
		headers       []string
		status        int
		request       string // kept
		requestSize   int64
		answer        string // what is kept begins so
		answerLeftOut bool
	}{
		{name: "whole", bodies: 10_000, method: "POST", path: "/Users", body: ann, status: 201,
			request: ann, requestSize: int64(len(ann)), answer: `{"schemas":`},
		{name: "cut", bodies: 9, method: "POST", path: "/Users", body: ann, status: 201,
			request: ann[:9], requestSize: int64(len(ann)), answer: `{"schemas`},
		{name: "none", method: "POST", path: "/Users", body: ann, status: 201, requestSize: int64(len(ann)), answerLeftOut: true},
		{name: "unpacked", bodies: 10, method: "POST", path: "/Users", body: zipped.String(), headers: []string{"Content-Encoding: gzip"},
			status: 201, request: strings.Repeat(" ", 10), requestSize: int64(900 + len(ann)), answer: `{"schemas"`},
		{name: "no JSON", bodies: 100, method: "POST", path: "/Users", body: "{", status: 400, request: "{", requestSize: 1, answer: `{"schemas"`},
		{name: "too large", bodies: 100, method: "POST", path: "/Users", body: strings.Repeat("x", 300), status: 413, requestSize: 300, answer: `{`},
		{name: "of another media type", bodies: 100, method: "POST", path: "/Users", body: "a: b", headers: []string{"Content-Type: image/png"},
			status: 415, request: "a: b", requestSize: 4, answer: `{`},
		{name: "refused before", bodies: 100, method: "POST", path: "/v1/Users", body: ann, status: 400, requestSize: int64(len(ann)), answer: `{`},
		{name: "a list", bodies: 5, method: "GET", path: "/Users", status: 200, answer: `{"sch`},
		{name: "HEAD", bodies: 5, method: "HEAD", path: "/Users", status: 200, answerLeftOut: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := engine.Config{}
			if tc.name == "too large" {
				c.Limits = engine.Limits{Body: 200}
			}
			url, last := observed(t, c, tc.bodies)
			headers := tc.headers
			if tc.body != "" && len(headers) == 0 || tc.name == "unpacked" {
				headers = append(headers, "Content-Type: application/scim+json")
			}
			a := do(t, tc.method, url+tc.path, tc.body, headers...)
			x := last()
			if a.status != tc.status {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			if string(x.RequestBody) != tc.request || x.RequestSize != tc.requestSize {
				t.Errorf("request %q of %d bytes, want %q of %d", x.RequestBody, x.RequestSize, tc.request, tc.requestSize)
			}
			want := a.body
			if tc.bodies < len(want) {
				want = want[:tc.bodies]
			}
			if string(x.ResponseBody) != want || !strings.HasPrefix(string(x.ResponseBody), tc.answer) || (x.ResponseBody == nil) != tc.answerLeftOut {
				t.Errorf("answer kept: %q of %q", x.ResponseBody, a.body)
			}
			if x.ResponseSize != int64(len(a.body)) {
				t.Errorf("answer of %d bytes, observed %d", len(a.body), x.ResponseSize)
			}
		})
	}
}

// What failed while it was written is not in the answer, nor in what is kept.
func TestKeptOfFailure(t *testing.T) {
	t.Parallel()
	seen := make(chan scimhttp.Exchange, 2)
	b := &group{Store: new(memory.Store), good: 10}
	url := serve(t, b, engine.Config{}, scimhttp.Options{Bodies: func(*http.Request) int { return 1 << 20 }, Observe: func(x scimhttp.Exchange) { seen <- x }})
	a := do(t, "POST", url+"/Groups", `{"schemas":["`+scim.GroupURN+`"],"displayName":"g"}`, "Content-Type: application/json")
	var g struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &g); err != nil {
		t.Fatal(err)
	}
	<-seen
	a = do(t, "GET", url+"/Groups/"+g.ID, "")
	if x := <-seen; a.status != http.StatusInternalServerError || string(x.ResponseBody) != a.body || x.ResponseSize != int64(len(a.body)) {
		t.Errorf("status %d, sent %s, kept %s", a.status, a.body, x.ResponseBody)
	}
}

// The bound holds for what is compressed and streamed, too.
func TestKeptOfLongAnswer(t *testing.T) {
	t.Parallel()
	url, last := observed(t, engine.Config{}, 50_000)
	for i := range 3 {
		body := `{"schemas":["` + scim.GroupURN + `"],"displayName":"` + strings.Repeat("long", 10_000+i) + `"}`
		if a := do(t, "POST", url+"/Groups", body, "Content-Type: application/json"); a.status != 201 {
			t.Fatal(a.body)
		}
		last()
	}
	a := do(t, "GET", url+"/Groups", "", "Accept-Encoding: gzip")
	z, err := gzip.NewReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	if _, err := whole.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	x := last()
	if !bytes.Equal(x.ResponseBody, whole.Bytes()[:50_000]) || x.ResponseSize != int64(whole.Len()) {
		t.Errorf("kept %d bytes of %d; %d were sent", len(x.ResponseBody), x.ResponseSize, whole.Len())
	}
	if x.BytesOut != int64(len(a.body)) {
		t.Errorf("%d bytes out, %d arrived", x.BytesOut, len(a.body))
	}
}

// Observers see the header as the client does.
func TestHeaderObserved(t *testing.T) {
	t.Parallel()
	url, last := observed(t, engine.Config{}, 0)
	a := do(t, "POST", url+"/Users", ann, "Content-Type: application/json", "Accept: application/json")
	x := last()
	for _, name := range []string{"Content-Type", "Location", "ETag", "X-Request-Id"} {
		if got := x.ResponseHeader.Get(name); got == "" || got != a.header.Get(name) {
			t.Errorf("%s is %q, observed %q", name, a.header.Get(name), got)
		}
	}
}
