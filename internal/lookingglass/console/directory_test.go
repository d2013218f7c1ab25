package console_test

import (
	"context"
	"fmt"
	"html"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const directory = console.Path + "/directory"

var (
	linkTo = regexp.MustCompile(`rel="(next|prev)" href="([^"]+)"`)
	names  = regexp.MustCompile(`<td class="name"><a href="([^"]+)">([^<]+)</a>`)
)

// neighbours returns the addresses of the next and the previous page, or "".
func neighbours(body string) (next, prev string) {
	for _, m := range linkTo.FindAllStringSubmatch(body, -1) {
		to := strings.ReplaceAll(m[2], "&amp;", "&")
		if m[1] == "next" {
			next = to
		} else {
			prev = to
		}
	}
	return next, prev
}

func listed(body string) (list []string) {
	for _, m := range names.FindAllStringSubmatch(body, -1) {
		list = append(list, m[2])
	}
	return list
}

// walk follows the links to the last page and back, and checks that it sees all
// of n people each way.
func walk(t *testing.T, s *site, n, back int) {
	t.Helper()
	seen := map[string]int{}
	pages, at, prev := 0, directory+"?type=User", ""
	for at != "" {
		status, body, _ := s.get(at, viewerToken)
		if status != http.StatusOK {
			t.Fatalf("%s: %d %s", at, status, body)
		}
		pages++
		for _, name := range listed(body) {
			seen[name]++
		}
		at, prev = neighbours(body)
	}
	if len(seen) != n || pages != (n+49)/50 {
		t.Errorf("%d people on %d pages, want %d", len(seen), pages, n)
	}
	for name, times := range seen {
		if times != 1 {
			t.Errorf("%s is there %d times", name, times)
		}
	}
	steps := 0
	for ; prev != ""; steps++ {
		_, body, _ := s.get(prev, viewerToken)
		if len(listed(body)) != 50 {
			t.Fatalf("back at %s there are %d people", prev, len(listed(body)))
		}
		_, prev = neighbours(body)
	}
	if steps != back {
		t.Errorf("%d steps back, want %d", steps, back)
	}
}

func TestDirectoryPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const n = 563
	for i := range n {
		s.create("Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user%03d"}`, i))
	}
	walk(t, s, n, 8) // so far the trail goes; then there is the first page
	_, body, _ := s.get(directory+"?type=User", viewerToken)
	if !strings.Contains(body, "1–50 of 563") || strings.Contains(body, ">First<") {
		t.Errorf("the first page does not say where it is: %s", body)
	}
	next, _ := neighbours(body)
	_, body, _ = s.get(next, viewerToken)
	if !strings.Contains(body, "51–100 of 563") || !strings.Contains(body, ">First<") {
		t.Errorf("the second page does not say where it is: %s", body)
	}
	// A cursor belongs to its query.
	if status, body, _ := s.get(next+"&filter=active+pr", viewerToken); status != http.StatusBadRequest || !strings.Contains(body, "Back to the first page") {
		t.Errorf("a cursor of another list: %d %s", status, body)
	}
	_, body, _ = s.get(directory+"?type=User&sort=userName&order=descending", viewerToken)
	if list := listed(body); len(list) != 50 || list[0] != "user562" || !strings.Contains(body, `aria-sort="descending"`) {
		t.Errorf("sorted descending: %v", list)
	}
}

// byIndex is a store that gives no positions for cursors, as some applications
// behind a façade do.
type byIndex struct{ *memory.Store }

func (b byIndex) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	page, err := b.Store.List(ctx, q)
	if page != nil {
		page.Last = nil
	}
	return page, err
}

// over serves another backend.
func over(t *testing.T, b scim.Backend) (*engine.Engine, func(*console.Options)) {
	t.Helper()
	e, err := engine.New(b, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return e, func(o *console.Options) {
		o.Engine = func() *engine.Engine { return e }
		o.Changes, o.Deleted = nil, nil
	}
}

// put creates a resource through an engine and returns its Location's last part.
func put(t *testing.T, e *engine.Engine, endpoint, body string) string {
	t.Helper()
	resp := e.Do(t.Context(), engine.Request{Method: http.MethodPost, Path: endpoint, Body: []byte(body)})
	if resp.Status != http.StatusCreated {
		t.Fatalf("POST %s: %d %v", endpoint, resp.Status, resp.Err)
	}
	return resp.ID
}

func TestDirectoryWithoutCursors(t *testing.T) {
	t.Parallel()
	e, use := over(t, byIndex{new(memory.Store)})
	for i := range 120 {
		put(t, e, "/Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user%03d"}`, i))
	}
	s := newSite(t, use)
	walk(t, s, 120, 2)
	if status, body, _ := s.get(directory+"/User/none", viewerToken); status != http.StatusNotFound || strings.Contains(body, ">History<") {
		t.Errorf("%d %s", status, body)
	}
}

