package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Two tenants of one server with the limits that tenants have by default. Each
// client has a token of its own.
const (
	neighbourPeople  = 1_000 // of each
	neighbourClients = 5     // of the tenant that is measured
	neighbourRate    = 40    // requests a second of each, of 50 that it may send
	loudRate         = 500   // of the only client of the other
	neighbourTurns   = 3     // pairs of turns, for each round asked for

	// neighbourSettle is how much of a turn is not measured: the other tenant's
	// client uses up meanwhile what it may send at once.
	neighbourSettle = 500 * time.Millisecond
)

// Neighbour measures what a tenant that sends ten times as much as it may costs
// another: in turn one that is silent, and one that is loud.
func (r *Rig) Neighbour(ctx context.Context) (checks []Check, err error) {
	r.defaults()
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	storage := "ROLLCALL_DATA_DIR=" + dir
	p, err := spawnRollcall(context.WithoutCancel(ctx), r.Binary, storage, r.Stderr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	var both street
	if both.quiet, err = r.tenant(ctx, p, storage, "quiet", neighbourClients); err != nil {
		return nil, err
	}
	if both.loud, err = r.tenant(ctx, p, storage, "loud", 1); err != nil {
		return nil, err
	}
	turns := map[bool][]*turn{}
	for n := range neighbourTurns * r.Rounds {
		for _, loud := range []bool{n%2 == 1, n%2 == 0} {
			t, err := both.turn(ctx, r.Time, loud)
			if err != nil {
				return r.checks, err
			}
			turns[loud] = append(turns[loud], t)
		}
	}
	r.compare(turns[false], turns[true])
	printChecks(r.Out, r.checks)
	return r.checks, nil
}

// compare adds what the turns amount to.
func (r *Rig) compare(silent, loud []*turn) {
	with, without := pooled(loud), pooled(silent)
	var even, odd []*turn
	for i, t := range silent {
		if i%2 == 0 {
			even = append(even, t)
		} else {
			odd = append(odd, t)
		}
	}
	one, other := pooled(even), pooled(odd)
	for i, name := range []string{"GET by id", "PATCH"} {
		ratio := quotient(with.took[i].Quantile(.99), without.took[i].Quantile(.99))
		r.add(Check{"beside a loud tenant, " + name, fmt.Sprintf("p99 %s (p50 %s), silent %s (%s)", with.took[i].Quantile(.99).Round(time.Microsecond),
			with.took[i].Quantile(.5).Round(time.Microsecond), without.took[i].Quantile(.99).Round(time.Microsecond), without.took[i].Quantile(.5).Round(time.Microsecond)),
			ratio, "< 1.10 × silent", ratio < 1.10})
		r.add(Check{"the noise of that, " + name, fmt.Sprintf("p99 of half of the silent turns, by the other half; %d requests", without.took[i].Count()),
			quotient(one.took[i].Quantile(.99), other.took[i].Quantile(.99)), "", true})
	}
	sent := with.let + with.refused
	r.add(Check{"the loud tenant", fmt.Sprintf("%.0f/s, of which %.0f/s are not 429", float64(sent)/with.time.Seconds(), float64(with.let)/with.time.Seconds()),
		float64(with.refused) / float64(max(sent, 1)), ">= 0.85 of them 429", float64(with.refused) >= 0.85*float64(sent)})
	r.add(Check{"the loud tenant", "CPU of the server, ms more in a second", 1000 * (with.cpu.Seconds()/with.time.Seconds() - without.cpu.Seconds()/without.time.Seconds()), "", true})
}

func quotient(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

// tenant makes a tenant with people and returns it as clients see it, each with a
// token of its own.
func (r *Rig) tenant(ctx context.Context, p *process, storage, name string, clients int) (sides []*side, err error) {
	if _, err := r.command(ctx, storage, "tenant", "add", name); err != nil {
		return nil, err
	}
	o := Options{Population: Population{Users: neighbourPeople, Memberships: 200, Largest: 1}, Out: new(strings.Builder)}
	if err := o.defaults(); err != nil {
		return nil, err
	}
	for n := range clients {
		token, err := r.command(ctx, storage, "token", "add", fmt.Sprintf("%s%d", name, n), "--tenant", name)
		if err != nil {
			return nil, err
		}
		s, err := newSide(ctx, &o, Target{URLs: []string{p.base}, Token: token})
		if err != nil {
			return nil, err
		}
		sides = append(sides, s)
	}
	sides[0].ids = make([]string, neighbourPeople)
	if err := sides[0].createPeople(ctx, "", sides[0].ids); err != nil {
		return nil, err
	}
	for _, s := range sides {
		s.ids = sides[0].ids
	}
	return sides, nil
}

// command runs a command of the program on a data folder and returns the first
// line that it prints.
func (r *Rig) command(ctx context.Context, storage string, words ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.Binary, words...)
	cmd.Env = append(inherited(os.Environ()), storage)
	var wrong strings.Builder
	cmd.Stderr = &wrong
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("rollcall %s: %w: %s", strings.Join(words, " "), err, sample([]byte(wrong.String())))
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// street is a server with a quiet tenant and a loud one, as their clients see it.
type street struct{ quiet, loud []*side }

// turn is what was measured in a turn: of the quiet tenant GET and PATCH, and what
// became of the loud one's requests.
type turn struct {
	took         [2]Histogram
	let, refused int
	time, cpu    time.Duration
}

// pooled is several turns as one.
func pooled(turns []*turn) *turn {
	all := new(turn)
	for _, t := range turns {
		for i := range t.took {
			all.took[i].Merge(&t.took[i])
		}
		all.let, all.refused, all.time, all.cpu = all.let+t.let, all.refused+t.refused, all.time+t.time, all.cpu+t.cpu
	}
	return all
}

// turn lets the quiet tenant send, and the loud one too, or not. That anything is
// answered otherwise than it should be ends the measurement.
func (s *street) turn(ctx context.Context, length time.Duration, loud bool) (*turn, error) {
	t := &turn{time: length}
	from := time.Now().Add(neighbourSettle)
	end := from.Add(length)
	var mu sync.Mutex
	var wrong error
	told := func(note func(c call)) func(call) {
		return func(c call) {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case c.err != nil:
				wrong = cmp.Or(wrong, c.err)
			case !c.started.Before(from):
				note(c)
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		pace(ctx, s.quiet, neighbourClients*neighbourRate, end, told(func(c call) {
			if !c.ok() {
				wrong = fmt.Errorf("the quiet tenant got status %d: %s", c.status, sample(c.answer.body))
			}
			t.took[c.class].Add(c.took)
		}))
	})
	if loud {
		wg.Go(func() {
			pace(ctx, s.loud, loudRate, end, told(func(c call) {
				switch {
				case c.status == http.StatusTooManyRequests:
					t.refused++
				case c.ok():
					t.let++
				default:
					wrong = fmt.Errorf("the loud tenant got status %d: %s", c.status, sample(c.answer.body))
				}
			}))
		})
	}
	procs := s.quiet[0].procs
	time.Sleep(time.Until(from))
	before, _ := procs.cpu()
	wg.Wait()
	after, _ := procs.cpu()
	t.cpu = after - before
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return t, wrong
}

// call is a request and what became of it.
type call struct {
	request
	answer
	err     error
	started time.Time
	took    time.Duration
}

// pace sends so many requests a second until end, by the clients in turn, one
// PATCH after seven GET, and tells what became of each. The load is open: each is
// sent when its time has come, whether those before it are answered or not. It
// returns when all are.
func pace(ctx context.Context, clients []*side, perSecond int, end time.Time, told func(call)) {
	const patchEvery = 8
	var wg sync.WaitGroup
	defer wg.Wait()
	begin := time.Now()
	for n := 0; ctx.Err() == nil; n++ {
		due := begin.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		if !due.Before(end) {
			return
		}
		time.Sleep(time.Until(due))
		s := clients[n%len(clients)]
		c := call{request: s.get("/Users/" + url.PathEscape(s.any()))}
		if n%patchEvery == patchEvery-1 {
			c.method, c.class = http.MethodPatch, 1
			c.request.body = fmt.Appendf(nil, `{"schemas":["%s"],"Operations":[{"op":"replace","path":"title","value":"Number %d"}]}`, patchURN, n)
		}
		wg.Go(func() {
			c.started = time.Now()
			c.answer, c.err = s.c.do(ctx, 0, c.request)
			c.took = time.Since(c.started)
			told(c)
		})
	}
}
