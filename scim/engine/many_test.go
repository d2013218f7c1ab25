package engine_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// covers: GRP-015 PAT-060
func TestManyOperations(t *testing.T) {
	t.Parallel()
	e, err := engine.New(new(memory.Store), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, path, body string) engine.Response {
		return e.Do(t.Context(), engine.Request{Method: method, Base: "http://h", Path: path, Body: []byte(body)})
	}
	group := send(http.MethodPost, "/Groups", `{"schemas":["`+scim.GroupURN+`"],"displayName":"g"}`).ID
	ops := make([]string, 0, 1001)
	values := make([]string, 0, 1000)
	for n := range 1000 {
		id := send(http.MethodPost, "/Users", fmt.Sprintf(`{"schemas":["%s"],"userName":"u%d"}`, scim.UserURN, n)).ID
		ops = append(ops, fmt.Sprintf(`{"op":"remove","path":"members[value eq \"%s\"]"}`, id))
		values = append(values, fmt.Sprintf(`{"value":"%s"}`, id))
	}
	patch := func(ops ...string) engine.Response {
		return send(http.MethodPatch, "/Groups/"+group, `{"schemas":["`+scim.PatchOpURN+`"],"Operations":[`+strings.Join(ops, ",")+`]}`)
	}
	count := func() int {
		var b strings.Builder
		if _, err := send(http.MethodGet, "/Groups/"+group, "").Body.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		return strings.Count(b.String(), `"$ref"`)
	}
	if r := patch(`{"op":"add","path":"members","value":[` + strings.Join(values, ",") + `]}`); r.Status != 204 {
		t.Fatalf("one operation with 1,000 members: status %d: %v", r.Status, r.Err)
	}
	if n := count(); n != 1000 {
		t.Fatalf("%d members, want 1,000", n)
	}
	if r := patch(append(ops, ops[0])...); r.Status != 413 || !strings.Contains(r.Err.Error(), "1000") && !strings.Contains(r.Err.Error(), "1,000") {
		t.Errorf("1,001 operations: status %d, %v, want 413 that names the limit", r.Status, r.Err)
	}
	if n := count(); n != 1000 {
		t.Fatalf("%d members after a refusal, want 1,000", n)
	}
	if r := patch(ops...); r.Status != 204 {
		t.Fatalf("1,000 operations: status %d: %v", r.Status, r.Err)
	}
	if n := count(); n != 0 {
		t.Errorf("%d members, want none", n)
	}
}

// A resource with very many references costs as much for each as one with few,
// when it is changed and when it is shown in part (SEC-022).
func TestManyReferences(t *testing.T) {
	t.Parallel()
	const n = 60_000
	limits := engine.Limits{Body: 16 << 20, Values: n}
	store := new(memory.Store)
	auto := open(t, store, engine.Config{Types: widgets(t), Limits: limits})
	checks := open(t, store, engine.Config{Types: widgets(t), Limits: limits, Profile: compat.Strict()})
	var parts strings.Builder
	for i := range n {
		fmt.Fprintf(&parts, `,{"value":"00000000-0000-4000-8000-%012d"}`, i)
	}
	id := auto.must(201, "POST /Gadgets", `{"name":"g","urn:x:test:2.0:GadgetExt":{"code":"c"},"parts":[`+parts.String()[1:]+`]}`).ID
	start := time.Now()
	checks.must(200, "PATCH /Gadgets/"+id+"?attributes=name", patchOp(`{"op":"replace","path":"name","value":"h"}`))
	a := checks.must(200, "GET /Gadgets/"+id+"?attributes=parts", "")
	if took := time.Since(start); took > 60*time.Second {
		t.Errorf("%d references took %s", n, took)
	}
	if list, _ := a.json["parts"].([]any); len(list) != n {
		t.Errorf("%d parts, want %d", len(list), n)
	}
}
