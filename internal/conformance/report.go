package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Results are the outcomes of a test run: "pass", "fail" or "skip" by package
// folder and test, "scim/patch.TestApply/remove".
type Results map[string]string

// ReadResults reads what "go test -json" printed. module is cut off the front
// of package names.
func ReadResults(r io.Reader, module string) (Results, error) {
	res := Results{}
	d := json.NewDecoder(bufio.NewReader(r))
	for {
		var e struct{ Action, Package, Test string }
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return res, nil
		}
		if err != nil {
			return nil, fmt.Errorf("results: %w", err)
		}
		switch e.Action {
		case "pass", "fail", "skip":
			pkg := strings.TrimPrefix(strings.TrimPrefix(e.Package, module), "/")
			res[pkg+"."+e.Test] = e.Action
		}
	}
}

// outcome is what the results say of one requirement.
type outcome struct {
	Requirement
	proofs  []Proof
	backend map[string]string // "pass" or "fail" by backend, where a fixture ran
	result  string            // "pass", "fail", "planned" or "untested"
}

// Report writes for readers which requirement is met, row by row, as Markdown.
func Report(w io.Writer, rows []Requirement, proofs []Proof, res Results) error {
	all := judgeRows(rows, proofs, res)
	b := bufio.NewWriter(w)
	fmt.Fprint(b, head)
	totals(b, all)
	for start := 0; start < len(all); {
		end := start
		for end < len(all) && all[end].Section() == all[start].Section() {
			end++
		}
		section(b, all[start:end])
		start = end
	}
	return b.Flush()
}

func judgeRows(rows []Requirement, proofs []Proof, res Results) []outcome {
	byID := map[string][]Proof{}
	for _, p := range proofs {
		for _, id := range p.Covers {
			if !slices.ContainsFunc(byID[id], func(q Proof) bool { return q.Name() == p.Name() }) {
				byID[id] = append(byID[id], p)
			}
		}
	}
	all := make([]outcome, 0, len(rows))
	for _, r := range rows {
		o := outcome{Requirement: r, proofs: byID[r.ID], backend: map[string]string{}, result: "pass"}
		for _, p := range o.proofs {
			if !o.run(p, res) {
				o.result = "fail"
			}
		}
		switch {
		case r.Status != "" && o.result == "pass":
			o.result = "planned"
		case len(o.proofs) == 0:
			o.result = "untested"
		}
		all = append(all, o)
	}
	return all
}

// run notes the outcome of one proof and reports whether it passed: a fixture
// in every profile, on every backend.
func (o *outcome) run(p Proof, res Results) bool {
	if p.Fixture == "" {
		return res[p.Package+"."+p.Test] == "pass"
	}
	prefix := "internal/conformance.TestFixtures/" + p.Fixture + "/"
	ran, ok := false, true
	for name, action := range res {
		rest, found := strings.CutPrefix(name, prefix)
		_, backend, leaf := strings.Cut(rest, "/")
		if !found || !leaf {
			continue
		}
		ran = true
		if action != "pass" {
			ok = false
			o.backend[backend] = "fail"
		} else if o.backend[backend] == "" {
			o.backend[backend] = "pass"
		}
	}
	return ran && ok
}

const head = `# Conformance

Written by ` + "`make report`" + ` from a run of all tests; not edited by hand. Each row is a requirement of RFC 7643, RFC 7644, RFC 9865
or a specification they lean on. ` + "`MUST*`" + ` is our ruling where the source is silent, optional or at odds with itself. The proof of a
row is a fixture under ` + "`testdata/`" + `, held over HTTP against each backend ([how](fixtures.md)), or a Go test. Where a tolerance for
clients bends a row, the row holds in the profile ` + "`strict`" + `; [divergences.md](divergences.md) lists where.

`

func totals(w io.Writer, all []outcome) {
	fmt.Fprintln(w, "| level | rows | pass | fail | untested | planned |\n|---|---|---|---|---|---|")
	for _, level := range []string{"MUST", "MUST*", "SHOULD", "MAY", ""} {
		n, by := 0, map[string]int{}
		for _, o := range all {
			if level == "" || o.Level == level {
				n++
				by[o.result]++
			}
		}
		name := level
		if name == "" {
			name = "all"
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d |\n", name, n, by["pass"], by["fail"], by["untested"], by["planned"])
	}
}

// titles names the sections; a new one is shown by its letters.
var titles = map[string]string{
	"SCH": "Schema model and attribute characteristics", "COM": "Common attributes and meta", "USR": "User", "GRP": "Group",
	"ENT": "Enterprise User extension", "SPC": "ServiceProviderConfig", "RST": "ResourceTypes", "SCM": "Schemas",
	"HTTP": "HTTP basics", "CRE": "Create", "GET": "Retrieve", "FLT": "Query and filter", "SRT": "Sorting",
	"PAG": "Index paging", "CUR": "Cursor paging (RFC 9865)", "PRJ": "Projection", "SRC": "POST .search", "PUT": "Replace",
	"DEL": "Delete", "ME": "/Me", "PAT": "PATCH", "BLK": "Bulk", "ERR": "Errors", "ETG": "Versions and conditional requests",
	"SEC": "Security and privacy", "TEN": "Tenants", "LOC": "Localization", "EVT": "Events (RFC 9967)",
	"SSF": "Delivery of events", "INT": "Interop profile and IPSIE (drafts)",
}

func section(w io.Writer, rows []outcome) {
	pass := 0
	for _, o := range rows {
		if o.result == "pass" {
			pass++
		}
	}
	fmt.Fprintf(w, "\n## %s: %s (%d of %d)\n\n", rows[0].Section(), titles[rows[0].Section()], pass, len(rows))
	fmt.Fprintln(w, "| id | level | requirement | source | result | memory | sqlite | by |\n|---|---|---|---|---|---|---|---|")
	for _, o := range rows {
		var by []string
		for _, p := range o.proofs {
			by = append(by, "`"+p.Name()+"`")
		}
		result := map[string]string{"pass": "pass", "fail": "**fail**", "untested": "**untested**", "planned": o.Status}[o.result]
		if o.result == "planned" && len(by) > 0 {
			result += "; in part"
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", o.ID, cell(o.Level), cell(o.Text), cell(o.Source), result,
			o.backend["memory"], o.backend["sqlite"], strings.Join(by, " "))
	}
}

// cell escapes what Markdown would take for the table's own.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "{", "&#123;").Replace(s)
}
