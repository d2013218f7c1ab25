package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/conformance"
)

func requirements(t *testing.T) []conformance.Requirement {
	t.Helper()
	table, err := os.Open(filepath.Join(root, "testdata", "requirements.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	rows, err := conformance.Requirements(table)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestEveryRequirement demands for each requirement a fixture, a Go test, or
// the reason why there is none, and that no fixture and no test names one that
// does not exist.
func TestEveryRequirement(t *testing.T) {
	t.Parallel()
	proofs, err := conformance.Cover(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	rows := requirements(t)
	known := map[string]bool{}
	for _, r := range rows {
		known[r.ID] = true
	}
	covered := map[string]bool{}
	for _, p := range proofs {
		for _, id := range p.Covers {
			covered[id] = true
			if !known[id] {
				t.Errorf("%s covers %s, which testdata/requirements.tsv lacks", p.Name(), id)
			}
		}
	}
	var missing []string
	for _, r := range rows {
		if !covered[r.ID] && r.Status == "" {
			missing = append(missing, r.ID)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d of %d requirements have neither fixture nor test nor reason: %s", len(missing), len(rows), strings.Join(missing, " "))
	}
}
