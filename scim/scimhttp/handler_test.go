package scimhttp_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// serve starts a server with the handler mounted under "/scim".
func serve(t *testing.T, b scim.Backend, c engine.Config, o scimhttp.Options) string {
	t.Helper()
	if b == nil {
		b = new(memory.Store)
	}
	e, err := engine.New(b, c)
	if err != nil {
		t.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := httptest.NewServer(http.StripPrefix("/scim", scimhttp.NewHandler(e, o)))
	t.Cleanup(s.Close)
	return s.URL + "/scim"
}

type answer struct {
	status int
	header http.Header
	body   string
}

var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// do sends a request; headers are "Name: value".
func do(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func create(t *testing.T, url, userName string) string {
	t.Helper()
	a := do(t, "POST", url+"/v2/Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q}`, userName))
	var u struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &u); err != nil || a.status != 201 {
		t.Fatalf("create: %d %s", a.status, a.body)
	}
	return u.ID
}

// isError checks for the error message of RFC 7644 §3.12.
func isError(t *testing.T, a answer, status int, scimType string) {
	t.Helper()
	var e struct {
		Schemas          []string
		Status, ScimType string
	}
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != status || e.Status != fmt.Sprint(status) ||
		e.ScimType != scimType || len(e.Schemas) != 1 || e.Schemas[0] != scim.ErrorURN {
		t.Errorf("%d %s, want the error %d %s", a.status, a.body, status, scimType)
	}
}

// TestMediaTypes covers HTTP-001 to HTTP-007.
func TestMediaTypes(t *testing.T) {
	t.Parallel()
	strict := serve(t, nil, engine.Config{Profile: compat.Strict()}, scimhttp.Options{})
	auto := serve(t, nil, engine.Config{Profile: compat.Auto()}, scimhttp.Options{})
	for _, tt := range []struct {
		accept, auto string
		strict       int
	}{
		{"", "application/scim+json", 200},
		{"*/*", "application/scim+json", 200},
		{"application/*", "application/scim+json", 200},
		{"application/scim+json", "application/scim+json", 200},
		{"APPLICATION/SCIM+JSON; charset=utf-8", "application/scim+json", 200},
		{"application/json", "application/json", 200},
		{"application/json, text/plain, */*", "application/json", 200},
		{"application/json, application/scim+json;q=0.1", "application/scim+json", 200},
		{"application/scim+json;q=0, */*", "application/json", 200},
		{"text/xml", "application/scim+json", 406},
		{"application/json;q=0", "application/scim+json", 406},
	} {
		var headers []string
		if tt.accept != "" {
			headers = []string{"Accept: " + tt.accept}
		}
		a := do(t, "GET", auto+"/v2/Users", "", headers...)
		if got := a.header.Get("Content-Type"); a.status != 200 || got != tt.auto+"; charset=utf-8" {
			t.Errorf("auto, Accept %q: %d %s, want 200 %s", tt.accept, a.status, got, tt.auto)
		}
		a = do(t, "GET", strict+"/v2/Users", "", headers...)
		if got := a.header.Get("Content-Type"); a.status != tt.strict || got != "application/scim+json; charset=utf-8" {
			t.Errorf("strict, Accept %q: %d %s, want %d", tt.accept, a.status, got, tt.strict)
		}
		if tt.strict == 406 {
			isError(t, a, 406, "")
		}
	}
	onelogin, _ := compat.Lookup("onelogin")
	url := serve(t, nil, engine.Config{Profile: onelogin}, scimhttp.Options{})
	if a := do(t, "GET", url+"/v2/Users", ""); !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("a profile that wants application/json: %s", a.header.Get("Content-Type"))
	}
	for i, tt := range []struct {
		contentType string
		status      int
	}{
		{"application/scim+json", 201}, {"application/json", 201}, {"application/scim+json; charset=UTF-8", 201}, {"", 201},
		{"application/json;charset=\"utf-8\"", 201}, {"text/plain", 201}, {"nonsense", 201}, {"application/json; =", 201},
		{"text/xml", 415}, {"application/xml; charset=utf-8", 415}, {"application/soap+xml", 415},
		{"application/x-www-form-urlencoded", 415}, {"multipart/form-data; boundary=x", 415},
	} {
		a := do(t, "POST", strict+"/v2/Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"u%d"}`, i), "Content-Type: "+tt.contentType)
		if a.status != tt.status {
			t.Errorf("Content-Type %q: %d %s, want %d", tt.contentType, a.status, a.body, tt.status)
		}
		if tt.status == 415 {
			isError(t, a, 415, "")
		}
	}
	// Clients send the type with requests that have no body.
	if a := do(t, "GET", strict+"/v2/Users", "", "Content-Type: text/xml"); a.status != 200 {
		t.Errorf("a Content-Type without a body: %d", a.status)
	}
}

// TestPaths covers HTTP-016 to HTTP-020 and HTTP-024, and HTTP-03 of the
// compatibility table.
func TestPaths(t *testing.T) {
	t.Parallel()
	url := serve(t, nil, engine.Config{}, scimhttp.Options{})
	id := create(t, url, "ada")
	for _, tt := range []struct {
		path   string
		status int
	}{
		{"/v2/Users/" + id, 200}, {"/Users/" + id, 200}, {"//v2//Users///" + id + "//", 200}, {"/v2/users/" + id, 200},
		{"/v2/Users/" + id + "?", 200}, {"/v2/Users/?", 200}, {"/v2/%55sers/" + id, 200}, {"/V2/Users", 200}, {"/v2", 200}, {"/v2/", 200},
		{"/v2/Users/" + id + ".scim", 404}, {"/v2/Users/..%2FUsers%2F" + id, 404}, {"/v2/Users/../Users", 404}, {"/v2/Users%2F" + id, 404},
		{"/v2/Nope", 404}, {"/v2/Users/" + id + "%00", 404}, {"/v2/v2/Users", 404},
	} {
		a := do(t, "GET", url+tt.path, "")
		if a.status != tt.status {
			t.Errorf("GET %s: %d %s, want %d", tt.path, a.status, a.body, tt.status)
		}
		if tt.status == 404 {
			isError(t, a, 404, "")
		}
	}
	for _, path := range []string{"/v9/Users", "/v1", "/V3/Users", "/v02/Users"} {
		isError(t, do(t, "GET", url+path, ""), 400, "invalidVers")
	}
	if a := do(t, "POST", url+"/v2/Users/", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"slash"}`); a.status != 201 {
		t.Errorf("POST with a slash at the end: %d", a.status)
	}
	// Headers that ask for another method mean nothing.
	if a := do(t, "GET", url+"/v2/Users/"+id, "", "X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE"); a.status != 200 {
		t.Errorf("GET with a method override: %d", a.status)
	}
	if a := do(t, "GET", url+"/v2/Users/"+id, ""); a.status != 200 {
		t.Errorf("after a method override: %d", a.status)
	}
}

// TestQuery covers HTTP-021 to HTTP-023 and HTTP-04, HTTP-05 of the
// compatibility table.
func TestQuery(t *testing.T) {
	t.Parallel()
	url := serve(t, nil, engine.Config{}, scimhttp.Options{}) + "/v2/Users"
	create(t, strings.TrimSuffix(url, "/v2/Users"), "a+b")
	create(t, strings.TrimSuffix(url, "/v2/Users"), "李")
	for query, total := range map[string]int{
		"":                                     2,
		"foo=1&aadOptscim062020":               2,
		"filter=userName%20eq%20%22a%2Bb%22":   1,
		"filter=userName+eq+%22a%2Bb%22":       1,
		`filter=userName+eq+"a%2Bb"`:           1,
		"FILTER=userName+eq+%22a%2Bb%22":       1,
		"filter=userName+eq+%22%E6%9D%8E%22":   1,
		"startindex=2":                         2,
		"sortby=userName&sortorder=descending": 2,
	} {
		a := do(t, "GET", url+"?"+query, "")
		if !strings.Contains(a.body, fmt.Sprintf(`"totalResults":%d,`, total)) {
			t.Errorf("?%s: %d %s, want %d results", query, a.status, a.body, total)
		}
	}
	for query, scimType := range map[string]string{
		"filter=userName+eq+%zz":                  "invalidFilter",
		"filter=userName+eq+%22a%22;count=1":      "invalidFilter",
		"count=1&count=2":                         "invalidValue",
		"count=1&COUNT=1":                         "invalidValue",
		"startIndex=1&startindex=1":               "invalidValue",
		"filter=userName+pr&filter=userName+pr":   "invalidValue",
		"attributes=userName&attributes=nickName": "invalidValue",
	} {
		isError(t, do(t, "GET", url+"?"+query, ""), 400, scimType)
	}
}

// TestBodies covers HTTP-008, HTTP-009, HTTP-031 and ERR-009.
func TestBodies(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	url := serve(t, nil, engine.Config{Limits: engine.Limits{Body: limit}}, scimhttp.Options{}) + "/v2/Users"
	zip := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, s); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	user := func(name string, pad int) string {
		return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + name + `"` + strings.Repeat(" ", pad) + "}"
	}
	if a := do(t, "POST", url, user("plain", limit/2)); a.status != 201 {
		t.Errorf("a body under the limit: %d", a.status)
	}
	exact := user("exact", 0)
	if a := do(t, "POST", url, user("exact", limit-len(exact))); a.status != 201 {
		t.Errorf("a body of exactly the limit: %d %s", a.status, a.body)
	}
	over := do(t, "POST", url, user("over", limit))
	isError(t, over, 413, "")
	if !strings.Contains(over.body, "maxPayloadSize") || !strings.Contains(over.body, fmt.Sprint(limit)) {
		t.Errorf("the 413 does not name the limit: %s", over.body)
	}
	if a := do(t, "POST", url, zip(user("zipped", limit/2)), "Content-Encoding: gzip"); a.status != 201 {
		t.Errorf("a gzip body: %d %s", a.status, a.body)
	}
	isError(t, do(t, "POST", url, zip(user("bomb", 50<<20)), "Content-Encoding: gzip"), 413, "")
	isError(t, do(t, "POST", url, "not gzip", "Content-Encoding: gzip"), 400, "invalidSyntax")
	isError(t, do(t, "POST", url, zip(user("cut", 100))[:40], "Content-Encoding: gzip"), 400, "invalidSyntax")
	a := do(t, "POST", url, "x", "Content-Encoding: br")
	isError(t, a, 415, "")
	if a.header.Get("Accept-Encoding") != "gzip" {
		t.Errorf("the 415 does not say what is accepted: %v", a.header)
	}
	isError(t, do(t, "POST", url, zip(zip("{}")), "Content-Encoding: gzip, gzip"), 415, "")
	for _, body := range []string{"{", "[]", "{}x", "\xff", `{"userName":"\ud800"}`, ""} {
		isError(t, do(t, "POST", url, body), 400, "invalidSyntax")
	}
	// Without a length, and more than the limit.
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, io.MultiReader(strings.NewReader(user("chunked", limit))))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil || resp.StatusCode != 413 {
		t.Fatalf("a chunked body over the limit: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	if a := do(t, "GET", url, ""); !strings.Contains(a.body, `"totalResults":3,`) {
		t.Errorf("something of the refused was stored: %s", a.body)
	}
}

