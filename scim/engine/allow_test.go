package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// TestGuarded: a guard is asked with what the engine has understood of a request,
// whatever way the path is written, and its refusal keeps it from being done.
func TestGuarded(t *testing.T) {
	t.Parallel()
	plain, err := engine.New(new(memory.Store), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	refuse := ""
	e := plain.Guarded(func(_ context.Context, a engine.Access) error {
		what := strings.TrimSpace(a.Operation + " " + a.Type)
		if asked = append(asked, what); what == refuse {
			return &scim.Error{Status: 403, Detail: "not you"}
		}
		return nil
	})
	body := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada"}`
	bulk := `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[` +
		`{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"bob"}},{"method":"DELETE","path":"/Groups/1"},{"method":"PATCH","path":"/Nope/1","data":{}}]}`
	for _, tt := range []struct {
		method, path, body, want string
		status                   int
	}{
		{"GET", "/users/x", "", "get User", 404},
		{"HEAD", "/%55sers", "", "list User", 200},
		{"GET", "/", "", "list", 200},
		{"POST", "/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}`, "search", 200},
		{"POST", "/Users", body, "create User", 201},
		{"PUT", "/Groups/1", "{}", "replace Group", 0},
		{"GET", "/Schemas", "", "discovery", 200},
		{"GET", "/Me", "", "get User", 501},
		{"POST", "/Bulk", bulk, "bulk, create User, delete Group", 200},
		{"DELETE", "/Users", "", "", 405},
		{"GET", "/Nope", "", "", 404},
		{"OPTIONS", "/Users", "", "", 204},
	} {
		asked, refuse = nil, ""
		req := engine.Request{Method: tt.method, Path: tt.path, Body: []byte(tt.body)}
		if got := e.Do(t.Context(), req); tt.status != 0 && got.Status != tt.status || strings.Join(asked, ", ") != tt.want {
			t.Errorf("%s %s: %d, asked %q; want %d, %q", tt.method, tt.path, got.Status, asked, tt.status, tt.want)
		}
		if tt.want == "" {
			continue
		}
		refuse = asked[0]
		if got := e.Do(t.Context(), req); got.Status != 403 {
			t.Errorf("%s %s, refused: %d", tt.method, tt.path, got.Status)
		}
		if plain.Do(t.Context(), engine.Request{Method: "GET", Path: "/Users"}).Status != 200 {
			t.Error("the engine that was guarded is guarded itself")
		}
	}
	asked, refuse = nil, "create User"
	resp := e.Do(t.Context(), engine.Request{Method: "POST", Path: "/Bulk", Body: []byte(strings.ReplaceAll(bulk, "bob", "eve"))})
	var b strings.Builder
	if _, err := resp.Body.WriteTo(&b); err != nil || resp.Status != 200 || !strings.Contains(b.String(), `"status":"403"`) || !slices.Contains(asked, "delete Group") {
		t.Errorf("an operation of Bulk that is refused: %d %s, asked %q, %v", resp.Status, b.String(), asked, err)
	}
	list := e.Do(t.Context(), engine.Request{Method: "GET", Path: "/Users"})
	b.Reset()
	if _, err := list.Body.WriteTo(&b); err != nil || strings.Contains(b.String(), "eve") {
		t.Error(fmt.Sprint("what was refused was done: ", b.String()))
	}
}
