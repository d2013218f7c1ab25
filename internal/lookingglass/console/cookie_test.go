package console_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// shared are the sessions of several instances, as a database keeps what they
// must know of each other.
type shared struct {
	keys  atomic.Pointer[[][]byte]
	ended sync.Map
}

func (s *shared) sessions() *console.SharedSessions {
	return &console.SharedSessions{
		Keys:  func() [][]byte { return *s.keys.Load() },
		End:   func(id string, until time.Time) { s.ended.Store(id, until) },
		Ended: func(id string) bool { _, ended := s.ended.Load(id); return ended },
	}
}

// TestSharedSessions: a login at one instance is one at the other, until it has
// ended at either.
func TestSharedSessions(t *testing.T) {
	key := func(c byte) []byte { return bytes.Repeat([]byte{c}, 32) }
	both := &shared{}
	both.keys.Store(&[][]byte{key('a')})
	var later atomic.Int64
	var withdrawn, demoted atomic.Bool
	long := strings.Repeat("l", 4000)
	change := func(o *console.Options) {
		o.Sessions = both.sessions()
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
		admin, viewer := o.Admin, o.Viewer
		o.Admin = func(token string) bool { return admin(token) && !demoted.Load() }
		o.Viewer = func(token string) bool {
			return (viewer(token) || token == long || admin(token)) && !withdrawn.Load()
		}
	}
	one, two := newSite(t, change), newSite(t, change)
	get := func(s *site, c *http.Cookie) int {
		t.Helper()
		status, _, _ := s.page(http.MethodGet, console.Path, "", "", "Cookie: "+c.Name+"="+c.Value)
		return status
	}
	post := func(s *site, c *http.Cookie, path string) int {
		t.Helper()
		status, _, _ := s.page(http.MethodPost, console.Path+path, "", "x=y", "Cookie: "+c.Name+"="+c.Value)
		return status
	}
	check := func(what string, c *http.Cookie, want int) {
		t.Helper()
		for i, s := range []*site{one, two} {
			if status := get(s, c); status != want {
				t.Errorf("%s, instance %d: %d, want %d", what, i+1, status, want)
			}
		}
	}
	c := one.session(adminToken)
	if len(c.Value) < 40 || strings.Contains(c.Value, adminToken) || one.session(adminToken).Value == c.Value {
		t.Errorf("the cookie: %v", c)
	}
	check("logged in", c, http.StatusOK)
	for i := range c.Value {
		if i%7 == 0 || i == len(c.Value)-1 {
			forged := []byte(c.Value)
			forged[i] ^= 1
			check("a forged cookie", &http.Cookie{Name: c.Name, Value: string(forged)}, http.StatusSeeOther)
		}
	}
	for _, value := range []string{"", "x", strings.Repeat("A", 50), strings.Repeat("=", 80), c.Value + "AAAA", c.Value[:60]} {
		check("no cookie of ours", &http.Cookie{Name: c.Name, Value: value}, http.StatusSeeOther)
	}

	if status := post(two, c, "/directory"); status == http.StatusForbidden {
		t.Error("an admin may only look at the other instance")
	}
	demoted.Store(true)
	if status := post(two, c, "/directory"); status != http.StatusForbidden {
		t.Errorf("a token that may only look now: %d", status)
	}
	check("a token that may only look now", c, http.StatusOK)
	withdrawn.Store(true)
	check("a token that was withdrawn", c, http.StatusSeeOther)
	withdrawn.Store(false)
	demoted.Store(false)

	both.keys.Store(&[][]byte{key('b'), key('a')})
	check("after a new key", c, http.StatusOK)
	fresh := two.session(viewerToken)
	check("sealed with the new key", fresh, http.StatusOK)
	both.keys.Store(&[][]byte{key('b')})
	check("without the old key", c, http.StatusSeeOther)
	check("sealed with the new key", fresh, http.StatusOK)

	if status := post(one, fresh, "/logout"); status != http.StatusSeeOther {
		t.Errorf("logout: %d", status)
	}
	check("after the logout", fresh, http.StatusSeeOther)

	c = one.session(viewerToken)
	later.Store(int64(12*time.Hour - time.Minute))
	check("after a day's work", c, http.StatusOK)
	later.Store(int64(12*time.Hour + time.Minute))
	check("after twelve hours", c, http.StatusSeeOther)

	status, body, header := one.page(http.MethodPost, console.Path+"/login", "", "token="+long)
	if status != http.StatusInternalServerError || header.Get("Set-Cookie") != "" || !strings.Contains(body, "too long") || strings.Contains(body, long) {
		t.Errorf("a token that fits no cookie: %d %s", status, body)
	}
}