// TestLargeBodies: only a few large bodies are in memory at a time.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	b := &slow{Backend: new(memory.Store), wait: 30 * time.Millisecond}
	url := serve(t, b, engine.Config{Limits: engine.Limits{Body: 4 << 20}}, scimhttp.Options{})
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			body := fmt.Sprintf(`{"userName":"u%d"%s}`, i, strings.Repeat(" ", 3<<20))
			if a := do(t, "POST", url+"/v2/Users", body); a.status != 201 {
				t.Errorf("a large body: %d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if most := b.most.Load(); most == 0 || most > 4 {
		t.Errorf("%d large bodies were worked on at once, want at most 4", most)
	}
}

// TestSlowBody: a body that does not come is given up.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	url := serve(t, nil, engine.Config{}, scimhttp.Options{BodyTimeout: 50 * time.Millisecond})
	host, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "POST /scim/v2/Users HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{", host)
	data, err := io.ReadAll(c)
	if text := string(data); err != nil || !strings.HasPrefix(text, "HTTP/1.1 408 ") || !strings.Contains(text, `"status":"408"`) {
		t.Errorf("%v: %s, want a 408 and the end of the connection", err, text)
	}
}

// TestDeadlineLeavesWork: the deadline of the body does not end the work that
// follows it.
func TestDeadlineLeavesWork(t *testing.T) {
	t.Parallel()
	b := &slow{Backend: new(memory.Store), wait: 150 * time.Millisecond}
	url := serve(t, b, engine.Config{}, scimhttp.Options{BodyTimeout: 50 * time.Millisecond})
	if a := do(t, "POST", url+"/v2/Users", `{"userName":"ada"}`); a.status != 201 {
		t.Errorf("work that takes longer than a body may: %d %s", a.status, a.body)
	}
}

