package people_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
)

// compared returns the rows of a list, and fails the test if they don't come in
// its order.
func compared(w *world, list ...string) (rows []people.Row) {
	w.t.Helper()
	err := w.desk.Compare(w.t.Context(), list, func(i int, v *people.Verdict) error {
		if i != len(rows) || v.Asked != list[i] {
			w.t.Errorf("verdict %d is on %q", i, v.Asked)
		}
		rows = append(rows, people.RowOf(i, v))
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// TestCompare gives a list with everybody in it, longer than a batch.
func TestCompare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var list []string
	for i := range 90 {
		name := fmt.Sprintf("p%d@example.com", i)
		list = append(list, name)
		if i%3 != 2 {
			w.user(okta, fmt.Sprintf(`{"userName":%q,"active":%v}`, name, i%3 == 0))
		}
	}
	dora := w.user(entra, `{"userName":"dora"}`)
	w.do(entra, "DELETE", "/Users/"+dora, "", 204)
	w.do(okta, "POST", "/Users", `{"userName":"rita","active":"perhaps"}`, 400)
	w.do(entra, "GET", byUserName+url.QueryEscape(`"sam"`), "", 200)
	list = append(list, "dora", " rita ", "SAM", "", strings.Repeat("x", 2000), "P0@other.example", "P1@EXAMPLE.COM")

	rows := compared(w, list...)
	for i, row := range rows[:90] {
		want := []people.Cause{people.Present, people.Inactive, people.Never}[i%3]
		if row.Cause != want || row.Line != i+1 {
			t.Errorf("%s: %s on line %d, want %s", row.Asked, row.Cause, row.Line, want)
		}
		if want == people.Inactive && (row.Client != "Okta" || row.When.IsZero()) {
			t.Errorf("%s: by %q %v", row.Asked, row.Client, row.When)
		}
		if (row.Next == "") != (want == people.Present) {
			t.Errorf("%s: next step %q", row.Asked, row.Next)
		}
	}
	for i, want := range []people.Cause{people.Deleted, people.Refused, people.Sought, people.Unknown, people.Unknown, people.Never, people.Inactive} {
		if row := rows[90+i]; row.Cause != want {
			t.Errorf("%.40q: %s, want %s: %s", row.Asked, row.Cause, want, row.Words)
		}
	}
	if near := rows[95]; len(near.Kinds) != 1 || near.Kinds[0] != people.NearDomain {
		t.Errorf("near: %+v", near)
	}
	if near := rows[96]; len(near.Kinds) != 1 || near.Kinds[0] != people.NearCase {
		t.Errorf("near: %+v", near)
	}
	stop := errors.New("stop")
	if err := w.desk.Compare(t.Context(), list, func(int, *people.Verdict) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of emit: %v", err)
	}
}

// TestDownloads are what a spreadsheet and a program get.
func TestDownloads(t *testing.T) {
	t.Parallel()
	var rows []people.Row
	for i, asked := range []string{"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "|x", "＝1+1", `a "b", c`, "plain"} {
		rows = append(rows, people.RowOf(i, &people.Verdict{Asked: asked, Cause: people.Never, Words: "=HYPERLINK(1)"}))
	}
	var b bytes.Buffer
	if err := people.WriteCSV(&b, rows); err != nil {
		t.Fatal(err)
	}
	text, marked := strings.CutPrefix(b.String(), "\ufeff")
	table, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(table) != len(rows)+1 {
		t.Fatalf("%d lines, marked %v: %v", len(table), marked, err)
	}
	for i, line := range table[1:] {
		guarded := i < 7
		if (line[0] == "'"+rows[i].Asked) != guarded || (line[0] == rows[i].Asked) == guarded || line[6] != "'=HYPERLINK(1)" {
			t.Errorf("%q became %q, %q", rows[i].Asked, line[0], line[6])
		}
	}
	b.Reset()
	if err := people.WriteJSON(&b, rows); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Counts map[string]int
		People []struct{ Asked, Cause string }
	}
	if err := json.Unmarshal(b.Bytes(), &answer); err != nil || answer.Counts["never"] != 9 || answer.People[0].Asked != rows[0].Asked {
		t.Errorf("%v, %+v", err, answer)
	}
}
