package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

const observability = "../../deploy/observability/"

// queries returns the queries of the dashboard, by the titles of their panels.
func queries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(observability + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title, UID    string
		SchemaVersion int
		Templating    struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if d.Title != "Rollcall" || d.UID == "" || d.SchemaVersion == 0 {
		t.Errorf("the dashboard: %q, %q, %d", d.Title, d.UID, d.SchemaVersion)
	}
	all, ids := map[string]string{}, map[int]bool{}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			all["variable "+v.Name] = "count(" + regexp.MustCompile(`label_values\((\w+),.*\)`).ReplaceAllString(v.Definition, "$1") + ")"
		}
	}
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("%q has the id of another one, or no place: %+v", p.Title, p)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("%q has no query", p.Title)
		}
		for _, q := range p.Targets {
			all[p.Title+" "+q.RefID] = q.Expr
		}
	}
	return all
}

// rules returns the expressions of the alert rules by name.
func rules(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(observability + "alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if all[r.Alert] != "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s is there twice, or says too little", r.Alert)
			}
			all[r.Alert] = r.Expr
		}
	}
	return all
}

// TestObservability: each metric and each value of a label that a query or a rule
// names is one that a server has, and what is documented is there.
func TestObservability(t *testing.T) {
	t.Parallel()
	directory := start(t)
	directory.create("ada")
	facade, _ := stand(t, pactflowtest.Options{})
	facade.raw("GET", "/scim/Users", "Authorization: Bearer "+pactflowtest.SCIMToken)
	metric, labelled := regexp.MustCompile(`\b(?:rollcall|process|go)_[a-z_]+\b`), regexp.MustCompile(`(\w+)="([^"]*)"`)
	names, labels := map[string]bool{"up": true}, map[string]bool{}
	for _, r := range []*running{directory, facade} {
		for series := range r.series() {
			name, rest, _ := strings.Cut(series, "{")
			names[name] = true
			for _, m := range labelled.FindAllStringSubmatch(rest, -1) {
				labels[m[1]] = true
			}
		}
	}
	for _, l := range []string{"job", "instance", "le"} {
		labels[l] = true
	}
	manual, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	exprs := queries(t)
	for name, expr := range rules(t) {
		exprs["alert "+name] = expr
		if !strings.Contains(string(manual), "`"+name+"`") {
			t.Errorf("docs/observability.md does not speak of %s", name)
		}
	}
	by := regexp.MustCompile(`by \(([^)]*)\)`)
	for where, expr := range exprs {
		found := metric.FindAllString(expr, -1)
		if len(found) == 0 {
			t.Errorf("%s asks for nothing of ours: %s", where, expr)
		}
		for _, name := range found {
			if !names[name] {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
		for _, m := range labelled.FindAllStringSubmatch(expr, -1) {
			if !labels[m[1]] {
				t.Errorf("%s: there is no label %s", where, m[1])
			}
		}
		for _, m := range by.FindAllStringSubmatch(expr, -1) {
			for _, l := range strings.Split(m[1], ", ") {
				if !labels[l] {
					t.Errorf("%s: there is no label %s", where, l)
				}
			}
		}
	}
	for name := range names {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "rollcall_") && !strings.Contains(string(manual), "`"+base) {
			t.Errorf("docs/observability.md does not explain %s", base)
		}
	}
}

// TestPromtool: Prometheus itself understands the rules and the queries of the
// dashboard, and the alerts go off when they should.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool := needTool(t, "promtool")
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	all := queries(t)
	for i, where := range slices.Sorted(maps.Keys(all)) {
		expr := strings.ReplaceAll(strings.ReplaceAll(all[where], "$__rate_interval", "5m"), "$job", "rollcall")
		fmt.Fprintf(&b, "  - record: q%d\n    expr: %q\n", i, expr)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", observability + "alerts.yml"}, {"test", "rules", observability + "alerts.test.yml"},
		{"check", "rules", path}, {"check", "config", "--syntax-only", observability + "prometheus.yml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil { //nolint:gosec // our own words
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