// slow is a backend whose writes take their time, and whose reads fail as
// they are told.
type slow struct {
	scim.Backend
	wait  time.Duration
	list  func(scim.Query) (*scim.Page, error)
	ctxes chan context.Context

	now, most atomic.Int64 // calls of Create under way
}

func (s *slow) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	s.most.Store(max(s.most.Load(), s.now.Add(1)))
	defer s.now.Add(-1)
	select {
	case <-time.After(s.wait):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.ctxes != nil {
		s.ctxes <- ctx
	}
	return s.Backend.Create(ctx, r)
}

func (s *slow) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	if s.list != nil {
		return s.list(q)
	}
	return s.Backend.List(ctx, q)
}

// TestHeaders covers HTTP-011, HTTP-012, HTTP-013, HTTP-025, HTTP-030, COM-012
// and ERR-013.
func TestHeaders(t *testing.T) {
	t.Parallel()
	url := serve(t, nil, engine.Config{}, scimhttp.Options{BaseURL: "https://id.example/scim/v2/"})
	id := create(t, url, "ada")
	get := do(t, "GET", url+"/v2/Users/"+id, "")
	head := do(t, "HEAD", url+"/v2/Users/"+id, "")
	for name, want := range map[string]string{"Location": "https://id.example/scim/v2/Users/" + id, "Cache-Control": "no-store",
		"Content-Length": fmt.Sprint(len(get.body)), "Content-Location": "https://id.example/scim/v2/Users/" + id} {
		if get.header.Get(name) != want || name != "Content-Location" && head.header.Get(name) != want {
			t.Errorf("%s: GET %q, HEAD %q, want %q", name, get.header.Get(name), head.header.Get(name), want)
		}
	}
	if get.header.Get("ETag") == "" || head.header.Get("ETag") != get.header.Get("ETag") || head.body != "" || head.status != 200 {
		t.Errorf("HEAD: %d %v %q", head.status, head.header, head.body)
	}
	if a := do(t, "GET", url+"/v2/Users/"+id, "", "If-None-Match: "+get.header.Get("ETag")); a.status != 304 || a.body != "" || a.header.Get("ETag") == "" {
		t.Errorf("If-None-Match: %d %q", a.status, a.body)
	}
	if a := do(t, "GET", url+"/v2/Users/"+id, "", `If-None-Match: "x"`, "If-None-Match: "+get.header.Get("ETag")); a.status != 304 {
		t.Errorf("If-None-Match on two lines: %d", a.status)
	}
	if a := do(t, "HEAD", url+"/v2/Users/nobody", ""); a.status != 404 || a.body != "" {
		t.Errorf("HEAD of nothing: %d %q", a.status, a.body)
	}
	if a := do(t, "HEAD", url+"/v2/Users", ""); a.status != 200 || a.body != "" || a.header.Get("Content-Length") == "" {
		t.Errorf("HEAD of a list: %d %v", a.status, a.header)
	}
	if a := do(t, "DELETE", url+"/v2/Users", ""); a.status != 405 || !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("DELETE /Users: %d, Allow %q", a.status, a.header.Get("Allow"))
	} else {
		isError(t, a, 405, "")
	}
	if a := do(t, "OPTIONS", url+"/v2/Users", ""); a.status >= 300 || !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("OPTIONS /Users: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	if a := do(t, "DELETE", url+"/v2/Users/"+id, ""); a.status != 204 || a.body != "" || a.header.Get("Content-Type") != "" {
		t.Errorf("DELETE: %d %v", a.status, a.header)
	}
}

