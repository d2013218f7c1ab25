package engine_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// follow reads all pages of a cursor query and returns what they list.
func (c client) follow(query, attribute string) (values []string, pages int) {
	c.tb.Helper()
	cursor := ""
	for pages = 1; ; pages++ {
		a := c.must(200, "GET "+query+"&cursor="+cursor, "")
		if !regexp.MustCompile(`^[A-Za-z0-9._~-]*$`).MatchString(a.next()) {
			c.tb.Errorf("nextCursor %q needs escaping", a.next())
		}
		if _, ok := a.json["startIndex"]; ok {
			c.tb.Errorf("a cursor page has a startIndex: %s", a.text)
		}
		got := a.values(attribute)
		if n, _ := a.json["itemsPerPage"].(float64); int(n) != len(got) {
			c.tb.Errorf("itemsPerPage %v, %d resources", n, len(got))
		}
		if pages > 1 && len(got) == 0 {
			c.tb.Errorf("page %d is empty", pages)
		}
		values = append(values, got...)
		if cursor = a.next(); cursor == "" || pages > 1000 {
			return values, pages
		}
	}
}

// CUR-001, CUR-002, CUR-003, CUR-022, SRT-011
func TestCursorPages(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	var want []string
	for i := range 20 {
		name := fmt.Sprintf("u%02d", (i*7)%20)
		want = append(want, name)
		c.user(name)
	}
	sorted := slices.Sorted(slices.Values(want))
	down := slices.Clone(sorted)
	slices.Reverse(down)
	for _, tt := range []struct {
		query string
		want  []string
		pages int
	}{
		{"/Users?count=10", want, 2},
		{"/Users?count=7", want, 3},
		{"/Users?count=7&sortBy=userName", sorted, 3},
		{"/Users?count=20&sortBy=userName&sortOrder=descending", down, 1},
		{"/Users?count=3&filter=userName+lt+%22u10%22&sortBy=userName", sorted[:10], 4},
	} {
		got, pages := c.follow(tt.query, "userName")
		if !slices.Equal(got, tt.want) || pages != tt.pages {
			t.Errorf("%s: %d pages %v, want %d pages %v", tt.query, pages, got, tt.pages, tt.want)
		}
	}
	if a := c.must(200, "GET /Users?cursor=&count=0", ""); a.total() != 20 || a.next() != "" || len(a.values("id")) != 0 {
		t.Errorf("count=0: %s", a.text)
	}
}

// CUR-006, CUR-008
func TestForgedCursors(t *testing.T) {
	t.Parallel()
	b := new(memory.Store)
	key := func() [][]byte { return [][]byte{[]byte(strings.Repeat("k", 32))} }
	c := open(t, b, engine.Config{CursorKeys: key, Tenant: "a"})
	other := open(t, b, engine.Config{CursorKeys: key, Tenant: "b"})
	keyless := open(t, b, engine.Config{Tenant: "a"})
	for i := range 5 {
		c.user(fmt.Sprint("u", i))
		c.group(fmt.Sprint("g", i))
	}
	good := c.must(200, "GET /Users?cursor&count=2", "").next()
	next := "&count=2&cursor=" + good
	c.must(200, "GET /Users?"+next[1:], "")
	c.must(200, "GET /Users?cursor="+good, "")
	c.must(200, "POST /Users/.search", `{"schemas":["`+scim.SearchRequestURN+`"],"count":2,"cursor":"`+good+`"}`)

	text := ""
	refuse := func(what string, a answer) {
		t.Helper()
		if text == "" {
			text = a.text
		}
		if a.Status != 400 || a.text != text || a.json["scimType"] != "invalidCursor" {
			t.Errorf("%s: status %d, %s", what, a.Status, a.text)
		}
	}
	for i := range good {
		forged := good[:i] + string('A'+(good[i]-'A'+1)%26) + good[i+1:]
		if forged != good {
			refuse(fmt.Sprintf("byte %d changed", i), c.do("GET /Users?count=2&cursor="+forged, ""))
		}
	}
	for _, bad := range []string{"x", "AAAA", "%00", "....", good[:20], good + "AAAA", strings.Repeat("A", 5000)} {
		refuse("cursor "+bad, c.do("GET /Users?count=2&cursor="+bad, ""))
	}
	refuse("another endpoint", c.do("GET /Groups?"+next[1:], ""))
	refuse("the root", c.do("GET /?"+next[1:], ""))
	refuse("another tenant", other.do("GET /Users?"+next[1:], ""))
	refuse("another key", keyless.do("GET /Users?"+next[1:], ""))
	for _, more := range []string{"filter=userName+pr", "sortBy=userName", "sortOrder=descending", "attributes=userName", "excludedAttributes=name"} {
		refuse("with "+more, c.do("GET /Users?"+more+next, ""))
	}
	c.refused(400, "invalidCount", "GET /Users?count=3&cursor="+good, "")
	c.refused(400, "invalidCount", "GET /Users?count=abc&cursor="+good, "")
	c.refused(400, "invalidValue", "GET /Users?cursor=&startIndex=1", "")
	c.refused(400, "invalidValue", "GET /Users?cursor=&cursor=", "")
}

