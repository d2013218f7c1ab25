// Package bench measures SCIM servers from outside, over HTTP: rates,
// latencies, and what the server's processes use. It knows of a server what it
// says of itself, and so measures any; what a server does not offer is left out
// and said. Absolute figures belong to the machine: what counts are ratios
// within one run, of two servers or of a server and the yardstick.
//
// The load is closed: a client sends its next request when the last one was
// answered. So a server that stalls meets fewer requests meanwhile, and
// quantiles say what these clients met, not what others would have met who kept
// coming.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// errTime says that a run took too long.
var errTime = errors.New("the time for the whole run is up (--deadline)")

// Run builds a population on each target, measures them in turn, and removes
// what it created, also if ctx ends before. It returns what it measured until
// then.
func Run(ctx context.Context, o Options, targets ...Target) (report *Report, err error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	defer o.progress.clear()
	r := &run{o: &o, report: newReport(&o)}
	limited, cancel := context.WithTimeoutCause(ctx, o.Deadline, errTime)
	defer cancel()
	for _, t := range targets {
		s, err := newSide(limited, &o, t)
		if err != nil {
			return nil, cause(limited, err)
		}
		r.sides = append(r.sides, s)
	}
	defer func() { err = errors.Join(cause(limited, err), r.cleanUp(ctx)) }()
	if o.Remove {
		return nil, r.removeNamed(limited)
	}
	for _, s := range r.sides {
		if !s.yard {
			if err := s.survey(limited); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range r.sides {
		if !s.yard {
			if err := s.fill(limited); err != nil {
				return nil, err
			}
		}
	}
	return r.report, r.measure(limited)
}

// cause returns why the context ended, if that is what err is about.
func cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// run is one run.
type run struct {
	o      *Options
	sides  []*side
	report *Report
	raw    []float64 // rates of raw group commit
}

func newReport(o *Options) *Report {
	return &Report{Format: Format, Time: time.Now().UTC().Truncate(time.Second), Machine: thisMachine(), Population: o.Population,
		Clients: Clients{o.Workers, o.Writers, o.Time.Seconds(), o.Requests, o.Rounds}}
}

// cleanUp tidies up on every server. Whoever interrupts this too, leaves the rest.
func (r *run) cleanUp(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var all error
	for _, s := range r.sides {
		err := s.cleanUp(ctx)
		if ctx.Err() != nil {
			err = fmt.Errorf("%s: interrupted while removing: what begins with %q is still there; --remove --name %s removes it", s.url, r.o.Population.prefix(), r.o.Name)
		}
		all = errors.Join(all, err)
	}
	return all
}

// removeNamed removes the population on every server.
func (r *run) removeNamed(ctx context.Context) error {
	if !r.o.named {
		return errors.New("--remove wants to know the population's --name")
	}
	for _, s := range r.sides {
		if s.yard {
			continue
		}
		r.o.say("%s: removes everything whose name begins with %q\n", s.url, r.o.Population.prefix())
		if err := s.removeAll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measure runs the scenarios.
func (r *run) measure(ctx context.Context) error {
	if folder := r.o.Fsync; folder != "" {
		f, err := measureFsync(folder)
		if err != nil {
			return err
		}
		r.report.Fsync = &f
	}
	for _, s := range r.sides {
		server := Server{URLs: s.c.bases, Yardstick: s.yard, Local: len(s.procs.pids) > 0}
		if !s.yard {
			server.Features = &s.has
		}
		r.report.Servers = append(r.report.Servers, server)
	}
	list, err := choose(r.o.Only)
	if err != nil {
		return err
	}
	for i, sc := range list {
		r.o.progress.show("%s (%d of %d)", sc.title, i+1, len(list))
		outcomes, err := r.scenario(ctx, sc)
		r.report.Scenarios = append(r.report.Scenarios, outcomes...)
		for i, s := range r.sides {
			server := &r.report.Servers[i]
			server.Resident = s.procs.resident("VmRSS")
			server.Peak = max(server.Peak, s.procs.resident("VmHWM"))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", sc.name, err)
		}
	}
	return nil
}

// stage is a scenario on one server while it is measured.
type stage struct {
	*side
	work    *work
	absent  string
	classes map[int]*tally
	rates   map[int][]float64
	all     int
	workers int
	used    time.Duration // by the server
	mine    time.Duration // by this program
	elapsed time.Duration
	memory  Memory
	lost    []string
}

// scenario measures one scenario on each server in turn, round by round.
func (r *run) scenario(ctx context.Context, sc scenario) ([]Outcome, error) {
	var stages []*stage
	for _, s := range r.sides {
		st := &stage{side: s, workers: sc.workers(r.o), classes: map[int]*tally{}, rates: map[int][]float64{}}
		w, err := sc.open(ctx, s)
		var no errAbsent
		switch {
		case errors.As(err, &no):
			st.absent = string(no)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil: // a server that fails at this may do the rest
			st.classes[0] = new(tally)
			st.classes[0].fault("preparation", printable(err.Error()), 1)
		default:
			st.work = w
			if r.o.Warm > 0 {
				st.round(ctx, bound{r.o.Requests, r.o.Warm})
			}
			st.procs.forgetPeak()
			st.memory.Before = st.procs.resident("VmRSS")
		}
		stages = append(stages, st)
	}
	b := bound{r.o.Requests, r.o.Time}
	for n := range r.o.Rounds {
		for i := range stages {
			// The last one first, and the other way round in the next round.
			st := stages[len(stages)-1-i]
			if n%2 == 1 {
				st = stages[i]
			}
			if st.work == nil {
				continue
			}
			r.o.progress.show("%s: round %d of %d at %s", sc.title, n+1, r.o.Rounds, st.url)
			st.measured(ctx, b)
			if err := r.rawRound(ctx, sc, i, b); err != nil {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
	}
	for _, st := range stages {
		st.memory.After, st.memory.Peak = st.procs.resident("VmRSS"), st.procs.resident("VmHWM")
		if st.work == nil || st.work.finish == nil {
			continue
		}
		lost, err := st.work.finish(ctx)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			lost = append(lost, "it can't be looked at: "+printable(err.Error()))
		}
		st.lost = lost
	}
	return outcomes(sc, stages), nil
}

// rawRound measures raw group commit after each round of creates at the first
// server, so that both meet the same disk.
func (r *run) rawRound(ctx context.Context, sc scenario, turn int, b bound) error {
	if r.o.Fsync == "" || sc.name != "create" || turn > 0 {
		return nil
	}
	c, err := measureRawCommit(ctx, r.o.Fsync, sc.workers(r.o), b)
	if err != nil {
		return fmt.Errorf("raw group commit: %w", err)
	}
	r.raw = append(r.raw, c.Rate)
	c.Rate = median(r.raw)
	r.report.RawCommit = &c
	return nil
}

// measured runs one round and takes in what it measured.
func (st *stage) measured(ctx context.Context, b bound) {
	used, _ := st.procs.cpu()
	mine := ownCPU()
	st.add(st.round(ctx, b))
	st.mine += ownCPU() - mine
	if now, ok := st.procs.cpu(); ok {
		st.used += max(now-used, 0)
	}
}

// round runs one round of the work.
func (st *stage) round(ctx context.Context, b bound) *round {
	if st.work.round != nil {
		return st.work.round(ctx, st.workers, b)
	}
	return load(ctx, st.c, st.workers, b, st.work.next)
}
