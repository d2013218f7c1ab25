package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
)

// compareFlags are the arguments of "rollcall compare".
type compareFlags struct {
	Config

	File   string `arg:"" name:"file" help:"list of people: CSV, or a value on each line; \"-\" is the standard input"`
	Column string `name:"column" placeholder:"NAME" help:"name or number of the column that says who is meant (default: the one that looks most like it)"`
	Tenant string `name:"tenant" placeholder:"NAME" help:"whose people (default: the tenant \"default\")"`
	Format string `name:"format" enum:"table,csv,json" default:"table" help:"table, csv or json; a table leaves out who is present"`
}

// run compares a list with the directory and returns the exit code.
func (f *compareFlags) run(ctx context.Context, s Settings, environ []string, stdout, stderr io.Writer) int {
	values, err := f.read(stderr)
	if err != nil {
		fmt.Fprintln(stderr, "rollcall:", visible(err.Error()))
		return exitUsage
	}
	a, err := openInquiry(ctx, s, environ)
	if err != nil {
		return noAnswer(stderr, err)
	}
	defer a.close()
	rows := make([]people.Row, 0, len(values))
	for start := 0; start < len(values); start += peopleAtOnce {
		part := values[start:min(start+peopleAtOnce, len(values))]
		r, err := a.do(ctx, order{Do: "compare", Tenant: f.Tenant, People: part})
		if err != nil || len(r.Rows) != len(part) {
			return noAnswer(stderr, err)
		}
		for i := range r.Rows {
			r.Rows[i].Line += start
		}
		rows = append(rows, r.Rows...)
	}
	switch f.Format {
	case "csv":
		err = people.WriteCSV(stdout, rows)
	case "json":
		err = people.WriteJSON(stdout, rows)
	default:
		err = writeRows(stdout, rows)
	}
	if err != nil {
		return noAnswer(stderr, err)
	}
	for _, r := range rows {
		if r.Cause != people.Present {
			return exitMissing
		}
	}
	return exitAllThere
}

// read returns the values of the column that is compared.
func (f *compareFlags) read(stderr io.Writer) ([]string, error) {
	in := io.Reader(os.Stdin)
	if f.File != "-" {
		file, err := os.Open(f.File)
		if err != nil {
			return nil, fmt.Errorf("can't read %s: %w", printable(f.File), bare(err))
		}
		defer file.Close()
		in = file
	}
	table, err := people.ReadTable(in)
	if err != nil {
		return nil, err
	}
	column := table.Guess
	if f.Column != "" {
		var ok bool
		if column, ok = table.Column(f.Column); !ok {
			return nil, fmt.Errorf("the list has no column %q; it has %s", printable(f.Column), strings.Join(table.Columns, ", "))
		}
	} else if len(table.Columns) > 1 {
		fmt.Fprintf(stderr, "rollcall: comparing the column %q; --column chooses another\n", printable(table.Columns[column]))
	}
	values := table.Values(column)
	for i, v := range values {
		values[i] = cutValue(v)
	}
	return values, nil
}

// cutValue bounds what is sent of a value: one that is longer is no person's.
func cutValue(v string) string {
	const most = 1000
	if len(v) > most {
		return strings.ToValidUTF8(v[:most], "") + "…"
	}
	return v
}

// writeRows writes how many there are of each cause, and who is not present, or
// is but under another spelling.
func writeRows(out io.Writer, rows []people.Row) error {
	counts := map[people.Cause]int{}
	for _, r := range rows {
		counts[r.Cause]++
	}
	fmt.Fprintf(out, "%d in the list\n", len(rows))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range people.Causes() {
		if counts[c] > 0 {
			fmt.Fprintf(w, "%d\t  %s\n", counts[c], c.Label())
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	steps := ""
	for _, r := range rows {
		if r.Cause == people.Present && r.Near == "" {
			continue
		}
		fmt.Fprintf(out, "\n%s  (line %d): %s\n  %s\n", visible(r.Asked), r.Line, r.Cause.Label(), visible(r.Words))
		if r.Near != "" {
			fmt.Fprintf(out, "  near: %s\n", visible(r.Near))
		}
		if r.Next != "" && r.Next != steps { // said once for all who follow
			fmt.Fprintf(out, "  → %s\n", visible(r.Next))
			steps = r.Next
		}
	}
	return nil
}
