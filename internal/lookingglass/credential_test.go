package lookingglass_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// strays are credentials as they are pasted where they do not belong; each with
// the part of it that nobody may see.
var strays = []struct{ name, text, core string }{
	{"managed token", "rc_0aZ" + strings.Repeat("3kQ9", 11) + "xY", "3kQ93kQ9"},
	{"token of a file", "rollcall_ABCDEFGHIJKLMNOPQRSTUVWX23", "JKLMNOPQRST"},
	{"JWT", "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIn0.c2lnbmF0dXJlLW9mLWEtand0", "lnbmF0dXJlLW9mLWEtand0"},
}

// A credential that stands where no credential belongs is in nothing that is
// kept, even if the request has none in its Authorization, or another.
func TestStrayCredential(t *testing.T) {
	t.Parallel()
	const place = "CREDENTIAL"
	other := "Authorization: Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUifQ.b3RoZXItc2lnbmF0dXJl"
	create := func(rest string) string { return `{"schemas":["` + userURN + `"],"userName":"v",` + rest + `}` }
	ops := func(list string) string { return `{"schemas":["` + patchURN + `"],"Operations":[` + list + `]}` }
	places := []struct {
		name, method, path, body string
		headers                  []string
	}{
		{name: "path", method: "GET", path: "/" + place + "/Users"},
		{name: "path, encoded", method: "GET", path: "/Users/x%20" + place + "%22"},
		{name: "method", method: place, path: "/Users"},
		{name: "id", method: "GET", path: "/Users/" + place},
		{name: "filter", method: "GET", path: "/Users?filter=" + url.QueryEscape(`userName eq "`+place+`"`)},
		{name: "filter, encoded twice", method: "GET", path: "/Users?filter=" + url.QueryEscape(url.QueryEscape(`userName eq "`+place+`"`))},
		{name: "broken filter", method: "GET", path: "/Users?filter=" + url.QueryEscape(`userName eq "`+place)},
		{name: "search", method: "POST", path: "/.search", body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"` + place + `\""}`},
		{name: "sort", method: "GET", path: "/Users?sortBy=" + place},
		{name: "body", method: "POST", path: "/Users", body: strings.Replace(create(`"title":"x"`), `"v"`, `"`+place+`"`, 1)},
		{name: "body, within a text", method: "POST", path: "/Users", body: create(`"title":"see \r` + place + ` there"`)},
		{name: "body, no JSON", method: "POST", path: "/Users", body: place},
		{name: "body, a name", method: "POST", path: "/Users", body: create(`"` + place + `":1`)},
		{name: "body, cut", method: "POST", path: "/Users", body: create(`"nickName":"` + place + `","title":"` + strings.Repeat("x", 1<<17) + `"`)},
		{name: "PATCH", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"nickName","value":"` + place + `"}`)},
		{name: "PATCH, path", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"emails[value eq \"` + place + `\"].display","value":"x"}`)},
		{name: "members", method: "POST", path: "/Groups", body: `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"g","members":[{"value":"` + place + `"}]}`},
		{name: "agent", method: "GET", path: "/Users", headers: []string{"User-Agent: " + place}},
		{name: "request id", method: "GET", path: "/Users", headers: []string{"X-Request-Id: " + place}},
		{name: "forwarded path", method: "GET", path: "/Users", headers: []string{"X-Original-URI: /scim/v2/x%20" + place + "/Users"}},
	}
	for _, l := range places {
		for _, c := range strays {
			for _, with := range []string{"", other} {
				t.Run(fmt.Sprintf("%s in %s, %t", c.name, l.name, with != ""), func(t *testing.T) {
					t.Parallel()
					s := watch(t, lookingglass.Options{})
					id := s.user("u")
					fill := func(in string) string { return strings.ReplaceAll(strings.ReplaceAll(in, "{id}", id), place, c.text) }
					var headers []string
					for _, h := range append(l.headers, with) {
						if h != "" {
							headers = append(headers, fill(h))
						}
					}
					s.do(fill(l.method), fill(l.path), fill(l.body), headers...)
					if l.name == "body" { // what was kept then is told of later
						s.do("GET", "/Users", "")
						s.do("PATCH", "/Users/"+id, ops(`{"op":"replace","path":"nickName","value":"n"}`))
					}
					list := s.find(lookingglass.Query{})
					if len(list) < 2 {
						t.Fatalf("%d exchanges", len(list))
					}
					shows(t, "exchanges", list, c.core)
					shows(t, "HAR", json.RawMessage(must(lookingglass.HAR(list))), c.core)
					shows(t, "lookups", must(s.AllSought(t.Context(), 0)), c.core)
				})
			}
		}
	}
}

func shows(t *testing.T, where string, v any, secret string) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(string(b), secret); i >= 0 {
		t.Errorf("%s: %s", where, fmt.Sprintf("%.300s", b[max(i-200, 0):]))
	}
}

// What only looks a little like a credential stays.
func TestConceal(t *testing.T) {
	t.Parallel()
	token := strays[0].text
	for in, want := range map[string]string{
		"":                                      "",
		"src_id":                                "src_id",
		"rc_short":                              "rc_short",
		"/Users/eyJack.smith.jr":                "/Users/eyJack.smith.jr",
		"rollcall_dev":                          "rollcall_dev",
		"a " + token + " b " + token:            "a *** b ***",
		"rc_x," + token:                         "rc_x,***",
		"/v2/" + token + "/Users":               "/v2/***/Users",
		"/v2/rc%5f" + token[3:] + "/Users":      "/v2/***/Users",
		"/v2/rc%255f" + token[3:] + "?a=%zz":    "/v2/***?a=%zz",
		"100% of " + token:                      "100% of ***",
		"x=" + strays[2].text + "&y=%20":        "x=***&y=%20",
		strays[1].text + "/" + strays[2].text:   "***/***",
		"a%20b/" + strays[2].text[:20] + "/c.d": "a%20b/" + strays[2].text[:20] + "/c.d",
	} {
		if got := lookingglass.Conceal(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
