package bench_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/bench"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// TestVersus measures two servers in turn, and one beside the yardstick.
func TestVersus(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var order []string
	note := func(name string) func(http.ResponseWriter, *http.Request) bool {
		return func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/Users/") {
				mu.Lock()
				defer mu.Unlock()
				if len(order) == 0 || order[len(order)-1] != name {
					order = append(order, name)
				}
			}
			return false
		}
	}
	a, b := serve(t, engine.Config{}, note("a")), serve(t, engine.Config{NoBulk: true}, note("b"))
	o := few(new(strings.Builder))
	o.Only, o.Rounds = []string{"get", "bulk"}, 4
	report, err := bench.Run(t.Context(), o, a.target(), b.target())
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "a", "b", "a", "b"}; !slices.Equal(order, want) { // one try each, then b a, a b, b a, a b
		t.Errorf("the servers had turns in the order %v", order)
	}
	get := outcome(t, report, "get")
	if r := get.Ratio; r == nil || r.Rate != get.Results[0].Rate/get.Results[1].Rate || r.P50 != get.Results[0].P50MS/get.Results[1].P50MS {
		t.Errorf("%+v", get.Ratio)
	}
	if bulk := outcome(t, report, "bulk"); bulk.Results[1].NotOffered == "" || bulk.Ratio != nil {
		t.Errorf("%+v", bulk)
	}
	if left := append(a.people(t), b.people(t)...); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	yard := httptest.NewServer(bench.Yardstick("another"))
	defer yard.Close()
	o.Only, o.Rounds = []string{"get", "*-eq", "email-co", "put", "group-add"}, 2
	report, err = bench.Run(t.Context(), o, a.target(), bench.Target{URLs: []string{yard.URL + "/"}, Token: "another", Yardstick: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range report.Scenarios {
		held := o.Ratio != nil
		if want := slices.Contains([]string{"get", "username-eq", "externalid-eq"}, o.Name); held != want || len(o.Results[1].Faults) > 0 {
			t.Errorf("%s beside the yardstick: ratio %v, %+v", o.Name, o.Ratio, o.Results[1])
		}
	}
}

// TestInstances shares the load out over the instances of one server.
func TestInstances(t *testing.T) {
	t.Parallel()
	d := serve(t, engine.Config{}, nil)
	var passed atomic.Int64
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed.Add(1)
		d.Config.Handler.ServeHTTP(w, r)
	}))
	defer second.Close()
	o := few(new(strings.Builder))
	o.Only, o.Workers = []string{"get"}, 4
	target := d.target()
	target.URLs = append(target.URLs, second.URL)
	if _, err := bench.Run(t.Context(), o, target); err != nil {
		t.Fatal(err)
	}
	if n, all := passed.Load(), d.calls.Load(); n == 0 || n == all {
		t.Errorf("%d of %d calls went to the second instance", n, all)
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	o := few(new(strings.Builder))
	for _, base := range []string{"http://192.0.2.1/scim/v2", "https://[2001:db8::1]/scim"} {
		_, err := bench.Run(t.Context(), o, bench.Target{URLs: []string{base}})
		if err == nil || !strings.Contains(err.Error(), "--remote") {
			t.Errorf("%s: %v", base, err)
		}
	}
	// What a name stands for is seen when it is connected to.
	for address, allowed := range map[string]bool{"127.0.0.1:80": true, "[::1]:443": true, "127.9.9.9:1": true,
		"192.0.2.1:80": false, "[2001:db8::1]:80": false, "0.0.0.0:80": false, "[::]:80": false, "[fe80::1%eth0]:80": false} {
		if err := bench.LoopbackOnly("tcp", address, nil); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, base := range []string{"ftp://localhost/", "localhost:8080", "http://", "http://localhost/?a=b", "http://me:secret@localhost/"} {
		if _, err := bench.Run(t.Context(), o, bench.Target{URLs: []string{base}}); err == nil || strings.Contains(err.Error(), "--remote") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// TestRedirected does not follow a server that sends it elsewhere.
func TestRedirected(t *testing.T) {
	t.Parallel()
	other := serve(t, engine.Config{}, nil)
	d := serve(t, engine.Config{}, func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	if _, err := bench.Run(t.Context(), few(new(strings.Builder)), d.target()); err == nil || !strings.Contains(err.Error(), "307") {
		t.Error(err)
	}
	if n := other.calls.Load(); n > 0 {
		t.Errorf("%d calls arrived elsewhere", n)
	}
}
