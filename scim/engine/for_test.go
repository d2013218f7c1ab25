package engine_test

import (
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

func body(t *testing.T, r engine.Response) string {
	t.Helper()
	var b strings.Builder
	if r.Body != nil {
		if _, err := r.Body.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestFor(t *testing.T) {
	t.Parallel()
	first, err := engine.New(new(memory.Store), engine.Config{Tenant: "first"})
	if err != nil {
		t.Fatal(err)
	}
	a, b := first.For(new(memory.Store), "a"), first.For(plain{new(memory.Store)}, "b")
	for _, e := range []*engine.Engine{first, a, b} {
		for range 2 {
			e.Do(t.Context(), engine.Request{Method: "POST", Path: "/Users", Body: []byte(`{"userName":"ann"}`)})
			e.Do(t.Context(), engine.Request{Method: "POST", Path: "/Users", Body: []byte(`{"userName":"bob"}`)})
		}
		got := body(t, e.Do(t.Context(), engine.Request{Method: "GET", Path: "/Users"}))
		if !strings.Contains(got, `"totalResults":2,`) {
			t.Errorf("each tenant has its own: %s", got)
		}
	}
	next := func(e *engine.Engine, cursor string) engine.Response {
		return e.Do(t.Context(), engine.Request{Method: "GET", Path: "/Users", Query: url.Values{"cursor": {cursor}, "count": {"1"}}})
	}
	_, cursor, ok := strings.Cut(body(t, next(a, "")), `"nextCursor":"`)
	if !ok {
		t.Fatal("no cursor")
	}
	cursor, _, _ = strings.Cut(cursor, `"`)
	if r := next(first.For(new(memory.Store), "a"), cursor); r.Status != 200 {
		t.Errorf("a cursor is good for another engine of its tenant: %d", r.Status)
	}
	for name, e := range map[string]*engine.Engine{"b": b, "first": first} {
		if r := next(e, cursor); r.Status != 400 || !strings.Contains(body(t, r), "invalidCursor") {
			t.Errorf("%s takes the cursor of a: %d", name, r.Status)
		}
	}
}

// TestForIsSmall: thousands of customers are no burden.
func TestForIsSmall(t *testing.T) {
	first, err := engine.New(new(memory.Store), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b := new(memory.Store)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 1000
	list := make([]*engine.Engine, n)
	for i := range list {
		list[i] = first.For(b, "x")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n; each > 2048 {
		t.Errorf("an engine takes %d bytes", each)
	}
	runtime.KeepAlive(list)
}
