package conformance_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/conformance"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"no title", "-- 1 GET /Users --\n", "first line"},
		{"no step", "Title\n", "no step"},
		{"unknown header", "Title\ncolour: red\n-- 1 GET / --\n", `unknown header "colour"`},
		{"bad id", "Title\ncovers: pat-1\n-- 1 GET / --\n", "no requirement id"},
		{"unknown knob", "Title\nconfig: maxpages=1\n-- 1 GET / --\n", "unknown knob"},
		{"label twice", "Title\n-- 1 GET / --\n-- 1 GET / --\n", "used twice"},
		{"label of a matcher", "Title\n-- any GET / --\n", "something else"},
		{"expectation of nothing", "Title\n-- 1 GET / --\n-- 2 expect 200 --\n", "no request"},
		{"two expectations", "Title\n-- 1 GET / --\n-- 1 expect 200 --\n-- 1 expect 200 --\n", "no request"},
		{"bad status", "Title\n-- 1 GET / --\n-- 1 expect ok --\n", "no status"},
		{"unknown directive", "Title\n-- 1 GET / --\n-- 1 expect 200 --\nshould $.a\n", "can't read"},
		{"bad JSON", "Title\n-- 1 GET / --\n-- 1 expect 200 --\n{\"a\": }\n", "expected JSON"},
		{"exact nothing", "Title\n-- 1 GET / --\n-- 1 expect 200 --\nexact\n", "no JSON"},
		{"bad range", "Title\n-- 1 repeat i 5..1 GET / --\n", "want LABEL"},
		{"bad rule", "Title\nrule: PATCH-006\n-- 1 GET / --\n", "no id of a compatibility rule"},
		{"bad clock", "Title\n-- clock soon --\n", "duration"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := conformance.Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse(%q): error %v, want one with %q", tt.text, err, tt.want)
			}
		})
	}
}

// canned is a server that gives each path one answer.
func canned(t *testing.T) conformance.Target {
	t.Helper()
	var base string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/scim+json")
		h.Set("X-Request-Id", "r1")
		h.Set("Cache-Control", "no-store")
		good := `{"schemas":["urn:x"],"id":"1","n":2.50,"list":[{"v":"a"},{"v":"b"}],"meta":{"created":"x","location":"` + base +
			`/good","version":"W/\"1\""}}`
		name := strings.TrimPrefix(r.URL.Path, "/v2/")
		status, body := 200, good
		if name != "good" {
			h.Set("Location", base+"/"+name)
		}
		switch name {
		case "good":
			h.Set("Location", base+"/good")
			h.Set("ETag", `W/"1"`)
		case "null":
			body = `{"schemas":["urn:x"],"a":[null]}`
		case "double":
			body = `{"schemas":["urn:x"],"a":1,"a":2}`
		case "password":
			body = `{"schemas":["urn:x"],"Password":"x"}`
		case "naked":
			body = `{"a":1}`
		case "type":
			h.Set("Content-Type", "application/json")
		case "unnamed":
			h.Del("X-Request-Id")
		case "strong":
			h.Set("ETag", `"1"`)
		case "list":
			body = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":"2","itemsPerPage":1,"Resources":[]}`
		case "error":
			status, body = 400, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":400,"scimType":"invalidvers"}`
		case "pair":
			status, body = 400, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"uniqueness","detail":"d"}`
		case "html":
			h.Set("Content-Type", "text/html")
			status, body = 404, `<h1>404</h1>`
		case "method":
			status, body = 405, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"405","detail":"d"}`
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(srv.Close)
	base = srv.URL + "/v2"
	return conformance.Target{Base: base, Client: srv.Client()}
}

