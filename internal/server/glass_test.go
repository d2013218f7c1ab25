package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// glassBrowser is a client as a browser is one: it asks for HTML, keeps cookies
// and follows nothing.
type glassBrowser struct {
	r      *running
	cookie string
}

func (b *glassBrowser) do(method, path, form string, headers ...string) answer {
	b.r.t.Helper()
	headers = append([]string{"Authorization:", "Accept: text/html", "Content-Type: application/x-www-form-urlencoded"}, headers...)
	if b.cookie != "" {
		headers = append(headers, "Cookie: "+b.cookie)
	}
	a := b.r.do(method, path, form, headers...)
	if set := a.header.Get("Set-Cookie"); set != "" {
		b.cookie, _, _ = strings.Cut(set, ";")
	}
	return a
}

func (b *glassBrowser) login(token string) answer {
	b.r.t.Helper()
	return b.do("POST", "/looking-glass/login", "token="+url.QueryEscape(token))
}

// until asks for a page until it has a text: exchanges are recorded beside the
// request.
func (b *glassBrowser) until(path, text string) {
	b.r.t.Helper()
	waitFor(b.r.t, text, func() bool { return strings.Contains(b.do("GET", path, "").body, text) })
}

// TestGlass: what happens at the endpoints is in the console, for who has the
// API token or that of the console.
func TestGlass(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_CONSOLE_TOKEN=console-token-0123")
	r.create("ada.lovelace")
	r.do("GET", "/scim/v2/Users/nobody", "", "Authorization: Bearer wrong-token")
	b := &glassBrowser{r: r}
	if a := b.do("GET", "/looking-glass", ""); a.status != http.StatusSeeOther || a.header.Get("Location") != "/looking-glass/login" {
		t.Errorf("without a session: %d %s", a.status, a.header.Get("Location"))
	}
	if a := b.login("wrong-token-012345"); a.status != http.StatusUnauthorized || b.cookie != "" {
		t.Errorf("login with a wrong token: %d %s", a.status, b.cookie)
	}
	for _, token := range []string{testToken, "console-token-0123"} {
		if a := b.login(token); a.status != http.StatusSeeOther || b.cookie == "" {
			t.Fatalf("login: %d %s", a.status, a.body)
		}
		b.until("/looking-glass", "ada.lovelace")
		b.until("/looking-glass?status=401", "the bearer token is not valid")
	}
	// It can be sent again as any other.
	whole := regexp.MustCompile(`"url": ?"http://[^"/]+/scim/v2/Users/nobody"`)
	if a := b.do("GET", "/looking-glass/exchanges.har?status=401", ""); !whole.MatchString(a.body) {
		t.Errorf("the address of a request with a wrong token: %s", a.body)
	}
	if a := r.do("GET", "/", "", "Authorization:"); !strings.Contains(a.body, `href="/looking-glass"`) {
		t.Error("the page for people does not lead to the console")
	}
	if _, err := os.Stat(filepath.Join(r.data, "looking-glass.db")); err != nil {
		t.Error(err)
	}
	// Another origin gets nothing, even one that may call SCIM.
	a := b.do("GET", "/looking-glass", "", "Origin: http://localhost:3000")
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("another origin may read the console")
	}
	// What a stopping server waits for does not include event streams.
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/looking-glass/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", b.cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("the stream: %d", resp.StatusCode)
	}
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("stopping took %v with a stream open", took)
	}
}

