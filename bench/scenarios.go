package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// result is one line of the table.
type result struct {
	Scenario string  `json:"scenario"`
	Figure   string  `json:"figure"` // what was measured, readable
	Value    float64 `json:"value"`  // what the target is about
	Target   string  `json:"target"`
	Met      bool    `json:"met"`
}

type bench struct {
	o         options
	srv, yard *server
	out       io.Writer
	ids       []string
	cursors   []string
	results   []result
}

func (b *bench) add(r result) {
	b.results = append(b.results, r)
	fmt.Fprintf(b.out, "%-34s %-58s %8.2f  target %s\n", r.Scenario, r.Figure, r.Value, r.Target)
}

// note records a duration that must stay below a limit.
func (b *bench) note(name string, took, limit time.Duration) {
	b.add(result{name, took.Round(time.Microsecond).String(), float64(took.Microseconds()) / 1000,
		fmt.Sprintf("< %v", limit), took < limit})
}

// memory records the most that was resident since the server's restart.
func (b *bench) memory() {
	const limit = 100e6
	peak := b.srv.status("VmHWM")
	b.add(result{"resident memory, peak", fmt.Sprintf("%.1f MB (now %.1f MB)", float64(peak)/1e6, float64(b.srv.status("VmRSS"))/1e6),
		float64(peak) / 1e6, "< 100 MB", float64(peak) < limit})
}

func (b *bench) print() {
	missed := 0
	for _, r := range b.results {
		if !r.Met {
			missed++
			fmt.Fprintf(b.out, "missed: %s: %.2f, target %s\n", r.Scenario, r.Value, r.Target)
		}
	}
	fmt.Fprintf(b.out, "%d figures, %d within target (%d people, %d workers)\n", len(b.results), len(b.results)-missed, b.o.users, b.o.workers)
}

// scenarios are run in this order.
var scenarios = []func(context.Context, *bench) error{
	against("GET by id", 0.5, func(b *bench) string { return "/Users/" + b.any() }),
	against("userName eq", 0.4, func(b *bench) string {
		return "/Users?filter=" + url.QueryEscape(fmt.Sprintf(`userName eq "user%d@example.com"`, rand.IntN(b.o.users)))
	}),
	against("externalId eq", 0.4, func(b *bench) string {
		return "/Users?filter=" + url.QueryEscape(fmt.Sprintf(`externalId eq "ext-%d"`, rand.IntN(b.o.users)))
	}),
	pages,
	contains,
	creates,
	additions,
	bulkCreate,
}

func (b *bench) any() string { return b.ids[rand.IntN(len(b.ids))] }

// against compares the rate of one kind of GET with the yardstick's: rounds of
// both alternate, and the medians are divided.
func against(name string, target float64, path func(*bench) string) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		var rates, yards []float64
		var last sample
		for range b.o.rounds {
			yard, err := load(ctx, b.o.workers, b.o.seconds, 0, func(int, int) request {
				return request{http.MethodGet, b.yard.base, nil, 200}
			})
			if err != nil {
				return err
			}
			s, err := load(ctx, b.o.workers, b.o.seconds, 0, func(int, int) request {
				return request{http.MethodGet, b.srv.base + path(b), nil, 200}
			})
			if err != nil {
				return err
			}
			rates, yards, last = append(rates, s.rate), append(yards, yard.rate), s
		}
		rate, yard := median(rates), median(yards)
		b.add(result{name, fmt.Sprintf("%.0f/s, p50 %v p99 %v (yardstick %.0f/s)", rate, last.percentile(.5).Round(time.Microsecond),
			last.percentile(.99).Round(time.Microsecond), yard), rate / yard, fmt.Sprintf(">= %.1f x yardstick", target), rate/yard >= target})
		return nil
	}
}

