package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// glassUsers are enough for the recorder's cost: it does not grow with the
// directory.
const glassUsers = 10_000

// glassTurns are how often, for each round asked for, either server has its
// turn of a quarter of a round's time.
const glassTurns = 12

// Glass measures what the Looking Glass costs: two servers that differ in
// nothing else, in turn.
func (r *Rig) Glass(ctx context.Context) (checks []Check, err error) {
	r.defaults()
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	type half struct {
		*side
		process *process
	}
	sides := map[string]half{}
	for _, on := range []string{"true", "false"} {
		p, err := spawnRollcall(context.WithoutCancel(ctx), r.Binary, "ROLLCALL_DATA_DIR="+filepath.Join(dir, on), r.Stderr, "ROLLCALL_LOOKING_GLASS="+on)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, p.stop()) }()
		o := Options{Population: Population{Users: glassUsers, Memberships: 200, Largest: 1}, Out: new(strings.Builder)}
		if err := o.defaults(); err != nil {
			return nil, err
		}
		s, err := newSide(ctx, &o, p.target())
		if err != nil {
			return nil, err
		}
		s.ids = make([]string, glassUsers)
		if err := s.createPeople(ctx, "", s.ids); err != nil {
			return nil, err
		}
		sides[on] = half{s, p}
	}
	for _, op := range []struct {
		name string
		next func(s *side) func(w, n int) request
	}{
		{"GET by id", func(s *side) func(int, int) request {
			return func(int, int) request { return s.get("/Users/" + url.PathEscape(s.any())) }
		}},
		{"POST", func(s *side) func(int, int) request {
			series := s.newSeries()
			return func(w, n int) request {
				return request{method: http.MethodPost, path: "/Users", body: s.bodies.person(fmt.Sprintf("%s%d-", series, w), n, true, 0)}
			}
		}},
	} {
		// Many short turns and their sums: a checkpoint or other work on the
		// machine takes more of one turn than what is measured here.
		requests, cpu, took := map[string]float64{}, map[string]float64{}, map[string]float64{}
		for round := range glassTurns * r.Rounds {
			order := []string{"true", "false"}
			if round%2 == 1 {
				order = []string{"false", "true"}
			}
			for _, on := range order {
				s := sides[on]
				before, _ := s.procs.cpu()
				t, got, err := r.load(ctx, s.c, r.Workers, bound{maxRequests, r.Time / 4}, op.next(s.side))
				if err != nil {
					return r.checks, err
				}
				after, _ := s.procs.cpu()
				requests[on] += float64(t.Count())
				took[on] += float64(t.Count()) / got.rate(0)
				cpu[on] += float64((after - before).Microseconds())
			}
		}
		rate := func(on string) float64 { return requests[on] / took[on] }
		r.add(Check{"recorder on, " + op.name, fmt.Sprintf("%.0f/s, off %.0f/s", rate("true"), rate("false")),
			rate("true") / rate("false"), ">= 0.95 × off", rate("true") >= 0.95*rate("false")})
		r.add(Check{"recorder on, " + op.name, "CPU of the server, µs more for each",
			cpu["true"]/requests["true"] - cpu["false"]/requests["false"], "", true})
	}
	more := float64(statusField(sides["true"].process.pid(), "VmRSS")-statusField(sides["false"].process.pid(), "VmRSS")) / 1e6
	r.add(Check{"recorder's memory", "resident, more than without", more, "< 64 MB", more < 64})
	printChecks(r.Out, r.checks)
	return r.checks, nil
}
