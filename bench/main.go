// Command bench measures a Rollcall server from outside, over HTTP on this
// machine: it starts the program on an empty folder, fills the directory, runs
// each scenario in turn with a yardstick — a bare net/http server that checks a
// token and returns 1.5 KB — and prints rates, latencies and the ratios between
// them. Absolute figures belong to the machine; the ratios are what counts.
//
//	go run ./bench -rollcall dist/rollcall
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

type options struct {
	binary  string
	users   int
	workers int
	seconds time.Duration
	rounds  int
	keep    string
	json    string
	facade  bool
	glass   bool
}

func main() {
	var o options
	flag.StringVar(&o.binary, "rollcall", "", "path of the rollcall binary to measure (required)")
	flag.IntVar(&o.users, "users", 100_000, "people in the directory")
	flag.IntVar(&o.workers, "workers", 8, "concurrent clients of the read scenarios")
	flag.DurationVar(&o.seconds, "time", 2*time.Second, "length of one round of a scenario")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each scenario; the median counts")
	flag.StringVar(&o.keep, "data", "", "data folder to fill, or to use if it is filled; default: a temporary one")
	flag.StringVar(&o.json, "json", "", "also write the results to this file, as JSON")
	flag.BoolVar(&o.facade, "facade", false, "measure the façade over its emulator instead of the directory")
	flag.BoolVar(&o.glass, "glass", false, "measure what the Looking Glass costs")
	yard := flag.Bool("yardstick", false, "be the yardstick server (used by the command itself)")
	flag.Parse()
	if *yard {
		if err := serveYardstick(os.Stdout); err != nil {
			fatal(err)
		}
		return
	}
	if o.binary == "" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	if o.glass {
		return runGlass(ctx, &bench{o: o, out: out})
	}
	if o.facade {
		return runFacade(ctx, &bench{o: o, out: out})
	}
	dir := o.keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rollcall-bench-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	yard, err := startYardstick(ctx, self)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, yard.stop()) }()
	srv, err := startRollcall(ctx, o.binary, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()

	b := &bench{o: o, srv: srv, yard: yard, out: out}
	if err := b.populate(ctx); err != nil {
		return err
	}
	// A restart after filling: what is measured is a server that finds its data.
	if err := srv.stop(); err != nil {
		return err
	}
	srv, err = startRollcall(ctx, o.binary, dir)
	if err != nil {
		return err
	}
	b.srv = srv
	b.note("start", srv.start, 500*time.Millisecond)
	for _, s := range scenarios {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s(ctx, b); err != nil {
			return err
		}
	}
	b.memory()
	b.print()
	if o.json != "" {
		data, err := json.MarshalIndent(b.results, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(o.json, append(data, '\n'), 0o644)
	}
	return nil
}
