package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

const acme = console.Path + "/t/acme"

// TestTenants goes through the pages of a tenant in a browser, as its operator.
func TestTenants(t *testing.T) {
	w := newTown(t)
	ids := w.life()
	b := w.open(console.Path+"/connections", adminToken)
	text := func() string { return eval[string](b, "document.body.innerText") }
	says := func(where string, all ...string) {
		t.Helper()
		got := strings.Join(strings.Fields(text()), " ")
		for _, want := range all {
			if !strings.Contains(got, want) {
				t.Errorf("%s lacks %q: %s", where, want, got)
			}
		}
	}
	harmless := func(where string) {
		t.Helper()
		if eval[bool](b, `Boolean(document.querySelector(".xss"))`) {
			t.Errorf("%s: markup is alive", where)
		}
	}

	// The switch leads to the same page of another tenant, and by the keyboard.
	says("connections of the default tenant", "Entra ID last seen", "1 request")
	eval[bool](b, "(document.querySelector('a.tenant').focus(), true)")
	b.press("\r")
	b.until("the tenants", "location.pathname.endsWith('/tenants') && document.querySelector('.tenants')")
	b.inspect("tenants")
	b.do(chromedp.Click(".tenants a[href$='/t/acme/connections']"))
	b.until("acme", "location.pathname === '"+acme+"/connections' && document.querySelector('.connection')")
	says("connections", "Okta last seen", ", 2 people failing.", "Entra ID last seen", ", 1 person failing.", "okta (tk_1)", "gina@only-acme.example")
	harmless("connections")
	b.inspect("connections")
	b.do(chromedp.Click(".failing a[href*='people']"))
	b.until("the timeline", "location.pathname === '"+acme+"/people' && document.querySelector('.timeline')")

	// Who was deactivated yesterday, and by whom.
	changes := must(w.realms["acme"].Store.Changes(t.Context(), scim.ChangeQuery{ID: ids[0]}))
	tomorrow := changes[len(changes)-1].Time.UTC().Truncate(24 * time.Hour).Add(36 * time.Hour) // whatever the time of the day
	w.later.Store(int64(time.Until(tomorrow)))
	b = w.open(acme, adminToken)
	b.do(chromedp.Click("nav a[href$='/audit']"))
	b.until("the audit log", "document.querySelector('.history.audit')")
	harmless("audit")
	b.do(chromedp.Click(".chips a"))
	b.until("the answer", "document.querySelector('.chips [aria-current]')")
	says("audit", "Deactivated the user alice@only-acme.example Timeline", "by okta (tk_1) from 192.0.2.7", "active true → false")
	if n := strings.Count(text(), "Deactivated the user"); n != 5 {
		t.Errorf("%d were deactivated", n)
	}
	b.do(chromedp.Click("form[action$='verify'] button"))
	b.until("the verdict", "document.querySelector('#chain ~ .callout')")
	head := must(w.realms["acme"].Audit.Head(t.Context()))
	says("the verdict", "It holds: 12 entries were looked at", head.String())
	b.visit(acme + "/audit?person=" + ids[0])
	says("of alice", "Deactivated the user", "Created the user")
	b.inspect("audit")
	w.later.Store(0)

	// What is held, by whom, and to let it pass.
	b = w.open(acme+"/breaker", adminToken)
	says("breaker", "Something is held", "who is that?", "okta (tk_1) wants to do", "which would make it 6 people", "5 people were changed within the hour, of 5 that may be",
		"User:root@acme.example", "any value, but never “admin”", "groups none")
	harmless("breaker")
	b.inspect("breaker")
	b.do(chromedp.Click("form[action$='approve'] button"))
	b.until("the approval", "/Mass changes pass until/.test(document.body.innerText)")
	says("the approval", "Approved by the operator by console")
	if status, answer := w.deactivate(ids[5]); status != http.StatusOK {
		t.Errorf("what is approved: %d %s", status, answer)
	}
	b.do(chromedp.Click("form[action$='reset'] button"))
	b.until("the reset", "!/Mass changes pass until/.test(document.body.innerText)")
	says("the reset", "0 people were changed")

	// A token is shown once, rotated and revoked.
	b.visit(acme + "/credentials")
	b.do(chromedp.SetValue("#name", "okta"), chromedp.SetValue("#scopes", "read"), chromedp.SetValue("#expires", "24h"), chromedp.Click("form[action$='credentials'] button"))
	b.until("the token", "document.querySelector('#secret, .callout.bad')")
	secret := eval[string](b, "document.querySelector('#secret')?.textContent ?? ''")
	if !tenant.IsManaged(secret) {
		t.Fatalf("no token: %s", text())
	}
	says("credentials", "The token okta", "live, expires in", "it is not shown again")
	b.inspect("credentials")
}

