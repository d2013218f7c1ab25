package server_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// stand runs a server in front of an emulator.
func stand(t *testing.T, o pactflowtest.Options, environ ...string) (*running, *pactflowtest.Emulator) {
	t.Helper()
	e, err := pactflowtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	address := serveHTTP(t, e)
	t.Cleanup(e.Close)
	return start(t, append([]string{"PACTFLOW_URL=" + address, "ROLLCALL_TOKEN=", "ROLLCALL_DATA_DIR=" + noFolder}, environ...)...), e
}

// noFolder could not be made: in façade mode nothing is.
const noFolder = "/dev/null/data"

func as(token string) string { return "Authorization: Bearer " + token }

var (
	admin = as(pactflowtest.AdminToken)
	okta  = as(pactflowtest.SCIMToken)
)

// TestSample: the answer that the image which is replaced documents, byte for
// byte, with one call.
func TestSample(t *testing.T) {
	t.Parallel()
	r, e := stand(t, pactflowtest.Options{})
	want, err := os.ReadFile("testdata/sample.json")
	if err != nil {
		t.Fatal(err)
	}
	a := r.do("GET", "/scim/Users", "", admin, "Host: localhost:8100")
	if a.status != 200 || a.body != strings.TrimSpace(string(want)) || len(a.body) != 1528 {
		t.Errorf("%d, %d bytes:\n%s\nwant\n%s", a.status, len(a.body), a.body, want)
	}
	if calls := len(e.Log()); calls != 1 {
		t.Errorf("%d calls", calls)
	}
	if _, err := os.Stat("data"); err == nil {
		t.Error("a data folder was made")
	}
}

// TestMounts: SCIM is under the context path and at the root, each with /v2
// after it, and links lead where the request came from.
func TestMounts(t *testing.T) {
	t.Parallel()
	const id = "/Users/aaa3e1a2-3648-4453-b3a6-2195b6822e2d"
	for _, tt := range []struct {
		environ, path, host, want string
		headers                   []string
	}{
		{path: "/scim" + id, want: "http://h.example/scim" + id},
		{path: id, want: "http://h.example" + id},
		{path: "/scim/v2" + id, want: "http://h.example/scim/v2" + id},
		{path: "/v2" + id, want: "http://h.example/v2" + id},
		{path: "//scim//Users//aaa3e1a2-3648-4453-b3a6-2195b6822e2d/", want: "http://h.example/scim" + id},
		{path: "/Users//aaa3e1a2-3648-4453-b3a6-2195b6822e2d", want: "http://h.example" + id},
		{environ: "SERVER_SERVLET_CONTEXT_PATH=/idm/people", path: "/idm/people" + id, want: "http://h.example/idm/people" + id},
		{environ: "SERVER_SERVLET_CONTEXT_PATH=/idm/people", path: id, want: "http://h.example" + id},
		{environ: "SERVER_SERVLET_CONTEXT_PATH=/", path: id, want: "http://h.example" + id},
		{environ: "ROLLCALL_BASE_URL=https://id.example", path: "/scim" + id, want: "https://id.example/scim" + id},
		{environ: "ROLLCALL_BASE_URL=https://id.example", path: id, want: "https://id.example" + id},
		{environ: "ROLLCALL_BASE_URL=https://id.example", path: "/scim/v2" + id, want: "https://id.example/scim/v2" + id},
		{environ: "ROLLCALL_BASE_URL=https://id.example/scim", path: id, want: "https://id.example/scim" + id},
		{path: "/scim" + id, headers: []string{"X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"}, want: "http://h.example/scim" + id},
		{environ: "ROLLCALL_TRUSTED_PROXIES=127.0.0.1", path: "/scim" + id,
			headers: []string{"X-Forwarded-Host: id.example", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /gw"}, want: "https://id.example/gw/scim" + id},
	} {
		environ := []string{}
		if tt.environ != "" {
			environ = append(environ, tt.environ)
		}
		r, _ := stand(t, pactflowtest.Options{}, environ...)
		a := r.raw("GET", tt.path, append(tt.headers, admin, "Host: h.example")...)
		if a.status != 200 || a.header.Get("Content-Location") != "" && a.header.Get("Content-Location") != tt.want || !strings.Contains(a.body, `"location":"`+tt.want+`"`) ||
			!strings.Contains(a.body, `"$ref":"Groups/`) {
			t.Errorf("%s GET %s: %d %s, want the location %s", tt.environ, tt.path, a.status, a.body, tt.want)
		}
	}
}

// TestFacadeWithoutToken: what says something about the service is open, and
// everything else is refused before PactFlow is asked.
func TestFacadeWithoutToken(t *testing.T) {
	t.Parallel()
	r, e := stand(t, pactflowtest.Options{})
	for _, mount := range []string{"/scim", "", "/scim/v2", "/v2"} {
		for _, path := range []string{"/ServiceProviderConfig", "/Schemas", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", "/ResourceTypes", "/ResourceTypes/User"} {
			if a := r.do("GET", mount+path, "", "Authorization:"); a.status != 200 {
				t.Errorf("GET %s%s without a token: %d %s", mount, path, a.status, a.body)
			}
			if a := r.do("POST", mount+path, "{}", "Authorization:"); a.status != 401 {
				t.Errorf("POST %s%s without a token: %d", mount, path, a.status)
			}
		}
		for _, path := range []string{"/Users", "/Users/x", "/Groups", "/Me", "/Bulk", "/.search", "/Schemas/a/b", "/Nope", "/"} {
			for _, header := range []string{"Authorization:", "Authorization: Basic dTpw", "Authorization: Bearer", "Authorization: Bearer a b"} {
				a := r.do("GET", mount+path, "", header)
				if a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer realm=") {
					t.Errorf("GET %s%s with %q: %d %q", mount, path, header, a.status, a.header.Get("WWW-Authenticate"))
				}
				scimError(t, mount+path, a)
			}
		}
	}
	if calls := e.Log(); len(calls) > 0 {
		t.Errorf("PactFlow was asked: %v", calls)
	}
	a := r.do("GET", "/scim/Users", "", as(pactflowtest.ExpiredToken))
	if a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("a token that PactFlow refuses: %d %q", a.status, a.header.Get("WWW-Authenticate"))
	}
	scimError(t, "a token that PactFlow refuses", a)
	if a := r.do("GET", "/", "", "Authorization:", "Accept: text/html"); a.status != 200 || !strings.Contains(a.body, "in front of a PactFlow") {
		t.Errorf("the page: %d %s", a.status, a.body)
	}
	if a := r.do("GET", "/api/protocols", "", "Authorization:"); a.status != 401 {
		t.Errorf("/api/protocols: %d", a.status)
	}
}

