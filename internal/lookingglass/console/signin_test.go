package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// somewhere is an identity provider that lets in who comes back with "code", a
// name and roles: code=ada:ops,x.
func somewhere(secret string) *console.SignIn {
	return &console.SignIn{
		Name: "Example <IdP>",
		Begin: func(context.Context) (string, []byte, error) {
			return "https://idp.example/authorize?state=s", []byte(secret), nil
		},
		Finish: func(_ context.Context, got []byte, query map[string][]string) (string, []string, error) {
			q := url.Values(query)
			switch {
			case string(got) != secret:
				return "", nil, errors.New("the secret is another one")
			case q.Get("state") != "s" || q.Get("error") != "":
				return "", nil, fmt.Errorf("%w: refused", console.ErrSignIn)
			}
			name, roles, _ := strings.Cut(q.Get("code"), ":")
			return name, strings.Split(roles, ","), nil
		},
		Role: func(roles []string) (admin, known bool) {
			admin = slices.Contains(roles, "ops")
			return admin, admin || slices.Contains(roles, "look")
		},
		Context: func(ctx context.Context, _ string) context.Context { return ctx },
	}
}

// caller is a browser's cookies at a site, without a browser.
type caller struct {
	t   *testing.T
	jar map[string]string
}

func (v *caller) get(address string, headers ...string) *http.Response {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.send(r, headers...)
}

func (v *caller) send(r *http.Request, headers ...string) *http.Response {
	v.t.Helper()
	r.Header.Set("Accept", "text/html")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	for name, value := range v.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // a request's
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range resp.Cookies() {
		if v.jar[c.Name] = c.Value; c.MaxAge < 0 {
			delete(v.jar, c.Name)
		}
	}
	v.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSignIn: who leaves for the identity provider comes back as operator or
// viewer, to the page that was asked for, and can log out.
func TestSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(o *console.Options) { o.SignIn = somewhere("secret") })
	for _, tt := range []struct {
		code   string
		status int
		admin  bool
	}{
		{"ada:ops", http.StatusOK, true}, {"bob:look", http.StatusOK, false}, {"bob:look,ops", http.StatusOK, true}, {"eve:other", http.StatusForbidden, false}, {"eve:", http.StatusForbidden, false},
	} {
		v := &caller{t, map[string]string{}}
		if page := text(t, v.get(s.URL+console.Path+"/login?to=/looking-glass/people")); !strings.Contains(page, "Sign in with Example &lt;IdP&gt;") || !strings.Contains(page, `href="/looking-glass/login/leave?to=%2flooking-glass%2fpeople"`) {
			t.Fatalf("the login page: %s", page)
		}
		r := v.get(s.URL + console.Path + "/login/leave?to=/looking-glass/people")
		if r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "https://idp.example/authorize?state=s" {
			t.Fatalf("leaving: %d %s", r.StatusCode, r.Header.Get("Location"))
		}
		c := r.Header.Get("Set-Cookie")
		if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || !strings.Contains(c, "Path=/looking-glass/login") || strings.Contains(c, "secret") {
			t.Errorf("the cookie of who leaves: %s", c)
		}
		back := s.URL + console.Path + "/login/callback?state=s&code=" + url.QueryEscape(tt.code)
		r = v.get(back, "Sec-Fetch-Site: cross-site")
		page := text(t, r)
		if r.StatusCode != tt.status || v.jar["rollcall_sign_in"] != "" {
			t.Fatalf("%s: %d, cookies %v", tt.code, r.StatusCode, v.jar)
		}
		if tt.status != http.StatusOK {
			if v.jar["rollcall_looking_glass"] != "" || !strings.Contains(page, "no role") {
				t.Errorf("%s has no role, and %v: %s", tt.code, v.jar, page)
			}
			continue
		}
		if !strings.Contains(page, `content="0;url=/looking-glass/people"`) || !strings.Contains(r.Header.Get("Set-Cookie"), "rollcall") {
			t.Errorf("%s: %s", tt.code, page)
		}
		name, _, _ := strings.Cut(tt.code, ":")
		if r = v.get(s.URL + console.Path); r.StatusCode != http.StatusOK || !strings.Contains(text(t, r), name) {
			t.Errorf("%s: the console answers %d", tt.code, r.StatusCode)
		}
		form := strings.NewReader("")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+console.Path+"/try-it", form)
		if err != nil {
			t.Fatal(err)
		}
		if r = v.send(req); (r.StatusCode != http.StatusForbidden) != tt.admin {
			t.Errorf("%s: a change is %d", tt.code, r.StatusCode)
		}
		// Loading the page again is no second sign-in, nor an error.
		if r = v.get(back); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != console.Path {
			t.Errorf("%s: the page again: %d", tt.code, r.StatusCode)
		}
		if req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+console.Path+"/logout", nil); err != nil {
			t.Fatal(err)
		}
		before := v.jar["rollcall_looking_glass"]
		v.send(req)
		v.jar = map[string]string{"rollcall_looking_glass": before}
		if r = v.get(s.URL + console.Path); r.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: after the logout: %d", tt.code, r.StatusCode)
		}
	}
}

