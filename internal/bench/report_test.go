package bench_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/bench"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// TestReportForm holds the JSON form of reports: fields may come, none goes.
func TestReportForm(t *testing.T) {
	t.Parallel()
	d := serve(t, engine.Config{}, nil)
	yard := httptest.NewServer(bench.Yardstick("y"))
	defer yard.Close()
	o := few(new(strings.Builder))
	o.Only, o.Fsync = []string{"get"}, t.TempDir()
	report, err := bench.Run(t.Context(), o, d.target(), bench.Target{URLs: []string{yard.URL}, Token: "y", Yardstick: true})
	if err != nil {
		t.Fatal(err)
	}
	report.Checks = []bench.Check{{Name: "a", Figure: "b", Value: 1, Target: "c"}}
	name := filepath.Join(t.TempDir(), "report.json")
	if err := report.WriteFile(name); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	flatten("", v, paths)
	golden, err := os.ReadFile("testdata/report.paths")
	if err != nil {
		t.Fatal(err)
	}
	for want := range strings.FieldsSeq(string(golden)) {
		if !paths[want] {
			t.Errorf("the report lacks %s", want)
		}
		delete(paths, want)
	}
	for path := range paths {
		t.Errorf("%s is not in testdata/report.paths", path)
	}
	again, err := bench.ReadReport(name)
	if err != nil || again.Scenarios[0].Results[0].Requests != 24 || again.Population != report.Population {
		t.Errorf("%+v, %v", again, err)
	}
	if err := os.WriteFile(name, []byte(`{"format":"another/1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bench.ReadReport(name); err == nil {
		t.Error("a file of another format was read")
	}
}

func flatten(at string, v any, paths map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(at+"."+name, member, paths)
		}
	case []any:
		for _, e := range v {
			flatten(at+"[]", e, paths)
		}
	default:
		paths[strings.TrimPrefix(at, ".")] = true
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	report := func(p50 ...float64) *bench.Report {
		r := &bench.Report{}
		for i, v := range p50 {
			r.Scenarios = append(r.Scenarios, bench.Outcome{Name: fmt.Sprint("s", i), Indexed: i != 2,
				Results: []bench.Result{{Requests: 1, Rate: 1000 / v, P50MS: v, P99MS: 2 * v}}})
		}
		return r
	}
	after := report(1.2, 2.8, 9, 1)
	after.Scenarios[3].Results[0].NotOffered = "not any more"
	after.Scenarios[3].Results[0].Requests = 0
	list := bench.Compare(report(1, 2, 3, 1), after)
	if len(list) != 3 || list[0].P50 != 1.2 || list[1].P50 != 1.4 || list[2].P99 != 3 {
		t.Errorf("%+v", list)
	}
	var out strings.Builder
	if n := bench.PrintGrowth(&out, report(1, 2, 3, 1), after, 1.3); n != 1 || !strings.Contains(out.String(), "more than 1.3 ×") {
		t.Errorf("%d have grown:\n%s", n, out.String())
	}
}
