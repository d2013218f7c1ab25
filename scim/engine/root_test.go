package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// mixed returns a client with users and groups whose displayNames interleave,
// and three users without one.
func mixed(t *testing.T, c engine.Config) client {
	t.Helper()
	cl := open(t, nil, c)
	for i := range 9 {
		name := fmt.Sprintf("n%02d", (i*5)%18)
		if i%3 == 0 {
			cl.must(201, "POST /Users", `{"userName":"`+name+`"}`)
		} else {
			cl.must(201, "POST /Users", `{"userName":"`+name+`","displayName":"`+name+`"}`)
		}
		cl.group(fmt.Sprintf("n%02d", (i*7+1)%18))
	}
	return cl
}

// FLT-003, PAG-012
func TestRootInOrderOfTypes(t *testing.T) {
	t.Parallel()
	c := mixed(t, engine.Config{})
	all := c.must(200, "GET /", "")
	if all.total() != 18 || len(all.values("id")) != 18 {
		t.Fatalf("the root lists %d of %d", len(all.values("id")), all.total())
	}
	want := all.values("id")
	if users := c.must(200, "GET /Users", "").values("id"); !slices.Equal(want[:9], users) {
		t.Error("users do not come first, in order of creation")
	}
	for _, count := range []int{1, 2, 5, 9, 18} {
		var got []string
		for start := 1; start <= 18; start += count {
			a := c.must(200, fmt.Sprintf("GET /?startIndex=%d&count=%d", start, count), "")
			if a.total() != 18 {
				t.Errorf("count %d from %d: total %d", count, start, a.total())
			}
			got = append(got, a.values("id")...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d by index differ from the whole list", count)
		}
		got, pages := c.follow(fmt.Sprintf("/?count=%d", count), "id")
		if !slices.Equal(got, want) || pages != (17+count)/count {
			t.Errorf("%d pages of %d by cursor differ from the whole list", pages, count)
		}
	}
	if a := c.must(200, "GET /?count=0", ""); a.total() != 18 {
		t.Errorf("count=0: total %d", a.total())
	}
	if a := c.must(200, "GET /?startIndex=100", ""); a.total() != 18 || len(a.values("id")) != 0 {
		t.Errorf("beyond the end: %s", a.text)
	}
}

func TestRootSorted(t *testing.T) {
	t.Parallel()
	c := mixed(t, engine.Config{})
	for _, order := range []string{"ascending", "descending"} {
		query := "/?sortBy=displayName&sortOrder=" + order
		all := c.must(200, "GET "+query, "")
		names := all.values("displayName")
		present := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
		want := slices.Sorted(slices.Values(present))
		absent := names[len(present):]
		if order == "descending" {
			slices.Reverse(want)
			absent = names[:len(names)-len(present)]
		}
		if len(present) != 15 || !slices.Equal(present, want) || strings.Join(absent, "") != "" {
			t.Errorf("%s: %q", order, names)
		}
		ids := all.values("id")
		for _, count := range []int{1, 2, 5, 18} {
			if got, pages := c.follow(fmt.Sprintf("%s&count=%d", query, count), "id"); !slices.Equal(got, ids) || pages != (17+count)/count {
				t.Errorf("%s: %d pages of %d by cursor differ from the whole list", order, pages, count)
			}
			var got []string
			for start := 1; start <= 18; start += count {
				a := c.must(200, fmt.Sprintf("GET %s&startIndex=%d&count=%d", query, start, count), "")
				if a.total() != 18 {
					t.Errorf("total %d", a.total())
				}
				got = append(got, a.values("id")...)
			}
			if !slices.Equal(got, ids) {
				t.Errorf("%s: pages of %d by index differ from the whole list", order, count)
			}
		}
	}
	c.refused(400, "invalidPath", "GET /?sortBy=nobodyHasIt", "")
	// Only users have a userName: the groups come last.
	if got := c.must(200, "GET /?sortBy=userName", "").values("userName"); got[0] != "n00" || strings.Join(got[9:], "") != "" {
		t.Errorf("by userName: %q", got)
	}
}

// However far a page of a merged list is, what it skips is read by whole pages.
func TestRootFarPage(t *testing.T) {
	t.Parallel()
	lists := 0
	store := hooked{Backend: new(memory.Store), list: func(context.Context, scim.Query) error { lists++; return nil }}
	c := open(t, store, engine.Config{})
	for i := range 20 {
		c.user(fmt.Sprint("u", i))
	}
	a := c.must(200, "GET /?sortBy=userName&startIndex=9223372036854775807", "")
	if a.total() != 20 || len(a.values("id")) != 0 || lists > 4 {
		t.Errorf("%d lists were read for %s", lists, a.text)
	}
}

// CUR-020: what others insert and delete between the requests of one merged
// page makes the cursor neither repeat nor skip what is there all the time.
func TestRootCursorWhileWriting(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		store := new(memory.Store)
		quiet := open(t, store, engine.Config{})
		add := func(name string) string {
			return quiet.must(201, "POST /Users", `{"userName":"`+name+`","displayName":"`+name+`"}`).ID
		}
		var want []string
		for i := range 20 {
			name := fmt.Sprintf("d%02d", i)
			want = append(want, name)
			if i%2 == 0 {
				add(name)
			} else {
				quiet.group(name)
			}
		}
		n := 0
		var extra []string
		c := open(t, hooked{Backend: store, list: func(_ context.Context, q scim.Query) error {
			if n++; q.Type.Name != "User" || n > 200 {
				return nil
			}
			if len(extra) > 2 && rnd.IntN(2) == 0 {
				k := rnd.IntN(len(extra))
				quiet.must(204, "DELETE /Users/"+extra[k], "")
				extra = slices.Delete(extra, k, k+1)
			} else {
				extra = append(extra, add(fmt.Sprintf("d%02d-%d", rnd.IntN(20), n)))
			}
			return nil
		}}, engine.Config{})
		got, _ := c.follow(fmt.Sprintf("/?sortBy=displayName&count=%d", 2+rnd.IntN(6)), "displayName")
		old := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return len(s) != 3 })
		if !slices.Equal(old, want) {
			t.Errorf("seed %d: the pages list %v\nof what was there all the time; want %v\n%v", seed, old, want, got)
		}
	}
}

