package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
		var ratios, costs []float64
		rates := map[string][]float64{}
		for round := range 3 * b.o.rounds { // short ones in turn: other work on the machine meets both
			one, cpu := map[string]float64{}, map[string]float64{}
			order := []string{"true", "false"}
			if round%2 == 1 {
				order = []string{"false", "true"}
			}
			for _, on := range order {
				before := sides[on].srv.cpu()
				s, err := load(ctx, b.o.workers, b.o.seconds, 0, op.next(sides[on]))
				if err != nil {
					return err
				}
				one[on], cpu[on] = s.rate, float64((sides[on].srv.cpu()-before).Microseconds())/float64(len(s.latencies))
				rates[on] = append(rates[on], s.rate)
			}
			ratios, costs = append(ratios, one["true"]/one["false"]), append(costs, cpu["true"]-cpu["false"])
		}
		ratio := median(ratios)
		b.add(result{"recorder on, " + op.name, fmt.Sprintf("%.0f/s, off %.0f/s", median(rates["true"]), median(rates["false"])),
			ratio, ">= 0.95 x off", ratio >= 0.95})
		b.add(result{"recorder on, " + op.name, "CPU of the server, µs more for each", median(costs), "", true})
	}
	more := float64(sides["true"].srv.status("VmRSS")-sides["false"].srv.status("VmRSS")) / 1e6
	b.add(result{"recorder's memory", "resident, more than without", more, "< 64 MB", more < 64})
	b.print()
	return nil
}

// cpu is the time that the server's threads have run so far, to a hundredth of a
// second; 0 where there is no /proc.
func (s *server) cpu() time.Duration {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "stat"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name may have blanks in it
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}