// TestFacadeConfig: discovery says what a façade can't do.
func TestFacadeConfig(t *testing.T) {
	t.Parallel()
	r, _ := stand(t, pactflowtest.Options{})
	var c struct {
		Patch, Bulk, Filter, ETag, Sort struct {
			Supported                                 bool
			MaxOperations, MaxPayloadSize, MaxResults int
		}
		AuthenticationSchemes []struct{ Type, Name string }
	}
	a := r.do("GET", "/scim/ServiceProviderConfig", "", "Authorization:")
	if err := json.Unmarshal([]byte(a.body), &c); err != nil || !c.Patch.Supported || c.Bulk.Supported || c.Bulk.MaxOperations != 0 || c.ETag.Supported ||
		!c.Sort.Supported || !c.Filter.Supported || c.Filter.MaxResults != 1000 || len(c.AuthenticationSchemes) != 1 ||
		c.AuthenticationSchemes[0].Type != "oauthbearertoken" || c.AuthenticationSchemes[0].Name != "PactFlow API token" {
		t.Errorf("%s, %v", a.body, err)
	}
	if a := r.do("POST", "/scim/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[]}`, admin); a.status != 501 {
		t.Errorf("POST /Bulk: %d", a.status)
	}
}

// TestFacadeHealth: the process lives without PactFlow, and is ready with it.
func TestFacadeHealth(t *testing.T) {
	t.Parallel()
	ready := []string{"/health/ready", "/actuator/health", "/scim/actuator/health", "/actuator/health/readiness"}
	alive := []string{"/health", "/health/live", "/actuator/health/liveness"}
	for name, tt := range map[string]struct {
		o       pactflowtest.Options
		gone    bool
		status  int
		content string
	}{
		"up":         {status: 200, content: `{"status":"UP","pactflow":"UP"}`},
		"down":       {gone: true, status: 503, content: `{"status":"DOWN","pactflow":"DOWN"`},
		"other base": {o: pactflowtest.Options{BaseURL: "https://other.example"}, status: 200, content: `"warnings":["PactFlow returned links for https://other.example`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var environ []string
			if tt.gone {
				environ = append(environ, "PACTFLOW_URL=http://"+freeAddress(t))
			}
			r, _ := stand(t, tt.o, environ...)
			for _, path := range alive {
				if a := r.do("GET", path, "", "Authorization:"); a.status != 200 || strings.TrimSpace(a.body) != `{"status":"UP"}` {
					t.Errorf("%s: %d %s", path, a.status, a.body)
				}
			}
			for _, path := range ready {
				a := r.do("GET", path, "", "Authorization:")
				if a.status != tt.status || !strings.Contains(a.body, tt.content) || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
					t.Errorf("%s: %d %s, want %d %s", path, a.status, a.body, tt.status, tt.content)
				}
				if strings.Contains(a.body, "127.0.0.1") && tt.gone {
					t.Errorf("%s tells an address: %s", path, a.body)
				}
			}
		})
	}
}