// TestTenantWalls: who may see one tenant sees nothing of another, by no address,
// and can't tell whether there is such a tenant.
func TestTenantWalls(t *testing.T) {
	w := newTown(t)
	ids := w.life()
	made := must(w.Registry.AddToken(t.Context(), "acme", tenant.Spec{Name: "okta", Scopes: must(tenant.ParseScopes("read"))}))
	cookie := w.session(made.Secret)
	as := "Cookie: " + cookie.Name + "=" + cookie.Value
	get := func(path string, lines ...string) (int, string) {
		t.Helper()
		status, body, _ := w.page(http.MethodGet, path, "", "", append(lines, as)...)
		return status, body
	}

	// The guest of acme is led there, and every page and download of it is acme's.
	_, _, h := w.page(http.MethodGet, console.Path, "", "", as)
	if to := h.Get("Location"); to != acme {
		t.Errorf("the guest is led to %q", to)
	}
	other := w.find("default", "only-default")
	mine := w.find("acme", "alice@only-acme")
	seen := ""
	for _, page := range []string{"", "/connections", "/people", "/people?q=alice@only-acme.example", "/people?q=only-default@example.com", "/missing", "/directory", "/directory?type=Group",
		"/directory/User/" + ids[0], "/audit", "/audit?person=" + ids[0], "/breaker", "/flows", "/try-it", "/try-it?do=go&method=GET&path=/Users", "/exchanges.json", "/exchanges.har",
		fmt.Sprintf("/exchanges/%d", mine)} {
		status, body := get(acme + page)
		if status != http.StatusOK || !strings.Contains(page, "only-default") && strings.Contains(body, "only-default") {
			t.Errorf("%s: %d %s", page, status, body)
		}
		for _, m := range regexp.MustCompile(` (?:href|action|hx-get|sse-connect)="(/looking-glass[^"]*)"`).FindAllStringSubmatch(body, -1) {
			if !strings.HasPrefix(m[1], acme+"/") && !strings.HasPrefix(m[1], acme+"?") && m[1] != acme && !regexp.MustCompile(`^/looking-glass/(static/|logout|tenants)`).MatchString(m[1]) {
				t.Errorf("%s leads to %s", page, m[1])
			}
		}
		seen += body
	}
	for _, want := range []string{"alice@only-acme.example", "Something is held", "With this token you may look at the tenant acme"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no page has %q", want)
		}
	}
	for _, secret := range []string{"canary-secret", made.Secret, adminToken, " exchanges kept", "/credentials\""} {
		if strings.Contains(seen, secret) {
			t.Errorf("a page has %q", secret)
		}
	}

	// Every other address answers as if there were nothing, whether there is or not.
	for _, page := range []string{"/connections", "/people?q=only-default@example.com", "/directory", "/audit", "/audit/export", "/breaker", "/credentials", "/events", "/exchanges.json", "/exchanges.har",
		"/exchanges/1", "/missing", "/flows", "/try-it"} {
		want, text := get(console.Path + "/t/nobody" + page)
		for _, at := range []string{console.Path, console.Path + "/t/default", console.Path + "/t/ACME", console.Path + "/t/acme%2Fdefault"} {
			status, body := get(at + page)
			if status != want || want != http.StatusNotFound || body != text && !strings.Contains(at, "%") {
				t.Errorf("%s%s: %d, and of no tenant %d: %.300s", at, page, status, want, body)
			}
		}
	}
	if status, body := get(fmt.Sprintf("%s/exchanges/%d", acme, other)); status != http.StatusNotFound || strings.Contains(body, "only-default") {
		t.Errorf("another tenant's exchange: %d %s", status, body)
	}
	if status, body := get(console.Path + "/tenants"); status != http.StatusOK || strings.Contains(body, "default") {
		t.Errorf("the tenants: %d %s", status, body)
	}
	_, body, _ := w.get(console.Path+"/tenants?page=/audit&q=ACM", adminToken)
	if !strings.Contains(body, `<a href="`+acme+`/audit">acme</a>`) || strings.Contains(body, ">default<") {
		t.Errorf("a search for a tenant: %s", body)
	}
	for page, want := range map[string]string{"//evil.example": "", "/../x": "", "/login/leave": ""} {
		if _, body, _ := w.get(console.Path+"/tenants?page="+page, adminToken); !strings.Contains(body, `<a href="`+acme+want+`">acme</a>`) {
			t.Errorf("the page %s of another tenant: %s", page, body)
		}
	}
	for _, path := range []string{"/credentials", "/audit/export"} {
		if status, _ := get(acme + path); status != http.StatusForbidden {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/credentials", "/credentials/" + made.Token.ID + "/rotate", "/credentials/" + made.Token.ID + "/revoke", "/breaker/approve", "/breaker/reset", "/audit/verify", "/try-it"} {
		if status, _, _ := w.page(http.MethodPost, acme+path, "", "sure=yes", as); status != http.StatusForbidden {
			t.Errorf("POST %s as a guest: %d", path, status)
		}
		if status, _, _ := w.page(http.MethodPost, acme+path, adminToken, "sure=yes", "Origin: https://evil.example"); status != http.StatusForbidden {
			t.Errorf("POST %s from elsewhere: %d", path, status)
		}
	}

	// Whose the operator's pages are, the address says alone.
	for at, want := range map[string]string{console.Path: "only-default@example.com", acme: "alice@only-acme.example"} {
		for _, page := range []string{"/directory", "/exchanges.json", "/audit"} {
			_, body, _ := w.get(at+page, adminToken)
			if has := strings.Contains(body, "only-default"); !strings.Contains(body, want) || has != (at == console.Path) {
				t.Errorf("%s%s: %s", at, page, body)
			}
		}
	}
	if status, body, h := w.get(acme+"/audit/export", adminToken); status != http.StatusOK || body != "{\"n\":1}\n{\"n\":2}\n" || h.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("the export: %d %v %s", status, h, body)
	}

	// A list is compared with one tenant, and is at its pages alone.
	operator := w.session(adminToken)
	me := "Cookie: " + operator.Name + "=" + operator.Value
	_, _, h = w.page(http.MethodPost, acme+"/missing", "", url.Values{"list": {"alice@only-acme.example"}}.Encode(), me)
	list := h.Get("Location")
	if status, body, _ := w.page(http.MethodGet, list, "", "", me); status != http.StatusOK || !strings.HasPrefix(list, acme+"/missing/") {
		t.Errorf("the list is at %s: %d %s", list, status, body)
	}
	if status, _, _ := w.page(http.MethodGet, strings.Replace(list, acme, console.Path, 1), "", "", me); status != http.StatusNotFound {
		t.Errorf("the list at another tenant: %d", status)
	}

	// A rotated token's bearer stays, a revoked one's is out at once.
	status, body, _ := w.page(http.MethodPost, acme+"/credentials/"+made.Token.ID+"/rotate", "", "grace=1h", me)
	next := regexp.MustCompile(`rc_[0-9A-Za-z]{49}`).FindString(body)
	if status != http.StatusOK || next == "" || next == made.Secret || !strings.Contains(body, "is good until") {
		t.Fatalf("rotate: %d %s", status, body)
	}
	if _, err := w.Registry.Authenticate(t.Context(), next); err != nil {
		t.Error(err)
	}
	if status, _ := get(acme); status != http.StatusOK {
		t.Errorf("with the old token: %d", status)
	}
	if status, _, _ := w.page(http.MethodPost, acme+"/credentials/"+made.Token.ID+"/revoke", "", "sure=no", me); status != http.StatusBadRequest {
		t.Errorf("revoke, unsure: %d", status)
	}
	if status, _, _ := w.page(http.MethodPost, acme+"/credentials/"+made.Token.ID+"/revoke", "", "sure=yes", me); status != http.StatusSeeOther {
		t.Errorf("revoke: %d", status)
	}
	if status, _ := get(acme); status != http.StatusSeeOther {
		t.Errorf("with the revoked token: %d", status)
	}
	if status, body, _ := w.page(http.MethodGet, acme+"/credentials", "", "", me); status != http.StatusOK || strings.Contains(body, next) || !strings.Contains(body, "not good any more") {
		t.Errorf("the page afterwards: %d %s", status, body)
	}
	for form, want := range map[string]string{"name=x&scopes=fly": "fly", "name=": "name", "name=okta&scopes=read": "okta", "name=x&expires=-1h": "live for some time", "name=x&expires=soon": "soon"} {
		if status, body, _ := w.page(http.MethodPost, acme+"/credentials", "", form, me); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", form, status, body)
		}
	}
	for form := range map[string]bool{"for=1000h": true, "for=x": true, "people=-1": true, "people=many": true} {
		if status, _, _ := w.page(http.MethodPost, acme+"/breaker/approve", "", form, me); status != http.StatusBadRequest {
			t.Errorf("%s: %d", form, status)
		}
	}
	for query, want := range map[string]int{"from=x": 400, "to=2026-13-01": 400, "before=-5": 200, "what=nothing": 200, "person=%20": 200, "person=" + strings.Repeat("x", 600): 400} {
		if status, _, _ := w.page(http.MethodGet, acme+"/audit?"+query, "", "", me); status != want {
			t.Errorf("%s: %d", query, status)
		}
	}
}

