package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"time"
)

// Rig measures parts of this program that need more than one server or tenant:
// what a façade adds to the application behind it, what the Looking Glass costs,
// and what one tenant costs another.
type Rig struct {
	Binary  string        // the program; required
	Workers int           // 0: 8
	Time    time.Duration // of one round; 0: 2 s
	Rounds  int           // 0: 3
	Out     io.Writer     // the table; required
	Stderr  io.Writer     // of the servers; nil: nothing

	checks []Check
}

func (r *Rig) defaults() {
	setDefault(&r.Workers, 8)
	setDefault(&r.Time, 2*time.Second)
	setDefault(&r.Rounds, 3)
}

func (r *Rig) add(c Check) {
	r.checks = append(r.checks, c)
	fmt.Fprintf(r.Out, "%-42s %-58s %8.2f  target %s\n", c.Name, c.Figure, c.Value, c.Target)
}

// client makes a client of a server that this rig started.
func (r *Rig) client(base, token string) (*client, error) {
	return newClient([]string{base}, token, time.Minute, false)
}

// load is load whose requests must all succeed.
func (r *Rig) load(ctx context.Context, c *client, workers int, b bound, next func(worker, n int) request) (*tally, *round, error) {
	got := load(ctx, c, workers, b, next)
	t := got.classes[0]
	switch {
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	case t == nil || t.n == 0 || t.failed() > 0:
		err := errors.New("nothing was answered")
		if t != nil && len(t.faults) > 0 {
			f := t.faults[0]
			err = fmt.Errorf("%d × %s: %s", f.Count, f.Status, f.Sample)
		}
		return nil, nil, err
	}
	return t, got, nil
}

// The façade is measured over the emulator's largest seed, each of whose
// answers takes at least 5 ms.
const (
	upstreamToken   = "scim-token"
	upstreamLatency = 5 * time.Millisecond
	upstreamUsers   = 20_000
	firstPush       = 5_000
)

// upstream is the emulator behind a façade.
type upstream struct {
	*client
	origin string
}

// control asks the emulator for something that PactFlow does not have.
func (u upstream) control(ctx context.Context, method, path string, body []byte, v any) error {
	_, err := u.call(ctx, method, "/__emu/"+path, body, v)
	return err
}

// calls returns how many calls the emulator has had since the last time, and
// how many of them read pages of the list of users.
func (u upstream) calls(ctx context.Context) (all, pages int, err error) {
	var log []struct{ Method, Path string }
	if err := u.control(ctx, http.MethodGet, "log", nil, &log); err != nil {
		return 0, 0, err
	}
	for _, c := range log {
		if c.Method == http.MethodGet && c.Path == "/admin/users" {
			pages++
		}
	}
	return len(log), pages, u.control(ctx, http.MethodDelete, "log", nil, nil)
}

// spawnEmulator starts the emulator with the latency.
func (r *Rig) spawnEmulator(ctx context.Context) (*process, upstream, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, upstream{}, err
	}
	origin := "http://" + addr
	p, err := spawn(context.WithoutCancel(ctx), exec.CommandContext(context.WithoutCancel(ctx), r.Binary, "pactflow-emulator", "--listen", addr, "--seed", "large"),
		[]string{"PACTFLOW_BASE_URL=" + origin}, r.Stderr, origin+"/diagnostic/status/heartbeat", origin)
	if err != nil {
		return nil, upstream{}, err
	}
	c, err := r.client(origin, upstreamToken)
	if err != nil {
		return nil, upstream{}, errors.Join(err, p.stop())
	}
	u := upstream{c, origin}
	latency, err := json.Marshal([]any{map[string]any{"match": map[string]any{}, "times": -1,
		"fault": map[string]any{"latency": map[string]any{"ms": upstreamLatency.Milliseconds()}}}})
	if err == nil {
		err = u.control(ctx, http.MethodPost, "faults", latency, nil)
	}
	if err != nil {
		return nil, upstream{}, errors.Join(err, p.stop())
	}
	return p, u, nil
}