// strict is an application that refuses whoever asks.
type strict struct{ *memory.Store }

func (strict) List(context.Context, scim.Query) (*scim.Page, error) {
	return nil, &scim.Error{Status: http.StatusUnauthorized, Detail: "no token"}
}

func (strict) Get(context.Context, scim.Ref, scim.Selection) (*scim.Resource, error) {
	return nil, &scim.Error{Status: http.StatusUnauthorized, Detail: "no token"}
}

// TestDirectoryOfFacade: an application that does not know the viewer's token
// says so.
func TestDirectoryOfFacade(t *testing.T) {
	t.Parallel()
	_, use := over(t, strict{new(memory.Store)})
	s := newSite(t, use, func(o *console.Options) { o.Facade = "PactFlow" })
	for _, path := range []string{"", "/User/1"} {
		if status, body, _ := s.get(directory+path, viewerToken); status != http.StatusForbidden || !strings.Contains(body, "log in with one of them") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// counting is a store whose groups hand their members over as they are read,
// and that counts them.
type counting struct {
	*memory.Store
	read *atomic.Int64
}

func (b counting) Get(ctx context.Context, ref scim.Ref, sel scim.Selection) (*scim.Resource, error) {
	r, err := b.Store.Get(ctx, ref, sel)
	if err != nil || ref.Type.Membership() == nil {
		return r, err
	}
	all, _ := r.Attrs.Get("members").([]scim.MemberRef)
	if all == nil && r.Members != nil {
		for m := range r.Members {
			all = append(all, m)
		}
	}
	copied := *r
	copied.Attrs = scim.Clone(r.Attrs)
	copied.Attrs.Set("members", nil)
	copied.Members = iter.Seq2[scim.MemberRef, error](func(yield func(scim.MemberRef, error) bool) {
		for _, m := range all {
			b.read.Add(1)
			if !yield(m, nil) {
				return
			}
		}
	})
	return &copied, nil
}

// TestDirectoryLargeGroup: of many members the first are shown, and hardly more
// are read.
func TestDirectoryLargeGroup(t *testing.T) {
	t.Parallel()
	var read atomic.Int64
	store := new(memory.Store)
	e, use := over(t, counting{store, &read})
	const n = 2500
	var members []string
	for i := range n {
		r := &scim.Resource{Type: e.Types()[0], ID: fmt.Sprintf("%08d-0000-4000-8000-000000000000", i),
			Attrs: scim.Object{{Name: "userName", Value: fmt.Sprintf("user%04d", i)}}}
		if err := store.Import(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		members = append(members, r.ID)
	}
	join := func(ids []string) string {
		return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"` + fmt.Sprint(len(ids)) + `","members":[{"value":"` + strings.Join(ids, `"},{"value":"`) + `"}]}`
	}
	small, large := put(t, e, "/Groups", join(members[:20])), put(t, e, "/Groups", join(members))
	s := newSite(t, use)
	status, body, _ := s.get(directory+"/Group/"+small, viewerToken)
	if status != http.StatusOK || !strings.Contains(body, "user0019") || strings.Contains(body, "These are the first") {
		t.Errorf("a small group: %d %s", status, body)
	}
	read.Store(0)
	_, body, _ = s.get(directory+"/Group/"+large, viewerToken)
	if !strings.Contains(body, "These are the first 100") || !strings.Contains(body, "user0099") || strings.Contains(body, "user0100") ||
		!strings.Contains(html.UnescapeString(body), url.QueryEscape(`groups.value eq "`+large+`"`)) {
		t.Errorf("a large group: %s", body)
	}
	if got := read.Load(); got < 100 || got > 1000 {
		t.Errorf("%d members were read", got)
	}
}

func TestDirectoryFilter(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.story()
	for _, c := range []struct {
		name, filter string
		status       int
		want         string
	}{
		{"words", `userName sw "a"`, 200, "begins with"},
		{"none", `userName eq "zed"`, 200, "Nothing matches this filter"},
		{"blanks", `   `, 200, "bob@example.com"},
		{"unknown attribute", `userNmae eq "a"`, 400, "<mark>userNmae</mark>"},
		{"unknown attribute, inside", `userName pr and emails[kind eq "work"]`, 400, "<mark>kind</mark>"},
		{"unfinished", `userName eq`, 400, "<mark>␣</mark>"},
		{"a position after wide characters", `displayName eq "ÄÖ" und active pr`, 400, "<mark>und</mark>"},
		{"no end", `userName eq "a`, 400, "no closing quote"},
		{"brackets", `((((userName pr`, 400, "<mark>"},
		{"an operator for another type", `active gt true`, 400, "active"},
		{"a secret", `password eq "x"`, 400, "password"},
		{"a bare word", `userName eq bob@example.com`, 200, "QRY-02"},
		{"markup", `userName eq "<script>alert(1)</script>"`, 200, "&lt;script&gt;"},
		{"markup that is none", `<script>alert(1)</script>`, 400, "&lt;script&gt;"},
		{"not UTF-8", "userName eq \"\xff\"", 400, "UTF-8"},
		{"long", strings.Repeat("a", 9000), 400, "8192"},
	} {
		q := "?" + url.Values{"type": {"User"}, "filter": {c.filter}}.Encode()
		status, body, _ := s.get(directory+q, viewerToken)
		if status != c.status || !strings.Contains(body, c.want) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: %d, want %d with %q: %s", c.name, status, c.status, c.want, body)
		}
		status, body, _ = s.page(http.MethodGet, directory+"/check"+q, viewerToken, "", "HX-Request: true")
		if status != http.StatusOK || strings.Contains(body, "<html") || (strings.Contains(body, "callout bad") != (c.status == 400)) || strings.Contains(body, "<script>") {
			t.Errorf("%s, as it is typed: %d %s", c.name, status, body)
		}
	}
	for path, want := range map[string]int{"?type=Nothing": 404, "/Nothing/1": 404, "/User/nobody": 404, "/check?type=Nothing": 404, "?type=User&sort=nothing": 400,
		"?type=User&cursor=forged": 400, "?type=user": 200, "/user/nobody": 404, "?type=User&start=-5": 200, "?type=User&start=99999": 200, "?type=Group&deleted=true": 200} {
		if status, body, _ := s.get(directory+path, viewerToken); status != want {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}
	if status, _, header := s.get(directory, ""); status != http.StatusSeeOther || !strings.HasPrefix(header.Get("Location"), console.Path+"/login") {
		t.Errorf("without a session: %d %v", status, header)
	}
}

func TestDirectoryResource(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, bob, group := s.story()
	_, body, _ := s.get(directory+"/User/"+alice, viewerToken)
	for _, want := range []string{"Engineering", directory + "/Group/" + group, "inactive", "Changed title and active", "Became a member of the group",
		"/looking-glass/people?q=" + alice, "&#34;userName&#34;: &#34;alice@example.com&#34;", "Chief of rabbits"} {
		if !strings.Contains(body, want) {
			t.Errorf("alice: no %q in %s", want, body)
		}
	}
	if strings.Contains(body, "canary-secret") || strings.Contains(body, "password") && !strings.Contains(body, "its values are not kept") {
		t.Errorf("her password shows: %s", body)
	}
	boss := s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"carol","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"R","manager":{"value":"`+alice+`"}}}`)
	_, body, _ = s.get(directory+"/User/"+boss, viewerToken)
	if !strings.Contains(body, `<a href="`+directory+`/User/`+alice+`">`) || !strings.Contains(body, "department") {
		t.Errorf("the manager is no link: %s", body)
	}
	_, body, _ = s.get(directory+"/Group/"+group, viewerToken)
	if !strings.Contains(body, "bob@example.com") && !strings.Contains(body, "Bob Builder") || strings.Contains(body, "&#34;members&#34;") {
		t.Errorf("the group: %s", body)
	}
	s.scim(http.MethodDelete, "/Users/"+bob, "")
	status, body, _ := s.get(directory+"/User/"+bob, viewerToken)
	if status != http.StatusNotFound || !strings.Contains(body, "rollcall users restore "+bob) || !strings.Contains(body, "Engineering") {
		t.Errorf("deleted: %d %s", status, body)
	}
	status, body, _ = s.get(directory+"?type=User&deleted=true", viewerToken)
	if status != http.StatusOK || !strings.Contains(body, "rollcall users restore "+bob) {
		t.Errorf("the deleted: %d %s", status, body)
	}
}

// TestDirectoryHistory: of a long history the newest part is shown.
func TestDirectoryHistory(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"busy"}`)
	for i := range 60 {
		s.scim(http.MethodPatch, "/Users/"+id, fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"title","value":"title-%d."}]}`, i))
	}
	_, body, _ := s.get(directory+"/User/"+id, viewerToken)
	if n := strings.Count(body, "Changed title"); n != 50 || !strings.Contains(body, "title-59.") || strings.Contains(body, "title-8.") || !strings.Contains(body, "The newest 50") {
		t.Errorf("%d entries: %s", n, body)
	}
	if first, second := strings.Index(body, "title-59."), strings.Index(body, "title-50."); first > second {
		t.Error("the newest is not the first")
	}
}