// TestFacadeLog: the line of a request has no personal data and no token, but
// how many calls it took and by whom.
func TestFacadeLog(t *testing.T) {
	t.Parallel()
	r, _ := stand(t, pactflowtest.Options{}, "ROLLCALL_LOG_LEVEL=INFO")
	r.do("GET", "/scim/Users?filter=emails+eq+%22user1@example.com%22", "", admin, "X-Request-Id: mine")
	var line map[string]any
	waitFor(t, "the line", func() bool {
		for l := range strings.Lines(r.log.String()) {
			if strings.Contains(l, `"id":"mine"`) {
				return json.Unmarshal([]byte(l), &line) == nil
			}
		}
		return false
	})
	if line["calls"] != 1.0 || line["actor"] != "token-028bfd6d" || line["path"] != "/scim/Users" || line["status"] != 200.0 || line["method"] != "GET" {
		t.Errorf("%v", line)
	}
	a := r.do("GET", "/scim/Users", "", as("wrong-token"), "X-Request-Id: refused")
	refused := ""
	waitFor(t, "the line of what PactFlow refuses", func() bool {
		for l := range strings.Lines(r.log.String()) {
			if strings.Contains(l, `"id":"refused"`) {
				refused = l
			}
		}
		return refused != ""
	})
	if !strings.Contains(refused, `"upstreamStatus":401,"upstreamId":"0000`) || !strings.Contains(a.body, "request id 0000") {
		t.Errorf("a refusal can't be found in PactFlow's log: %s\n%s", refused, a.body)
	}
	for _, secret := range []string{"user1@example.com", pactflowtest.AdminToken, "wrong-token"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log has %s:\n%s", secret, r.log.String())
		}
	}
}

// TestWireLog: at its own level the calls are logged, with everything but
// secrets, and it is said so.
func TestWireLog(t *testing.T) {
	t.Parallel()
	const wire = "LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_WIRE="
	for name, tt := range map[string]struct {
		environ      []string
		wire, others bool
	}{
		"root":      {[]string{"ROLLCALL_LOG_LEVEL=", "LOGGING_LEVEL_ROOT=DEBUG"}, true, true},
		"seed":      {[]string{"ROLLCALL_LOG_LEVEL=", "LOGGING_LEVEL_ROOT=DEBUG", wire + "INFO"}, false, true},
		"wire only": {[]string{"ROLLCALL_LOG_LEVEL=INFO", wire + "DEBUG"}, true, false},
		"neither":   {[]string{"ROLLCALL_LOG_LEVEL=INFO"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := stand(t, pactflowtest.Options{}, tt.environ...)
			if a := r.do("GET", "/scim/Users", "", admin); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			r.do("GET", "/health", "", "X-Request-Id: other")
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			log := r.log.String()
			if strings.Contains(log, pactflowtest.AdminToken) {
				t.Errorf("the log has the token:\n%s", log)
			}
			if got := strings.Contains(log, "user1@example.com") && strings.Contains(log, "sha256:028bfd6d"); got != tt.wire {
				t.Errorf("calls are logged: %t\n%s", got, log)
			}
			if got := strings.Contains(log, "the calls to PactFlow are logged"); got != tt.wire {
				t.Errorf("it is said that calls are logged: %t", got)
			}
			if got := strings.Contains(log, `"path":"/health"`); got != tt.others { // which are at DEBUG
				t.Errorf("other lines of that level: %t\n%s", got, log)
			}
		})
	}
}