// TestRunFinds shows that each kind of fault in an answer is found: a runner
// that finds nothing would make every fixture pass.
func TestRunFinds(t *testing.T) {
	t.Parallel()
	target := canned(t)
	tests := []struct{ path, expect, want string }{
		{"good", "200 --\n", ""},
		{"good", "200|204 --\nETag: ^W/\n{\"n\": 2.5, \"list\": [{\"v\": \"a\"}, {}], \"id\": \"${re:^[0-9]$}\"}\n", ""},
		{"good", "200 --\nvalues $.list[*].v = [\"a\", \"b\"]\nset $.list[*].v = [\"b\", \"a\"]\ncount $.list 2\nabsent $.x\n", ""},
		{"good", "200 --\n{\"list\": [\"${contains}\", {\"v\": \"b\"}], \"x\": \"${absent}\", \"id\": \"${1.id}\"}\n", ""},
		{"good", "201 --\n", "status 200, want 201"},
		{"good", "200 --\n{\"n\": 2.51}\n", "$.n: got 2.50, want 2.51"},
		{"good", "200 --\n{\"x\": 1}\n", "$.x: absent"},
		{"good", "200 --\n{\"id\": \"${absent}\"}\n", "want it absent"},
		{"good", "200 --\n{\"id\": \"${uuid}\"}\n", "want ${uuid}"},
		{"good", "200 --\n{\"list\": [{\"v\": \"a\"}]}\n", "2 elements, want 1"},
		{"good", "200 --\n{\"list\": [\"${contains}\", {\"v\": \"c\"}]}\n", "no element like"},
		{"good", "200 --\n{\"list\": [\"${unordered}\", {\"v\": \"b\"}]}\n", "2 elements, want 1"},
		{"good", "200 --\nexact\n{\"id\": \"1\"}\n", "want nothing here"},
		{"good", "200 --\nvalues $.list[*].v = [\"b\", \"a\"]\n", "got \"a\", want \"b\""},
		{"good", "200 --\ncount $.list 3\n", "has 2 elements"},
		{"good", "200 --\nabsent $.id\n", "want it absent"},
		{"good", "200 --\npresent $.x\n", "is absent"},
		{"good", "200 --\nmatches nothing\n", "lacks nothing"},
		{"good", "200 --\nlacks schemas\n", "matches schemas"},
		{"good", "200 --\nno ETag\n", "want none"},
		{"good", "200 --\nempty\n", "want none"},
		{"good", "200 --\ndiffers ETag 1\n", "want differs"},
		{"good", "200 --\nlater $.meta.created 1\n", "later than"},
		{"good", "200 --\nLocation: ^nowhere\n", "header Location"},
		{"good", "200 --\n{\"id\": \"${nobody.id}\"}\n", "no step"},
		{"null", "200 --\n", "null at /a/0"},
		{"double", "200 --\n", "duplicate"},
		{"password", "200 --\n", "a password at"},
		{"naked", "200 --\n", "no schemas"},
		{"type", "200 --\n", "Content-Type"},
		{"unnamed", "200 --\n", "X-Request-Id"},
		{"strong", "200 --\n", "is not of the form"},
		{"other", "200 --\n", "COM-012"},
		{"list", "200 --\n", "PAG-006"},
		{"list", "200 --\n", "PAG-004"},
		{"error", "400 --\n", "ERR-002"},
		{"error", "400 --\n", "ERR-004"},
		{"error", "400 --\n", "ERR-011"},
		{"pair", "400 --\n", "ERR-005"},
		{"html", "404 --\n", "HTTP-001"},
		{"method", "405 --\n", "HTTP-013"},
		{"good", "200x2 --\n", "1 answers of status 200, want 2"},
	}
	for _, tt := range tests {
		f, err := conformance.Parse([]byte("Title\n-- 1 GET /" + tt.path + " --\n-- 1 expect " + tt.expect))
		if err != nil {
			t.Fatalf("%q: %v", tt.expect, err)
		}
		err = conformance.New(f).Run(t.Context(), target)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s, expect %q: %v", tt.path, tt.expect, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s, expect %q: error %v, want one with %q", tt.path, tt.expect, err, tt.want)
		}
	}
}

// TestRequests shows what is sent for what a fixture says.
func TestRequests(t *testing.T) {
	t.Parallel()
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 200)
		n, _ := r.Body.Read(body)
		got = append(got, r.Method+" "+r.RequestURI+" "+r.Header.Get("Content-Type")+" "+string(body[:n]))
		w.Header().Set("X-Request-Id", "r1")
		w.WriteHeader(204)
	}))
	defer srv.Close()
	f, err := conformance.Parse([]byte(`Title
-- 1 GET /Users?filter=name.familyName eq "Ö b"&count=1 --
-- 2 GET /Users/..%2FGroups --
-- 3 repeat i 9..10 POST /Users --
@User {"userName": "u${i:03}"}
-- 4 PATCH /Users/1 --
@PatchOp [{"op": "add"}]
-- 5 POST /Users --
Content-Type: -

@Search
-- 6 POST /Users --
Content-Type: text/plain

${repeat:3:ab}${hex:21}
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := conformance.New(f).Run(t.Context(), conformance.Target{Base: srv.URL, Client: srv.Client()}); err != nil {
		t.Fatal(err)
	}
	const user = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],`
	want := []string{
		`GET /Users?filter=name.familyName%20eq%20%22%C3%96%20b%22&count=1  `,
		`GET /Users/..%2FGroups  `,
		`POST /Users application/scim+json ` + user + `"userName": "u009"}`,
		`POST /Users application/scim+json ` + user + `"userName": "u010"}`,
		`PATCH /Users/1 application/scim+json {"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op": "add"}]}`,
		`POST /Users  {"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`,
		`POST /Users text/plain ababab!`,
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("request %d of\n%s\nwant\n%s", i+1, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