// find returns the newest exchange of a tenant with that text.
func (w *town) find(name, text string) int64 {
	w.t.Helper()
	list := must(w.Recorder.Of(name).Find(w.t.Context(), lookingglass.Query{Text: text, Limit: 1}))
	if len(list) == 0 {
		w.t.Fatalf("no exchange of %s has %q", name, text)
	}
	return list[0].Seq
}

// TestConnections: what tokens and refusals say of clients.
func TestConnections(t *testing.T) {
	w := newTown(t)
	id := w.person("acme", "alice@only-acme.example", okta)
	soon := must(w.Registry.AddToken(t.Context(), "acme", tenant.Spec{Name: "workspace", Expires: time.Now().Add(50 * time.Hour)})).Token
	must(w.Registry.AddToken(t.Context(), "acme", tenant.Spec{Name: "later", Expires: time.Now().Add(5000 * time.Hour)}))
	if err := w.DB.NoteUse(t.Context(), []tenant.Use{{Tenant: "acme", Token: soon.ID, At: time.Now().Add(-3*time.Minute - time.Second), Client: "google"}}); err != nil {
		t.Fatal(err)
	}
	page := func() string {
		t.Helper()
		w.flush()
		status, body, _ := w.get(acme+"/connections", adminToken)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " ")), " ")
	}
	expect := func(what, text string, all ...string) {
		t.Helper()
		for _, want := range all {
			if found := strings.Contains(text, strings.TrimPrefix(want, "!")); found == strings.HasPrefix(want, "!") {
				t.Errorf("%s: %q in: %s", what, want, text)
			}
		}
	}
	expect("at first", page(), "The token workspace", "expires in 2 days and has no successor", "!The token later", "last seen 3 min ago", "workspace ("+soon.ID+")", "!failing.", "!not accepted")

	// Somebody is failing until a write of them is not refused.
	w.call("acme", "okta", http.MethodPatch, "/Users/"+id, strings.Replace(patchActive, "false", `"perhaps"`, 1), okta)
	w.call("acme", "okta", http.MethodDelete, "/Users/nobody", "", okta)
	expect("a refused write", page(), "1 person failing", "alice@only-acme.example")
	w.call("acme", "okta", http.MethodPatch, "/Users/"+id, patchActive, okta)
	expect("an accepted one", page(), "!failing.")

	// A request that was refused before it came to an endpoint.
	r := httptest.NewRequestWithContext(lookingglass.WithTenant(t.Context(), "acme"), http.MethodGet, "/scim/v2/Users", nil)
	r.Header.Set("User-Agent", "Okta SCIM Client 1.0.0")
	w.Recorder.Observe(scimhttp.Exchange{HTTP: r, RequestID: "x", Started: time.Now(),
		Response: engine.Response{Status: http.StatusUnauthorized, Err: &scim.Error{Status: http.StatusUnauthorized, Detail: "the token is revoked"}}})
	expect("a refused token", page(), "in trouble", "its token was not accepted", "A request of the last hour came with a token that was not accepted")
	if status, body, _ := w.get(console.Path+"/connections", adminToken); status != http.StatusOK || strings.Contains(body, "workspace") || strings.Contains(body, "not accepted") {
		t.Errorf("the other tenant: %d %s", status, body)
	}
}

// TestTenantsOpen: where the default tenant needs no token, nobody gets by that to
// another, which does.
func TestTenantsOpen(t *testing.T) {
	w := newTown(t, func(o *console.Options) { o.Open = true })
	w.life()
	for path, want := range map[string]int{"": 200, "/directory": 200, "/credentials": 200, "/t/acme": 404, "/t/acme/directory": 404, "/t/acme/credentials": 404, "/t/nobody": 404} {
		if status, body, _ := w.get(console.Path+path, ""); status != want || strings.Contains(body, "only-acme") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body, _ := w.get(console.Path+"/tenants", ""); status != http.StatusOK || strings.Contains(body, "acme") {
		t.Errorf("the tenants: %d %s", status, body)
	}
}
