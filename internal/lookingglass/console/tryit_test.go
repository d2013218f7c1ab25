package console_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const tryPath = console.Path + "/try-it"

var seenField = regexp.MustCompile(`name="seen" value="([0-9a-f]+)"`)

// count is how many changes the directory has seen.
func (s *site) count() int {
	s.t.Helper()
	list, err := s.Store.Changes(s.t.Context(), scim.ChangeQuery{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}

func form(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

const newUser = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"dave@example.com","password":"canary-secret-9a2","active":"True"}`

func TestTryWrite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.guest(adminToken)
	request := []string{"method", "POST", "path", "/Users", "body", newUser}
	status, body, _ := v.send(http.MethodPost, tryPath, form(append(request, "do", "go")...))
	seen := seenField.FindStringSubmatch(body)
	if status != http.StatusOK || seen == nil || !strings.Contains(body, "nothing was written") || !strings.Contains(body, "A User would be created") ||
		!strings.Contains(body, "BODY-01") || s.count() != 0 {
		t.Fatalf("preview: %d, %d changes, %s", status, s.count(), body)
	}
	_, body, _ = v.send(http.MethodPost, tryPath, form(append(request, "do", "send")...))
	if s.count() != 0 || !strings.Contains(body, "another one than was previewed") {
		t.Errorf("sent without a preview: %s", body)
	}
	_, body, _ = v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users", "body", newUser+" ", "do", "send", "seen", seen[1]))
	if s.count() != 0 || !strings.Contains(body, "another one than was previewed") {
		t.Errorf("another request was sent than was previewed: %s", body)
	}
	_, body, _ = v.send(http.MethodPost, tryPath, form(append(request, "do", "send", "seen", seen[1])...))
	link := regexp.MustCompile(`href="(/looking-glass/exchanges/\d+)"`).FindStringSubmatch(body)
	if s.count() != 1 || !strings.Contains(body, ">201<") || link == nil {
		t.Fatalf("%d changes; %s", s.count(), body)
	}
	_, body, _ = v.send(http.MethodGet, link[1], "")
	if !strings.Contains(body, "dave@example.com") || !strings.Contains(body, "Rollcall") || strings.Contains(body, "canary-secret") {
		t.Errorf("the exchange: %s", body)
	}
	list, err := s.Recorder.Find(t.Context(), lookingglass.Query{})
	if err != nil || len(list) != 4 {
		t.Fatalf("%d exchanges, %v", len(list), err)
	}
	for _, x := range list {
		if x.Client.Kind != "rollcall" {
			t.Errorf("%s %s?%s is of %+v", x.Method, x.Path, x.Query, x.Client)
		}
	}
	// The same once more would be refused.
	_, body, _ = v.send(http.MethodPost, tryPath, form(append(request, "do", "go")...))
	if !strings.Contains(body, "Would be refused with 409") || seenField.MatchString(body) {
		t.Errorf("what would be refused: %s", body)
	}
	// Changes, and none.
	id := list[0].Target
	change := []string{"method", "PATCH", "path", "/Users/" + id, "do", "go", "body", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":true},{"op":"add","path":"title","value":"<b>x</b>"}]}`}
	_, body, _ = v.send(http.MethodPost, tryPath, form(change...))
	if !strings.Contains(body, "This would change the User") || strings.Contains(body, "<b>x") || strings.Contains(body, "<code>active</code>") {
		t.Errorf("a change: %s", body)
	}
	change[7] = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":true}]}`
	if _, body, _ = v.send(http.MethodPost, tryPath, form(change...)); !strings.Contains(body, "and change nothing") {
		t.Errorf("no change: %s", body)
	}
	// To delete asks twice.
	remove := []string{"method", "DELETE", "path", "/Users/" + id, "do", "go"}
	_, body, _ = v.send(http.MethodPost, tryPath, form(remove...))
	remove = append(remove, "do", "send", "seen", seenField.FindStringSubmatch(body)[1])
	if _, body, _ = v.send(http.MethodPost, tryPath, form(remove...)); !strings.Contains(body, "tick the box") || s.count() != 1 {
		t.Errorf("deleted at once: %s", body)
	}
	if _, body, _ = v.send(http.MethodPost, tryPath, form(append(remove, "sure", "yes")...)); !strings.Contains(body, ">204<") || s.count() != 2 {
		t.Errorf("not deleted: %s", body)
	}
}