// TestGzip covers the other half of HTTP-031.
func TestGzip(t *testing.T) {
	t.Parallel()
	url := serve(t, nil, engine.Config{}, scimhttp.Options{BaseURL: "https://id.example"})
	for i := range 200 {
		create(t, url, fmt.Sprintf("user-%d", i))
	}
	for _, count := range []int{20, 200} { // of known length, and streamed
		target := fmt.Sprintf("%s/v2/Users?count=%d", url, count)
		plain := do(t, "GET", target, "")
		zipped := do(t, "GET", target, "", "Accept-Encoding: br, gzip;q=0.5")
		if plain.header.Get("Content-Encoding") != "" || zipped.header.Get("Content-Encoding") != "gzip" ||
			len(zipped.body) >= len(plain.body)/2 || !strings.Contains(zipped.header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("count=%d: %d bytes as %q, plain %d", count, len(zipped.body), zipped.header.Get("Content-Encoding"), len(plain.body))
		}
		z, err := gzip.NewReader(strings.NewReader(zipped.body))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil || string(data) != plain.body {
			t.Errorf("count=%d: unpacked it is not the same (%v)", count, err)
		}
		if a := do(t, "GET", target, "", "Accept-Encoding: gzip;q=0, *"); a.header.Get("Content-Encoding") != "" {
			t.Errorf("count=%d: gzip although it is refused", count)
		}
	}
	if a := do(t, "GET", url+"/v2/Users?count=1", "", "Accept-Encoding: gzip"); a.header.Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
}

