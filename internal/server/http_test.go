package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/server"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, path := range []string{"/health", "/health/ready", "/health/live"} {
		a := r.do("GET", path, "", "Authorization:")
		var h struct {
			Status string
			Parts  map[string]string
		}
		if err := json.Unmarshal([]byte(a.body), &h); err != nil || a.status != 200 || h.Status != "healthy" || h.Parts["process"] != "healthy" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if path != "/health/live" && h.Parts["database"] != "healthy" {
			t.Errorf("%s says nothing of the database: %s", path, a.body)
		}
	}
	for _, method := range []string{"POST", "DELETE"} {
		a := r.do(method, "/health", "", "Authorization:")
		if a.status != 405 || a.header.Get("Allow") == "" {
			t.Errorf("%s /health: %d, Allow %q", method, a.status, a.header.Get("Allow"))
		}
		scimError(t, method+" /health", a)
	}
}

// TestHealthcheck runs the subcommand against a server and against none.
func TestHealthcheck(t *testing.T) {
	t.Parallel()
	r := start(t)
	run := func(listen string) int {
		var out logBuffer
		return server.Main(context.Background(), []string{"healthcheck"}, []string{"ROLLCALL_LISTEN=" + listen}, &out, &out)
	}
	address := r.srv.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	if run(address) != 0 || run(":"+port) != 0 || run("0.0.0.0:"+port) != 0 {
		t.Error("healthcheck of a server that is well fails")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if run(address) != 1 {
		t.Error("healthcheck without a server succeeds")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "rc") // short: a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := start(t, "ROLLCALL_DATA_DIR="+dir)
	status := func() (int, string) {
		var out logBuffer
		code := server.Main(context.Background(), []string{"status"}, []string{"ROLLCALL_DATA_DIR=" + dir}, &out, &out)
		return code, out.String()
	}
	waitFor(t, "the control socket", func() bool { _, err := os.Stat(dir + "/control.sock"); return err == nil })
	code, text := status()
	if code != 0 || !strings.Contains(text, r.srv.Base()) || !strings.Contains(text, r.srv.Addr().String()) || strings.Contains(text, testToken) {
		t.Errorf("status: exit %d, %s", code, text)
	}
	if info, err := os.Stat(dir + "/control.sock"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the control socket: %v, %v, want mode 0600", info, err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if code, text := status(); code != 1 || !strings.Contains(text, "no rollcall serves") {
		t.Errorf("status without a server: exit %d, %s", code, text)
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	r := start(t, "ROLLCALL_BASE_URL=https://id.example")
	a := r.do("GET", "/", "", "Authorization:")
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "https://id.example/scim/v2") {
		t.Errorf("GET /: %d %s\n%s", a.status, a.header.Get("Content-Type"), a.body)
	}
	csp := a.header.Get("Content-Security-Policy")
	if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	if strings.Contains(a.body, "<script") || strings.Contains(a.body, " style=") {
		t.Error("the page has what its policy forbids")
	}
	a = r.do("GET", "/api/protocols", "", "Authorization:")
	var list struct{ Protocols []struct{ ID string } }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list.Protocols) != 1 || list.Protocols[0].ID != "scim" {
		t.Errorf("GET /api/protocols: %d %s", a.status, a.body)
	}
}

// TestVersions covers HTTP-018, HTTP-019, HTTP-020 and the mount at the root.
func TestVersions(t *testing.T) {
	t.Parallel()
	r := start(t)
	id := r.create("ada")
	for path, want := range map[string]int{
		"/scim/v2/Users/" + id: 200, "/scim/Users/" + id: 200, "/scim/V2/Users/" + id: 200, "/scim/v2//Users//" + id + "/": 200,
		"/scim/v9/Users": 400, "/scim/v1/Users": 400, "/scim/v22/Users": 400, "/scim/vx/Users": 404, "/scimx/v2/Users": 404, "/v2/Users": 404,
	} {
		a := r.do("GET", path, "")
		if a.status != want || a.header.Get("X-Request-Id") == "" {
			t.Errorf("GET %s: %d, want %d", path, a.status, want)
		}
		if want == 400 && !strings.Contains(a.body, `"scimType":"invalidVers"`) {
			t.Errorf("GET %s: %s, want invalidVers", path, a.body)
		}
		if want == 200 && a.header.Get("Location") != r.srv.Base()+"/Users/"+id {
			t.Errorf("GET %s: Location %q", path, a.header.Get("Location"))
		}
		if want != 200 {
			scimError(t, path, a)
		}
	}
	root := start(t, "ROLLCALL_CONTEXT_PATH=/")
	for _, path := range []string{"/v2/Users", "/Users"} {
		if a := root.do("GET", path, ""); a.status != 200 {
			t.Errorf("mounted at the root, GET %s: %d", path, a.status)
		}
	}
	if a := root.do("GET", "/", "", "Accept: text/html", "Authorization:"); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("mounted at the root, a browser gets %d %s", a.status, a.header.Get("Content-Type"))
	}
}

