// Command report writes docs/conformance.md to standard output from the
// results of "go test -json", read from standard input. It runs in the
// repository's root.
package main

import (
	"fmt"
	"os"

	"github.com/rollcall-scim/rollcall/internal/conformance"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run() error {
	table, err := os.Open("testdata/requirements.tsv")
	if err != nil {
		return err
	}
	defer table.Close()
	rows, err := conformance.Requirements(table)
	if err != nil {
		return err
	}
	proofs, err := conformance.Cover(os.DirFS("."))
	if err != nil {
		return err
	}
	results, err := conformance.ReadResults(os.Stdin, "github.com/rollcall-scim/rollcall")
	if err != nil {
		return err
	}
	return conformance.Report(os.Stdout, rows, proofs, results)
}
