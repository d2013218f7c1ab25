package lookingglass_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

const canary = "c4naryS3cretValue0815"

// leaks are requests with the canary in one place each.
func leaks() []struct {
	name, method, path, body string
	headers                  []string
} {
	enc := url.QueryEscape
	basic := base64.StdEncoding.EncodeToString([]byte("svc:" + canary))
	create := func(rest string) string { return `{"schemas":["` + userURN + `"],"userName":"u",` + rest + `}` }
	ops := func(list string) string { return `{"schemas":["` + patchURN + `"],"Operations":[` + list + `]}` }
	return []struct {
		name, method, path, body string
		headers                  []string
	}{
		{name: "bearer", method: "GET", path: "/Users", headers: []string{"Authorization: Bearer " + canary}},
		{name: "no scheme", method: "GET", path: "/Users", headers: []string{"Authorization: " + canary}},
		{name: "bearer twice", method: "GET", path: "/Users", headers: []string{"Authorization: Bearer Bearer " + canary}},
		{name: "basic", method: "GET", path: "/Users/" + canary, headers: []string{"Authorization: Basic " + basic}},
		{name: "cookie", method: "GET", path: "/Users", headers: []string{"Cookie: theme=dark; session=" + canary}},
		{name: "proxy", method: "GET", path: "/Users", headers: []string{"Proxy-Authorization: Bearer " + canary}},
		{name: "api key", method: "GET", path: "/Users", headers: []string{"X-Api-Key: " + canary}},
		{name: "other header", method: "GET", path: "/Users", headers: []string{"X-Upstream-Access-Token: " + canary}},
		{name: "bearer elsewhere", method: "GET", path: "/Users", headers: []string{"X-Forwarded-Thing: Bearer " + canary}},
		{name: "referer", method: "GET", path: "/Users", headers: []string{"Referer: https://u:" + canary + "@h.example/?token=" + canary + "#" + canary}},
		{name: "token repeated in the path", method: "GET", path: "/" + canary + "/Users", headers: []string{"Authorization: Bearer " + canary}},
		{name: "token repeated, encoded", method: "GET", path: "/Users/%63" + canary[1:], headers: []string{"Authorization: Bearer " + canary}},
		{name: "token repeated in a body", method: "POST", path: "/Users", body: create(`"nickName":"x` + canary + `"`), headers: []string{"Authorization: Bearer " + canary}},
		{name: "token as a key", method: "POST", path: "/Users", body: create(`"` + canary + `":1`), headers: []string{"Authorization: Bearer " + canary}},
		{name: "token as user agent", method: "GET", path: "/Users", headers: []string{"Authorization: Bearer " + canary, "User-Agent: " + canary}},
		{name: "token as filter", method: "GET", path: "/Users?filter=" + enc(`userName eq "`+canary+`"`), headers: []string{"Authorization: Bearer " + canary}},
		{name: "token in a bad filter", method: "GET", path: "/Users?filter=" + enc(`userName eq `+canary+` `+canary), headers: []string{"Authorization: Bearer " + canary}},
		{name: "query", method: "GET", path: "/Users?access_token=" + canary},
		{name: "query, unknown", method: "GET", path: "/Users?x=" + canary + "&y=" + canary},
		{name: "query, alone", method: "GET", path: "/Users?" + canary + "0123456789"},
		{name: "query, broken", method: "GET", path: "/Users?filter=%zz" + canary},
		{name: "query twice", method: "GET", path: "/Users?key=" + canary + "&filter=" + enc(`userName eq "`+canary+`"`)},
		{name: "filter", method: "GET", path: "/Users?filter=" + enc(`password eq "`+canary+`"`)},
		{name: "filter, no quotes", method: "GET", path: "/Users?filter=" + enc(`PassWord sw `+canary)},
		{name: "filter, part", method: "GET", path: "/Users?filter=" + enc(`userName eq "a" and not (`+userURN+`:password co "`+canary+`")`)},
		{name: "filter, broken", method: "GET", path: "/Users?filter=" + enc(`password eq "`+canary)},
		{name: "filter, two words", method: "GET", path: "/Users?filter=" + enc(`password eq x `+canary)},
		{name: "filter, encoded twice", method: "GET", path: "/Users?filter=" + enc(enc(`password eq "`+canary+`"`))},
		{name: "filter, name encoded twice", method: "GET", path: "/Users?filter=" + enc(`p%61ssword eq "`+canary+`"`)},
		{name: "search", method: "POST", path: "/.search", body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"password eq \"` + canary + `\""}`},
		{name: "body", method: "POST", path: "/Users", body: create(`"password":"` + canary + `"`)},
		{name: "body, other case", method: "POST", path: "/Users", body: create(`"PASSWORD":"` + canary + `"`)},
		{name: "body, long s", method: "POST", path: "/Users", body: create(`"paſſword":"` + canary + `"`)},
		{name: "body, escaped", method: "POST", path: "/Users", body: create(`"p\u0061ssword":"` + canary + `"`)},
		{name: "body, URN", method: "POST", path: "/Users", body: create(`"` + userURN + `:password":"` + canary + `"`)},
		{name: "body, under URN", method: "POST", path: "/Users", body: create(`"` + userURN + `":{"password":"` + canary + `"}`)},
		{name: "body, object", method: "POST", path: "/Users", body: create(`"password":{"value":"` + canary + `"}`)},
		{name: "body, list", method: "POST", path: "/Users", body: create(`"password":["` + canary + `"]`)},
		{name: "body, twice", method: "POST", path: "/Users", body: create(`"password":"a","Password":"` + canary + `"`)},
		{name: "body, repeated", method: "POST", path: "/Users", body: create(`"nickName":"` + canary + `","password":"` + canary + `"`)},
		{name: "body, own name", method: "POST", path: "/Users", body: create(`"clientSecret":"` + canary + `"`)},
		{name: "body, JSON in a text", method: "POST", path: "/Users", body: create(`"title":"{\"password\":\"` + canary + `\"}"`)},
		{name: "body, no JSON", method: "POST", path: "/Users", body: `password=` + canary},
		{name: "body, broken", method: "POST", path: "/Users", body: create(`"password":"` + canary + `"`)[:60] + canary},
		{name: "body, cut", method: "POST", path: "/Users", body: create(`"password":"` + canary + `","title":"` + strings.Repeat("x", 1<<17) + `"`)},
		{name: "body, cut before the path", method: "PATCH", path: "/Users/x", body: ops(`{"op":"add","value":{"a":"` + canary + `","b":"` + strings.Repeat("x", 1<<17) + `"},"path":"password"}`)},
		{name: "body, cut within", method: "PATCH", path: "/Users/x", body: ops(`{"op":"add","value":"` + canary + `","x":"` + strings.Repeat("x", 1<<17) + `","path":"password"}`)},
		{name: "PUT", method: "PUT", path: "/Users/{id}", body: create(`"password":"` + canary + `"`)},
		{name: "PATCH", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"password","value":"` + canary + `"}`)},
		{name: "PATCH, path last", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"Add","value":"` + canary + `","path":"PASSWORD"}`)},
		{name: "PATCH, URN", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"` + userURN + `:password","value":"` + canary + `"}`)},
		{name: "PATCH, no path", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"password":"` + canary + `"}}`)},
		{name: "PATCH, URN key", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"` + userURN + `:password":"` + canary + `"}}`)},
		{name: "PATCH, object", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"password","value":{"value":"` + canary + `"}}`)},
		{name: "PATCH, list", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"password","value":[{"$ref":null,"value":"` + canary + `"}]}`)},
		{name: "PATCH, filter", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"remove","path":"emails[password eq \"` + canary + `\"]"}`)},
		{name: "PATCH, bad path", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"remove","path":"password ` + canary + `"}`)},
		{name: "PATCH, sub-attribute", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"add","path":"password.value","value":"` + canary + `"}`)},
		{name: "PATCH, path a list", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":["password"],"value":"` + canary + `"}`)},
		{name: "PATCH, path an object", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":{"a":"password"},"value":"` + canary + `"}`)},
		{name: "PATCH, pth", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","pth":"password","value":"` + canary + `"}`)},
		{name: "PATCH, attribute", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","attribute":"password","value":"` + canary + `"}`)},
		{name: "PATCH, name and value", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":[{"name":"password","value":"` + canary + `"}]}`)},
		{name: "PATCH, name and values", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":[{"name":"password","values":["` + canary + `"]}]}`)},
		{name: "PATCH, newValue", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"password","newValue":"` + canary + `"}`)},
		{name: "PATCH, anything", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"password","x":{"y":["` + canary + `"]}}`)},
		{name: "PATCH, no path, a text", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":"password=` + canary + `"}`)},
		{name: "PATCH, no path, words", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":"my password ` + canary + `"}`)},
		{name: "PATCH, full width", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"ｐassword","value":"` + canary + `"}`)},
		{name: "PATCH, zero width", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","path":"pass\u200bword","value":"` + canary + `"}`)},
		{name: "PATCH, zero width key", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"pass\u200bword":"` + canary + `"}}`)},
		{name: "PATCH, pwd", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"pwd":"` + canary + `"}}`)},
		{name: "PATCH, passphrase", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"passphrase":"` + canary + `"}}`)},
		{name: "PATCH, private_key", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"private_key":"` + canary + `"}}`)},
		{name: "PATCH, api.key", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"api.key":"` + canary + `"}}`)},
		{name: "PATCH, user_pin", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"user_pin":"` + canary + `"}}`)},
		{name: "PATCH, object under a telling name", method: "PATCH", path: "/Users/{id}", body: ops(`{"op":"replace","value":{"token":{"value":"` + canary + `"}}}`)},
		{name: `header X-Original-URI: /scim/v2/Users`, method: "GET", path: "/Users", headers: []string{"X-Original-URI: /scim/v2/Users?access_token=" + canary + ""}},
		{name: `header Referer: /x?access_token=`, method: "GET", path: "/Users", headers: []string{"Referer: /x?access_token=" + canary + ""}},
		{name: `header X-Pwd: `, method: "GET", path: "/Users", headers: []string{"X-Pwd: " + canary + ""}},
		{name: `header X-Otp: `, method: "GET", path: "/Users", headers: []string{"X-Otp: " + canary + ""}},
		{name: `header X-Saml: `, method: "GET", path: "/Users", headers: []string{"X-Saml: " + canary + ""}},
		{name: `header X-Code: code=`, method: "GET", path: "/Users", headers: []string{"X-Code: code=" + canary + ""}},
		{name: `header Baggage: access_token=`, method: "GET", path: "/Users", headers: []string{"Baggage: access_token=" + canary + ""}},
		{name: `header X-Foo: bearer\t`, method: "GET", path: "/Users", headers: []string{"X-Foo: bearer\t" + canary + ""}},
		{name: `header X-Foo: SSWS `, method: "GET", path: "/Users", headers: []string{"X-Foo: SSWS " + canary + ""}},
		{name: `header X-Foo: u:h`, method: "GET", path: "/Users", headers: []string{"X-Foo: u:" + canary + "@h"}},
		{name: `header Content-Type: application/scim`, method: "GET", path: "/Users", headers: []string{"Content-Type: application/scim+json; token=" + canary + ""}},
		{name: `header User-Agent: app/1 (https://u:h`, method: "GET", path: "/Users", headers: []string{"User-Agent: app/1 (https://u:" + canary + "@h)"}},
		{name: `header Authorization: SSWS `, method: "GET", path: "/Users", headers: []string{"Authorization: SSWS " + canary + ""}},
		{name: `header Forwarded: for=1;token=`, method: "GET", path: "/Users", headers: []string{"Forwarded: for=1;token=" + canary + ""}},
		{name: `header X-R: see https://h/?token= and`, method: "GET", path: "/Users", headers: []string{"X-R: see https://h/?token=" + canary + " and more"}},
		{name: "query, semicolon", method: "GET", path: "/Users?count=1;access_token=" + canary},
		{name: "query, count", method: "GET", path: "/Users?count=" + canary},
		{name: "path, parameter", method: "GET", path: "/Users/x;token=" + canary},
		{name: "path, segment", method: "GET", path: "/Users/token=" + canary},
		{name: "body, a text", method: "POST", path: "/Users", body: `"` + canary + `"`},
		{name: "body, XML in a text", method: "POST", path: "/Users", body: create(`"title":"<password>` + canary + `</password>"`)},
		{name: "Bulk", method: "POST", path: "/Bulk", body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
			{"method":"POST","bulkId":"b","path":"/Users","data":` + create(`"password":"`+canary+`"`) + `},
			{"method":"PATCH","path":"/Users/{id}","data":` + ops(`{"op":"add","path":"password","value":"`+canary+`"}`) + `}]}`},
		{name: "Bulk, path", method: "POST", path: "/Bulk", body: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
			{"method":"DELETE","path":"/Users?filter=password eq \"` + canary + `\""}]}`},
	}
}

