package lookingglass_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// TestTenantsApart: whichever way a recorder is read, each tenant has its own
// exchanges and lookups, and one that was removed has none.
func TestTenantsApart(t *testing.T) {
	t.Parallel()
	for name, journal := range map[string]string{"in memory": "", "in a file": filepath.Join(t.TempDir(), "glass.db")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			o := lookingglass.Options{Tenant: "default", Journal: journal, Ring: 20}
			r, err := lookingglass.New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			told := r.Of("acme").Subscribe(ctx)
			for i := range 60 {
				tenant := []string{"default", "acme", "globex"}[i%3]
				req := httptest.NewRequest("GET", "/scim/v2/Users?filter=userName+eq+%22"+tenant+"%22", nil)
				if tenant != "default" {
					req = req.WithContext(lookingglass.WithTenant(req.Context(), tenant))
				}
				r.Observe(scimhttp.Exchange{HTTP: req, Started: time.Now(),
					Request:      engine.Request{Method: "GET", Path: "/Users", Query: req.URL.Query()},
					Response:     engine.Response{Status: 200, Operation: "list", Type: "User"},
					ResponseBody: []byte(`{"totalResults":1,"Resources":[{"id":"one","userName":"of-` + tenant + `"}]}`)})
			}
			if err := r.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			counts := func(r *lookingglass.Recorder) string {
				t.Helper()
				var b strings.Builder
				for _, tenant := range []string{"", "acme", "globex", "nobody"} {
					v := r.Of(tenant)
					list, err := v.Find(ctx, lookingglass.Query{Tenant: lookingglass.AllTenants})
					if err != nil {
						t.Fatal(err)
					}
					oldest, err := v.Find(ctx, lookingglass.Query{Oldest: true, Text: "username"})
					if err != nil || len(oldest) != len(list) {
						t.Fatalf("%d, oldest first %d, %v", len(list), len(oldest), err)
					}
					for _, x := range list {
						if x.Tenant != cmp.Or(tenant, "default") {
							t.Errorf("%q sees one of %q", tenant, x.Tenant)
						}
						if got, err := v.Get(ctx, x.Seq); err != nil || got == nil {
							t.Errorf("Get: %v, %v", got, err)
						}
						if got, _ := r.Of("stranger").Get(ctx, x.Seq); got != nil {
							t.Error("a stranger gets an exchange by its number")
						}
					}
					all, err := v.AllSought(ctx, 0)
					if err != nil {
						t.Fatal(err)
					}
					times := 0
					for _, s := range all {
						times += s.Times
						if mine, err := v.Sought(ctx, s.Value); err != nil || len(mine) != 1 || s.Value != map[bool]string{true: "default", false: tenant}[tenant == ""] {
							t.Errorf("%q sought %+v, %v", tenant, s, err)
						}
					}
					fmt.Fprint(&b, len(list), "/", times, " ")
				}
				if whole, err := r.Find(ctx, lookingglass.Query{Tenant: lookingglass.AllTenants}); err != nil {
					t.Fatal(err)
				} else {
					fmt.Fprint(&b, len(whole))
				}
				return b.String()
			}
			before, after := "7/20 7/20 6/20 0/0 20", "7/20 0/0 6/20 0/0 13"
			if journal != "" {
				before, after = "20/20 20/20 20/20 0/0 60", "20/20 0/0 20/20 0/0 40"
			}
			got := counts(r)
			if journal == "" { // which of them the ring has is its own business
				before = got
				var own, acme, globex, all int
				if n, _ := fmt.Sscanf(got, "%d/20 %d/20 %d/20 0/0 %d", &own, &acme, &globex, &all); n != 4 || own+acme+globex != all || acme == 0 {
					t.Fatalf("%s", got)
				}
				after = fmt.Sprintf("%d/20 0/0 %d/20 0/0 %d", own, globex, all-acme)
			}
			if got != before {
				t.Errorf("%s, want %s", got, before)
			}
			if err := r.Forget(context.WithoutCancel(ctx), "acme"); err != nil {
				t.Fatal(err)
			}
			if got := counts(r); got != after {
				t.Errorf("after a removal %s, want %s", got, after)
			}
			for range 20 {
				if e := <-told; e.Exchange.Tenant != "acme" {
					t.Errorf("a subscriber is told of %q", e.Exchange.Tenant)
				}
			}
			if journal == "" {
				return
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			again, err := lookingglass.New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = again.Close() }()
			if got := counts(again); got != after {
				t.Errorf("after a restart %s, want %s", got, after)
			}
		})
	}
}
