package console_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

const patchActive = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`

// life makes somebody to whom a few things happened.
func life(s *site) (id string) {
	s.scim(http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "alice"`), "", "User-Agent: Okta")
	id = s.create("Users", `{"userName":"alice","title":"Engineer","emails":[{"value":"alice@example.com"}]}`, "User-Agent: Okta")
	s.create("Groups", `{"displayName":"Engineering","members":[{"value":"`+id+`"}]}`, "User-Agent: Azure-AD")
	s.scim(http.MethodPatch, "/Users/"+id, strings.Replace(patchActive, "false", `"perhaps"`, 1), "User-Agent: Okta")
	s.scim(http.MethodPatch, "/Users/"+id, patchActive, "User-Agent: Okta")
	s.flush()
	return id
}

// TestPeople asks for a person by everything that is known of her.
func TestPeople(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := life(s)
	for _, q := range []string{"alice", " ALICE ", "alice@example.com", id} {
		status, text, _ := s.get(console.Path+"/people?q="+url.QueryEscape(q), viewerToken)
		if status != http.StatusOK {
			t.Fatalf("%q: %d %s", q, status, text)
		}
		for _, want := range []string{"“alice” is here, but inactive since", "by Okta", "Okta looked for “alice” by userName and found nobody", "Okta created alice",
			"Entra ID created the group Engineering with alice", "Okta tried to change alice and was refused with 400", "Okta deactivated alice; groups kept",
			`href="/looking-glass/exchanges/`, `href="/looking-glass/directory/User/` + id} {
			if !strings.Contains(text, want) {
				t.Errorf("%q: the page lacks %q", q, want)
			}
		}
	}
	status, text, _ := s.get(console.Path+"/people?q=zoe", viewerToken)
	if status != http.StatusOK || !strings.Contains(text, "Your identity provider never asked for “zoe”") || !strings.Contains(text, "Entra ID") {
		t.Errorf("nobody: %d %s", status, text)
	}
	for q, want := range map[string]int{"": 200, "?q=%20": 400, "?q=" + strings.Repeat("x", 600): 400, "?q=alice&after=x": 400} {
		if status, _, _ := s.get(console.Path+"/people"+q, viewerToken); status != want {
			t.Errorf("%q: %d", q, status)
		}
	}
}

// TestPeoplePages follows a long life from page to page.
func TestPeoplePages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.create("Users", `{"userName":"busy"}`, "User-Agent: Okta")
	for i := range 120 {
		s.scim(http.MethodPatch, "/Users/"+id, strings.Replace(patchActive, "false", []string{"false", "true"}[i%2], 1), "User-Agent: Okta")
	}
	s.flush()
	_, text, _ := s.get(console.Path+"/people?q=busy", viewerToken)
	later := regexp.MustCompile(`href="([^"]*)">What came later`)
	n := strings.Count(text, `<p class="did">`)
	for range 5 {
		m := later.FindStringSubmatch(text)
		if m == nil {
			break
		}
		_, text, _ = s.get(strings.ReplaceAll(m[1], "&amp;", "&"), viewerToken)
		n += strings.Count(text, `<p class="did">`)
	}
	if n != 121 || !strings.Contains(text, "From the beginning") {
		t.Errorf("the pages have %d events", n)
	}
}

// TestPeopleMarkup asks for, and shows, what would be markup.
func TestPeopleMarkup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const evil = `<script>alert(1)</script>`
	s.create("Users", `{"userName":"`+evil+`","displayName":"<img src=x>"}`, "User-Agent: Okta")
	s.scim(http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "<i>x"`), "", "User-Agent: <b>Okta")
	s.flush()
	for _, q := range []string{evil, "<i>x", `"><b>`} {
		_, text, _ := s.get(console.Path+"/people?q="+url.QueryEscape(q), viewerToken)
		for _, bad := range []string{"<script>alert", "<img src=x", "<i>x", `"><b>`, "<b>Okta"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q: the page has %q", q, bad)
			}
		}
	}
}

// TestPeopleLooks looks at the page in each size.
func TestPeopleLooks(t *testing.T) {
	s := newSite(t)
	life(s)
	b := s.open(console.Path+"/people", viewerToken)
	b.inspect("people-ask")
	b.visit(console.Path + "/people?q=alice")
	b.inspect("people")
	b.visit(console.Path + "/people?q=zo%D0%B5")
	b.inspect("people-never")
}
