package rollcall_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers is the architecture: each package, and all it may import of this
// module. A new package must add its line; a new edge must be argued for here.
var layers = map[string][]string{
	"scim":                         {},
	"scim/schema":                  {"scim"},
	"scim/filter":                  {"scim"},
	"scim/patch":                   {"scim", "scim/schema", "scim/filter"},
	"scim/compat":                  {"scim"},
	"scim/engine":                  {"scim", "scim/schema", "scim/filter", "scim/patch", "scim/compat"},
	"scim/scimhttp":                {"scim", "scim/engine"},
	"scim/sqlfilter":               {"scim"},
	"scim/scimtest":                {"scim", "scim/schema", "scim/filter", "scim/patch", "backend/memory"}, // the reference
	"auth":                         {"scim"},
	"backend/memory":               {"scim", "scim/filter"},
	"backend/sqlite":               {"scim", "internal/sqlfilter", "internal/audit", "internal/changelog", "internal/stored", "internal/tenant", "internal/transfer", "internal/guard"},
	"backend/postgres":             {"scim", "internal/sqlfilter", "internal/audit", "internal/changelog", "internal/stored", "internal/tenant", "internal/transfer", "internal/lookingglass/shared", "internal/guard"},
	"backend/facade":               {"scim", "scim/filter"},
	"backend/pactflow":             {"scim", "scim/filter", "scim/schema", "backend/facade"},
	"internal/lookingglass":        {"scim", "scim/compat", "scim/engine", "scim/filter", "scim/schema", "scim/scimhttp", "internal/lookingglass/shared"},
	"internal/lookingglass/shared": {},
	"internal/lookingglass/console": {"scim", "scim/engine", "scim/filter", "scim/scimhttp", "internal/lookingglass",
		"internal/lookingglass/people", "internal/lookingglass/flows", "internal/audit", "internal/changelog", "internal/guard", "internal/tenant"},
	"internal/lookingglass/people": {"scim", "scim/schema", "scim/engine", "internal/lookingglass"},
	"internal/sqlfilter":           {"scim"},
	"internal/audit":               {"scim", "internal/changelog"},
	"internal/audit/audittest":     {"scim", "scim/schema", "internal/audit"},
	"internal/changelog":           {"scim"},
	"internal/metrics":             {"scim/compat"},
	"internal/tracing":             {"scim"},
	"internal/stored":              {"scim"},
	"internal/failover":            {"internal/freeport"},
	"internal/guard":               {"scim", "internal/tenant"},
	"internal/guard/guardtest":     {"scim", "scim/compat", "scim/engine", "scim/schema", "internal/guard", "internal/tenant"},
	"internal/outbound":            {},
	"internal/oidc":                {"internal/outbound", "internal/tenant"},
	"internal/tenant":              {"scim", "scim/compat", "scim/schema"},
	"internal/tenant/tenanttest":   {"scim", "scim/schema", "internal/tenant"},
	"internal/bench":               {"scim", "scim/engine", "scim/filter", "scim/schema", "internal/freeport"},
	"internal/replay":              {},
	"internal/password":            {},
	"internal/takeover":            {"scim", "scim/schema"},
	"internal/transfer":            {"scim", "internal/changelog"},
	"internal/transfer/remote":     {"scim", "scim/schema", "internal/transfer"},
	"internal/server": {"scim", "scim/schema", "scim/compat", "scim/engine", "scim/scimhttp", "auth", "backend/sqlite", "backend/postgres",
		"backend/facade", "backend/pactflow", "backend/pactflow/doctor", "backend/pactflow/pactflowtest",
		"internal/audit", "internal/changelog", "internal/bench", "internal/guard", "internal/password", "internal/takeover", "internal/transfer", "internal/transfer/remote", "internal/replay",
		"internal/metrics", "internal/tracing", "internal/lookingglass", "internal/lookingglass/console", "internal/lookingglass/people", "internal/oidc", "internal/outbound", "internal/tenant"},
	"backend/pactflow/doctor":       {"backend/facade", "backend/pactflow"},
	"backend/pactflow/pactflowtest": {},
	"examples/facade":               {"scim", "scim/engine", "scim/schema", "scim/scimhttp", "backend/facade"},
	"examples/mount":                {"scim", "scim/engine", "scim/scimhttp", "backend/memory"},
	"examples/ownbackend":           {"scim", "scim/engine", "scim/filter", "scim/schema", "scim/scimhttp"},
	"examples/owntype":              {"scim", "scim/engine", "scim/schema", "scim/scimhttp", "backend/memory"},
	"examples/saas":                 {"scim", "scim/engine", "scim/schema", "scim/scimhttp", "scim/sqlfilter"},
	"internal/lookingglass/flows":   {"scim", "scim/compat", "scim/engine", "backend/memory"},
	"internal/conformance":          {"scim"},
	"internal/conformance/report":   {"internal/conformance"},
	"internal/testrun":              {},
	"internal/sbom":                 {},
	"internal/pgtest":               {"internal/freeport"},
	"internal/freeport":             {},
	"cmd/rollcall":                  {"internal/server"},
}

// pure lists the packages an application imports to mount SCIM: they may import
// nothing outside the standard library but jsontext and x/text, and those marked
// true no I/O either.
var pure = map[string]bool{"scim": true, "scim/schema": true, "scim/filter": true, "scim/patch": true,
	"scim/compat": true, "scim/engine": true, "scim/sqlfilter": true, "scim/scimhttp": false, "scim/scimtest": false}

// TestArchitecture reads the files itself, rather than asking "go list", so that
// go test knows what the result depends on and never answers from a stale cache.
func TestArchitecture(t *testing.T) {
	const mod = "github.com/rollcall-scim/rollcall"
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (d.Name() == "testdata" || path == "data" || path == "dist" || strings.ContainsAny(d.Name()[:1], "._")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		name := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), ".")
		seen[name] = true
		allowed, ok := layers[name]
		if !ok {
			t.Errorf("%s: package %q has no line in layers", path, name)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		noIO, isPure := pure[name]
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			rel, in := strings.CutPrefix(imp+"/", mod+"/")
			rel = strings.TrimSuffix(rel, "/")
			switch {
			case in && !slices.Contains(allowed, rel):
				t.Errorf("%s imports %s: not an edge of the architecture", path, imp)
			case !in && isPure && strings.Contains(strings.Split(imp, "/")[0], ".") &&
				imp != "github.com/go-json-experiment/json/jsontext" && !strings.HasPrefix(imp, "golang.org/x/text/"):
				t.Errorf("%s imports %s: importable packages use the standard library, jsontext and x/text only", path, imp)
			case !in && noIO && slices.Contains([]string{"os", "net", "net/http", "database/sql"}, imp):
				t.Errorf("%s imports %s: this package does no I/O", path, imp)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range layers {
		if !seen[name] {
			t.Errorf("layers lists %q, which does not exist", name)
		}
	}
}