// One secret in every input is in nothing that is kept, shown or sent.
func TestCanary(t *testing.T) {
	t.Parallel()
	for _, l := range leaks() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			journal := filepath.Join(t.TempDir(), "lg.db")
			s := watch(t, lookingglass.Options{Journal: journal})
			live := s.Subscribe(t.Context())
			id := s.user("u")
			<-live
			s.do(l.method, strings.ReplaceAll(l.path, "{id}", id), strings.ReplaceAll(l.body, "{id}", id), l.headers...)
			absent(t, "stream", (<-live).Exchange)
			list := s.find(lookingglass.Query{})
			if len(list) != 2 {
				t.Fatalf("%d exchanges", len(list))
			}
			exports(t, list)
			absent(t, "lookups", must(s.AllSought(t.Context(), 0)))
			if list[0].Request.Size != 0 && list[0].Request.Body == "" && list[0].Request.Hash == "" {
				t.Errorf("nothing is kept of the body: %+v", list[0].Request)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range []string{"", "-wal"} {
				if b, err := os.ReadFile(journal + suffix); err == nil && strings.Contains(string(b), canary) {
					t.Errorf("the journal's file %q has the canary", suffix)
				}
			}
			// What is deflated does not show in the file's bytes.
			again := watch(t, lookingglass.Options{Journal: journal})
			if list := again.find(lookingglass.Query{}); len(list) != 2 {
				t.Errorf("%d exchanges in the journal", len(list))
			} else {
				exports(t, list)
			}
		})
	}
}

// An address in the request line may have a password in it.
func TestCanaryUserinfo(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://svc:"+canary+"@id.example.com/scim/v2/Users/"+canary, nil)
	s.handler.ServeHTTP(httptest.NewRecorder(), r)
	x := s.last()
	exports(t, []*lookingglass.Exchange{x})
	if x.Path != "/scim/v2/Users/***" {
		t.Errorf("path %q", x.Path)
	}
}

// exports looks for the canary in exchanges and all that is made of them.
func exports(t *testing.T, list []*lookingglass.Exchange) {
	t.Helper()
	absent(t, "exchanges", list)
	for _, x := range list {
		if s := lookingglass.Curl(x); strings.Contains(s, canary) {
			t.Errorf("curl: %s", s)
		}
	}
	absent(t, "HAR", json.RawMessage(must(lookingglass.HAR(list))))
	absent(t, "trace file", json.RawMessage(must(lookingglass.TraceFile(list))))
}

func absent(t *testing.T, where string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{canary, url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte(canary)), canary[1:17]} {
		if i := strings.Index(string(b), form); i >= 0 {
			t.Errorf("%s: %s", where, fmt.Sprintf("%.300s", b[max(i-200, 0):]))
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