// TestStopFinishesWrites: who is told to stop answers the write that is under
// way, whose two calls have begun.
func TestStopFinishesWrites(t *testing.T) {
	t.Parallel()
	r, e := stand(t, pactflowtest.Options{})
	if err := e.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: http.MethodPost, Path: "/admin/teams"}, Times: 1,
		Fault: pactflowtest.Fault{Latency: &pactflowtest.Latency{Ms: 300}}}); err != nil {
		t.Fatal(err)
	}
	done := make(chan answer, 1)
	go func() {
		done <- r.do("POST", "/scim/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Late",
			"members":[{"value":"aaa3e1a2-3648-4453-b3a6-2195b6822e2d"}]}`, admin)
	}()
	waitFor(t, "the call", func() bool {
		for _, c := range e.Log() {
			if c.Method == http.MethodPost && c.Path == "/admin/teams" {
				return true
			}
		}
		return false
	})
	began := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if a := <-done; a.status != 201 || !strings.Contains(a.body, "aaa3e1a2") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if s := e.State(); len(s.Teams) != 2 || len(s.Teams[1].Members) != 1 {
		t.Errorf("PactFlow has %+v", s.Teams)
	}
}

// TestOneSettingOfEach: the settings that change what PactFlow is told reach it.
func TestOneSettingOfEach(t *testing.T) {
	t.Parallel()
	const user1 = "/scim/Users/aaa3e1a2-3648-4453-b3a6-2195b6822e2d"
	r, _ := stand(t, pactflowtest.Options{}, "PACTFLOW_USER_DELETE=delete", "SCIM_USERNAME_FALLBACK=email")
	if a := r.do("GET", user1, "", okta); !strings.Contains(a.body, `"userName":"user1@example.com"`) {
		t.Errorf("the fallback of userName: %s", a.body)
	}
	if a := r.do("DELETE", user1, "", okta); a.status != 204 {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	if a := r.do("GET", user1, "", okta); a.status != 404 {
		t.Errorf("after a delete: %d %s", a.status, a.body)
	}
	r, _ = stand(t, pactflowtest.Options{})
	if a := r.do("DELETE", user1, "", okta); a.status != 204 {
		t.Errorf("deactivate: %d %s", a.status, a.body)
	}
	if a := r.do("GET", user1, "", okta); a.status != 200 || !strings.Contains(a.body, `"active":false`) {
		t.Errorf("after a delete that deactivates: %d %s", a.status, a.body)
	}
}

// serveHTTP serves a handler and returns its address.
func serveHTTP(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// TestFacadeSubcommands: what asks the server works, and what asks for a data
// folder says that there is none.
func TestFacadeSubcommands(t *testing.T) {
	t.Parallel()
	r, _ := stand(t, pactflowtest.Options{})
	_, port, _ := net.SplitHostPort(r.srv.Addr().String())
	for command, want := range map[string]struct {
		code int
		text string
	}{
		"healthcheck":       {0, ""},
		"status":            {1, "in façade mode there is no data folder"},
		"users deleted":     {1, "in façade mode there is no data folder"},
		"serve --nonsense":  {2, "nonsense"},
		"pactflow":          {2, "doctor"},
		"serve --data=/tmp": {1, "address already in use"},
	} {
		var out logBuffer
		code := server.Main(t.Context(), strings.Fields(command), []string{"PACTFLOW_URL=http://127.0.0.1:1", "SERVER_PORT=" + port}, &out, &out)
		if code != want.code || !strings.Contains(out.String(), want.text) {
			t.Errorf("%s: exit %d, %s, want %d, %s", command, code, out.String(), want.code, want.text)
		}
	}
}
