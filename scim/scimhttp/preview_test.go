package scimhttp_test

import (
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// TestDryRun: what is asked for as a dry run is one, over HTTP too, in whatever
// case the parameter is written; what is neither true nor false is refused.
func TestDryRun(t *testing.T) {
	t.Parallel()
	b := new(memory.Store)
	url := serve(t, b, engine.Config{}, scimhttp.Options{})
	const scimJSON = "Content-Type: application/scim+json"
	made := do(t, "POST", url+"/Users", ann, scimJSON)
	if made.status != 201 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	_, after, _ := strings.Cut(made.body, `"id":"`)
	id, _, _ := strings.Cut(after, `"`)
	bob := strings.ReplaceAll(ann, "ann", "bob")
	bulk := `{"schemas":["` + scim.BulkRequestURN + `"],"Operations":[{"method":"POST","path":"/Users","bulkId":"x","data":` + bob + `}]}`
	patch := `{"schemas":["` + scim.PatchOpURN + `"],"Operations":[{"op":"replace","path":"title","value":"t"}]}`
	for _, request := range []struct{ line, body string }{
		{"POST /Users", bob}, {"PUT /Users/" + id, bob}, {"PATCH /Users/" + id, patch}, {"DELETE /Users/" + id, ""}, {"POST /Bulk", bulk},
	} {
		method, path, _ := strings.Cut(request.line, " ")
		for parameter, want := range map[string]int{"dryRun=true": 200, "dryrun=true": 200, "DRYRUN=true": 200,
			"dryRun=yes": 400, "dryRun": 400, "dryRun=1": 400, "dryRun=true&dryRun=true": 400, "dryRun=true&DryRun=false": 400} {
			a := do(t, method, url+path+"?"+parameter, request.body, scimJSON)
			if a.status != want || want == 200 && !strings.Contains(a.body, ":Preview") {
				t.Errorf("%s?%s: %d %s, want %d", request.line, parameter, a.status, a.body, want)
			}
		}
	}
	if log, err := b.Changes(t.Context(), scim.ChangeQuery{}); err != nil || len(log) != 1 {
		t.Errorf("%d changes, %v; want the one that was meant", len(log), err)
	}
	if a := do(t, "PATCH", url+"/Users/"+id+"?dryRun=false", patch, scimJSON); a.status != 200 || !strings.Contains(a.body, `"title":"t"`) {
		t.Errorf("dryRun=false: %d %s", a.status, a.body)
	}
}
