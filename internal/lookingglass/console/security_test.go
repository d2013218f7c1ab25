package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// markup is what turns into more than text where a page does not escape.
var markup = []string{
	`<script class=xss>pwned=1</script>`,
	`"><img class=xss src=x onerror=pwned=1>`,
	`'><svg class=xss onload=pwned=1>`,
	`</pre></td></title></textarea><b class=xss>x</b><!--`,
	`" hx-get="/looking-glass/login" hx-trigger="load" class="xss" onmouseover="pwned=1`,
	`javascript:pwned=1//<i class=xss>`,
	"line\r\ndata: <b class=xss>x</b>\r\n\r\nevent: rows\r\ndata: <tr class=xss>",
	`{{.Who.Token}}${pwned=1}<template><u class=xss></template>`,
}

// TestMarkup is T25: markup in each attribute, header, path and query arrives as
// text, in lists, exchanges and the stream.
func TestMarkup(t *testing.T) {
	s := newSite(t)
	b := s.open(console.Path, adminToken)
	b.until("the stream", "document.querySelector('[data-live]').classList.contains('on')")
	for i, m := range markup {
		agent := strings.NewReplacer("\r", " ", "\n", " ").Replace(m) // what a header, and a name, can carry
		text := func(part string) string { return fmt.Sprintf("%s%d%s", part, i, agent) }
		user, err := json.Marshal(map[string]any{
			"schemas":  []string{"urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"},
			"userName": text("u"), "externalId": text("e"), "displayName": text("d"), "nickName": text("n"), "title": text("t"), "userType": text("y"),
			"preferredLanguage": "en", "locale": "en", "timezone": text("z"),
			"name":         map[string]any{"formatted": text("f"), "familyName": text("f"), "givenName": text("g"), "middleName": text("m"), "honorificPrefix": text("p"), "honorificSuffix": text("s")},
			"emails":       []any{map[string]any{"value": text("e"), "type": text("t"), "display": text("d")}},
			"phoneNumbers": []any{map[string]any{"value": text("p"), "type": text("t")}},
			"addresses":    []any{map[string]any{"formatted": text("a"), "streetAddress": text("s"), "locality": text("l"), "type": text("t")}},
			"roles":        []any{map[string]any{"value": text("r"), "display": text("d")}},
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": map[string]any{"employeeNumber": text("n"), "costCenter": text("c"), "department": text("d")},
		})
		if err != nil {
			t.Fatal(err)
		}
		headers := []string{"User-Agent: " + agent, "Accept-Language: " + agent, "Prefer: " + agent, "If-None-Match: " + agent, "X-Request-Id: " + agent}
		id := s.create("Users", string(user), headers...)
		group, err := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"},
			"displayName": text("g"), "externalId": text("e"), "members": []any{map[string]any{"value": id, "display": text("m")}}})
		if err != nil {
			t.Fatal(err)
		}
		s.create("Groups", string(group), headers...)
		patch, err := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
			"Operations": []any{map[string]any{"op": "replace", "path": "title", "value": text("x")}}})
		if err != nil {
			t.Fatal(err)
		}
		s.scim(http.MethodPatch, "/Users/"+id, string(patch), headers...)
		s.scim(http.MethodPatch, "/Users/"+id, strings.ReplaceAll(string(patch), `"title"`, `"t<b class=xss>"`), headers...)
		s.scim(http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq `+string(must(json.Marshal(text("u"))))), "", headers...)
		s.scim(http.MethodGet, "/Users?filter="+url.QueryEscape(m), "", headers...)
		s.scim(http.MethodGet, "/Users?sortBy="+url.QueryEscape(m)+"&"+url.QueryEscape(m)+"=1", "", headers...)
		s.scim(http.MethodGet, "/Users/"+url.PathEscape(m), "", headers...)
		s.scim(http.MethodGet, "/"+url.PathEscape(m), "", headers...)
		s.scim(http.MethodPost, "/Users", m, headers...)
	}
	s.flush()
	harmless := func(where string) {
		t.Helper()
		if found := eval[string](b, `[...document.querySelectorAll(".xss")].map((e) => e.outerHTML).join("\n") + (typeof pwned === "undefined" ? "" : "pwned")`); found != "" {
			t.Errorf("%s: markup is alive: %s", where, found)
		}
	}
	b.until("the rows", "document.querySelectorAll('#rows tr').length > 20")
	harmless("the stream")
	visited, most := 0, 40
	if testing.Short() {
		most = 5
	}
	for _, path := range s.crawl(adminToken, 200) {
		if visited < most && !strings.Contains(path, "/exchanges") {
			b.visit(path)
			harmless(path)
			visited++
		}
	}
	// Each exchange, as htmx puts it into the page.
	b.visit(console.Path)
	count := eval[int](b, "document.querySelectorAll('#rows a[data-open]').length")
	if testing.Short() {
		count = min(count, 12) // each kind
	}
	for i := range count {
		eval[bool](b, fmt.Sprintf(`(document.querySelector("#detail").replaceChildren(), document.querySelectorAll("#rows a[data-open]")[%d].click(), true)`, i))
		b.until("the exchange", "document.querySelector('#detail .exchange')")
		harmless("an exchange")
	}
	b.clean()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var links = regexp.MustCompile(`href="(` + console.Path + `[^"#]*)"`)

// crawl follows the links of all pages, and returns the paths it found. None may
// fail.
func (s *site) crawl(token string, most int) []string {
	s.t.Helper()
	found, queue := map[string]bool{console.Path: true}, []string{console.Path}
	var paths []string
	cookie := s.session(token)
	for len(queue) > 0 && len(paths) < most {
		path := queue[0]
		queue = queue[1:]
		status, body, _ := s.page(http.MethodGet, path, "", "", "Cookie: "+cookie.Name+"="+cookie.Value)
		if status >= 400 {
			s.t.Errorf("%s: %d", path, status)
		}
		paths = append(paths, path)
		for _, m := range links.FindAllStringSubmatch(body, -1) {
			next := html.UnescapeString(m[1])
			if !found[next] && !strings.Contains(next, "/static/") && !strings.Contains(next, "/events") {
				found[next] = true
				queue = append(queue, next)
			}
		}
	}
	return paths
}

// TestCanary is T22: a password is in no page, download or stream, nor is the
// token of who looks.
func TestCanary(t *testing.T) {
	s := newSite(t)
	stream := s.stream(viewerToken)
	alice, _, _ := s.story()
	s.scim(http.MethodPatch, "/Users/"+alice, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"password","value":"canary-secret-8f1"}]}`, okta)
	s.scim(http.MethodGet, "/Users?filter="+url.QueryEscape(`password eq "canary-secret-8f1"`), "", okta)
	s.scim(http.MethodPost, "/Users", `{"userName":{"password":"canary-secret-8f1"}}`, "Authorization: Bearer canary-secret-8f1", "Cookie: canary-secret-8f1")
	s.scim(http.MethodGet, "/Users?access_token=canary-secret-8f1", "")
	s.flush()
	if strings.Contains(s.hear(stream, "carol@example.com"), "canary-secret") {
		t.Error("the stream has the secret")
	}
	cookie := s.session(adminToken)
	paths := s.crawl(adminToken, 300)
	for _, want := range []string{"/exchanges/", ".har", ".json"} {
		if !strings.Contains(strings.Join(paths, " "), want) {
			t.Errorf("the crawl did not find %s", want)
		}
	}
	for _, path := range paths {
		_, body, _ := s.page(http.MethodGet, path, "", "", "Cookie: "+cookie.Name+"="+cookie.Value)
		for _, secret := range []string{"canary-secret", adminToken, viewerToken, cookie.Value} {
			if strings.Contains(body, secret) {
				t.Errorf("%s has the secret %s", path, secret)
			}
		}
	}
}

// stream opens the event stream.
func (s *site) stream(token string) *bufio.Scanner {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	s.t.Cleanup(cancel)
	r := must(http.NewRequestWithContext(ctx, http.MethodGet, s.URL+console.Path+"/events", nil))
	r.AddCookie(s.session(token))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("the stream: %d", resp.StatusCode)
	}
	return bufio.NewScanner(resp.Body)
}

// hear reads a stream until it has a text, and returns all of it.
func (s *site) hear(lines *bufio.Scanner, until string) string {
	s.t.Helper()
	var all strings.Builder
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), until) {
			return all.String()
		}
	}
	s.t.Fatalf("the stream ended without %q: %v\n%s", until, lines.Err(), all.String())
	return ""
}

// TestOtherOrigin: a page of another origin, in a browser that is logged in and
// sends the cookie (to another port it does), can't read, write or listen.
func TestOtherOrigin(t *testing.T) {
	s := newSite(t)
	s.story()
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>evil</title><iframe id="frame" src="%[1]s"></iframe>
			<script src="%[1]s/exchanges.json"></script><form id="form" method="post" action="%[1]s/logout"><button>x</button></form>`, s.URL+console.Path)
	}))
	t.Cleanup(evil.Close)
	b := s.open(console.Path, adminToken)
	if !eval[bool](b, "document.querySelectorAll('#rows tr').length > 5") {
		t.Fatal("not logged in")
	}
	b.do(chromedp.Navigate(evil.URL))
	for what, script := range map[string]string{
		"read":             `fetch("%s", {credentials: "include"}).then((r) => r.text())`,
		"read a download":  `fetch("%s/exchanges.json", {credentials: "include"}).then((r) => r.text())`,
		"read blindly":     `fetch("%s", {credentials: "include", mode: "no-cors"}).then((r) => r.text())`,
		"write with reply": `fetch("%s/logout", {credentials: "include", method: "POST"}).then((r) => r.text())`,
	} {
		got := eval[string](b, strings.ReplaceAll(script, "%s", s.URL+console.Path)+`.catch((e) => "refused")`)
		if got != "refused" && got != "" {
			t.Errorf("another origin can %s: %.200s", what, got)
		}
	}
	eval[string](b, strings.ReplaceAll(`fetch("%s/logout", {credentials: "include", method: "POST", mode: "no-cors"}).then((r) => r.type).catch((e) => "refused")`, "%s", s.URL+console.Path))
	heard := eval[string](b, strings.ReplaceAll(`new Promise((done) => {
		const source = new EventSource("%s/events", {withCredentials: true});
		source.onopen = () => done("open"); source.addEventListener("figures", () => done("heard")); source.onerror = () => done("refused");
	})`, "%s", s.URL+console.Path))
	if heard != "refused" {
		t.Errorf("another origin's event stream: %s", heard)
	}
	if eval[bool](b, `(() => { try { return document.getElementById("frame").contentDocument.body.innerText.includes("Live"); } catch { return false; } })()`) {
		t.Error("another origin can frame and read the console")
	}
	b.do(chromedp.Click("#form button"))
	b.until("the refusal", "/another origin|Forbidden/i.test(document.body.innerText)")
	b.visit(console.Path)
	if !eval[bool](b, "document.querySelectorAll('#rows tr').length > 5") {
		t.Error("another origin has logged us out")
	}

	// The same by the headers alone.
	for _, line := range []string{"Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"} {
		if status, _, _ := s.page(http.MethodPost, console.Path+"/logout", adminToken, "x=y", line); status != http.StatusForbidden {
			t.Errorf("POST with %s: %d", line, status)
		}
		if status, _, _ := s.page(http.MethodGet, console.Path+"/events", adminToken, "", line); status != http.StatusForbidden {
			t.Errorf("the stream with %s: %d", line, status)
		}
		if status, _, _ := s.page(http.MethodPost, console.Path+"/login", "", "token="+adminToken, line); status != http.StatusForbidden {
			t.Errorf("login with %s: %d", line, status)
		}
	}
}

