package console_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

const (
	okta  = "User-Agent: Okta SCIM Client 1.0.0"
	entra = "User-Agent: Azure AD SCIM Client"
)

// story has a few exchanges as they happen in a company, and returns the ids of
// two people and a group.
func (s *site) story() (alice, bob, group string) {
	s.t.Helper()
	s.scim(http.MethodGet, `/Users?filter=userName%20eq%20%22alice@example.com%22`, "", okta)
	alice = s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"alice@example.com","externalId":"00u1","name":{"givenName":"Alice","familyName":"Liddell"},"emails":[{"value":"alice@example.com","type":"work","primary":true}],"active":true,"password":"canary-secret-8f1"}`, okta)
	bob = s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bob@example.com","displayName":"Bob Builder","active":true}`, entra)
	group = s.create("Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Engineering","members":[{"value":"`+alice+`"},{"value":"`+bob+`"}]}`, okta)
	s.scim(http.MethodPatch, "/Users/"+alice, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"Replace","path":"active","value":"False"},{"op":"Add","path":"title","value":"Chief of rabbits"}]}`, entra)
	s.scim(http.MethodGet, `/Users?filter=active%20eq%20true%20and%20(emails.value%20co%20%22example%22%20or%20not%20(title%20pr))`, "", okta)
	s.scim(http.MethodPost, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ALICE@example.com"}`, entra)
	s.scim(http.MethodGet, "/Users/no-such-person", "", okta)
	s.scim(http.MethodPatch, "/Groups/"+group, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"remove","path":"members[value eq \"`+bob+`\"]"}]}`, okta)
	s.scim(http.MethodGet, `/Users?filter=userName%20eq%20%22carol@example.com%22`, "", okta)
	s.flush()
	return alice, bob, group
}

// TestLiveArrival: an exchange is in the page within a second, unless the machine
// stands still.
func TestLiveArrival(t *testing.T) {
	s := newSite(t)
	b := s.open(console.Path, viewerToken)
	b.until("the stream", "document.querySelector('[data-live]').classList.contains('on')")
	var took []time.Duration
	for n := 0; n < 5 && (n == 0 || took[n-1] > time.Second); n++ {
		s.create("Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"early.bird-%d"}`, n), okta)
		took = append(took, b.until("the row", fmt.Sprintf("document.querySelector('#rows').innerText.includes('early.bird-%d')", n)))
	}
	if slices.Min(took) > time.Second {
		t.Errorf("it took %v", took)
	}
	if !eval[bool](b, "document.querySelector('[data-empty]').hidden") {
		t.Error("the page still says that there is nothing")
	}

	// Rows that the form does not choose stay away.
	b.visit(console.Path + "?status=error")
	b.until("the stream", "document.querySelector('[data-live]').classList.contains('on')")
	s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"late.bird"}`, okta)
	s.scim(http.MethodGet, "/Users/nobody", "", okta)
	b.until("the failure", "document.querySelector('#rows').innerText.includes('nobody')")
	if text := eval[string](b, "document.querySelector('#rows').innerText"); strings.Contains(text, "late.bird") {
		t.Errorf("the filter does not apply to the stream: %s", text)
	}

	// Paused, nothing arrives; resumed, what came meanwhile is there.
	b.visit(console.Path)
	b.until("the stream", "document.querySelector('[data-live]').classList.contains('on')")
	b.press("p")
	s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"paused.bird"}`, okta)
	b.until("the count", "document.querySelector('[data-pause]').innerText.includes('1 new')")
	if eval[bool](b, "document.querySelector('#rows').innerText.includes('paused.bird')") {
		t.Error("a row arrived while paused")
	}
	b.do(chromedp.Click("[data-pause]"))
	b.until("the row after the pause", "document.querySelector('#rows')?.innerText.includes('paused.bird')")
	b.clean()
}

// TestLiveForm: the form filters without a reload, and its choices are in the
// address.
func TestLiveForm(t *testing.T) {
	s := newSite(t)
	s.story()
	b := s.open(console.Path, viewerToken)
	b.do(chromedp.SetValue("select[name=client]", "entra"))
	eval[bool](b, "document.querySelector('select[name=client]').dispatchEvent(new Event('change', {bubbles: true}))")
	b.until("the filtered list", "document.querySelectorAll('#rows tr').length === 3")
	if at := eval[string](b, "location.search"); at != "?client=entra" {
		t.Errorf("the address has %q", at)
	}
	b.press("/")
	b.press("rabbits")
	b.press(kb.Escape)
	b.visit(console.Path + "?q=no-such-thing")
	if text := eval[string](b, "document.querySelector('#list').innerText"); !strings.Contains(text, "Nothing that is kept matches") {
		t.Errorf("an empty list says %q", text)
	}
	b.clean()
}