// TestTryBulk: each operation of a Bulk message has its preview.
func TestTryBulk(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.guest(adminToken)
	_, body, _ := v.send(http.MethodGet, tryPath+"?template=bulk", "")
	text := html.UnescapeString(bodyField.FindStringSubmatch(body)[1])
	_, body, _ = v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Bulk", "body", text, "do", "go"))
	for _, want := range []string{"A User would be created", "A Group would be created", "bulkId:alice", "Send for real"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	if strings.Contains(body, `name="sure"`) || s.count() != 0 {
		t.Error("it deletes nothing, or has written something")
	}
	_, body, _ = v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Bulk", "do", "go",
		"body", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Users/x"}]}`))
	if !strings.Contains(body, "404") {
		t.Errorf("an operation that would be refused: %s", body)
	}
}

func TestTryRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, _, _ := s.story()
	n := s.count()
	for _, token := range []string{viewerToken, adminToken} {
		v := s.guest(token)
		for path, want := range map[string]string{
			`/Users?filter=userName eq "bob@example.com"`: "Bob Builder",
			"Users/" + alice:                     "Chief of rabbits",
			s.URL + "/scim/v2/Users/" + alice:    "Chief of rabbits",
			"/scim/v2/Users/" + alice:            "Chief of rabbits",
			"/Users/" + alice + "?dryRun=true":   "Chief of rabbits",
			"":                                   "Say which endpoint",
			"https://elsewhere.example/v2/Users": "not one of this server",
			"/Users?a=%zz":                       "can&#39;t be read",
			"/Users?filter=x":                    ">400<",
			"/Nothing":                           ">404<",
		} {
			status, body, _ := v.send(http.MethodGet, tryPath+"?"+form("method", "GET", "path", path, "do", "go"), "")
			if status != http.StatusOK || !strings.Contains(body, want) {
				t.Errorf("%q: %d, no %q in %s", path, status, want, body)
			}
		}
		// A link sends no write, whoever follows it.
		for _, method := range []string{"DELETE", "PUT", "PATCH", "POST"} {
			_, body, _ := v.send(http.MethodGet, tryPath+"?"+form("method", method, "path", "/Users/"+alice, "do", "go", "sure", "yes", "body", "{}"), "")
			if strings.Contains(body, "<h2>Answer") || strings.Contains(body, "<h2>Preview") {
				t.Errorf("a link sent a %s: %s", method, body)
			}
		}
	}
	if s.count() != n {
		t.Error("something was written")
	}
	v := s.guest(adminToken)
	_, body, _ := v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users/.search", "do", "go",
		"body", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName sw \"b\""}`))
	if !strings.Contains(body, "Bob Builder") || !strings.Contains(body, "begins with") {
		t.Errorf("a search: %s", body)
	}
}

// TestTryAccess: who may look only can't write, nor can another origin.
func TestTryAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	alice, _, _ := s.story()
	n := s.count()
	all := form("method", "DELETE", "path", "/Users/"+alice, "do", "go")
	for _, c := range []struct {
		token string
		lines []string
	}{
		{viewerToken, nil}, {adminToken, []string{"Origin: https://evil.example"}}, {adminToken, []string{"Origin: null"}},
		{adminToken, []string{"Sec-Fetch-Site: same-site"}},
	} {
		if status, body, _ := s.guest(c.token).send(http.MethodPost, tryPath, all, c.lines...); status != http.StatusForbidden {
			t.Errorf("%v: %d %s", c, status, body)
		}
	}
	if status, _, _ := s.page(http.MethodPost, tryPath, "", all); status != http.StatusUnauthorized && status != http.StatusSeeOther {
		t.Errorf("without a session: %d", status)
	}
	_, body, _ := s.guest(viewerToken).send(http.MethodGet, tryPath, "")
	if strings.Contains(body, "<option>DELETE") || strings.Contains(body, `name="body"`) || strings.Contains(body, "template=delete") {
		t.Errorf("who may look is offered to write: %s", body)
	}
	if s.count() != n {
		t.Error("something was written")
	}
	if status, _, _ := s.guest(adminToken).send(http.MethodPost, tryPath, "body="+strings.Repeat("a", 300<<10)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large form: %d", status)
	}
}

// TestTryToken: the engine is asked for who logged in.
func TestTryToken(t *testing.T) {
	t.Parallel()
	var seen []string
	s := newSite(t, func(o *console.Options) {
		o.WithToken = func(ctx context.Context, token string) context.Context {
			seen = append(seen, token)
			return scim.WithOrigin(ctx, scim.Origin{Actor: "somebody"})
		}
	})
	v := s.guest(adminToken)
	_, body, _ := v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users", "body", newUser, "do", "go"))
	v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users", "body", newUser, "do", "send", "seen", seenField.FindStringSubmatch(body)[1]))
	list, err := s.Store.Changes(t.Context(), scim.ChangeQuery{})
	if err != nil || len(list) != 1 || list[0].Actor != "somebody" || list[0].RequestID == "" {
		t.Fatalf("%+v %v", list, err)
	}
	for _, token := range seen {
		if token != adminToken {
			t.Errorf("the token %q", token)
		}
	}
	found, err := s.Recorder.Find(t.Context(), lookingglass.Query{})
	if err != nil || len(found) != 2 || found[0].ID != list[0].RequestID || found[0].Actor != "somebody" {
		t.Errorf("%+v %v", found, err)
	}
}

// alone is a backend without batches, as those in front of an application are.
type alone struct{ scim.Backend }

func TestTryFacade(t *testing.T) {
	t.Parallel()
	_, use := over(t, alone{new(memory.Store)})
	s := newSite(t, use, func(o *console.Options) { o.Facade = "PactFlow" })
	_, body, _ := s.guest(adminToken).send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users", "body", newUser, "do", "go"))
	if !strings.Contains(body, "PactFlow was not asked") || !strings.Contains(body, "Send for real") {
		t.Errorf("%s", body)
	}
}

// TestTrySecret: of a password a preview says that it changes.
func TestTrySecret(t *testing.T) {
	t.Parallel()
	e, err := engine.New(new(memory.Store), engine.Config{Password: func(string) (string, error) { return "hash-canary", nil }})
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(o *console.Options) { o.Engine = func() *engine.Engine { return e } })
	_, body, _ := s.guest(adminToken).send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users", "body", newUser, "do", "go"))
	_, outcome, _ := strings.Cut(body, `id="outcome"`)
	outcome, _, _ = strings.Cut(outcome, `class="stack sendform"`)
	if !strings.Contains(outcome, "its value is secret") || strings.Contains(outcome, "canary") {
		t.Errorf("%s", outcome)
	}
}

func TestTryAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.story()
	list, err := s.Recorder.Find(t.Context(), lookingglass.Query{Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	v := s.guest(adminToken)
	n := s.count()
	for _, x := range list {
		status, body, at := v.send(http.MethodGet, console.Path+"/try?from="+strconv.FormatInt(x.Seq, 10), "")
		text := html.UnescapeString(body)
		if status != http.StatusOK || !strings.HasPrefix(at, tryPath) || !strings.Contains(text, `value="`+x.Local) || !strings.Contains(body, "<option selected>"+x.Method) {
			t.Errorf("%s %s: %d at %s: %s", x.Method, x.Local, status, at, body)
		}
		if strings.Contains(body, "canary-secret") {
			t.Errorf("%s %s has a secret", x.Method, x.Local)
		}
		m := bodyField.FindStringSubmatch(body)
		if x.Op != "create" || x.Status != http.StatusCreated || !strings.Contains(m[1], "***") {
			continue
		}
		// The mask of a secret is never sent for the secret itself.
		sent := html.UnescapeString(strings.ReplaceAll(m[1], "alice@", "alice2@"))
		_, body, _ = v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users", "body", sent, "do", "go"))
		seen := seenField.FindStringSubmatch(body)
		if seen == nil {
			t.Fatalf("no preview: %s", body)
		}
		if _, body, _ = v.send(http.MethodPost, tryPath, form("method", "POST", "path", "/Users", "body", sent, "do", "send", "seen", seen[1])); !strings.Contains(body, "Write the real value") {
			t.Errorf("the mask was sent: %s", body)
		}
	}
	for from, want := range map[string]string{"999999": "not kept any more", "x": "no such exchange", "-1": "not kept any more"} {
		if status, body, _ := v.send(http.MethodGet, tryPath+"?from="+from, ""); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("from=%s: %d %s", from, status, body)
		}
	}
	if s.count() != n {
		t.Error("something was written")
	}
}

