package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// glassUsers are enough for the recorder's cost: it does not grow with the
// directory.
const glassUsers = 10_000

// runGlass measures what the Looking Glass costs: two servers that differ in
// nothing else, in turn.
func runGlass(ctx context.Context, b *bench) (err error) {
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sides := map[string]*bench{}
	for _, on := range []string{"true", "false"} {
		side := &bench{o: b.o, out: b.out}
		side.o.users = glassUsers
		folder := filepath.Join(dir, on)
		if side.srv, err = startRollcall(ctx, b.o.binary, folder, "ROLLCALL_LOOKING_GLASS="+on); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, side.srv.stop()) }()
		if err := side.populate(ctx); err != nil {
			return err
		}
		sides[on] = side
	}
	for _, op := range []struct {
		name string
		next func(*bench) func(w, n int) request
	}{
		{"GET by id", func(b *bench) func(int, int) request {
			return func(int, int) request { return request{http.MethodGet, b.srv.base + "/Users/" + b.any(), nil, 200} }
		}},
		{"POST", func(b *bench) func(int, int) request {
			round := time.Now().UnixNano()
			return func(w, n int) request {
				return request{http.MethodPost, b.srv.base + "/Users", person(n, fmt.Sprintf("round%d-%d-", round, w)), 201}
			}
		}},
	} {
		var ratios []float64
		rates := map[string][]float64{}
		for round := range 3 * b.o.rounds { // short ones in turn: other work on the machine meets both
			one := map[string]float64{}
			order := []string{"true", "false"}
			if round%2 == 1 {
				order = []string{"false", "true"}
			}
			for _, on := range order {
				s, err := load(ctx, b.o.workers, b.o.seconds, 0, op.next(sides[on]))
				if err != nil {
					return err
				}
				one[on] = s.rate
				rates[on] = append(rates[on], s.rate)
			}
			ratios = append(ratios, one["true"]/one["false"])
		}
		ratio := median(ratios)
		b.add(result{"recorder on, " + op.name, fmt.Sprintf("%.0f/s, off %.0f/s", median(rates["true"]), median(rates["false"])),
			ratio, ">= 0.95 x off", ratio >= 0.95})
	}
	more := float64(sides["true"].srv.status("VmRSS")-sides["false"].srv.status("VmRSS")) / 1e6
	b.add(result{"recorder's memory", "resident, more than without", more, "< 64 MB", more < 64})
	b.print()
	return nil
}
