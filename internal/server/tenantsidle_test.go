package server_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// TestIdleTenants: a thousand tenants that were used once take less than 50 KB of
// memory each, also where some have settings of their own.
func TestIdleTenants(t *testing.T) {
	const count, most = 1000, 50 << 10
	r := start(t, "ROLLCALL_LOOKING_GLASS=false", "ROLLCALL_LOG_LEVEL=ERROR")
	registry := r.srv.Registry()
	var secrets []string
	for i := range count {
		s := tenant.Settings{}
		if i%50 == 0 {
			s.Limits.MaxPage = 100 + i
		}
		name := fmt.Sprint("tenant-", i)
		if _, err := registry.AddTenant(t.Context(), name, s); err != nil {
			t.Fatal(err)
		}
		made, err := registry.AddToken(t.Context(), name, tenant.Spec{Name: "idp"})
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, made.Secret)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		for range 3 { // what pools hold goes with the second
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	r.do("GET", "/scim/v2/Users", "")
	before := heap()
	for i, secret := range secrets {
		if a := r.do("GET", "/scim/v2/Users", "", "Authorization: Bearer "+secret); a.status != 200 {
			t.Fatalf("tenant %d: %d %s", i, a.status, a.body)
		}
	}
	each := (int64(heap()) - int64(before)) / count
	t.Logf("%d bytes each", each)
	if each > most {
		t.Errorf("an idle tenant takes %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(secrets)
}
