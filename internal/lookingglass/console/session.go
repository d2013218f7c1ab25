package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

const (
	cookieName  = "rollcall_looking_glass"
	sessionTime = 12 * time.Hour
	maxSessions = 1000 // at once; then the oldest end
)

// Who is who looks at the console.
type Who struct {
	Token string   // that they logged in with; "" in open mode, and if they signed in
	Name  string   // if they signed in
	Roles []string // if they signed in; those that matter here
	Role
	expires time.Time
}

// Role is what somebody may do.
type Role struct {
	Admin  bool   // may write
	Tenant string // may see this one alone; "": all
}

// CanLeave reports whether there is a session to end.
func (w *Who) CanLeave() bool { return w.Token != "" || w.Name != "" }

// sessions are those who have logged in, by the SHA-256 of what is in their
// cookie: who reads this memory can't become one of them. Of shared sessions it
// holds, by id, only those that this instance has met, so that what somebody has
// open here stays theirs.
type sessions struct {
	shared *SharedSessions         // nil: they are kept here alone
	role   func(*Who) (Role, bool) // as it is now; false: none
	mu     sync.Mutex
	by     map[[sha256.Size]byte]*Who
}

// add begins a session and returns what its cookie holds.
func (s *sessions) add(who *Who, now time.Time) (cookie string, err error) {
	if s.shared != nil {
		return s.shared.seal(sealed{rand.Text(), who.Token, who.Name, who.Roles, who.expires.Unix()})
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // it never fails
	cookie = base64.RawURLEncoding.EncodeToString(random[:])
	s.keep(cookie, who, now)
	return cookie, nil
}

// keep remembers who has a session, and drops the oldest of too many. It returns
// who had it already, if that is the same.
func (s *sessions) keep(name string, who *Who, now time.Time) *Who {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = map[[sha256.Size]byte]*Who{}
	}
	this := sha256.Sum256([]byte(name))
	if before := s.by[this]; before != nil && before.Role == who.Role {
		return before
	}
	var oldest [sha256.Size]byte
	var first *Who
	for key, w := range s.by {
		if !now.Before(w.expires) {
			delete(s.by, key)
		} else if first == nil || w.expires.Before(first.expires) {
			oldest, first = key, w
		}
	}
	if len(s.by) >= maxSessions {
		delete(s.by, oldest)
	}
	s.by[this] = who
	return who
}

// get returns who has a cookie, or nil. A shared session outlives the process, and
// the token of a tenant may be withdrawn at any time: it is looked at anew.
func (s *sessions) get(cookie string, now time.Time) *Who {
	if s.shared == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		who := s.by[sha256.Sum256([]byte(cookie))]
		if who == nil || !now.Before(who.expires) {
			return nil
		}
		if who.Tenant != "" {
			if role, known := s.role(who); !known || role != who.Role {
				return nil
			}
		}
		return who
	}
	in, ok := s.shared.open(cookie, now)
	if !ok {
		return nil
	}
	who := &Who{Token: in.Token, Name: in.Name, Roles: in.Roles, expires: time.Unix(in.Expires, 0)}
	var known bool
	if who.Role, known = s.role(who); !known {
		return nil
	}
	return s.keep(in.ID, who, now)
}

// end ends a session.
func (s *sessions) end(cookie string, now time.Time) {
	name := cookie
	if s.shared != nil {
		in, ok := s.shared.open(cookie, now)
		if !ok {
			return
		}
		name = in.ID
		s.shared.End(in.ID, time.Unix(in.Expires, 0))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, sha256.Sum256([]byte(name)))
}

type whoKey struct{}

// who returns who sent the request, or nil. Past admit it is nil only on the
// pages that need nobody.
func (c *Console) who(r *http.Request) *Who {
	who, _ := r.Context().Value(whoKey{}).(*Who)
	return who
}

// context is the one in which the engine is called for who sent the request.
func (c *Console) context(r *http.Request) context.Context {
	if who := c.who(r); who != nil {
		if who.Name != "" {
			return c.o.SignIn.Context(r.Context(), who.Name)
		}
		return c.o.WithToken(r.Context(), who.Token)
	}
	return r.Context()
}