// TestRequestID covers HTTP-032.
func TestRequestID(t *testing.T) {
	t.Parallel()
	b := &slow{Backend: new(memory.Store), ctxes: make(chan context.Context, 8)}
	seen := make(chan scimhttp.Exchange, 8)
	url := serve(t, b, engine.Config{}, scimhttp.Options{Observe: func(x scimhttp.Exchange) { seen <- x }})
	for i, tt := range []struct {
		sent string
		kept bool
	}{{"abc-123_X.y:z", true}, {strings.Repeat("x", 64), true}, {strings.Repeat("x", 65), false}, {"a b", false}, {"a\"b", false}, {"", false}} {
		a := do(t, "POST", url+"/v2/Users", fmt.Sprintf(`{"userName":"u%d"}`, i), "X-Request-Id: "+tt.sent)
		got := a.header.Get("X-Request-Id")
		if (got == tt.sent) != tt.kept || got == "" {
			t.Errorf("X-Request-Id %q: %q", tt.sent, got)
		}
		if origin := scim.OriginOf(<-b.ctxes); origin.RequestID != got {
			t.Errorf("the backend sees the id %q, the client %q", origin.RequestID, got)
		}
		if x := <-seen; x.RequestID != got || x.Response.Status != 201 || x.BytesOut != int64(len(a.body)) || x.Request.Path != "/Users" || x.Duration <= 0 {
			t.Errorf("the observer sees %+v", x)
		}
	}
}

