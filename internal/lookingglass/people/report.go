package people

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"time"
)

// Row is a verdict in a list: what a download has of it.
type Row struct {
	Line    int       `json:"line"` // from 1 on, without names of columns
	Asked   string    `json:"asked"`
	Cause   Cause     `json:"cause"`
	Name    string    `json:"userName,omitempty"`
	ID      string    `json:"id,omitempty"`
	When    time.Time `json:"when,omitzero"`
	Client  string    `json:"client,omitempty"`
	Words   string    `json:"words"`
	Next    string    `json:"next,omitempty"`
	Near    string    `json:"near,omitempty"`
	NearTo  []string  `json:"nearTo,omitempty"` // ids
	Kinds   []string  `json:"kinds,omitempty"`  // of nearness
	Request int64     `json:"exchange,omitempty"`
}

// RowOf returns the row of a verdict, line counted from 0.
func RowOf(line int, v *Verdict) Row {
	r := Row{Line: line + 1, Asked: v.Asked, Cause: v.Cause, When: v.When, Client: v.Client, Words: v.Words, Request: v.Seq}
	if v.Person != nil {
		r.Name, r.ID = v.Person.Name, v.Person.ID
	}
	if v.Cause != Present {
		var steps []string
		for _, a := range v.Next {
			if a.Client == anybody || len(v.Next) == 1 {
				steps = append(steps, a.Text)
			} else {
				steps = append(steps, a.Client+": "+a.Text)
			}
		}
		r.Next = strings.Join(steps, " ")
	}
	var words []string
	for _, n := range v.Near {
		words = append(words, sentence(n.Words)+".")
		r.NearTo, r.Kinds = append(r.NearTo, n.Person.ID), append(r.Kinds, n.Kind)
	}
	r.Near = strings.Join(words, " ")
	return r
}

// WriteCSV writes rows for a spreadsheet: UTF-8 with a byte order mark, and no
// cell that a spreadsheet would take for a formula.
func WriteCSV(w io.Writer, rows []Row) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write([]string{"asked", "cause", "userName", "id", "when", "client", "why", "next step", "near"}) // Error has it
	for _, r := range rows {
		when := ""
		if !r.When.IsZero() {
			when = r.When.UTC().Format(time.RFC3339)
		}
		_ = out.Write([]string{harmless(r.Asked), r.Cause.Label(), harmless(r.Name), harmless(r.ID), when, harmless(r.Client),
			harmless(r.Words), harmless(r.Next), harmless(r.Near)})
	}
	out.Flush()
	return out.Error()
}

// WriteJSON writes rows and how many there are of each cause.
func WriteJSON(w io.Writer, rows []Row) error {
	counts := map[Cause]int{}
	for _, r := range rows {
		counts[r.Cause]++
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(struct {
		Counts map[Cause]int `json:"counts"`
		People []Row         `json:"people"`
	}{counts, rows})
}

// harmless returns a cell that no spreadsheet takes for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(s[0])) || strings.HasPrefix(s, "＝") || strings.HasPrefix(s, "＋") ||
		strings.HasPrefix(s, "－") || strings.HasPrefix(s, "＠") {
		return "'" + s
	}
	return s
}
