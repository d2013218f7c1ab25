package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// TestLargeOrders: settings as large as they may be reach a server, and a list of
// tenants and tokens that is larger than one answer comes whole and in order.
func TestLargeOrders(t *testing.T) {
	t.Parallel()
	r := start(t)
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	file := filepath.Join(t.TempDir(), "schemas.json")
	text := `[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:Gadget","name":"Gadget","description":"` + strings.Repeat("<", 500<<10) + `","attributes":[{"name":"label","type":"string"}]},` +
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Gadget","schema":"urn:example:Gadget"}]`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.must("tenant", "set", "default", "schemas=@"+file)
	const count = 20
	var want []string
	for i := range count {
		name := fmt.Sprintf("tenant-%02d", i)
		if _, err := r.srv.Registry().AddTenant(t.Context(), name, tenant.Settings{Schemas: []byte(text)}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.srv.Registry().AddToken(t.Context(), name, tenant.Spec{Name: "okta"}); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	var tenants []struct {
		Name     string
		Settings json.RawMessage
	}
	if err := json.Unmarshal([]byte(s.must("tenant", "list", "--json")), &tenants); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range tenants {
		if one.Name != "default" {
			got = append(got, one.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the tenants are %q", got)
	}
	var tokens []struct{ Tenant string }
	if err := json.Unmarshal([]byte(s.must("token", "list", "--json")), &tokens); err != nil || len(tokens) != count {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
	if code, _, errs := s.run("tenant", "set", "tenant-01", "baseURL="+strings.Repeat("x", 5<<20)); code != 1 || !strings.Contains(errs, "too long") {
		t.Errorf("an order that is too long: exit %d, %.200s", code, errs)
	}
}
