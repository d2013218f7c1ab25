package replay_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/replay"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// TestTraces plays every recorded conversation against an empty tenant of each
// backend in the default profile.
func TestTraces(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../testdata/idp/traces/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	pg, err := postgres.Open(t.Context(), pgtest.Quick(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pg.Close() })
	backends := map[string]func(*testing.T) scim.Backend{
		"memory": func(*testing.T) scim.Backend { return new(memory.Store) },
		"sqlite": func(t *testing.T) scim.Backend {
			db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return db.Tenant("default")
		},
		"postgres": func(t *testing.T) scim.Backend { return pg.Tenant(t.Name()) },
	}
	for _, file := range files {
		for backend, open := range backends {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".json")+"/"+backend, func(t *testing.T) {
				t.Parallel()
				play(t, file, open(t))
			})
		}
	}
}

func read(t *testing.T, file string) []replay.Step {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	steps, err := replay.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func play(t *testing.T, file string, b scim.Backend) {
	t.Helper()
	steps := read(t, file)
	e, err := engine.New(b, engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.StripPrefix("/scim/v2", scimhttp.NewHandler(e, scimhttp.Options{})))
	defer srv.Close()
	results, err := replay.Player{Base: srv.URL + "/scim/v2", Token: "any", Client: srv.Client()}.Play(t.Context(), steps)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(steps) {
		t.Errorf("%d results for %d steps", len(results), len(steps))
	}
	for i, r := range results {
		for _, fault := range r.Faults {
			t.Errorf("step %d %q (%s %s, rules %v): %s", i+1, r.Step.Name, r.Step.Method, r.Step.Path, r.Step.Rules, fault)
		}
	}
}

// TestFaults sees that a player notices each kind of departure.
func TestFaults(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"n":1,"s":"Text","list":[{"type":"work","value":"a"},{"type":"home","value":"b"}],"path":%q,"e":[],"t":true}`, r.RequestURI)
	}))
	defer srv.Close()
	tests := []struct{ name, expect, want string }{
		{"fine", `{"status":[200],"headers":{"Content-Type":"json$"},"raw":["^\\{\"n\""],"json":[
			{"path":"$.n","op":"equals","value":1},{"path":"$.n","op":"type","value":"integer"},{"path":"$.s","op":"equalsFold","value":"TEXT"},
			{"path":"$.list[*].value","op":"setEquals","value":["b","a"]},{"path":"$.list[?(@.type=='home')].value","op":"equals","value":"b"},
			{"path":"$.list","op":"contains","value":{"type":"work"}},{"path":"$.list","op":"notContains","value":{"type":"other"}},
			{"path":"$.list","op":"length","value":2},{"path":"$.list[*]","op":"count","value":2},{"path":"$.list[*]","op":"minCount","value":1},
			{"path":"$['s']","op":"in","value":["Text"]},{"path":"$.s","op":"matches","value":"^T"},{"path":"$.e","op":"absent"},
			{"path":"$.list[1].type","op":"notEquals","value":"work"},{"path":"$.t","op":"exists"},
			{"path":"$.path","op":"equals","value":"/base//x%20y?f=a%22"}]}`, ""},
		{"status", `{"status":[201,204]}`, "status 200"},
		{"header", `{"status":[200],"headers":{"Content-Type":"xml"}}`, "header"},
		{"raw", `{"status":[200],"raw":["nope"]}`, "does not match"},
		{"equals type", `{"status":[200],"json":[{"path":"$.n","op":"equals","value":"1"}]}`, "equals"},
		{"absent", `{"status":[200],"json":[{"path":"$.n","op":"absent"}]}`, "absent"},
		{"exists", `{"status":[200],"json":[{"path":"$.none","op":"exists"}]}`, "exists"},
		{"contains", `{"status":[200],"json":[{"path":"$.list","op":"contains","value":{"type":"x"}}]}`, "contains"},
		{"setEquals", `{"status":[200],"json":[{"path":"$.list[*].value","op":"setEquals","value":["a"]}]}`, "setEquals"},
		{"unknown op", `{"status":[200],"json":[{"path":"$.n","op":"equal","value":1}]}`, "unknown op"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			steps, err := replay.Read(strings.NewReader(`[{"name":"x","method":"GET","path":"//x%20y?f=a%22","expect":` + tt.expect + `}]`))
			if err != nil {
				t.Fatal(err)
			}
			results, err := replay.Player{Base: srv.URL + "/base"}.Play(t.Context(), steps)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(results[0].Faults, "; ")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("faults %q, want %q", got, tt.want)
			}
		})
	}
}