// CUR-009
func TestExpiredCursor(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := open(t, nil, engine.Config{CursorTimeout: time.Minute, Now: func() time.Time { return now }})
	c.user("a")
	c.user("b")
	next := c.must(200, "GET /Users?cursor&count=1", "").next()
	now = now.Add(59 * time.Second)
	c.must(200, "GET /Users?cursor="+next, "")
	now = now.Add(time.Second)
	c.refused(400, "expiredCursor", "GET /Users?cursor="+next, "")
}

// CUR-021: what a cursor needs to be understood is in it, and in the keys.
func TestCursorKeyRing(t *testing.T) {
	t.Parallel()
	keys := [][]byte{[]byte(strings.Repeat("1", 32))}
	c := open(t, nil, engine.Config{CursorKeys: func() [][]byte { return keys }})
	c.user("a")
	c.user("b")
	next := c.must(200, "GET /Users?cursor&count=1", "").next()
	keys = append([][]byte{[]byte(strings.Repeat("2", 32))}, keys...)
	c.must(200, "GET /Users?cursor="+next, "")
	keys = keys[:1]
	c.refused(400, "invalidCursor", "GET /Users?cursor="+next, "")
	keys = [][]byte{[]byte("short")}
	c.must(500, "GET /Users?cursor&count=1", "")
	keys = nil
	c.must(500, "GET /Users?cursor&count=1", "")
}

// CUR-013, CUR-014, CUR-015
func TestPagingMethods(t *testing.T) {
	t.Parallel()
	b := new(memory.Store)
	c := open(t, b, engine.Config{})
	for i := range 3 {
		c.user(fmt.Sprint("u", i))
	}
	if a := c.must(200, "GET /Users?count=2", ""); a.next() != "" || a.json["startIndex"] != 1.0 {
		t.Errorf("a plain query: %s", a.text)
	}
	only := open(t, b, engine.Config{CursorOnly: true, NoTotals: true})
	a := only.must(200, "GET /Users?count=2", "")
	if a.next() == "" || a.total() != -1 {
		t.Errorf("cursors only, no totals: %s", a.text)
	}
	if a = only.must(200, "GET /Users?count=2&cursor="+a.next(), ""); a.next() != "" || len(a.values("id")) != 1 || a.total() != -1 {
		t.Errorf("the second page: %s", a.text)
	}
	if a := only.must(200, "GET /Users?count=0", ""); a.total() != 3 {
		t.Errorf("count=0 asks for the total: %s", a.text)
	}
	only.must(200, "GET /Users?startIndex=1", "")
	only.refused(400, "invalidValue", "GET /Users?startIndex=2", "")
	spc := only.must(200, "GET /ServiceProviderConfig", "").text
	if !strings.Contains(spc, `"index":false,"defaultPaginationMethod":"cursor"`) {
		t.Errorf("ServiceProviderConfig: %s", spc)
	}
}

// The total is that of the first page, and what is added meanwhile is found.
func TestCursorWhileWriting(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{})
	for i := range 6 {
		c.user(fmt.Sprintf("u%d", i))
	}
	first := c.must(200, "GET /Users?cursor&count=3&sortBy=userName", "")
	gone := first.values("id")[2]
	c.must(204, "DELETE /Users/"+gone, "")
	c.user("a-before")
	c.user("u5-after")
	second := c.must(200, "GET /Users?count=3&sortBy=userName&cursor="+first.next(), "")
	if got := second.values("userName"); !slices.Equal(got, []string{"u3", "u4", "u5"}) || second.total() != 6 {
		t.Errorf("the second page lists %v of %d", got, second.total())
	}
}

// TestCursorScope: a cursor is good for the caller who got it, where a scope says who that is.
func TestCursorScope(t *testing.T) {
	t.Parallel()
	b := new(memory.Store)
	key := func() [][]byte { return [][]byte{[]byte(strings.Repeat("k", 32))} }
	as := func(who string) client {
		return open(t, b, engine.Config{CursorKeys: key, Scope: func(context.Context) string { return who }})
	}
	alice, bob := as("alice"), as("bob")
	for i := range 3 {
		alice.user(fmt.Sprint("u", i))
	}
	next := alice.must(200, "GET /Users?cursor&count=1", "").next()
	alice.must(200, "GET /Users?count=1&cursor="+next, "")
	if a := bob.do("GET /Users?count=1&cursor="+next, ""); a.Status != 400 || a.json["scimType"] != "invalidCursor" {
		t.Errorf("another caller's cursor: status %d, %s", a.Status, a.text)
	}
}
