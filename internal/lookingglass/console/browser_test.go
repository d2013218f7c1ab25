package console_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

const (
	adminToken  = "admin-token-0123456789"
	viewerToken = "viewer-token-0123456789"
)

// site is a console and SCIM endpoints over a recorder, an engine and SQLite,
// wired as the program does it.
type site struct {
	t        testing.TB
	URL      string
	Recorder *lookingglass.Recorder
	Engine   *engine.Engine
	Store    *sqlite.Store
	Console  *console.Console
}

// newSite starts one; change may change what the console is made with.
func newSite(t testing.TB, change ...func(*console.Options)) *site {
	t.Helper()
	s := &site{t: t}
	dir := t.TempDir()
	types := schema.Core()
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "rollcall.db"), sqlite.Options{
		Load: schema.Load, Encode: schema.Encode, HistoryDays: 400, UndeleteDays: 30, UnsafeSynchronousForTests: "OFF",
		Type: func(_, name string) *scim.ResourceType {
			for _, rt := range types {
				if rt.Name == name {
					return rt
				}
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.Store = db.Tenant("default")
	profile, err := compat.Parse("auto")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := db.CursorKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Engine, err = engine.New(s.Store, engine.Config{Types: types, Profile: profile, Tenant: "default",
		CursorKeys: func() [][]byte { return keys }})
	if err != nil {
		t.Fatal(err)
	}
	types = s.Engine.Types()
	s.Recorder, err = lookingglass.New(lookingglass.Options{Tenant: "default", Types: s.Engine.Types, Journal: filepath.Join(dir, "looking-glass.db")})
	if err != nil {
		t.Fatal(err)
	}
	o := console.Options{
		Recorder: s.Recorder,
		Engine:   func() *engine.Engine { return s.Engine },
		Base:     func(*http.Request) string { return s.URL + "/scim/v2" },
		Changes:  s.Store,
		Deleted:  s.Store,
		Viewer:   func(token string) bool { return token == viewerToken },
		Admin:    func(token string) bool { return token == adminToken },
		Version:  "test",
	}
	for _, f := range change {
		f(&o)
	}
	s.Console = console.New(o)
	endpoints := http.StripPrefix("/scim/v2", scimhttp.NewHandler(s.Engine, scimhttp.Options{Observe: s.Recorder.Observe, Bodies: lookingglass.Bodies}))
	mux := http.NewServeMux()
	mux.Handle(console.Path, s.Console)
	mux.Handle(console.Path+"/", s.Console)
	mux.HandleFunc("/scim/v2/", func(w http.ResponseWriter, r *http.Request) {
		endpoints.ServeHTTP(w, r.WithContext(scim.WithTrace(r.Context(), &scim.Trace{})))
	})
	server := httptest.NewServer(mux)
	s.URL = server.URL
	t.Cleanup(func() {
		s.Console.Close()
		server.Close()
		if err := s.Recorder.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// scim sends a SCIM request; header are lines such as "User-Agent: Okta".
func (s *site) scim(method, path, body string, header ...string) (status int, answer string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.URL+"/scim/v2"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/scim+json")
	r.Header.Set("Authorization", "Bearer "+adminToken)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, strings.TrimSpace(value))
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// create creates a resource and returns its id. The body needs no schemas.
func (s *site) create(endpoint, body string, header ...string) string {
	s.t.Helper()
	status, answer := s.scim(http.MethodPost, "/"+endpoint, body, header...)
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &r); err != nil || status != http.StatusCreated {
		s.t.Fatalf("POST /%s: %d %s", endpoint, status, answer)
	}
	return r.ID
}

// flush waits until all that was sent is recorded.
func (s *site) flush() {
	s.t.Helper()
	if err := s.Recorder.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// get asks for a page as a browser would, with the session of a token, or none.
func (s *site) get(path, token string) (status int, body string, header http.Header) {
	s.t.Helper()
	return s.page(http.MethodGet, path, token, "")
}

// page sends a request to the console with the session of a token, or none.
func (s *site) page(method, path, token, form string, lines ...string) (status int, body string, header http.Header) {
	s.t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(form))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.AddCookie(s.session(token))
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, strings.TrimSpace(value))
	}
	resp, err := client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// session logs in and returns the cookie.
func (s *site) session(token string) *http.Cookie {
	s.t.Helper()
	status, body, header := s.page(http.MethodPost, console.Path+"/login", "", "token="+token)
	cookies := (&http.Response{Header: header}).Cookies()
	if status != http.StatusSeeOther || len(cookies) != 1 {
		s.t.Fatalf("login: %d %v %s", status, cookies, body)
	}
	return cookies[0]
}

// chromium is the one browser of these tests.
var chromium struct {
	once sync.Once
	ctx  context.Context
	end  func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.end != nil {
		chromium.end()
	}
	os.Exit(code)
}

func launch() {
	path, err := exec.LookPath("chromium")
	if err != nil {
		chromium.err = err
		return
	}
	dir, err := os.MkdirTemp("", "rollcall-browser")
	if err != nil {
		chromium.err = err
		return
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(dir))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), o...)
	ctx, cancel := chromedp.NewContext(allocator)
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
	chromium.end = func() {
		cancel()
		stop()
		_ = os.RemoveAll(dir)
	}
}

// tab is a tab of its own, with cookies of its own.
type tab struct {
	t    testing.TB
	site *site
	ctx  context.Context

	mu     sync.Mutex
	said   []string // errors and warnings of the console, violations of the policy among them
	strays []string // requests to other origins
}

// open opens a tab, logs in with the token unless it is "", and goes to path.
func (s *site) open(path, token string) *tab {
	s.t.Helper()
	chromium.once.Do(launch)
	if chromium.err != nil {
		if os.Getenv("CI") == "true" {
			s.t.Fatalf("Chromium is needed: %v", chromium.err)
		}
		s.t.Skipf("no Chromium: %v", chromium.err)
	}
	ctx, cancel := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	s.t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
	s.t.Cleanup(stop)
	b := &tab{t: s.t, site: s, ctx: ctx}
	b.do(chromedp.EmulateViewport(1280, 800))
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == "error" || m.Type == "warning" || m.Type == chromedp.ConsoleException {
				b.mu.Lock()
				b.said = append(b.said, string(m.Type)+": "+m.Text)
				b.mu.Unlock()
			}
		}
	}()
	err := chromedp.Listen(ctx, func(event any) {
		e, ok := event.(*network.EventRequestWillBeSent)
		if ok && !strings.HasPrefix(e.Request.URL, s.URL+"/") && !strings.HasPrefix(e.Request.URL, "data:") {
			b.mu.Lock()
			b.strays = append(b.strays, e.Request.URL)
			b.mu.Unlock()
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		cookie := s.session(token)
		_, err := chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: cookie.Name, Value: cookie.Value, URL: s.URL + console.Path,
			Path: console.Path, SameSite: network.CookieSameSiteStrict})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	b.visit(path)
	return b
}