// TestSession: the cookie, who it is good for, and when it ends.
func TestSession(t *testing.T) {
	var later atomic.Int64 // how far the clock is ahead, as a time.Duration
	secure := false
	s := newSite(t, func(o *console.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		o.Secure = func(*http.Request) bool { return secure }
	})
	get := func(path string, cookie *http.Cookie) int {
		t.Helper()
		status, _, _ := s.page(http.MethodGet, path, "", "", "Cookie: "+cookie.Name+"="+cookie.Value)
		return status
	}
	c := s.session(viewerToken)
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != console.Path || c.Secure || len(c.Value) < 40 || strings.Contains(c.Value, viewerToken) {
		t.Errorf("the cookie: %v", c)
	}
	secure = true
	if c := s.session(viewerToken); !c.Secure {
		t.Errorf("by TLS: %v", c)
	}
	if other := s.session(viewerToken); other.Value == c.Value {
		t.Error("two sessions have one cookie")
	}
	if status := get(console.Path, c); status != http.StatusOK {
		t.Errorf("with the cookie: %d", status)
	}
	if status := get(console.Path, &http.Cookie{Name: c.Name, Value: c.Value[:len(c.Value)-1] + "_"}); status != http.StatusSeeOther {
		t.Errorf("with another cookie: %d", status)
	}
	stream := s.stream(viewerToken)
	later.Store(int64(12*time.Hour - time.Minute))
	if status := get(console.Path, c); status != http.StatusOK {
		t.Errorf("after a day's work: %d", status)
	}
	later.Store(int64(12*time.Hour + time.Minute))
	if status := get(console.Path, c); status != http.StatusSeeOther {
		t.Errorf("after twelve hours: %d", status)
	}
	for stream.Scan() { // ends within its 20 s, by itself
	}
	if err := stream.Err(); err != nil {
		t.Errorf("the stream outlives the session: %v", err)
	}

	c = s.session(adminToken)
	status, _, _ := s.page(http.MethodPost, console.Path+"/logout", "", "x=y", "Cookie: "+c.Name+"="+c.Value)
	if status != http.StatusSeeOther || get(console.Path, c) != http.StatusSeeOther {
		t.Errorf("logout: %d", status)
	}

	for form, want := range map[string]string{
		"token=" + adminToken + "&to=/looking-glass/exchanges/1": "/looking-glass/exchanges/1",
		"token=" + adminToken + "&to=//evil.example":             console.Path,
		"token=" + adminToken + "&to=https://evil.example":       console.Path,
		"token=" + adminToken + "&to=/looking-glassx":            console.Path,
		"token=" + adminToken + "&to=/looking-glass/../evil":     console.Path,
	} {
		_, _, header := s.page(http.MethodPost, console.Path+"/login", "", form)
		if to := header.Get("Location"); to != want {
			t.Errorf("%s leads to %s, want %s", form, to, want)
		}
	}
	for _, form := range []string{"token=", "token=wrong", "", "token=" + strings.Repeat("x", 20<<10)} {
		if status, _, header := s.page(http.MethodPost, console.Path+"/login", "", form); status != http.StatusUnauthorized || header.Get("Set-Cookie") != "" {
			t.Errorf("login with %.20q: %d", form, status)
		}
	}
	for _, path := range []string{"", "/exchanges/1", "/events", "/exchanges.har", "/people", "/directory", "/try-it", "/nowhere", "/static/../people"} {
		if status, body, _ := s.get(console.Path+path, ""); status < 300 || status == http.StatusOK || strings.Contains(body, "<nav") {
			t.Errorf("%s without a session: %d", path, status)
		}
	}
}