// TestSignInBound: an answer is good for the browser that left, in its time, once
// it is what the identity provider says, and leads to pages of ours alone.
func TestSignInBound(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	s := newSite(t, func(o *console.Options) {
		o.SignIn = somewhere("secret")
		o.Now = func() time.Time { return time.Unix(0, now.Load()) }
	})
	other := newSite(t, func(o *console.Options) { o.SignIn = somewhere("secret") })
	const good = "/login/callback?state=s&code=ada:ops"
	leave := func(site *site, to string) *caller {
		v := &caller{t, map[string]string{}}
		v.get(site.URL + console.Path + "/login/leave?to=" + url.QueryEscape(to))
		return v
	}
	for name, tt := range map[string]struct {
		v    *caller
		back string
		want int
	}{
		"a browser that never left":    {&caller{t, map[string]string{}}, good, http.StatusBadRequest},
		"made up":                      {&caller{t, map[string]string{"rollcall_sign_in": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}, good, http.StatusBadRequest},
		"left from another server":     {leave(other, ""), good, http.StatusBadRequest},
		"another state":                {leave(s, ""), "/login/callback?state=x&code=ada:ops", http.StatusUnauthorized},
		"no state":                     {leave(s, ""), "/login/callback?code=ada:ops", http.StatusUnauthorized},
		"denied":                       {leave(s, ""), "/login/callback?state=s&error=access_denied", http.StatusUnauthorized},
		"good":                         {leave(s, ""), good, http.StatusOK},
		"a session's cookie is no way": {&caller{t, map[string]string{"rollcall_sign_in": "x"}}, good, http.StatusBadRequest},
	} {
		if r := tt.v.get(s.URL + console.Path + tt.back); r.StatusCode != tt.want || (tt.v.jar["rollcall_looking_glass"] != "") != (tt.want == http.StatusOK) {
			t.Errorf("%s: %d %v, want %d", name, r.StatusCode, tt.v.jar, tt.want)
		}
	}
	late := leave(s, "")
	now.Add(int64(11 * time.Minute))
	if r := late.get(s.URL + console.Path + good); r.StatusCode != http.StatusBadRequest {
		t.Errorf("after eleven minutes: %d", r.StatusCode)
	}
	for to, want := range map[string]string{
		"/looking-glass/people?q=a": "/looking-glass/people?q=a", "https://evil.example": console.Path, "//evil.example/looking-glass": console.Path,
		"/looking-glass/../x": console.Path, `/looking-glass\\evil`: console.Path, "/looking-glass//evil.example": console.Path, "javascript:alert(1)": console.Path,
		"/looking-glassy": console.Path, "/looking-glass/login/leave": console.Path, "": console.Path, "/looking-glass/people\r\nX: y": console.Path,
	} {
		v := leave(s, to)
		page := text(t, v.get(s.URL+console.Path+good))
		if !strings.Contains(page, `content="0;url=`+strings.ReplaceAll(want, "=", "=")+`"`) && !strings.Contains(page, `content="0;url=`+strings.ReplaceAll(want, "=", "&#61;")+`"`) {
			t.Errorf("to %q: not to %s: %s", to, want, page)
		}
	}
}

// TestSignInShared: who leaves from one instance may come back to another, and
// is who they are at both, until their role goes.
func TestSignInShared(t *testing.T) {
	t.Parallel()
	both := &shared{}
	both.keys.Store(&[][]byte{bytes.Repeat([]byte{7}, 32)})
	var gone atomic.Bool
	instance := func() *site {
		return newSite(t, func(o *console.Options) {
			o.Sessions = both.sessions()
			o.SignIn = somewhere("secret")
			role := o.SignIn.Role
			o.SignIn.Role = func(roles []string) (bool, bool) {
				if gone.Load() {
					return false, false
				}
				return role(roles)
			}
		})
	}
	one, two := instance(), instance()
	v := &caller{t, map[string]string{}}
	v.get(one.URL + console.Path + "/login/leave")
	if r := v.get(two.URL + console.Path + "/login/callback?state=s&code=ada:ops"); r.StatusCode != http.StatusOK {
		t.Fatalf("at another instance: %d", r.StatusCode)
	}
	for _, s := range []*site{one, two} {
		if r := v.get(s.URL + console.Path); r.StatusCode != http.StatusOK || !strings.Contains(text(t, r), "ada") {
			t.Errorf("%d", r.StatusCode)
		}
	}
	// One kind of cookie is not taken for the other.
	swapped := &caller{t, map[string]string{"rollcall_sign_in": v.jar["rollcall_looking_glass"]}}
	if r := swapped.get(one.URL + console.Path + "/login/callback?state=s&code=ada:ops"); r.StatusCode != http.StatusBadRequest {
		t.Errorf("a session in the place of who leaves: %d", r.StatusCode)
	}
	gone.Store(true)
	if r := v.get(one.URL + console.Path); r.StatusCode != http.StatusSeeOther {
		t.Errorf("without a role any more: %d", r.StatusCode)
	}
}
