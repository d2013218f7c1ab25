package lookingglass_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// outline writes a tree as indented words.
func outline(n *lookingglass.Node, indent string) string {
	if n == nil {
		return ""
	}
	s := indent + n.Words + "\n"
	for _, u := range n.Under {
		s += outline(u, indent+"  ")
	}
	return s
}

func TestTree(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	for filter, want := range map[string]string{
		`username EQ "Ada"`:  "userName is \"Ada\" (in any case)\n",
		`externalId ne "47"`: "externalId is not \"47\", or is missing (in exactly this case)\n",
		`title pr`:           "title has a value\n",
		`title eq null`:      "title has no value\n",
		`title ne null`:      "title has a value\n",
		`active eq true`:     "active is true\n",
		`userName sw "a"`:    "userName begins with \"a\" (in any case)\n",
		`nope co "a"`:        "nope contains \"a\"\n", // refused, and still explained
		`meta.lastModified gt "2026-01-01T00:00:00Z"`: "meta.lastModified is after \"2026-01-01T00:00:00Z\"\n",
		`userName eq "a" and title ew "b" and active eq false or not (title pr)`: `at least one of these holds
  all of these hold
    userName is "a" (in any case)
    title ends with "b" (in any case)
    active is false
  this does not hold
    title has a value
`,
		`emails[type eq "work" and value co "@x"]`: `a single value of emails for which this holds
  all of these hold
    emails.type is "work" (in any case)
    emails.value contains "@x" (in any case)
`,
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "IT"`: "department is \"IT\" (in any case)\n",
	} {
		s.do("GET", "/Users?filter="+url.QueryEscape(filter), "")
		x := s.last()
		if got := outline(x.Filter, ""); got != want {
			t.Errorf("%s\n got %s\nwant %s", filter, got, want)
		}
	}
	s.do("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"title pr"}`)
	if got := outline(s.last().Filter, ""); !strings.Contains(got, "title has a value") {
		t.Errorf("of a search: %s", got)
	}
	s.do("GET", "/Users", "")
	if s.last().Filter != nil {
		t.Error("a tree of no filter")
	}
}
