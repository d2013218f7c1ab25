package conformance

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Requirement is one row of testdata/requirements.tsv: something the RFCs, or
// our reading of them, ask of a server.
type Requirement struct {
	ID     string // "PAT-016"
	Level  string // "MUST", "SHOULD", "MAY"; "MUST*": our ruling where the source leaves it open
	Source string // "7644 §3.5.2"
	Text   string
	Status string // why nothing proves it yet: "planned: …" or "not offered: …"; "" if it is to be proven
}

// Section returns the letters of the id, "PAT".
func (r Requirement) Section() string {
	s, _, _ := strings.Cut(r.ID, "-")
	return s
}

// Requirements reads the table: a line of names, then a row a line, with tabs.
func Requirements(r io.Reader) ([]Requirement, error) {
	var rows []Requirement
	seen := map[string]bool{}
	lines := bufio.NewScanner(r)
	lines.Scan()
	for n := 2; lines.Scan(); n++ {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 5 || !idRE.MatchString(f[0]) || seen[f[0]] {
			return nil, fmt.Errorf("requirements, line %d: want five fields and a new id", n)
		}
		seen[f[0]] = true
		rows = append(rows, Requirement{f[0], f[1], f[2], f[3], f[4]})
	}
	return rows, lines.Err()
}