// pages reads a page of 100 at several depths, by cursor.
func pages(ctx context.Context, b *bench) error {
	var first time.Duration
	for _, depth := range []float64{0, .25, .5, .75, .99} {
		cursor := b.cursors[int(depth*float64(len(b.cursors)-1))]
		var times []time.Duration
		for range b.o.rounds {
			s, err := load(ctx, 1, b.o.seconds/4, 0, func(int, int) request {
				return request{http.MethodGet, b.srv.base + "/Users?count=100&cursor=" + cursor, nil, 200}
			})
			if err != nil {
				return err
			}
			times = append(times, s.percentile(.5))
		}
		took := median(times)
		if depth == 0 {
			first = took
		}
		ratio := float64(took) / float64(first)
		b.add(result{fmt.Sprintf("page of 100 by cursor at %.0f %%", depth*100), fmt.Sprintf("p50 %v", took.Round(time.Microsecond)),
			ratio, "<= 1.5 x first page", ratio <= 1.5})
	}
	return nil
}

func contains(ctx context.Context, b *bench) error {
	s, err := load(ctx, 1, b.o.seconds, 0, func(int, int) request {
		filter := fmt.Sprintf(`emails.value co "er%d@exam"`, rand.IntN(b.o.users))
		return request{http.MethodGet, b.srv.base + "/Users?count=10&filter=" + url.QueryEscape(filter), nil, 200}
	})
	if err != nil {
		return err
	}
	b.note("emails.value co, p50", s.percentile(.5), 20*time.Millisecond)
	return nil
}

// creates compares durable POSTs of one client and of 32.
func creates(ctx context.Context, b *bench) error {
	var round int64
	post := func(w, n int) request {
		body := person(n, fmt.Sprintf("round%d-%d-", round, w))
		return request{http.MethodPost, b.srv.base + "/Users", body, 201}
	}
	var one, many []float64
	for range b.o.rounds {
		for _, clients := range []int{1, 32} {
			round = time.Now().UnixNano()
			s, err := load(ctx, clients, b.o.seconds, 0, post)
			if err != nil {
				return err
			}
			if clients == 1 {
				one = append(one, s.rate)
			} else {
				many = append(many, s.rate)
			}
		}
	}
	ratio := median(many) / median(one)
	b.add(result{"durable POST, 32 clients", fmt.Sprintf("%.0f/s (one client %.0f/s)", median(many), median(one)), ratio, ">= 3 x one client", ratio >= 3})
	return nil
}

// additions adds one member to groups of three sizes, in turn, and takes it
// out again.
func additions(ctx context.Context, b *bench) error {
	sizes := []int{10, 1000, min(100_000, b.o.users-1)}
	groups := make([]string, len(sizes))
	for i, n := range sizes {
		var err error
		if groups[i], err = b.group(ctx, n); err != nil {
			return err
		}
	}
	extra := b.ids[len(b.ids)-1]
	times := make([][]time.Duration, len(sizes))
	for begin := time.Now(); time.Since(begin) < time.Duration(b.o.rounds)*b.o.seconds; {
		for i := range sizes {
			for _, op := range []string{"add", "remove"} {
				r := request{http.MethodPatch, b.srv.base + "/Groups/" + groups[i], members(op, extra), 204}
				t := time.Now()
				if _, err := r.do(ctx); err != nil {
					return err
				}
				if op == "add" {
					times[i] = append(times[i], time.Since(t))
				}
			}
		}
	}
	least := median(times[0])
	for i := range sizes {
		least = min(least, median(times[i]))
	}
	for i, n := range sizes {
		took := median(times[i])
		ratio := float64(took) / float64(least)
		b.add(result{fmt.Sprintf("add a member to a group of %d", n), fmt.Sprintf("p50 %v", took.Round(time.Microsecond)), ratio,
			"<= 1.5 x the fastest", ratio <= 1.5})
	}
	return nil
}

func bulkCreate(ctx context.Context, b *bench) error {
	var times []time.Duration
	for i := range b.o.rounds {
		body := bulk(i*bulkSize, (i+1)*bulkSize, fmt.Sprintf("bulk%d-", time.Now().UnixNano()))
		begin := time.Now()
		answer, err := (request{http.MethodPost, b.srv.base + "/Bulk", body, 200}).do(ctx)
		took := time.Since(begin)
		if err != nil {
			return err
		}
		if err := allCreated(answer); err != nil {
			return err
		}
		times = append(times, took)
	}
	b.note("Bulk of 1,000 creates", median(times), time.Second)
	return nil
}
