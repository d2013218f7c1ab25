package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// town is a site of several tenants, which their clients reach without the
// network.
type town struct {
	*site
	DB       *sqlite.DB
	Registry *tenant.Registry
	realms   map[string]console.Realm
	later    atomic.Int64 // how far the console's clock is ahead, as a time.Duration
}

// newTown has the tenants default and acme. The breaker of acme holds the sixth
// person.
func newTown(t testing.TB, change ...func(*console.Options)) *town {
	t.Helper()
	w := &town{realms: map[string]console.Realm{}}
	types := schema.Core()
	var err error
	w.DB, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{
		Load: schema.Load, Encode: schema.Encode, HistoryDays: 400, UndeleteDays: 30, UnsafeSynchronousForTests: "OFF",
		Type: func(_, name string) *scim.ResourceType {
			for _, rt := range types {
				if rt.Name == name {
					return rt
				}
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.Registry = tenant.NewRegistry(w.DB, tenant.Options{})
	_, err = w.Registry.AddTenant(t.Context(), "acme", tenant.Settings{
		Breaker:   tenant.Breaker{Mode: "hold", People: 5},
		Protected: []string{"User:root@acme.example", "Group:Break <b class=xss>Glass"},
		Promotion: tenant.Promotion{Roles: tenant.Ceiling{Never: []string{"admin", "<b class=xss>"}}, Groups: tenant.Ceiling{Only: []string{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := must(w.DB.CursorKeys(t.Context()))
	profile := must(compat.Parse("auto"))
	guards := guard.New(guard.Options{})
	for _, name := range []string{"default", "acme"} {
		of := must(w.Registry.Tenant(t.Context(), name))
		store := w.DB.For(*of)
		e := must(engine.New(guards.Wrap(of, store, types), engine.Config{Types: types, Profile: profile, Tenant: name, CursorKeys: func() [][]byte { return keys }}))
		types = e.Types()
		w.realms[name] = console.Realm{Tenant: of, Engine: e, Store: store, Audit: store.Audit(),
			Base: func(*http.Request) string { return "https://scim.example/t/" + name + "/scim/v2" },
			Export: func(_ context.Context, line func([]byte) error) error {
				return errors.Join(line([]byte(`{"n":1}`)), line([]byte(`{"n":2}`)))
			}}
	}
	w.site = newSite(t, append(change, func(o *console.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(w.later.Load())) }
		o.Tenants = &console.Tenants{
			Open: func(_ context.Context, name string) (console.Realm, error) {
				realm, ok := w.realms[name]
				if !ok {
					return realm, tenant.ErrNoTenant
				}
				return realm, nil
			},
			Names: w.Registry.Names,
			Guest: func(token string) (string, bool) {
				g, err := w.Registry.Authenticate(context.Background(), token)
				if err != nil || !g.Token.Scopes.Allows(tenant.Read, "") {
					return "", false
				}
				return g.Tenant.Name, true
			},
			Tokens: w.Registry,
		}
		o.WithToken = func(ctx context.Context, token string) context.Context {
			origin := scim.OriginOf(ctx)
			if origin.Actor = "the viewer by console"; token == adminToken {
				origin.Actor = "the operator by console"
			}
			return scim.WithOrigin(ctx, origin)
		}
	})...)
	t.Cleanup(func() {
		if err := w.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// call sends a SCIM request to a tenant, as a client with a token of that name.
func (w *town) call(name, actor, method, path, body string, header ...string) (status int, answer string) {
	w.t.Helper()
	ctx := lookingglass.WithTenant(scim.WithTrace(w.t.Context(), new(scim.Trace)), name)
	r := httptest.NewRequestWithContext(scim.WithOrigin(ctx, scim.Origin{Actor: actor, Address: "192.0.2.7"}), method, "/scim/v2"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/scim+json")
	for _, line := range header {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, strings.TrimSpace(value))
	}
	out := httptest.NewRecorder()
	http.StripPrefix("/scim/v2", scimhttp.NewHandler(w.realms[name].Engine, scimhttp.Options{Observe: w.Recorder.Observe, Bodies: lookingglass.Bodies})).ServeHTTP(out, r)
	return out.Code, out.Body.String()
}

// person creates one and returns the id.
func (w *town) person(name, userName string, header ...string) string {
	w.t.Helper()
	body := must(json.Marshal(map[string]any{"userName": userName, "title": "Engineer", "password": "canary-secret-8f1"}))
	status, answer := w.call(name, "okta (tk_1)", http.MethodPost, "/Users", string(body), header...)
	var r struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &r); err != nil || status != http.StatusCreated {
		w.t.Fatalf("%s: %d %s", userName, status, answer)
	}
	return r.ID
}

// life has things happen in both tenants, and returns the ids of acme's people, of
// whom the first five are deactivated and the sixth was held.
func (w *town) life() (ids []string) {
	w.t.Helper()
	w.person("default", "only-default@example.com", entra)
	for _, name := range []string{"alice", "bob", "carol", "dave", "erin", "frank", "<b class=xss>gina"} {
		ids = append(ids, w.person("acme", name+"@only-acme.example", okta))
	}
	for i, id := range ids[:6] {
		if status, answer := w.deactivate(id); status != []int{200, 429}[i/5] {
			w.t.Fatalf("the %d. deactivation: %d %s", i+1, status, answer)
		}
	}
	w.call("acme", "okta (tk_1)", http.MethodPatch, "/Users/"+ids[6], strings.Replace(patchActive, "false", `"perhaps"`, 1), okta)
	w.call("acme", "okta (tk_1)", http.MethodPost, "/Users", `{"userName":"ALICE@only-acme.example"}`, entra)
	w.call("acme", "okta (tk_1)", http.MethodPost, "/Groups", `{"displayName":"Crew <b class=xss>","members":[{"value":"`+ids[6]+`"}]}`, okta)
	w.flush()
	must(w.realms["acme"].Audit.Seal(w.t.Context()))
	must(w.realms["default"].Audit.Seal(w.t.Context()))
	return ids
}

// deactivate is what Okta does to somebody of acme who leaves.
func (w *town) deactivate(id string) (status int, answer string) {
	return w.call("acme", "okta (tk_1)", http.MethodPatch, "/Users/"+id, patchActive, okta)
}