// hostile is what people with bad manners call themselves.
var hostile = []string{
	`<script>window.hit=1</script>`, `"><img src=x onerror="window.hit=1">`, `'"></title></textarea></script><svg onload=window.hit=1>`,
	`javascript:window.hit=1`, `{{.}}<!--`, "\u202ered\u0000x", `=HYPERLINK("http://evil.example")`,
}

// TestDirectoryHostile: markup in every attribute is text on every page.
func TestDirectoryHostile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var paths []string
	for i, h := range hostile {
		text := string(scim.AppendString(nil, strings.ReplaceAll(h, "\u0000", "")+fmt.Sprint(i)))
		id := s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
			"userName":`+strings.ReplaceAll(text, "\u202e", "")+`,"externalId":`+text+`,"displayName":`+text+`,"nickName":`+text+`,"title":`+text+`,"locale":`+text+`,"timezone":`+text+`,"profileUrl":"javascript:window.hit=1",
			"name":{"formatted":`+text+`,"familyName":`+text+`},"emails":[{"value":`+text+`,"type":`+text+`,"display":`+text+`}],"addresses":[{"streetAddress":`+text+`}],
			"photos":[{"value":"javascript:window.hit=1","display":`+text+`}],"roles":[{"value":`+text+`}],
			"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":`+text+`,"employeeNumber":`+text+`}}`, "User-Agent: "+strings.ReplaceAll(h, "\u0000", ""))
		group := s.create("Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":`+text+`,"members":[{"value":"`+id+`"}]}`)
		paths = append(paths, directory+"/User/"+id, directory+"/Group/"+group, directory+"?"+url.Values{"type": {"User"}, "filter": {"userName eq " + text}}.Encode(),
			directory+"?"+url.Values{"type": {"User"}, "filter": {h}}.Encode(), directory+"?"+url.Values{"type": {h}}.Encode(), directory+"/User/"+url.PathEscape(h),
			console.Path+"/try-it?"+url.Values{"path": {h}, "ifmatch": {h}, "method": {h}, "do": {"go"}}.Encode())
	}
	s.flush()
	for seq := range 2 * len(hostile) {
		paths = append(paths, fmt.Sprintf("%s/try-it?from=%d", console.Path, seq+1))
	}
	paths = append(paths, directory+"?type=User", directory+"?type=Group")
	b := s.open(directory, adminToken)
	for i, path := range paths {
		_, body, header := s.get(path, adminToken)
		for _, bad := range []string{"<script>window", "<img src=x", "<svg onload", `href="javascript:`, "{{"} {
			if strings.Contains(strings.ReplaceAll(body, "{{.}}&lt;!--", ""), bad) {
				t.Errorf("%s: has %s", path, bad)
			}
		}
		if !strings.Contains(header.Get("Content-Security-Policy"), "script-src 'self';") {
			t.Errorf("%s: policy %q", path, header.Get("Content-Security-Policy"))
		}
		if i%4 > 0 && i < len(paths)-2 {
			continue // a browser takes its time
		}
		b.visit(path)
		if eval[bool](b, "window.hit === 1") {
			t.Errorf("%s: ran a script", path)
		}
	}
}

