package console

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// SignIn lets people in whom somebody else knows (OpenID Connect). A browser
// leaves for an identity provider and comes back to Path+"/login/callback".
type SignIn struct {
	Name string // of who knows people, for the login page

	// Begin returns where to send a browser, and what Finish needs.
	Begin func(ctx context.Context) (to string, secret []byte, err error)

	// Finish returns who came back with that query, and the roles that matter
	// here. The error is ErrSignIn if it is not this program's fault.
	Finish func(ctx context.Context, secret []byte, query map[string][]string) (name string, roles []string, err error)

	// Role reports what roles let do. It is asked with each request.
	Role func(roles []string) (admin, known bool)

	// Context returns the context in which the engine is called for somebody.
	Context func(ctx context.Context, name string) context.Context
}

// ErrSignIn is the error of a sign-in that has to be begun anew, or that the
// identity provider refuses.
var ErrSignIn = errors.New("the sign-in was not completed")

const (
	leaveCookie = "rollcall_sign_in"
	leavePath   = Path + "/login"
	leaveTime   = 10 * time.Minute
)

// leaving is what the cookie of a browser holds while it is at the identity
// provider. It is what binds the answer to that browser (RFC 6819 §5.3.5): no
// other has it.
type leaving struct {
	Secret  []byte `json:"s"`
	To      string `json:"t"` // where to go afterwards
	Expires int64  `json:"e"` // Unix seconds
}

func (c *Console) signInRoutes(mux *http.ServeMux) {
	if c.o.SignIn == nil {
		return
	}
	mux.HandleFunc("GET "+Path+"/login/leave", c.leave)
	mux.HandleFunc("GET "+Path+"/login/callback", c.comeBack)
}

// leave sends a browser to the identity provider.
func (c *Console) leave(w http.ResponseWriter, r *http.Request) {
	to, secret, err := c.o.SignIn.Begin(r.Context())
	if err != nil {
		c.o.Logger.Error("nobody can sign in to the console", "error", err)
		c.render(w, r, http.StatusServiceUnavailable, "login.html", c.loginForm(r, "The identity provider can't be reached, or is not set up for this; the log says more."))
		return
	}
	text, err := json.Marshal(leaving{secret, destination(r.URL.Query().Get("to")), c.o.Now().Add(leaveTime).Unix()})
	var cookie string
	if err == nil {
		cookie, err = c.seals.seal(leaveCookie, text)
	}
	if err != nil {
		c.o.Logger.Error("nobody can sign in to the console", "error", err)
		c.fail(w, r, http.StatusInternalServerError, "You can't sign in here", "The log says more.")
		return
	}
	c.setLeaveCookie(w, r, cookie, int(leaveTime.Seconds()))
	c.redirect(w, r, to)
}

// setLeaveCookie sets the cookie of who leaves. It has to come along when the
// identity provider sends the browser back, which SameSite=Strict would prevent.
func (c *Console) setLeaveCookie(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: leaveCookie, Value: value, Path: leavePath, MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.o.Secure(r)})
}

// comeBack begins the session of who comes back from the identity provider.
func (c *Console) comeBack(w http.ResponseWriter, r *http.Request) {
	var left leaving
	cookie, err := r.Cookie(leaveCookie)
	if err == nil {
		text, ok := c.seals.open(leaveCookie, cookie.Value)
		if !ok || json.Unmarshal(text, &left) != nil || c.o.Now().Unix() >= left.Expires {
			left = leaving{}
		}
	}
	c.setLeaveCookie(w, r, "", -1) // once
	switch {
	case left.Secret == nil && c.who(r) != nil: // the page was loaded again
		c.redirect(w, r, Path)
		return
	case left.Secret == nil:
		c.render(w, r, http.StatusBadRequest, "login.html", c.loginForm(r, "This sign-in was begun in another browser or at another address of this server, or more than ten minutes ago. Try again."))
		return
	}
	name, roles, err := c.o.SignIn.Finish(r.Context(), left.Secret, r.URL.Query())
	switch {
	case errors.Is(err, ErrSignIn):
		c.o.Logger.Warn("a sign-in to the console failed", "remote", r.RemoteAddr, "error", err)
		c.render(w, r, http.StatusUnauthorized, "login.html", c.loginForm(r, "The identity provider did not let you in, or another sign-in was begun meanwhile. Try again."))
		return
	case err != nil:
		c.o.Logger.Error("a sign-in to the console failed", "remote", r.RemoteAddr, "error", err)
		c.render(w, r, http.StatusBadGateway, "login.html", c.loginForm(r, "What the identity provider answered can't be accepted; the log says why."))
		return
	}
	admin, known := c.o.SignIn.Role(roles)
	if !known {
		c.o.Logger.Warn("the console let nobody in who signed in: no role fits", "remote", r.RemoteAddr, "name", name)
		c.render(w, r, http.StatusForbidden, "login.html", c.loginForm(r, "You are signed in as "+name+", who has no role here. Whoever runs this server can give you one at the identity provider."))
		return
	}
	if !c.begin(w, r, &Who{Name: name, Roles: roles, Role: Role{Admin: admin}}) {
		return
	}
	// The session's cookie is SameSite=Strict: a redirect would belong to the
	// navigation that began at the identity provider, and go without it.
	c.render(w, r, http.StatusOK, "signedin.html", left.To)
}

// destination is a page of ours to go to, whatever was asked for.
func destination(to string) string {
	if u, err := url.Parse(to); err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || path.Clean(u.Path) != u.Path ||
		u.Path != Path && !strings.HasPrefix(u.Path, Path+"/") || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(u.Path, Path+"/login") || len(to) > 1000 {
		return Path
	}
	return to
}

// seals makes cookies that only this program, or all its instances, can read.
type seals struct{ keys func() [][]byte }

// newSeals uses the keys that all instances have, or one of this process.
func newSeals(shared *SharedSessions) seals {
	if shared != nil {
		return seals{shared.Keys}
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return seals{func() [][]byte { return [][]byte{key} }}
}