// do runs actions.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// visit goes to a path of the site.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.site.URL + path))
}

// eval returns the value of an expression, awaited if it is a promise.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits until an expression is true, and returns how long that took. While
// the page changes it may fail.
func (b *tab) until(what, expression string) time.Duration {
	b.t.Helper()
	began := time.Now()
	for {
		done, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		switch {
		case done && err == nil:
			return time.Since(began)
		case time.Since(began) > 20*time.Second:
			b.t.Fatalf("%s: not within 20 s (%v); the page says: %s", what, err, eval[string](b, "document.body.innerText.slice(0, 2000)"))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// press sends a key to what has the focus.
func (b *tab) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// clean fails if the browser has complained, about the page's policy or
// anything else, or asked another server.
func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) > 0 || len(b.strays) > 0 {
		b.t.Errorf("the browser says %q, and asked %q", b.said, b.strays)
	}
}

// looks are how each page is looked at.
var looks = []struct {
	name          string
	width, height int64
	scheme        string
}{
	{"wide-light", 1280, 800, "light"}, {"wide-dark", 1280, 800, "dark"},
	{"phone-light", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"},
}

// inspect looks at the page in each size and scheme: it must not overflow, axe
// must find no serious fault, and a picture is kept in dist/screenshots. In
// short mode the first is all.
func (b *tab) inspect(name string) {
	b.t.Helper()
	axe := ""
	if !testing.Short() {
		axe = axeSource(b.t)
	}
	dir := filepath.Join("..", "..", "..", "dist", "screenshots")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for _, look := range looks {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}})
		if err != nil {
			b.t.Fatal(err)
		}
		b.do(chromedp.EmulateViewport(look.width, look.height))
		if wide := eval[string](b, overflow); wide != "" {
			b.t.Errorf("%s, %s: wider than the page: %s", name, look.name, wide)
		}
		if testing.Short() {
			continue
		}
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-"+look.name+".png"), picture, 0o644); err != nil {
			b.t.Fatal(err)
		}
		if axe == "" || look.name == "phone-dark" { // its colours and its layout have each been looked at
			continue
		}
		eval[bool](b, axe+"\n;true")
		if faults := eval[string](b, audit); faults != "" {
			b.t.Errorf("%s, %s: axe finds\n%s", name, look.name, faults)
		}
	}
	b.do(chromedp.EmulateViewport(1280, 800))
}

// overflow names what is wider than the page, if anything is.
const overflow = `(() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return "";
  return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width + 1)
    .map((e) => e.tagName + "." + e.className).slice(0, 5).join(" ") || "something";
})()`

// audit runs axe and says what is serious.
const audit = `axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations
  .filter((v) => v.impact === "serious" || v.impact === "critical")
  .map((v) => v.id + ": " + v.help + "\n" + v.nodes.slice(0, 3).map((n) => "  " + n.html.slice(0, 200) + "\n  " + n.failureSummary).join("\n")).join("\n"))`

// axeSource is the source of axe-core, which "make setup" fetches.
func axeSource(t testing.TB) string {
	t.Helper()
	path := os.Getenv("ROLLCALL_TEST_AXE")
	if path == "" {
		path = filepath.Join("..", "..", "..", "dist", "cache", "axe.min.js")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("axe-core is needed (make setup): %v", err)
		}
		t.Logf("without axe-core: %v", err)
		return ""
	}
	return string(text)
}