// TestDirectoryInBrowser: a filter is explained while it is typed, and a fault
// is marked.
func TestDirectoryInBrowser(t *testing.T) {
	s := newSite(t)
	s.story()
	b := s.open(directory, viewerToken)
	b.do(chromedp.Click("#filter"))
	b.press(`userName sw "a`)
	b.until("the fault", `document.querySelector("#says .callout.bad")`)
	b.press(`"`)
	b.until("the words", `document.querySelector("#says .tree")?.innerText.includes("begins with")`)
	b.do(chromedp.Click(".filterform button.primary"))
	b.until("the list", `location.search.includes("filter") && document.querySelectorAll(".folk tbody tr").length === 1`)
	b.clean()
}

// TestDirectoryLooks: the directory, a user and a group in each size and scheme.
func TestDirectoryLooks(t *testing.T) {
	s := newSite(t)
	alice, bob, group := s.story()
	b := s.open(directory, viewerToken)
	b.inspect("directory")
	b.visit(directory + "?type=User&filter=userName%20sw%20%22a%22%20and%20(active%20eq%20false%20or%20emails[type%20eq%20%22work%22])&sort=userName")
	b.inspect("directory-filter")
	b.clean()
	b.visit(directory + "/User/" + alice)
	b.inspect("resource-user")
	b.visit(directory + "/Group/" + group)
	b.inspect("resource-group")
	s.scim(http.MethodDelete, "/Users/"+bob, "")
	b.visit(directory + "?type=User&deleted=true")
	b.inspect("directory-deleted")
	b.clean()
	// The browser tells of each page that is an error.
	b = s.open(directory+"?type=User&filter=userNmae%20eq%20%22a%22", viewerToken)
	b.inspect("directory-fault")
	b.visit(directory + "/User/" + bob)
	b.inspect("resource-deleted")
}
