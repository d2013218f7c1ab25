package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// TestSignInBrowser: a browser leaves for another site and comes back, by a link
// of that site: what it holds in cookies has to survive the way, and the page
// that was asked for to show at once.
func TestSignInBrowser(t *testing.T) {
	var s *site
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>IdP</title><link rel="icon" href="data:,"><a id="in" href="%s/looking-glass/login/callback?state=s&amp;code=ada.lovelace.with.a.very.long.name.indeed.and.more@example.com:ops">Let me in</a>`, s.URL)
	}))
	defer idp.Close()
	s = newSite(t, func(o *console.Options) {
		o.SignIn = somewhere("secret")
		o.SignIn.Begin = func(context.Context) (string, []byte, error) {
			return strings.Replace(idp.URL, "127.0.0.1", "localhost", 1), []byte("secret"), nil // another site than ours
		}
	})
	b := s.open(console.Path+"/directory", "")
	b.until("the login page", `document.querySelector("a[href*='/login/leave']")`)
	b.inspect("sign-in")
	eval[bool](b, `(document.querySelector("a[href*='/login/leave']").click(), true)`)
	b.until("the identity provider", `document.querySelector("#in") && location.hostname === "localhost"`)
	eval[bool](b, `(document.querySelector("#in").click(), true)`)
	b.until("the page that was asked for", `location.pathname === "/looking-glass/directory" && document.querySelector("form.out")`)
	if name := eval[string](b, `document.querySelector("form.out").innerText`); !strings.Contains(name, "ada") {
		t.Errorf("who it is, by the page: %q", name)
	}
	b.inspect("signed-in")
	eval[bool](b, `(document.querySelector("form.out button").click(), true)`)
	b.until("the login page again", `location.pathname === "/looking-glass/login"`)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) > 0 {
		t.Errorf("the browser says %q", b.said)
	}
}