// TestAccessLog covers HTTP-032, SEC-015 and SEC-021.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.do("GET", `/scim/v2/Users?filter=userName+eq+"someone-private"`, "", "X-Request-Id: mine-1", "User-Agent: Okta SCIM Client 1.0")
	r.do("GET", `/scim/v2/Users?filter=userName+eq+`, "", "X-Request-Id: mine-2")
	r.do("GET", "/scim/v2/Users/%E2%80%AE%1B%5B31m", "", "X-Request-Id: bad id")
	r.do("GET", "/health", "", "X-Request-Id: mine-3")
	lines := map[string]map[string]any{}
	waitFor(t, "the log", func() bool {
		for line := range strings.Lines(r.log.String()) {
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == "request" {
				lines[m["id"].(string)] = m
			}
		}
		return len(lines) == 4
	})
	first := lines["mine-1"]
	if first["method"] != "GET" || first["path"] != "/scim/v2/Users" || first["status"] != 200.0 || first["client"] != "okta" ||
		first["op"] != "list" || first["level"] != "INFO" || first["bytes"].(float64) == 0 || first["actor"] == "" {
		t.Errorf("the line of a request: %v", first)
	}
	if _, ok := first["ms"].(float64); !ok {
		t.Errorf("the line has no duration: %v", first)
	}
	if lines["mine-2"]["status"] != 400.0 || lines["mine-2"]["scimType"] != "invalidFilter" {
		t.Errorf("the line of a bad filter: %v", lines["mine-2"])
	}
	if lines["mine-3"]["level"] != "DEBUG" {
		t.Errorf("the line of a health check: %v", lines["mine-3"])
	}
	if text := r.log.String(); strings.Contains(text, "someone-private") || strings.Contains(text, "bad id") || strings.ContainsAny(text, "\x1b\x7f\u202e") {
		t.Errorf("the log has a filter value, a foreign id or a control character:\n%s", text)
	}
}