// TestViewer: who may look only can't change anything.
func TestViewer(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/try-it", "/directory", "/people", "/nowhere", ""} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if status, _, _ := s.page(method, console.Path+path, viewerToken, "x=y"); status != http.StatusForbidden {
				t.Errorf("%s %s: %d", method, path, status)
			}
		}
	}
	b := s.open(console.Path, viewerToken)
	if text := eval[string](b, "document.body.innerText"); !strings.Contains(text, "You may look, and change nothing") {
		t.Errorf("the page does not say so: %s", text)
	}
}

// TestHeaders: what each answer says to browsers.
func TestHeaders(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"", "/login", "/nowhere", "/exchanges.har"} {
		_, _, h := s.get(console.Path+path, viewerToken)
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") || strings.Contains(policy, "unsafe") ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	_, page, _ := s.get(console.Path, viewerToken)
	if strings.Contains(page, " style=") || strings.Contains(page, "<style") || strings.Contains(page, "<script>") || regexp.MustCompile(` on[a-z]+="`).MatchString(page) {
		t.Error("the page has what its policy forbids")
	}
	asset := regexp.MustCompile(console.Path + `/static/[^"]+\.css`).FindString(page)
	status, _, h := s.get(asset, "")
	if status != http.StatusOK || !strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("%s: %d %v", asset, status, h)
	}
}
