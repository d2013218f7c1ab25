package conformance_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/conformance"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// store is a backend that every fixture runs against, each on a fresh tenant.
type store struct {
	name string
	open func(tenant string, types []*scim.ResourceType) scim.Backend
}

// stores opens the backends until the test ends. All fixtures share one SQLite
// file and one PostgreSQL database, each in a tenant of its own: a query that
// forgets the tenant finds too much.
func stores(t *testing.T) []store {
	t.Helper()
	var tenants sync.Map // name → its resource types
	named := func(tenant, name string) *scim.ResourceType {
		types, _ := tenants.Load(tenant)
		list, _ := types.([]*scim.ResourceType)
		for _, typ := range list {
			if typ.Name == name {
				return typ
			}
		}
		return nil
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "fixtures.db"), sqlite.Options{
		Load: schema.Load, Encode: schema.Encode, HistoryDays: 400, Type: named})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	pg, err := postgres.Open(t.Context(), pgtest.Quick(t), postgres.Options{
		Load: schema.Load, Encode: schema.Encode, HistoryDays: 400, Type: named})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pg.Close(); err != nil {
			t.Error(err)
		}
	})
	return []store{
		{"memory", func(string, []*scim.ResourceType) scim.Backend { return new(memory.Store) }},
		{"sqlite", func(tenant string, types []*scim.ResourceType) scim.Backend {
			tenants.Store(tenant, types)
			return db.Tenant(tenant)
		}},
		{"postgres", func(tenant string, types []*scim.ResourceType) scim.Backend {
			tenants.Store(tenant, types)
			return pg.Tenant(tenant)
		}},
	}
}

// clock is the server's time, which a fixture can move.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// bent is a server that counts the compatibility rules its answers leaned on.
type bent struct {
	conformance.Target
	mu    sync.Mutex
	rules map[string]bool
	close func()
}

// fired stops the server, so that it has told of every answer, and returns the
// rules that they leaned on.
func (b *bent) fired() map[string]bool {
	b.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rules
}

func (b *bent) observe(x scimhttp.Exchange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range x.Response.Rules {
		b.rules[id] = true
	}
}

// serve starts a server as a fixture wants it.
func serve(t *testing.T, f *conformance.Fixture, conv *conformance.Conversation, profile string, b store) *bent {
	t.Helper()
	p, ok := compat.Lookup(profile)
	if !ok {
		t.Fatalf("unknown profile %q", profile)
	}
	clk := new(clock)
	cfg := engine.Config{Profile: p, Now: clk.now, Types: types(t, f.Types), Schemes: []scim.AuthenticationScheme{new(auth.Bearer).Scheme()}}
	if err := configure(&cfg, f.Config); err != nil {
		t.Fatal(err)
	}
	if f.Me != "" {
		cfg.Me = func(context.Context) (string, error) {
			if id := conv.Me(); id != "" {
				return id, nil
			}
			return "", scim.ErrNotFound
		}
	}
	e, err := engine.New(b.open(t.Name(), cfg.Types), cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(nil)
	base := "http://" + srv.Listener.Addr().String() + "/scim/v2"
	served := &bent{rules: map[string]bool{}, close: srv.Close}
	srv.Config.Handler = http.StripPrefix("/scim/v2", scimhttp.NewHandler(e, scimhttp.Options{BaseURL: base, Observe: served.observe}))
	srv.Start()
	t.Cleanup(srv.Close)
	client := srv.Client()
	client.Transport.(*http.Transport).DisableCompression = true
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	served.Target = conformance.Target{Base: base, Client: client, Advance: clk.advance}
	return served
}

// types returns the core types and those of the named files of testdata/schemas.
func types(t *testing.T, names []string) []*scim.ResourceType {
	t.Helper()
	all := schema.Core()
	for _, name := range names {
		dir := t.TempDir()
		text, err := os.ReadFile(filepath.Join(root, "testdata", "schemas", name+".json"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600)
		}
		if err == nil {
			all, err = schema.Read(all, os.DirFS(dir))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// configure turns a fixture's knobs into the engine's configuration.
func configure(c *engine.Config, knobs map[string]string) error {
	numbers := map[string]*int{
		"toomany": &c.MultiTypeMax, "defaultpage": &c.Limits.DefaultPage, "maxpage": &c.Limits.MaxPage,
		"bulkops": &c.Limits.BulkOperations, "patchops": &c.Limits.PatchOperations,
		"filterlength": &c.Limits.FilterLength, "filternodes": &c.Limits.FilterNodes,
		"filterdepth": &c.Limits.FilterDepth, "jsondepth": &c.Limits.JSONDepth,
		"jsonvalues": &c.Limits.JSONValues, "values": &c.Limits.Values,
	}
	sizes := map[string]*int64{"body": &c.Limits.Body, "largebody": &c.Limits.LargeBody}
	switches := map[string]*bool{"nobulk": &c.NoBulk, "nopatch": &c.NoPatch, "nosort": &c.NoSort, "noetag": &c.NoETag,
		"cursoronly": &c.CursorOnly, "nototals": &c.NoTotals}
	for name, value := range knobs {
		var err error
		switch {
		case switches[name] != nil:
			*switches[name] = true
		case numbers[name] != nil:
			*numbers[name], err = strconv.Atoi(value)
		case sizes[name] != nil:
			*sizes[name], err = strconv.ParseInt(value, 10, 64)
		case name == "cursortimeout":
			c.CursorTimeout, err = time.ParseDuration(value)
		case name == "keeppasswords":
			c.Password = func(clear string) (string, error) { return fmt.Sprintf("hash of %d", len(clear)), nil }
		default:
			err = fmt.Errorf("unknown knob")
		}
		if err != nil {
			return fmt.Errorf("config %s=%s: %w", name, value, err)
		}
	}
	return nil
}

// root is the repository.
const root = "../.."

// fixtures returns every fixture by its path under testdata: those of the RFCs
// and those of the compatibility rules.
func fixtures(t *testing.T) map[string]*conformance.Fixture {
	t.Helper()
	all := map[string]*conformance.Fixture{}
	for _, dir := range []string{"rfc7643", "rfc7644", "rfc9865", "idp"} {
		base := filepath.Join(root, "testdata")
		err := filepath.WalkDir(filepath.Join(base, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".txtar" {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(base, strings.TrimSuffix(path, ".txtar"))
			if err != nil {
				return err
			}
			name = filepath.ToSlash(name)
			if all[name], err = conformance.Parse(data); err != nil {
				t.Errorf("testdata/%s.txtar: %v", name, err)
				delete(all, name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}