func TestTryPaste(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.guest(adminToken)
	for _, c := range []struct{ paste, want string }{
		{"PATCH /Users/7 HTTP/1.1\r\nHost: x\r\nIf-Match: W/\"3\"\r\nAuthorization: Bearer canary\r\n\r\n{\"a\":1}", `value="W/"3""`},
		{"PATCH /Users/7 HTTP/1.1\r\nIf-Match: W/\"3\"\r\n\r\n{\"a\":1}", `{"a":1}</textarea>`},
		{"get /Users?filter=userName eq \"a b\"", `value="/Users?filter=userName eq "a b""`},
		{"nonsense", "This is no request"},
		{"", "This is no request"},
		{"BREW /Users", "none of those"},
	} {
		_, body, _ := v.send(http.MethodPost, tryPath, form("do", "paste", "paste", c.paste))
		if text := html.UnescapeString(body); !strings.Contains(text, c.want) || strings.Contains(text, "canary") {
			t.Errorf("%q: no %q in %s", c.paste, c.want, text)
		}
	}
}

// TestTryInBrowser: preview, change of mind, sending.
func TestTryInBrowser(t *testing.T) {
	s := newSite(t)
	alice, _, _ := s.story()
	b := s.open(tryPath+"?template=create", adminToken)
	b.inspect("try-it")
	b.do(chromedp.Click("#request button.primary"))
	b.until("the refusal", "document.querySelector('#outcome')?.innerText.includes('Would be refused with 409')")
	b.inspect("try-it-refused")
	eval[bool](b, `(document.querySelector("#body").value = document.querySelector("#body").value.replaceAll("alice@", "zoe@"), true)`)
	b.do(chromedp.Click("#request button.primary"))
	b.until("the preview", "document.querySelector('.sendform')")
	b.inspect("try-it-preview")
	b.do(chromedp.Click(".sendform button"))
	b.until("the answer", "document.querySelector('#outcome h2')?.innerText === 'Answer'")
	b.inspect("try-it-answer")
	b.visit(tryPath + "?" + form("method", "DELETE", "path", "/Users/"+alice))
	b.do(chromedp.Click("#request button.primary"))
	b.until("the preview", "document.querySelector('.sendform')")
	n := s.count()
	b.do(chromedp.Click(".sendform button"))
	if eval[bool](b, "document.querySelector('.sendform input[type=checkbox]').checkValidity()") || s.count() != n {
		t.Error("deleted without the box")
	}
	b.inspect("try-it-delete")
	b.do(chromedp.Click(".sure input"), chromedp.Click(".sendform button"))
	b.until("the answer", "document.querySelector('#outcome')?.innerText.includes('204')")
	b.visit(console.Path)
	b.until("the exchanges", "document.querySelector('#rows')?.innerText.includes('Rollcall')")
	b.clean()
}
