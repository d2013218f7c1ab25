package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"time"
)

// The façade is measured over the emulator's largest seed, each of whose
// answers takes at least 5 ms.
const (
	upstreamToken   = "scim-token"
	upstreamLatency = 5 * time.Millisecond
	upstreamUsers   = 20_000
	upstreamTeams   = 500
	firstPush       = 5_000
)

// facade is a façade and the application behind it.
type facade struct {
	*bench
	emulator *server
	origin   string // of the emulator
}

// runFacade measures the façade instead of the directory.
func runFacade(ctx context.Context, b *bench) (err error) {
	ctx = context.WithValue(ctx, tokenKey{}, upstreamToken)
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	f := &facade{bench: b, origin: "http://" + addr}
	f.emulator, err = startProcess(ctx, exec.CommandContext(ctx, b.o.binary, "pactflow-emulator", "--listen", addr, "--seed", "large"),
		[]string{"PACTFLOW_BASE_URL=" + f.origin}, f.origin+"/diagnostic/status/heartbeat", f.origin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.emulator.stop()) }()
	latency, err := json.Marshal([]any{map[string]any{"match": map[string]any{}, "times": -1,
		"fault": map[string]any{"latency": map[string]any{"ms": upstreamLatency.Milliseconds()}}}})
	if err != nil {
		return err
	}
	if err := f.control(ctx, http.MethodPost, "faults", latency, nil); err != nil {
		return err
	}
	for _, s := range []func(context.Context, *facade) error{addedToGet, noOpPut, coldFilter, groupsPage, push} {
		if err := f.serve(ctx, s); err != nil {
			return err
		}
	}
	b.print()
	return nil
}

// serve runs a scenario against a façade that has just been started.
func (f *facade) serve(ctx context.Context, scenario func(context.Context, *facade) error) (err error) {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	f.srv, err = startProcess(ctx, exec.CommandContext(ctx, f.o.binary, "serve"),
		[]string{"ROLLCALL_LISTEN=" + addr, "PACTFLOW_URL=" + f.origin, "ROLLCALL_LOG_LEVEL=WARN"}, "http://"+addr+"/health", "http://"+addr+"/scim")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.srv.stop()) }()
	return scenario(ctx, f)
}

// control asks the emulator for something that PactFlow does not have.
func (f *facade) control(ctx context.Context, method, path string, body []byte, v any) error {
	want := http.StatusOK
	if method != http.MethodGet {
		want = 0
	}
	return request{method, f.origin + "/__emu/" + path, body, want}.send(ctx, v)
}

// calls returns how many calls the emulator has had since the last time, and
// how many of them read pages of the list of users.
func (f *facade) calls(ctx context.Context) (all, pages int, err error) {
	var log []struct{ Method, Path string }
	if err := f.control(ctx, http.MethodGet, "log", nil, &log); err != nil {
		return 0, 0, err
	}
	for _, c := range log {
		if c.Method == http.MethodGet && c.Path == "/admin/users" {
			pages++
		}
	}
	return len(log), pages, f.control(ctx, http.MethodDelete, "log", nil, nil)
}