// TestGlassOff: neither page nor file nor link.
func TestGlassOff(t *testing.T) {
	t.Parallel()
	r := start(t, "SCIM_LOOKING_GLASS=false")
	r.create("ada")
	for _, path := range []string{"/looking-glass", "/looking-glass/", "/looking-glass/login", "/looking-glass/events"} {
		if a := r.do("GET", path, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := r.do("GET", "/", "", "Authorization:"); strings.Contains(a.body, "looking-glass") {
		t.Error("the page for people leads to the console")
	}
	if _, err := os.Stat(filepath.Join(r.data, "looking-glass.db")); !os.IsNotExist(err) {
		t.Errorf("there is a file: %v", err)
	}
}

// TestGlassOpen: without a token the console is for the machine itself, by its
// own name, unless it has a token of its own.
func TestGlassOpen(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_TOKEN=")
	b := &glassBrowser{r: r}
	if a := b.do("GET", "/looking-glass", ""); a.status != http.StatusOK || !strings.Contains(a.body, "answers loopback clients only") {
		t.Errorf("from this machine: %d %s", a.status, a.body)
	}
	for _, header := range []string{"X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Forwarded-Proto: https", "X-Real-IP: 203.0.113.9",
		"CF-Connecting-IP: 203.0.113.9", "True-Client-IP: 203.0.113.9", "X-Client-IP: 203.0.113.9", "X-Envoy-External-Address: 203.0.113.9"} {
		if a := r.raw("GET", "/looking-glass", header, "Accept: text/html"); a.status != http.StatusForbidden || !strings.Contains(a.body, "ROLLCALL_CONSOLE_TOKEN") {
			t.Errorf("with %s: %d", header, a.status)
		}
	}
	if a := r.raw("GET", "/looking-glass/?client=okta", "Accept: text/html"); a.status != http.StatusPermanentRedirect || a.header.Get("Location") != "/looking-glass?client=okta" {
		t.Errorf("with a slash at the end: %d to %q", a.status, a.header.Get("Location"))
	}
	old, err := net.Dial("tcp", r.srv.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	fmt.Fprintf(old, "GET /looking-glass HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n") // as a proxy that was told nothing
	if line, err := bufio.NewReader(old).ReadString('\n'); err != nil || !strings.Contains(line, " 403 ") {
		t.Errorf("by HTTP/1.0: %s, %v", line, err)
	}
	rebound, err := http.NewRequestWithContext(t.Context(), "GET", r.url+"/looking-glass", nil)
	if err != nil {
		t.Fatal(err)
	}
	rebound.Host = "rebound.example" // a page that gave its own name the address of this machine
	resp, err := noRedirect.Do(rebound)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("under another name: %d", resp.StatusCode)
	}
	r = start(t, "ROLLCALL_TOKEN=", "ROLLCALL_CONSOLE_TOKEN=console-token-0123")
	b = &glassBrowser{r: r}
	if a := r.raw("GET", "/looking-glass", "X-Forwarded-For: 203.0.113.9", "Accept: text/html"); a.status != http.StatusSeeOther {
		t.Errorf("with a console token, from elsewhere: %d", a.status)
	}
	if a := b.login("anything-else"); a.status != http.StatusUnauthorized {
		t.Errorf("login with anything: %d", a.status)
	}
	if a := b.login("console-token-0123"); a.status != http.StatusSeeOther {
		t.Errorf("login: %d", a.status)
	}
}

// TestGlassFacade: the same in front of an application: its calls in place of
// SQL, its tokens, and no file.
func TestGlassFacade(t *testing.T) {
	t.Parallel()
	emulator, err := pactflowtest.New(pactflowtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(emulator)
	t.Cleanup(func() {
		emulator.Close()
		behind.Close()
	})
	r := start(t, "PACTFLOW_URL="+behind.URL, "ROLLCALL_TOKEN=", "ROLLCALL_CONSOLE_TOKEN=console-token-0123")
	if a := r.do("GET", "/scim/Users?count=1", "", "Authorization: Bearer "+pactflowtest.SCIMToken); a.status != http.StatusOK {
		t.Fatalf("GET /scim/Users: %d %s", a.status, a.body)
	}
	b := &glassBrowser{r: r}
	if a := b.login("no-token-of-pactflow"); a.status != http.StatusUnauthorized {
		t.Errorf("login with a wrong token: %d", a.status)
	}
	for _, token := range []string{pactflowtest.SCIMToken, "console-token-0123"} {
		if a := b.login(token); a.status != http.StatusSeeOther {
			t.Fatalf("login: %d %s", a.status, a.body)
		}
		b.until("/looking-glass", "/exchanges/1")
		if a := b.do("GET", "/looking-glass/exchanges/1", ""); !strings.Contains(a.body, "Calls to the application") {
			t.Errorf("the exchange has no calls: %s", a.body)
		}
	}
}

// TestGlassSchemas: what a schema that is read later keeps to itself is masked.
func TestGlassSchemas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := start(t, "ROLLCALL_SCHEMAS="+dir)
	schema := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:lock","name":"Lock",
		"attributes":[{"name":"doorphrase","type":"string","mutability":"writeOnly","returned":"never"}]}`
	extension := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"User","endpoint":"/Users",
		"schema":"urn:ietf:params:scim:schemas:core:2.0:User","schemaExtensions":[{"schema":"urn:example:lock","required":false}]}`
	for name, text := range map[string]string{"1.json": schema, "2.json": extension} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.srv.LoadSchemas(); err != nil { // what SIGHUP does
		t.Fatal(err)
	}
	a := r.do("POST", "/scim/v2/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:example:lock"],"userName":"ada","title":"Countess",
		"urn:example:lock":{"doorphrase":"open-sesame"}}`)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	b := &glassBrowser{r: r}
	b.login(testToken)
	b.until("/looking-glass", "ada")
	a = b.do("GET", "/looking-glass/exchanges/1", "")
	if !strings.Contains(a.body, "Countess") || !strings.Contains(a.body, "doorphrase") || strings.Contains(a.body, "sesame") {
		t.Errorf("%s", a.body)
	}
}

// TestGlassSettings: what the variables may be.
func TestGlassSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		keep         string
		number, days int
	}{{"", 10_000, 7}, {"500", 500, 7}, {"30d", 10_000, 30}, {"2000, 1d", 2000, 1}} {
		s, _, err := settings(t, "ROLLCALL_LOOKING_GLASS_KEEP="+tt.keep)
		if err != nil || s.GlassKeep != tt.number || s.GlassDays != tt.days || s.GlassRate != 200 || !s.LookingGlass {
			t.Errorf("%q: %+v, %v", tt.keep, s, err)
		}
	}
	for _, bad := range []string{"ROLLCALL_LOOKING_GLASS_KEEP=ten", "ROLLCALL_LOOKING_GLASS_KEEP=0d", "ROLLCALL_LOOKING_GLASS_KEEP=5",
		"ROLLCALL_LOOKING_GLASS_RATE=0", "ROLLCALL_LOOKING_GLASS_RATE=fast", "ROLLCALL_CONSOLE_TOKEN=hunter2 hunter2",
		"ROLLCALL_CONTEXT_PATH=/looking-glass"} {
		if _, _, err := settings(t, bad); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	_, _, err := settings(t, "ROLLCALL_TOKEN="+testToken, "ROLLCALL_CONSOLE_TOKEN="+testToken)
	if err == nil || strings.Contains(err.Error(), testToken) {
		t.Errorf("the console's token may be the API's: %v", err)
	}
}