// current reports whether the session of a request has not ended since.
func (c *Console) current(r *http.Request) bool {
	if c.o.Open {
		return true
	}
	cookie, err := r.Cookie(cookieName)
	return err == nil && c.sessions.get(cookie.Value, c.o.Now()) != nil
}

// admit decides who may go on; it answers those who may not. inner is the request
// as that tenant's pages see it.
func (c *Console) admit(w http.ResponseWriter, r *http.Request, name string, inner *http.Request) (*http.Request, bool) {
	path := inner.URL.Path
	open := name == "" && public(path)
	if (c.o.Open || c.o.LoopbackOnly) && !fromHere(r) {
		c.refuse(w, r, c.loopbackOnly())
		return nil, false
	}
	if !safe(r.Method) && !ownOrigin(r) {
		c.refuse(w, r, "This was sent by a page of another origin. Reload the console and try again.")
		return nil, false
	}
	var who *Who
	switch cookie, err := r.Cookie(cookieName); {
	case c.o.Open:
		who = &Who{Role: Role{Admin: true}}
		if c.o.Tenants != nil { // others have credentials
			who.Tenant = tenant.Default
		}
	case err == nil:
		who = c.sessions.get(cookie.Value, c.o.Now())
	}
	if who != nil {
		r = r.WithContext(context.WithValue(r.Context(), whoKey{}, who))
	}
	switch {
	case who == nil && !open:
		c.askLogin(w, r)
		return nil, false
	case who != nil && !who.Admin && !safe(r.Method) && !open && path != Path+"/logout" && !compares(path) && !rehearses(path):
		c.refuse(w, r, "You may look only. Log in with the API token, or as an operator, to change something.")
		return nil, false
	}
	return r, true
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// refuse answers 403: a page, or a line of text for scripts.
func (c *Console) refuse(w http.ResponseWriter, r *http.Request, why string) {
	if wantsFragment(r) || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	c.fail(w, r, http.StatusForbidden, "You can't do this here", why)
}

// askLogin sends who has not logged in to the login page, and from there back.
func (c *Console) askLogin(w http.ResponseWriter, r *http.Request) {
	login := Path + "/login"
	if r.Method == http.MethodGet && r.URL.Path != Path {
		login += "?to=" + url.QueryEscape(r.URL.RequestURI())
	}
	switch {
	case wantsFragment(r):
		w.Header().Set("HX-Redirect", Path+"/login")
		http.Error(w, "Log in first.", http.StatusUnauthorized)
	case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
		c.redirect(w, r, login)
	default:
		http.Error(w, "Log in first.", http.StatusUnauthorized)
	}
}

// fromHere reports whether a request comes from this machine: by its address, by
// not having come through a proxy, and by the name it was sent to, since a page
// anywhere can give its own name the address of this machine.
func fromHere(r *http.Request) bool {
	for name := range r.Header {
		for _, proxy := range proxyHeaders {
			if strings.HasPrefix(name, proxy) {
				return false
			}
		}
	}
	if !r.ProtoAtLeast(1, 1) { // no browser; a proxy that was told nothing
		return false
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && isLoopback(address) && isLoopback(hostname(r.Host))
}

// proxyHeaders begin the names of headers that proxies add, as net/http spells
// them.
var proxyHeaders = []string{"Forwarded", "Via", "X-Forwarded-", "X-Real-", "X-Client-", "X-Cluster-", "X-Original-", "X-Envoy-",
	"X-Proxy", "X-Scheme", "Cf-", "True-Client-", "Client-Ip", "Fastly-", "Fly-", "X-Amz", "X-Azure-"}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

func isLoopback(name string) bool {
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// ownOrigin reports whether a request was sent by a page of ours, or by no page
// at all: browsers say so by Sec-Fetch-Site where they trust the connection, and
// by Origin with what is not a plain read.
func ownOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func (c *Console) loopbackOnly() string {
	if c.o.Open {
		return "No token is set, so the console answers this machine alone. Open it on the machine itself as localhost, or set ROLLCALL_CONSOLE_TOKEN."
	}
	return "Without ROLLCALL_CONSOLE_TOKEN the console answers this machine alone. Open it on the machine itself as localhost, or set that token."
}

// notice says who may see this console, where that is worth saying.
func (c *Console) notice(r *http.Request) string {
	switch who := c.who(r); {
	case c.o.Open:
		return "No token is set: everybody who reaches the SCIM endpoints can change the directory. This console answers loopback clients only."
	case c.o.LoopbackOnly:
		return "This console answers loopback clients only, since ROLLCALL_CONSOLE_TOKEN is not set."
	case who != nil && who.Tenant != "":
		return "With this token you may look at the tenant " + who.Tenant + ", and change nothing."
	case who != nil && !who.Admin:
		return "You may look, and change nothing."
	}
	return ""
}

func (c *Console) sessionRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path+"/login", func(w http.ResponseWriter, r *http.Request) {
		if c.who(r) != nil {
			c.redirect(w, r, Path)
			return
		}
		c.render(w, r, http.StatusOK, "login.html", c.loginForm(r, ""))
	})
	mux.HandleFunc("POST "+Path+"/login", c.login)
	mux.HandleFunc("POST "+Path+"/logout", c.logout)
}

// loginForm is what login.html shows.
type loginForm struct {
	To     string // where to go then
	Wrong  bool   // the token is none that is known
	SignIn string // whom one can sign in with; "": nobody
	Notice string // why a sign-in failed
}

func (c *Console) loginForm(r *http.Request, notice string) loginForm {
	f := loginForm{To: r.FormValue("to"), Notice: notice}
	if c.o.SignIn != nil {
		f.SignIn = c.o.SignIn.Name
	}
	return f
}

// roleOf returns what somebody may do now.
func (c *Console) roleOf(who *Who) (role Role, known bool) {
	if who.Name == "" {
		return c.role(who.Token)
	}
	if c.o.SignIn != nil {
		role.Admin, known = c.o.SignIn.Role(who.Roles)
	}
	return role, known
}

// role returns what a token lets do.
func (c *Console) role(token string) (role Role, known bool) {
	switch {
	case token == "":
		return role, false
	case c.o.Admin(token):
		return Role{Admin: true}, true
	case c.o.Viewer(token):
		return role, true
	case c.o.Tenants != nil && c.o.Tenants.Guest != nil:
		role.Tenant, known = c.o.Tenants.Guest(token)
	}
	return role, known && role.Tenant != ""
}

// login takes a token and gives a cookie for it.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	token, to := strings.TrimSpace(r.PostFormValue("token")), r.PostFormValue("to")
	var role Role
	known, wait := c.o.Guess(r, token, func() (known bool) {
		role, known = c.role(token)
		return known
	})
	if wait > 0 {
		seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		w.Header().Set("Retry-After", seconds)
		c.render(w, r, http.StatusTooManyRequests, "login.html", c.loginForm(r, "Too many wrong tokens came from this address. Try again in "+seconds+" seconds."))
		return
	}
	if !known {
		c.o.Logger.Warn("the console refused a token", "remote", r.RemoteAddr)
		form := c.loginForm(r, "")
		form.Wrong = true
		c.render(w, r, http.StatusUnauthorized, "login.html", form)
		return
	}
	if c.begin(w, r, &Who{Token: token, Role: role}) {
		c.redirect(w, r, destination(to))
	}
}

// begin begins a session and ends the one that there was. It reports false after
// it has answered that it can't.
func (c *Console) begin(w http.ResponseWriter, r *http.Request, who *Who) bool {
	who.expires = c.o.Now().Add(sessionTime)
	cookie, err := c.sessions.add(who, c.o.Now())
	if err != nil {
		c.o.Logger.Error("nobody can log in to the console", "error", err)
		c.fail(w, r, http.StatusInternalServerError, "You can't log in here", err.Error())
		return false
	}
	if old, err := r.Cookie(cookieName); err == nil {
		c.sessions.end(old.Value, c.o.Now())
	}
	c.setCookie(w, r, cookie, int(sessionTime.Seconds()))
	return true
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName); err == nil {
		c.sessions.end(cookie.Value, c.o.Now())
		c.lists.forgetAll(c.owner(r))
	}
	c.setCookie(w, r, "", -1)
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	c.redirect(w, r, Path+"/login")
}

func (c *Console) setCookie(w http.ResponseWriter, r *http.Request, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: value, Path: Path, MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.o.Secure(r)})
}
