package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/server"
)

const testToken = "test-token-0123456789"

// logBuffer is a log that a test reads while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is a server on a free port, with its own data folder.
type running struct {
	t    testing.TB
	srv  *server.Server
	url  string // without a path
	data string
	log  *logBuffer
	stop func() error // stops it as SIGTERM does, and waits
}

// start runs the program's wiring with the environment given beside a free
// port, a data folder and, unless the environment says otherwise, a token.
func start(t testing.TB, environ ...string) *running {
	t.Helper()
	r, err := tryStart(t, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryStart(t testing.TB, environ ...string) (*running, error) {
	t.Helper()
	return tryStartAs(t, func(*server.Settings) {}, environ...)
}

// tryStartAs is tryStart with settings that are changed before.
func tryStartAs(t testing.TB, change func(*server.Settings), environ ...string) (*running, error) {
	t.Helper()
	env := map[string]string{"ROLLCALL_LISTEN": "127.0.0.1:0", "ROLLCALL_TOKEN": testToken, "ROLLCALL_LOG_LEVEL": "DEBUG"}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	if env["ROLLCALL_DATA_DIR"] == "" {
		env["ROLLCALL_DATA_DIR"] = filepath.Join(t.TempDir(), "data")
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	s, _, err := settings(t, list...)
	if err != nil {
		return nil, err
	}
	s.SetRefusals(1_000_000) // tests of what refuses them send a great many
	change(&s)
	r := &running{t: t, data: s.DataDir, log: &logBuffer{}}
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: s.LogLevel}))
	if r.srv, err = server.Open(context.Background(), s, log); err != nil {
		return nil, err
	}
	scheme := "http"
	if s.TLSCert != "" {
		scheme = "https"
	}
	r.url = scheme + "://" + r.srv.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.srv.Serve(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		r.srv.Close()
		return err
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return r, nil
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request with the test's token; headers are "Name: value", and
// "Name:" takes one away.
func (r *running) do(method, path, body string, headers ...string) answer {
	r.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, in)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ":")
		switch value = strings.TrimSpace(value); {
		case name == "Host":
			req.Host = value
		case value == "":
			req.Header.Del(name)
		default:
			req.Header.Set(name, value)
		}
	}
	resp, err := noRedirect.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(data)}
}

var noRedirect = &http.Client{Timeout: 30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// create makes a user and returns its id.
func (r *running) create(userName string) string {
	r.t.Helper()
	a := r.do("POST", "/scim/v2/Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q}`, userName))
	var u struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &u); a.status != 201 || err != nil || u.ID == "" {
		r.t.Fatalf("creating %s: %d %s", userName, a.status, a.body)
	}
	return u.ID
}

// scimError checks that an answer is a SCIM error message (ERR-001 to ERR-003).
func scimError(t testing.TB, what string, a answer) {
	t.Helper()
	var e struct {
		Schemas []string
		Status  string
	}
	err := json.Unmarshal([]byte(a.body), &e)
	if err != nil || len(e.Schemas) != 1 || e.Schemas[0] != "urn:ietf:params:scim:api:messages:2.0:Error" ||
		e.Status != fmt.Sprint(a.status) || !strings.HasPrefix(a.header.Get("Content-Type"), "application/scim+json") {
		t.Errorf("%s: %d %s %q is no SCIM error message", what, a.status, a.header.Get("Content-Type"), a.body)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	r := start(t)
	id := r.create("ada")
	first := r.do("GET", "/scim/v2/Users/"+id, "")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(r.data)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the data folder: %v, %v, want mode 0700", info.Mode(), err)
	}
	again := start(t, "ROLLCALL_DATA_DIR="+r.data, "ROLLCALL_BASE_URL=http://other.example")
	second := again.do("GET", "/scim/v2/Users/"+id, "")
	if second.status != 200 || second.header.Get("ETag") != first.header.Get("ETag") {
		t.Errorf("after a restart: %d %s, want what was there: %s", second.status, second.body, first.body)
	}
	if want := "http://other.example/scim/v2/Users/" + id; second.header.Get("Location") != want {
		t.Errorf("Location %q, want %q: the base is configuration, not data", second.header.Get("Location"), want)
	}
}

func TestSecondServer(t *testing.T) {
	t.Parallel()
	r := start(t)
	other, err := tryStart(t, "ROLLCALL_DATA_DIR="+r.data)
	if err == nil {
		_ = other.stop()
		t.Fatal("two servers share a data folder")
	}
	if want := fmt.Sprintf("is served by another rollcall (process %d)", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("the second start fails with %q, want %q in it", err, want)
	}
	if a := r.do("GET", "/health", ""); a.status != 200 {
		t.Errorf("the first server after the second start: %d", a.status)
	}
}

func TestUnusableFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "sub")} {
		_, err := tryStart(t, "ROLLCALL_DATA_DIR="+dir)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "data folder") {
			t.Errorf("data folder %s: %v, want one line about it", dir, err)
		}
	}
}

