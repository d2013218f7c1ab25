package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"time"
)

// facade is a façade that is measured, and the application behind it.
type facade struct {
	*Rig
	*client
	up      upstream
	process *process
}

// Facade measures a façade over the emulator.
func (r *Rig) Facade(ctx context.Context) (checks []Check, err error) {
	r.defaults()
	emulator, up, err := r.spawnEmulator(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, emulator.stop()) }()
	for _, s := range []func(context.Context, *facade) error{addedToGet, noOpPut, coldFilter, groupsPage, push} {
		if err := r.front(ctx, up, s); err != nil {
			return r.checks, err
		}
	}
	printChecks(r.Out, r.checks)
	return r.checks, nil
}

// front runs a scenario against a façade that has just been started.
func (r *Rig) front(ctx context.Context, up upstream, scenario func(context.Context, *facade) error) (err error) {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	life := context.WithoutCancel(ctx)
	p, err := spawn(life, exec.CommandContext(life, r.Binary, "serve"),
		[]string{"ROLLCALL_LISTEN=" + addr, "PACTFLOW_URL=" + up.origin, "ROLLCALL_LOG_LEVEL=WARN"},
		r.Stderr, "http://"+addr+"/health", "http://"+addr+"/scim")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	c, err := r.client(p.base, upstreamToken)
	if err != nil {
		return err
	}
	return scenario(ctx, &facade{r, c, up, p})
}

// people reads a page of users and returns their ids.
func (f *facade) people(ctx context.Context, count int) ([]string, error) {
	var p page
	_, err := f.call(ctx, http.MethodGet, "/Users?attributes=id&filter="+url.QueryEscape(`userType eq "User"`)+"&count="+strconv.Itoa(count), nil, &p)
	var ids []string
	for _, r := range p.Resources {
		ids = append(ids, r.ID)
	}
	if err == nil && len(ids) != count {
		err = fmt.Errorf("%d people, want %d", len(ids), count)
	}
	return ids, err
}

// addedToGet compares GET of one user through the façade with the same call to
// the application.
func addedToGet(ctx context.Context, f *facade) error {
	ids, err := f.people(ctx, 500)
	if err != nil {
		return err
	}
	var through, direct []time.Duration
	for range f.Rounds {
		for _, way := range []struct {
			c    *client
			path string
			list *[]time.Duration
		}{{f.client, "/Users/", &through}, {f.up.client, "/admin/users/", &direct}} {
			t, _, err := f.load(ctx, way.c, 1, bound{len(ids), f.Time}, func(_, n int) request {
				return request{method: http.MethodGet, path: way.path + ids[n%len(ids)]}
			})
			if err != nil {
				return err
			}
			*way.list = append(*way.list, t.Quantile(.5))
		}
	}
	with, without := median(through), median(direct)
	f.add(Check{"façade: GET by id, added", fmt.Sprintf("p50 %v, upstream alone %v", with.Round(time.Microsecond), without.Round(time.Microsecond)),
		ms(with - without), "< 1 ms", with-without < time.Millisecond})
	return nil
}

// noOpPut counts the calls of a PUT that changes nothing.
func noOpPut(ctx context.Context, f *facade) error {
	ids, err := f.people(ctx, 1)
	if err != nil {
		return err
	}
	a, err := f.call(ctx, http.MethodGet, "/Users/"+ids[0], nil, nil)
	if err != nil {
		return err
	}
	if _, _, err := f.up.calls(ctx); err != nil {
		return err
	}
	if _, err := f.call(ctx, http.MethodPut, "/Users/"+ids[0], a.body, nil); err != nil {
		return err
	}
	n, _, err := f.up.calls(ctx)
	f.add(Check{"façade: PUT without a change", "upstream calls", float64(n), "1", n == 1})
	return err
}

// coldFilter is the first lookup of a caller: it reads the whole list.
func coldFilter(ctx context.Context, f *facade) error {
	var p page
	began := time.Now()
	_, err := f.call(ctx, http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "user00042@example.com"`), nil, &p)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if p.TotalResults != 1 {
		return fmt.Errorf("%d people found, want 1", p.TotalResults)
	}
	f.add(Check{fmt.Sprintf("façade: userName eq, cold, %d people", upstreamUsers), took.Round(time.Millisecond).String(), took.Seconds(), "< 1 s", took < time.Second})
	peak := float64(statusField(f.process.pid(), "VmHWM")) / 1e6
	f.add(Check{"façade: memory at that", fmt.Sprintf("%.1f MB", peak), peak, "< 150 MB", peak < 150})
	return nil
}

// groupsPage reads a page of groups with their members, which cost a call each.
func groupsPage(ctx context.Context, f *facade) error {
	if _, _, err := f.up.calls(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := f.call(ctx, http.MethodGet, "/Groups?count=100", nil, nil); err != nil {
		return err
	}
	took := time.Since(began)
	n, _, err := f.up.calls(ctx)
	limit := time.Duration(n) * upstreamLatency / 2 // one after the other they take twice that for the latency alone
	f.add(Check{"façade: 100 groups with members", fmt.Sprintf("%v, %d calls", took.Round(time.Millisecond), n),
		float64(took.Milliseconds()), fmt.Sprintf("< %v", limit), took < limit})
	return err
}

// push is what a client sends first: it looks for each person and creates it.
func push(ctx context.Context, f *facade) error {
	if _, _, err := f.up.calls(ctx); err != nil {
		return err
	}
	began := time.Now()
	for i := range firstPush {
		name := fmt.Sprintf("pushed%05d@example.com", i)
		var p page
		if _, err := f.call(ctx, http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "`+name+`"`), nil, &p); err != nil {
			return err
		}
		if p.TotalResults != 0 {
			return fmt.Errorf("%s: %d found", name, p.TotalResults)
		}
		body := fmt.Sprintf(`{"schemas":["`+userURN+`"],"userName":%q,"externalId":"x%d","active":true,
			"name":{"givenName":"Given","familyName":"Family %d"},"displayName":"Given Family %d","emails":[{"value":%q,"primary":true}]}`, name, i, i, i, name)
		if _, err := f.call(ctx, http.MethodPost, "/Users", []byte(body), nil); err != nil {
			return err
		}
	}
	took := time.Since(began)
	n, pages, err := f.up.calls(ctx)
	if err != nil {
		return err
	}
	each := float64(n-pages) / firstPush
	f.add(Check{fmt.Sprintf("façade: first push of %d people", firstPush), fmt.Sprintf("calls each; %v in all", took.Round(time.Second)), each, "<= 5", each <= 5})
	perList := (upstreamUsers + firstPush + 99) / 100
	lists, most := float64(pages)/float64(perList), float64(took/(30*time.Second)+1)
	f.add(Check{"façade: lists read meanwhile", fmt.Sprintf("%d pages", pages), lists, fmt.Sprintf("<= %.0f (one per 30 s)", most), lists <= most})
	return nil
}