// FLT-003, FLT-004, FLT-005, FLT-015
func TestRootFilters(t *testing.T) {
	t.Parallel()
	var asked []string
	c := open(t, hooked{Backend: new(memory.Store), list: func(_ context.Context, q scim.Query) error {
		asked = append(asked, q.Type.Name)
		return nil
	}}, engine.Config{MultiTypeMax: 3})
	c.user("a")
	c.user("b")
	c.group("a")
	for _, tt := range []struct {
		filter string
		want   int
		asked  string
	}{
		{`meta.resourceType eq "Group"`, 1, "Group"},
		{`meta.resourceType ne "Group"`, 2, "User"},
		{`not (meta.resourceType eq "Group")`, 2, "User"},
		{`META.RESOURCETYPE eq "User" and userName eq "a"`, 1, "User"},
		{`meta.resourceType eq "Group" or userName eq "a"`, 2, "User Group"},
		{`meta.resourceType eq "Nope"`, 0, ""},
		{`userName eq "a"`, 1, "User Group"},
		{`displayName eq "a"`, 1, "User Group"},
		{`nobodyHasIt eq "a"`, 0, "User Group"},
	} {
		asked = nil
		values := strings.NewReplacer(" ", "+", `"`, "%22").Replace(tt.filter)
		a := c.must(200, "GET /?filter="+values, "")
		if a.total() != tt.want || strings.Join(asked, " ") != tt.asked {
			t.Errorf("%s: %d matches, asked %v; want %d, %q", tt.filter, a.total(), asked, tt.want, tt.asked)
		}
	}
	c.refused(400, "invalidFilter", "GET /?filter=userName+eq+5", "")
	c.refused(400, "invalidFilter", "GET /Users?filter=nobodyHasIt+eq+%22a%22", "")
	c.must(200, "GET /", "")
	c.user("d")
	c.refused(400, "tooMany", "GET /", "")
	c.refused(400, "tooMany", "POST /.search", `{"schemas":["`+scim.SearchRequestURN+`"]}`)
	c.must(200, "GET /?filter=userName+pr", "")
}