// TestCorruptDatabase: a damaged file is refused with one line and left alone.
func TestCorruptDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rollcall.db")
	garbage := bytes.Repeat([]byte("not a database "), 1000)
	if err := os.WriteFile(path, garbage, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := tryStart(t, "ROLLCALL_DATA_DIR="+dir)
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "rollcall.db") {
		t.Errorf("start on a damaged file: %v, want one line that names it", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, garbage) {
		t.Errorf("the damaged file was changed (%v)", err)
	}
}

// TestGracefulStop: a request under way is finished, the port is free after.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	r := start(t)
	in, feed := io.Pipe()
	reading := make(chan struct{}) // closed when the server asks for the body
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
	req, err := http.NewRequestWithContext(ctx, "POST", r.url+"/scim/v2/Users", in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "application/scim+json")
	req.Header.Set("Expect", "100-continue")
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 20 * time.Second, DisableKeepAlives: true}}
	type result struct {
		status int
		err    error
	}
	got := make(chan result, 1)
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			got <- result{0, err}
			return
		}
		_ = resp.Body.Close()
		got <- result{resp.StatusCode, nil}
	}()
	<-reading
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	waitFor(t, "stopping", func() bool { return strings.Contains(r.log.String(), "finishing what is under way") })
	if _, err := io.WriteString(feed, `{"userName":"late"}`); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	if res := <-got; res.err != nil || res.status != 201 {
		t.Errorf("the request under way: %d, %v, want 201", res.status, res.err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(r.url + "/health"); err == nil { //nolint:noctx // it must fail at once
		t.Error("the stopped server answers")
	}
	again := start(t, "ROLLCALL_DATA_DIR="+r.data)
	if a := again.do("GET", `/scim/v2/Users?filter=userName+eq+"late"`, ""); !strings.Contains(a.body, `"totalResults":1`) {
		t.Errorf("what was finished while stopping is not there: %s", a.body)
	}
}

// waitFor polls until f is true.
func waitFor(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("%s: not within 20 s", what)
}

func TestSchemasFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := start(t, "ROLLCALL_SCHEMAS="+dir)
	before := r.do("GET", "/scim/v2/ResourceTypes", "")
	write("gadget.json", `[
	  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:2.0:Gadget","name":"Gadget","description":"A gadget",
	   "attributes":[{"name":"label","type":"string","multiValued":false,"required":true}]},
	  {"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"id":"Gadget","name":"Gadget","endpoint":"/Gadgets",
	   "description":"Gadgets","schema":"urn:example:2.0:Gadget"}]`)
	if err := r.srv.LoadSchemas(); err != nil { // what SIGHUP does
		t.Fatal(err)
	}
	after := r.do("GET", "/scim/v2/ResourceTypes", "")
	if !strings.Contains(after.body, "/Gadgets") || before.body == after.body {
		t.Errorf("after the reload: %s", after.body)
	}
	if a := r.do("POST", "/scim/v2/Gadgets", `{"schemas":["urn:example:2.0:Gadget"],"label":"x"}`); a.status != 201 {
		t.Errorf("POST /Gadgets: %d %s", a.status, a.body)
	}
	write("bad.json", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:2.0:Bad","name":"Bad","attributes":[{"name":"x","type":"blob"}]}`)
	if err := r.srv.LoadSchemas(); err == nil || !strings.Contains(err.Error(), "bad.json") || !strings.Contains(err.Error(), "x") {
		t.Errorf("reload of a bad file: %v, want an error that names file and attribute", err)
	}
	if a := r.do("GET", "/scim/v2/Gadgets", ""); a.status != 200 {
		t.Errorf("after a failed reload GET /Gadgets: %d, want what was served before", a.status)
	}
	_, err := tryStart(t, "ROLLCALL_SCHEMAS="+dir)
	if err == nil || !strings.Contains(err.Error(), "bad.json") {
		t.Errorf("start with a bad schema: %v, want an error that names the file", err)
	}
	if _, err := tryStart(t, "ROLLCALL_SCHEMAS="+dir+"/nowhere"); err == nil || !strings.Contains(err.Error(), "ROLLCALL_SCHEMAS") {
		t.Errorf("start without the folder: %v, want an error that names the variable", err)
	}
}