// TestBase covers HTTP-026.
func TestBase(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	configured := serve(t, nil, engine.Config{}, scimhttp.Options{BaseURL: "https://id.example/scim/v2", TrustedProxies: proxies})
	open := serve(t, nil, engine.Config{}, scimhttp.Options{})
	behind := serve(t, nil, engine.Config{}, scimhttp.Options{TrustedProxies: proxies})
	origin := serve(t, nil, engine.Config{}, scimhttp.Options{Origin: "https://id.example/idm/", TrustedProxies: proxies})
	host := func(url string) string { h, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/"); return h }
	for _, tt := range []struct {
		name, url string
		headers   []string
		want      string
	}{
		{"configured", configured, []string{"Host: evil.example", "X-Forwarded-Host: evil.example"}, "https://id.example/scim/v2"},
		{"configured, prefix", configured, []string{"X-Forwarded-Prefix: /gw"}, "https://id.example/gw/scim/v2"},
		{"configured, prefix that is there", configured, []string{"X-Forwarded-Prefix: /scim"}, "https://id.example/scim/v2"},
		{"configured, evil prefix", configured, []string{"X-Forwarded-Prefix: //evil.example/x@"}, "https://id.example/scim/v2"},
		{"origin", origin, []string{"Host: evil.example", "X-Forwarded-Host: evil.example"}, "https://id.example/idm/scim/v2"},
		{"origin, prefix", origin, []string{"X-Forwarded-Prefix: /gw"}, "https://id.example/gw/idm/scim/v2"},
		{"open", open, nil, "http://" + host(open) + "/scim/v2"},
		{"open, host", open, []string{"Host: other.example:8443"}, "http://other.example:8443/scim/v2"},
		{"open, forwarded by nobody", open, []string{"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example"}, "http://" + host(open) + "/scim/v2"},
		{"behind", behind, []string{"X-Forwarded-Host: evil.example, id.example", "X-Forwarded-Proto: https"}, "https://id.example/scim/v2"},
		{"behind, RFC 7239", behind, []string{`Forwarded: for=1.2.3.4, for=5.6.7.8;proto=https;host="id.example:444"`}, "https://id.example:444/scim/v2"},
		{"behind, not a host", behind, []string{"X-Forwarded-Host: evil/x", "X-Forwarded-Proto: javascript"}, "http://" + host(behind) + "/scim/v2"},
	} {
		a := do(t, "GET", tt.url+"/v2/ServiceProviderConfig", "", tt.headers...)
		if want := tt.want + "/ServiceProviderConfig"; !strings.Contains(a.body, `"`+want+`"`) {
			t.Errorf("%s: %s, want the location %s", tt.name, a.body, want)
		}
	}
	isError(t, do(t, "GET", open+"/v2/Users", "", "Host: a b"), 400, "invalidValue")
}

// TestFailures covers ERR-003, ERR-010, ERR-015 and HTTP-029: what breaks below is an
// honest error, or a cut connection where the answer had begun.
func TestFailures(t *testing.T) {
	t.Parallel()
	b := &slow{Backend: new(memory.Store)}
	var fail func() error
	b.list = func(scim.Query) (*scim.Page, error) { return nil, fail() }
	url := serve(t, b, engine.Config{}, scimhttp.Options{})
	for name, tt := range map[string]struct {
		fail   func() error
		status int
		retry  string
	}{
		"an error of the store": {func() error { return fmt.Errorf("SELECT secret FROM users") }, 500, ""},
		"a panic":               {func() error { panic("secret") }, 500, ""},
		"unavailable":           {func() error { return scim.Unavailable(nil) }, 503, "1"},
	} {
		fail = tt.fail
		a := do(t, "GET", url+"/v2/Users", "")
		isError(t, a, tt.status, "")
		if strings.Contains(a.body, "secret") || a.header.Get("Retry-After") != tt.retry {
			t.Errorf("%s: %v %s", name, a.header, a.body)
		}
	}
}

// TestBrokenStream: members that can't be read to their end.
func TestBrokenStream(t *testing.T) {
	t.Parallel()
	b := &group{Store: new(memory.Store)}
	url := serve(t, b, engine.Config{}, scimhttp.Options{})
	a := do(t, "POST", url+"/v2/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g"}`)
	var g struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &g); err != nil || a.status != 201 {
		t.Fatalf("create: %d %s", a.status, a.body)
	}
	b.good = 10 // less than is held back: an honest error
	isError(t, do(t, "GET", url+"/v2/Groups/"+g.ID, ""), 500, "")
	b.good = 10_000 // the status line is out: the client must notice
	req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/v2/Groups/"+g.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%d, %d bytes, and no error: the client takes a part for the whole", resp.StatusCode, len(data))
	}
}

// group is a store whose groups break off after some members.
type group struct {
	*memory.Store
	good int
}

func (g *group) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	r, err := g.Store.Get(ctx, ref, sel)
	if err == nil {
		r.Members = func(yield func(scim.MemberRef, error) bool) {
			for i := range g.good {
				if !yield(scim.MemberRef{ID: fmt.Sprintf("member-%d", i), Type: "User"}, nil) {
					return
				}
			}
			yield(scim.MemberRef{}, fmt.Errorf("the disk is gone"))
		}
	}
	return r, err
}

func TestError(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	scimhttp.Error(w, &scim.Error{Status: 503, Detail: "no", RetryAfter: 1500 * time.Millisecond})
	isError(t, answer{w.Code, w.Header(), w.Body.String()}, 503, "")
	if w.Header().Get("Retry-After") != "2" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/scim+json") {
		t.Errorf("headers: %v", w.Header())
	}
}