// people reads a page of users and returns their ids.
func (f *facade) people(ctx context.Context, count int) ([]string, error) {
	var page struct {
		Resources []struct{ ID string }
	}
	err := request{http.MethodGet, f.srv.base + "/Users?attributes=id&filter=" + url.QueryEscape(`userType eq "User"`) + "&count=" + strconv.Itoa(count), nil, 200}.send(ctx, &page)
	var ids []string
	for _, r := range page.Resources {
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
	for range f.o.rounds {
		for base, list := range map[string]*[]time.Duration{f.srv.base + "/Users/": &through, f.origin + "/admin/users/": &direct} {
			s, err := load(ctx, 1, f.o.seconds, len(ids), func(_, n int) request { return request{http.MethodGet, base + ids[n], nil, 200} })
			if err != nil {
				return err
			}
			*list = append(*list, s.percentile(0.5))
		}
	}
	with, without := median(through), median(direct)
	f.add(result{"façade: GET by id, added", fmt.Sprintf("p50 %v, upstream alone %v", with.Round(time.Microsecond), without.Round(time.Microsecond)),
		float64((with - without).Microseconds()) / 1000, "< 1 ms", with-without < time.Millisecond})
	return nil
}

// noOpPut counts the calls of a PUT that changes nothing.
func noOpPut(ctx context.Context, f *facade) error {
	ids, err := f.people(ctx, 1)
	if err != nil {
		return err
	}
	body, err := request{http.MethodGet, f.srv.base + "/Users/" + ids[0], nil, 200}.do(ctx)
	if err != nil {
		return err
	}
	if _, _, err := f.calls(ctx); err != nil {
		return err
	}
	if _, err := (request{http.MethodPut, f.srv.base + "/Users/" + ids[0], body, 200}).do(ctx); err != nil {
		return err
	}
	n, _, err := f.calls(ctx)
	f.add(result{"façade: PUT without a change", "upstream calls", float64(n), "1", n == 1})
	return err
}

// coldFilter is the first lookup of a caller: it reads the whole list.
func coldFilter(ctx context.Context, f *facade) error {
	var page struct{ TotalResults int }
	began := time.Now()
	err := request{http.MethodGet, f.srv.base + "/Users?filter=" + url.QueryEscape(`userName eq "user00042@example.com"`), nil, 200}.send(ctx, &page)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if page.TotalResults != 1 {
		return fmt.Errorf("%d people found, want 1", page.TotalResults)
	}
	f.note(fmt.Sprintf("façade: userName eq, cold, %d people", upstreamUsers), took, time.Second)
	peak := f.srv.status("VmHWM")
	f.add(result{"façade: memory at that", fmt.Sprintf("%.1f MB", float64(peak)/1e6), float64(peak) / 1e6, "< 150 MB", peak < 150e6})
	return nil
}

// groupsPage reads a page of groups with their members, which cost a call each.
func groupsPage(ctx context.Context, f *facade) error {
	if _, _, err := f.calls(ctx); err != nil {
		return err
	}
	began := time.Now()
	if _, err := (request{http.MethodGet, f.srv.base + "/Groups?count=100", nil, 200}).do(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	n, _, err := f.calls(ctx)
	limit := time.Duration(n) * upstreamLatency / 2 // one after the other they take twice that for the latency alone
	f.add(result{"façade: 100 groups with members", fmt.Sprintf("%v, %d calls", took.Round(time.Millisecond), n),
		float64(took.Milliseconds()), fmt.Sprintf("< %v", limit), took < limit})
	return err
}

// push is what a client sends first: it looks for each person and creates it.
func push(ctx context.Context, f *facade) error {
	if _, _, err := f.calls(ctx); err != nil {
		return err
	}
	began := time.Now()
	for i := range firstPush {
		name := fmt.Sprintf("pushed%05d@example.com", i)
		var page struct{ TotalResults int }
		find := request{http.MethodGet, f.srv.base + "/Users?filter=" + url.QueryEscape(`userName eq "`+name+`"`), nil, 200}
		if err := find.send(ctx, &page); err != nil || page.TotalResults != 0 {
			return errors.Join(err, fmt.Errorf("%s: %d found", name, page.TotalResults))
		}
		body := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"externalId":"x%d","active":true,
			"name":{"givenName":"Given","familyName":"Family %d"},"displayName":"Given Family %d","emails":[{"value":%q,"primary":true}]}`, name, i, i, i, name)
		if _, err := (request{http.MethodPost, f.srv.base + "/Users", []byte(body), 201}).do(ctx); err != nil {
			return err
		}
	}
	took := time.Since(began)
	n, pages, err := f.calls(ctx)
	if err != nil {
		return err
	}
	each := float64(n-pages) / firstPush
	f.add(result{fmt.Sprintf("façade: first push of %d people", firstPush), fmt.Sprintf("calls each; %v in all", took.Round(time.Second)), each, "<= 5", each <= 5})
	perList := (upstreamUsers + firstPush + 99) / 100
	lists, most := float64(pages)/float64(perList), float64(took/(30*time.Second)+1)
	f.add(result{"façade: lists read meanwhile", fmt.Sprintf("%d pages", pages), lists, fmt.Sprintf("<= %.0f (one per 30 s)", most), lists <= most})
	return nil
}