// TestLiveKeyboard walks through the list and an exchange without a mouse.
func TestLiveKeyboard(t *testing.T) {
	s := newSite(t)
	s.story()
	b := s.open(console.Path, viewerToken)
	b.until("the stream", "document.querySelector('[data-live]').classList.contains('on')")
	b.press("j")
	b.press("j")
	b.press("k")
	b.press("j")
	want := eval[string](b, "document.querySelectorAll('#rows a[data-open]')[1].innerText")
	b.press(kb.Enter)
	b.until("the exchange", "document.querySelector('#detail .exchange')")
	if got := eval[string](b, "document.querySelector('#rows a[aria-current]').innerText"); got != want {
		t.Errorf("%q is open, want %q", got, want)
	}
	if at := eval[string](b, "location.pathname"); !strings.HasPrefix(at, console.Path+"/exchanges/") {
		t.Errorf("the address is %s", at)
	}
	b.press(kb.Escape)
	b.until("the closed pane", "!document.querySelector('#detail .exchange')")
	if at := eval[string](b, "location.pathname"); at != console.Path {
		t.Errorf("the address is %s", at)
	}
	if !eval[bool](b, "document.activeElement.matches('#rows a')") {
		t.Error("the focus is lost")
	}
	b.press("/")
	if !eval[bool](b, "document.activeElement.id === 'q'") {
		t.Error("/ does not go to the search")
	}
	b.clean()
}

// TestLiveLooks: the list and an exchange of each kind, in each size and scheme.
func TestLiveLooks(t *testing.T) {
	s := newSite(t)
	s.story()
	b := s.open(console.Path+"/login", "")
	b.inspect("login")
	b.clean()
	b = s.open(console.Path, adminToken)
	b.inspect("live")
	for name, text := range map[string]string{"change": "Chief", "refusal": "ALICE", "filter": "title pr", "lookup": "carol"} {
		b.visit(console.Path)
		link := eval[string](b, `[...document.querySelectorAll("#rows tr")].map((r) => r.querySelector("a").getAttribute("href")).join(" ")`)
		for _, href := range strings.Fields(link) {
			b.visit(href)
			if eval[bool](b, fmt.Sprintf("document.querySelector('#detail').innerText.includes(%q)", text)) {
				break
			}
		}
		if !eval[bool](b, fmt.Sprintf("document.querySelector('#detail').innerText.includes(%q)", text)) {
			t.Errorf("no exchange has %q", text)
		}
		b.inspect("exchange-" + name)
	}
	b.clean()
}

