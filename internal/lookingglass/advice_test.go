package lookingglass_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// refused records an error as if a request had met it.
func refused(t *testing.T, s *site, agent string, e *scim.Error) *lookingglass.Fault {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://id.example.com/scim/v2/Users", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", agent)
	s.Observe(scimhttp.Exchange{HTTP: r, Response: engine.Response{Status: e.Status, Err: e}})
	x := s.last()
	if x.Fault == nil || x.Method != "POST" || x.Path != "/scim/v2/Users" {
		t.Fatalf("%+v", x)
	}
	return x.Fault
}

// Every kind of error has advice for anybody, that of the client first, and a
// section.
func TestAdviceForAll(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{Rate: 10_000})
	types := []scim.ErrorType{"", scim.TypeInvalidFilter, scim.TypeTooMany, scim.TypeUniqueness, scim.TypeMutability, scim.TypeInvalidSyntax,
		scim.TypeInvalidPath, scim.TypeNoTarget, scim.TypeInvalidValue, scim.TypeInvalidVers, scim.TypeSensitive, scim.TypeInvalidCursor,
		scim.TypeExpiredCursor, scim.TypeInvalidCount}
	for _, status := range []int{400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 415, 418, 428, 429, 500, 501, 502, 503, 504} {
		for _, typ := range types {
			if status != 400 && typ != "" && typ != scim.TypeUniqueness && typ != scim.TypeSensitive {
				continue
			}
			f := refused(t, s, "Okta SCIM Client 1.0.0", &scim.Error{Status: status, Type: typ, Detail: "something"})
			anybody := false
			for _, a := range f.Advice {
				anybody = anybody || a.Client == "anybody"
				if a.Text == "" || !strings.HasSuffix(a.Text, ".") {
					t.Errorf("%d %s: %+v", status, typ, a)
				}
			}
			if !anybody || f.ScimType != string(typ) || f.Detail != "something" || f.Section == "" && status != 418 {
				t.Errorf("%d %s: %+v", status, typ, f)
			}
		}
	}
}

// What people really meet has advice of its own, in words of their product.
func TestAdvice(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	for _, tt := range []struct {
		agent  string
		err    *scim.Error
		client string
		says   string
	}{
		{"Okta SCIM Client 1.0.0", &scim.Error{Status: 401, Type: scim.TypeInvalidValue, Detail: "the Authorization header must be of the scheme Bearer (RFC 6750 §2.1)"}, "Okta", "Bearer and a blank"},
		{"Okta SCIM Client 1.0.0", scim.InvalidReference("members", "x"), "Okta", "assign anew"},
		{"Microsoft Entra", scim.NotUnique("userName"), "Entra ID", "adopted"},
		{"Microsoft Entra", scim.NotUnique("displayName"), "Entra ID", "Two groups"},
		{"Microsoft Entra", scim.Errorf(scim.TypeInvalidValue, `Operations[0] "active": "active": true or false is expected (RFC 7643 §2.3.2)`), "Entra ID", "default mapping"},
		{"SailPoint", scim.Errorf(scim.TypeInvalidFilter, `the resource type "Group" has no attribute "name"; /Schemas lists those it has (RFC 7644 §3.10)`), "SailPoint", "displayName"},
		{"OneLogin", scim.Errorf(scim.TypeInvalidSyntax, "the body is not valid JSON: invalid character, at byte 45"), "OneLogin", "SCIM JSON Template"},
		{"curl/8", &scim.Error{Status: 404, Detail: "there is no endpoint at \"/\" (RFC 7644 §3.2)"}, "anybody", "base URL"},
		{"keycloak", scim.ErrNotFound, "Keycloak", "Synchronise"},
	} {
		f := refused(t, s, tt.agent, tt.err)
		if a := f.Advice[0]; a.Client != tt.client || !strings.Contains(a.Text, tt.says) {
			t.Errorf("%s, %s: %+v", tt.agent, tt.err.Detail, a)
		}
	}
}

// The engine's own errors meet more than the last resort.
func TestAdviceIsParticular(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	id := s.user("alice")
	last := refused(t, s, "", &scim.Error{Status: 418}).Advice[0].Text
	user := func(rest string) string { return `{"schemas":["` + userURN + `"]` + rest + `}` }
	ops := func(list string) string { return `{"schemas":["` + patchURN + `"],"Operations":[` + list + `]}` }
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/Nothing", "", 404},
		{"GET", "/Users/nobody", "", 404},
		{"PATCH", "/Users", "{}", 405},
		{"GET", "/v1/Users", "", 400},
		{"GET", "/Users?filter=nope+eq+1", "", 400},
		{"GET", "/Users?filter=userName", "", 400},
		{"GET", "/Users?filter=password+eq+%22x%22", "", 400},
		{"GET", "/Users?filter=%zz", "", 400},
		{"GET", "/Users?startIndex=x", "", 400},
		{"GET", "/Users?count=x", "", 400},
		{"GET", "/Users?cursor=x", "", 400},
		{"GET", "/Users?sortBy=nope", "", 400},
		{"GET", "/Users?attributes=a&excludedAttributes=b", "", 400},
		{"GET", "/Schemas?filter=id+eq+%22x%22", "", 403},
		{"POST", "/Users", user(`,"userName":"ALICE"`), 409},
		{"POST", "/Users", user(``), 400},
		{"POST", "/Users", user(`,"userName":"b","active":"perhaps"`), 400},
		{"POST", "/Users", user(`,"userName":"b","emails":[{"value":"x","primary":true},{"value":"y","primary":true}]`), 400},
		{"POST", "/Users", `{`, 400},
		{"POST", "/Users", `[]`, 400},
		{"POST", "/Groups", `{"schemas":["` + groupURN + `"],"displayName":"g","members":[{"value":"no-such-id"}]}`, 400},
		{"PATCH", "/Users/" + id, `{"schemas":["urn:scim:schemas:core:1.0"],"members":[]}`, 400},
		{"PATCH", "/Users/" + id, ops(`{"op":"move"}`), 400},
		{"PATCH", "/Users/" + id, ops(`{"op":"remove"}`), 400},
		{"PATCH", "/Users/" + id, ops(`{"op":"replace","path":"emails[","value":1}`), 400},
		{"PATCH", "/Users/" + id, ops(`{"op":"replace","path":"id","value":"x"}`), 400},
		{"PATCH", "/Users/" + id, ops(`{"op":"replace","path":"emails[type co \"x\"].value","value":"x"}`), 400},
		{"POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[]}`, 400},
		{"GET", "/Me", "", 501},
	} {
		w := s.do(tt.method, tt.path, tt.body)
		x := s.last()
		if w.Code != tt.status || x.Fault == nil {
			t.Errorf("%s %s %s: %d %s", tt.method, tt.path, tt.body, w.Code, w.Body)
			continue
		}
		if x.Fault.Advice[len(x.Fault.Advice)-1].Text == last || x.Fault.Section == "" || x.Fault.Detail == "" {
			t.Errorf("%s %s: %+v", tt.method, tt.path, x.Fault)
		}
	}
	x := s.do("DELETE", "/Users/"+id, "", `If-Match: W/"nope"`)
	if f := s.last().Fault; x.Code != 412 || f.Section != "RFC 7644 §3.14" || f.Advice[0].Text == last {
		t.Errorf("%d %+v", x.Code, f)
	}
}
