package pactflow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// rig is a façade in front of an emulator.
type rig struct {
	testing.TB
	emu     *pactflowtest.Emulator
	up      *httptest.Server // the emulator
	front   *httptest.Server // the façade, under /scim
	backend *pactflow.Backend
	log     *buffer
	token   string
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newRig starts both. The façade calls with scim-token unless told otherwise.
func newRig(tb testing.TB, eo pactflowtest.Options, o pactflow.Options) *rig {
	tb.Helper()
	emu, err := pactflowtest.New(eo)
	if err != nil {
		tb.Fatal(err)
	}
	r := &rig{TB: tb, emu: emu, up: httptest.NewServer(emu), log: new(buffer), token: pactflowtest.SCIMToken}
	tb.Cleanup(func() {
		emu.Close()
		r.up.CloseClientConnections()
		r.up.Close()
	})
	if o.URL == nil {
		if o.URL, err = pactflow.ParseURL(r.up.URL); err != nil {
			tb.Fatal(err)
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r.backend = pactflow.New(o)
	e, err := engine.New(r.backend, engine.Config{Types: pactflow.Types(), Limits: engine.Limits{Deadline: 55 * time.Second}})
	if err != nil {
		tb.Fatal(err)
	}
	h := http.StripPrefix("/scim", scimhttp.NewHandler(e, scimhttp.Options{Logger: o.Logger}))
	r.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		h.ServeHTTP(w, req.WithContext(facade.WithCaller(req.Context(), token)))
	}))
	tb.Cleanup(r.front.Close)
	return r
}

// as returns the rig with another token.
func (r *rig) as(token string) *rig {
	other := *r
	other.token = token
	return &other
}

// answer is what the façade said.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (a answer) id() string {
	s, _ := a.json["id"].(string)
	return s
}

func (a answer) detail() string {
	s, _ := a.json["detail"].(string)
	return s
}

// do sends a request, such as "GET /Users/1".
func (r *rig) do(line, body string) answer {
	r.Helper()
	method, path, _ := strings.Cut(line, " ")
	req, err := http.NewRequest(method, r.front.URL+"/scim"+strings.ReplaceAll(path, " ", "+"), strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	req.Host = "localhost:8100"
	req.Header.Set("Authorization", "Bearer "+r.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(b)}
	_ = json.Unmarshal(b, &a.json)
	return a
}

// want is do for an answer of a known status.
func (r *rig) want(status int, line, body string) answer {
	r.Helper()
	a := r.do(line, body)
	if a.status != status {
		r.Fatalf("%s %s\nanswered %d %s\nwant %d\ncalls %v", line, body, a.status, a.text, status, r.calls())
	}
	return a
}

// refused is do for an error.
func (r *rig) refused(status int, scimType, line, body string) answer {
	r.Helper()
	a := r.want(status, line, body)
	if got, _ := a.json["scimType"].(string); got != scimType {
		r.Errorf("%s: scimType is %q, want %q: %s", line, got, scimType, a.text)
	}
	return a
}

// calls returns the calls that the emulator has had since the last time, such
// as "GET /admin/users?page=1&size=100", ids cut to what tells them apart.
func (r *rig) calls() []string {
	var list []string
	for _, e := range r.emu.Log() {
		s := e.Method + " " + e.Path
		if e.Query != "" {
			s += "?" + e.Query
		}
		list = append(list, s)
	}
	r.emu.ClearLog()
	return list
}

// called checks which calls were made; "*" stands for one path segment.
func (r *rig) called(want ...string) {
	r.Helper()
	got := r.calls()
	same := len(got) == len(want)
	for i := range want {
		same = same && matches(want[i], got[i])
	}
	if !same {
		r.Errorf("calls:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func matches(pattern, s string) bool {
	p, t := strings.Split(pattern, "/"), strings.Split(s, "/")
	if len(p) != len(t) {
		return false
	}
	for i := range p {
		if p[i] != "*" && p[i] != t[i] {
			return false
		}
	}
	return true
}

// The calls that most tests see.
const (
	listUsers = "GET /admin/users?page=1&size=100"
	listTeams = "GET /admin/teams?page=1&size=100"
	getUser   = "GET /admin/users/*"
	putUser   = "PUT /admin/users/*"
	putRoles  = "PUT /admin/users/*/roles"
	getTeam   = "GET /admin/teams/*"
	putTeam   = "PUT /admin/teams/*"
	putUsers  = "PUT /admin/teams/*/users"
	patchTeam = "PATCH /admin/teams/*/users"
	postUser  = "POST /admin/users"
	postTeam  = "POST /admin/teams"
)

// person is the body of a user.
func person(name string, more ...string) string {
	return fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"displayName":%q,"emails":[{"value":%q,"primary":true}]%s}`,
		name, "Name of "+name, strings.ToLower(name)+"@example.com", strings.Join(append([]string{""}, more...), ","))
}

func patchOf(ops ...string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + strings.Join(ops, ",") + `]}`
}