// TestBentRequest sees that the log of an administrator who asks for details
// says by which rules a request was bent, and nothing of what was in it.
func TestBentRequest(t *testing.T) {
	t.Parallel()
	for level, logged := range map[string]bool{"DEBUG": true, "INFO": false} {
		r := start(t, "ROLLCALL_LOG_LEVEL="+level)
		id := r.create("ada")
		a := r.do("PATCH", "/scim/v2/Users/"+id, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
			{"op":"Replace","path":"active","value":"False"},
			{"op":"Add","path":"emails[type eq \"secret-type\"].value","value":"secret@example.com"},
			{"op":"Add","path":"secretAttribute","value":"secret value"}]}`, "X-Request-Id: bent")
		if a.status != 200 || !strings.Contains(a.body, "secret@example.com") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		line := ""
		waitFor(t, "the log", func() bool {
			for l := range strings.Lines(r.log.String()) {
				if strings.Contains(l, `"id":"bent"`) {
					line = l
				}
			}
			return line != ""
		})
		want := `"rules":"PATCH-09 PATCH-16 PATCH-06 BODY-09"`
		if got := strings.Contains(line, want); got != logged {
			t.Errorf("at %s: rules named: %v, want %v\n%s", level, got, logged, line)
		}
		if !logged && strings.Contains(line, "rules") || strings.Contains(strings.ToLower(r.log.String()), "secret") {
			t.Errorf("at %s the log has rules, or values of the request:\n%s", level, r.log.String())
		}
	}
}

// TestLogFormats runs the program far enough to see its log.
func TestLogFormats(t *testing.T) {
	t.Parallel()
	run := func(environ ...string) string {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var out, errs logBuffer
		dir := filepath.Join(t.TempDir(), "d")
		environ = append(environ, "ROLLCALL_DATA_DIR="+dir, "ROLLCALL_LISTEN=127.0.0.1:0", "ROLLCALL_NONSENSE=1",
			"ROLLCALL_TOKEN_FILE="+filepath.Join(dir, "token"))
		code := make(chan int, 1)
		go func() { code <- server.Main(ctx, nil, environ, &out, &errs) }()
		waitFor(t, "the greeting", func() bool { return strings.Contains(out.String(), "curl") })
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("exit %d: %s", c, errs.String())
		}
		return errs.String()
	}
	if text := run(); !strings.HasPrefix(text, `{"time":`) || !strings.Contains(text, "ROLLCALL_NONSENSE is not a variable") {
		t.Errorf("the default, not on a terminal: %s", text)
	}
	if text := run("ROLLCALL_LOG_FORMAT=text"); !strings.HasPrefix(text, "time=") || !strings.Contains(text, "msg=serving") {
		t.Errorf("text: %s", text)
	}
	if text := run("ROLLCALL_LOG_LEVEL=OFF"); text != "" {
		t.Errorf("OFF: %s", text)
	}
	if text := run("LOGGING_LEVEL_ROOT=warn"); strings.Contains(text, `"INFO"`) || !strings.Contains(text, `"WARN"`) || strings.Contains(text, "rollcall_") {
		t.Errorf("warn: %s", text)
	}
}

// SEC-001, as decision 16 has it: plain HTTP is served, and warned of where
// others can read along.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	for listen, warned := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		ctx, cancel := context.WithCancel(context.Background())
		var out, errs logBuffer
		dir := filepath.Join(t.TempDir(), "d")
		environ := []string{"ROLLCALL_DATA_DIR=" + dir, "ROLLCALL_LISTEN=" + listen, "ROLLCALL_TOKEN_FILE=" + filepath.Join(dir, "token")}
		code := make(chan int, 1)
		go func() { code <- server.Main(ctx, nil, environ, &out, &errs) }()
		waitFor(t, "the greeting", func() bool { return strings.Contains(out.String(), "curl") })
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("exit %d: %s", c, errs.String())
		}
		if got := strings.Contains(errs.String(), "plain HTTP"); got != warned {
			t.Errorf("on %s a warning: %v, want %v\n%s", listen, got, warned, errs.String())
		}
	}
}

// makeCertificate writes a certificate for localhost with the serial number.
func makeCertificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestTLS covers the compatibility rule HTTP-12.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := makeCertificate(t, dir, 1)
	r := start(t, "ROLLCALL_TLS_CERT="+cert, "ROLLCALL_TLS_KEY="+key)
	if !strings.HasPrefix(r.srv.Base(), "https://localhost:") {
		t.Errorf("base with TLS: %s", r.srv.Base())
	}
	serial := func() int64 {
		c, err := tls.Dial("tcp", r.srv.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("the certificate has the serial number %d", got)
	}
	if _, err := tls.Dial("tcp", r.srv.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // a test
		t.Error("TLS 1.1 is spoken")
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c, err := tls.Dial("tcp", r.srv.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}) //nolint:gosec // a test
		if err != nil {
			t.Fatalf("%s: %v", tls.VersionName(version), err)
		}
		_ = c.Close()
	}
	for _, protocol := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: protocol, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // a test
		resp, err := client.Get(r.url + "/health") //nolint:noctx // short
		if err != nil || resp.StatusCode != 200 || (resp.ProtoMajor == 2) != protocol {
			t.Fatalf("GET /health over TLS: %v, %v", resp, err)
		}
		_ = resp.Body.Close()
	}
	var out logBuffer
	if code := server.Main(context.Background(), []string{"healthcheck", "--listen", r.srv.Addr().String(), "--tls-cert", cert, "--tls-key", key}, nil, &out, &out); code != 0 {
		t.Errorf("healthcheck over TLS: %d %s", code, out.String())
	}
	makeCertificate(t, dir, 2)
	waitFor(t, "the new certificate", func() bool { return serial() == 2 })
	if err := os.WriteFile(cert, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the complaint", func() bool { serial(); return strings.Contains(r.log.String(), "the old one stays") })
	if got := serial(); got != 2 {
		t.Errorf("after a broken file the serial number is %d, want the old certificate", got)
	}
	if _, err := tryStart(t, "ROLLCALL_TLS_CERT="+cert, "ROLLCALL_TLS_KEY="+key); err == nil || !strings.Contains(err.Error(), "cert.pem") {
		t.Errorf("start with a broken certificate: %v", err)
	}
}

// TestLargeHeader is of SEC-022: headers are bounded.
func TestLargeHeader(t *testing.T) {
	t.Parallel()
	r := start(t)
	a := r.raw("GET", "/scim/v2/Users", "X-Long: "+strings.Repeat("x", 200<<10))
	if a.status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 200 KiB: %d", a.status)
	}
}