// TestLiveFlood: a thousand exchanges a second do not freeze the page, and it
// says that it leaves some out.
func TestLiveFlood(t *testing.T) {
	length := 3 * time.Second
	if testing.Short() {
		length = time.Second
	}
	s := newSite(t)
	b := s.open(console.Path, viewerToken)
	b.until("the stream", "document.querySelector('[data-live]').classList.contains('on')")
	id := s.create("Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"busy"}`, okta)
	var still []float64
	for range 4 { // once, unless the machine stands still too
		eval[bool](b, `(clearInterval(window.timer), window.longest = 0, window.before = performance.now(), window.timer = setInterval(() => {
			const now = performance.now(); window.longest = Math.max(window.longest, now - window.before - 20); window.before = now; }, 20), true)`)
		began, n := time.Now(), 0
		for range time.Tick(10 * time.Millisecond) {
			for range 10 {
				s.scim(http.MethodGet, "/Users/"+id, "", okta)
				n++
			}
			if time.Since(began) > length {
				break
			}
		}
		t.Logf("%d exchanges in %v", n, time.Since(began))
		b.until("what is left out", "/left out|not recorded/.test(document.querySelector('#figures').innerText)")
		if rows := eval[int](b, "document.querySelectorAll('#rows tr').length"); rows > 201 {
			t.Errorf("%d rows", rows)
		}
		if still = append(still, eval[float64](b, "window.longest")); still[len(still)-1] <= 500 {
			break
		}
	}
	if slices.Min(still) > 500 {
		t.Errorf("the page stood still for %.0f ms", still)
	}
	b.clean()
}

// TestLiveWithoutScript: list and exchange are plain links and forms.
func TestLiveWithoutScript(t *testing.T) {
	s := newSite(t)
	_, _, _ = s.story()
	status, body, _ := s.get(console.Path+"?client=okta", viewerToken)
	_, after, found := strings.Cut(body, `<a href="`+console.Path+`/exchanges/`)
	if status != http.StatusOK || !found {
		t.Fatalf("%d %s", status, body)
	}
	href, _, _ := strings.Cut(after, `"`)
	if !strings.HasSuffix(href, "?client=okta") {
		t.Errorf("the link forgets the filter: %s", href)
	}
	status, body, _ = s.get(console.Path+"/exchanges/"+href, viewerToken)
	if status != http.StatusOK || !strings.Contains(body, `class="card exchange"`) || !strings.Contains(body, `id="rows"`) {
		t.Errorf("%d %s", status, body)
	}
	for _, path := range []string{"/exchanges/999999", "/exchanges/x", "/exchanges/-1", "/nowhere"} {
		if status, body, _ := s.get(console.Path+path, viewerToken); status != http.StatusNotFound || !strings.Contains(body, "<h1>") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// TestSentences: what happened, in words.
func TestSentences(t *testing.T) {
	s := newSite(t)
	alice, bob, _ := s.story()
	s.scim(http.MethodPatch, "/Users/"+alice, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`, okta)
	s.scim(http.MethodDelete, "/Users/"+alice, "", okta)
	s.scim(http.MethodDelete, "/Users/"+alice, "", okta)
	s.scim(http.MethodGet, "/ServiceProviderConfig", "", "User-Agent:")
	s.scim(http.MethodDelete, "/Users/"+bob+"?dryRun=true", "", okta)
	s.scim(http.MethodPost, "/Bulk?dryRun=true", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[{"method":"DELETE","path":"/Users/`+bob+`"}]}`, okta)
	s.flush()
	var all strings.Builder
	for seq := range 16 {
		_, body, _ := s.get(fmt.Sprintf("%s/exchanges/%d", console.Path, seq+1), viewerToken)
		_, rest, _ := strings.Cut(body, `<h2 class="sum">`)
		sentence, _, _ := strings.Cut(rest, "</h2>")
		all.WriteString(sentence + "\n")
	}
	want := `Okta looked for the user with userName “alice@example.com”; there is none.
Okta created the user alice@example.com.
Entra ID created the user bob@example.com.
Okta created the group Engineering.
Entra ID deactivated the user alice@example.com and changed 1 other attribute.
Okta searched for the users of which this holds: active eq true and (emails.value co &#34;example&#34; or not (title pr)).
Entra ID could not create the user ALICE@example.com: it conflicts with what is here.
Okta could not read the user no-such-person: it is not here.
Okta changed members of the group Engineering.
Okta looked for the user with userName “carol@example.com”; there is none.
Okta asked for a change of the user alice@example.com; it was so already, and nothing was written.
Okta deleted the user alice@example.com.
Okta could not delete the user alice@example.com: it is not here.
An unknown client asked what this server can do.
Okta asked what deleting the user bob@example.com would do; nothing was written.
Okta asked what several operations in one message would do; nothing was written.
`
	if all.String() != want {
		t.Errorf("got\n%s\nwant\n%s", all.String(), want)
	}
	_, page, _ := s.get(console.Path, viewerToken)
	for _, text := range []string{"nothing changed", `<span class="small soft">members</span>`, `title, active`, `<span class="verb">Preview</span> <span class="soft">User`} {
		if !strings.Contains(page, text) {
			t.Errorf("the list lacks %q", text)
		}
	}
}

// TestDownloads: what the form chooses, as files.
func TestDownloads(t *testing.T) {
	s := newSite(t)
	s.story()
	for _, extension := range []string{"har", "json"} {
		status, body, header := s.get(console.Path+"/exchanges."+extension+"?client=entra", viewerToken)
		if status != http.StatusOK || !strings.Contains(body, "rabbits") || strings.Contains(body, "carol") ||
			!strings.Contains(header.Get("Content-Disposition"), `attachment; filename="rollcall-`) {
			t.Errorf("%s: %d %v %.300s", extension, status, header, body)
		}
	}
}

// BenchmarkPage renders the live page with 200 exchanges.
func BenchmarkPage(b *testing.B) {
	s := newSite(b)
	for i := range 200 {
		s.create("Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user%d","name":{"familyName":"F"}}`, i), okta)
	}
	s.flush()
	cookie := s.session(viewerToken)
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL+console.Path, nil)
		if err != nil {
			b.Fatal(err)
		}
		r.AddCookie(cookie)
		w := &counter{header: http.Header{}}
		s.Console.ServeHTTP(w, r)
		if w.n < 50_000 {
			b.Fatalf("%d bytes", w.n)
		}
	}
}

// counter counts the bytes of an answer.
type counter struct {
	header http.Header
	n      int
}

func (c *counter) Header() http.Header         { return c.header }
func (c *counter) WriteHeader(int)             {}
func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }
