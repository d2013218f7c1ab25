package bench_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/bench"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// TestSample measures a population of which only some people are looked up: no
// list is read, and what needs all of them is not measured.
func TestSample(t *testing.T) {
	t.Parallel()
	var walked atomic.Int64
	d := serve(t, engine.Config{}, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("cursor") {
			walked.Add(1)
		}
		return false
	})
	var out strings.Builder
	o := few(&out)
	o.Only, o.Keep, o.Name = []string{"get"}, true, "large"
	if _, err := bench.Run(t.Context(), o, d.target()); err != nil {
		t.Fatal(err)
	}
	there := len(d.people(t))
	walked.Store(0)
	o.Only, o.Sample = nil, 7
	report, err := bench.Run(t.Context(), o, d.target())
	if err != nil {
		t.Fatal(err)
	}
	var lacks []string
	for _, s := range report.Scenarios {
		r := s.Results[0]
		if r.NotOffered != "" {
			lacks = append(lacks, s.Name)
		} else if len(r.Faults)+len(r.Lost) > 0 || r.Requests == 0 {
			t.Errorf("%s: %+v", s.Name, r)
		}
	}
	if want := []string{"list-cursor", "group-add", "member-race"}; !slices.Equal(lacks, want) {
		t.Errorf("not measured: %v, want %v", lacks, want)
	}
	if n := walked.Load(); n > 0 {
		t.Errorf("%d pages of lists were read", n)
	}
	if n := len(d.people(t)); n != there {
		t.Errorf("%d resources are left, want %d", n, there)
	}
	o.Only, o.Sample = []string{"list-cursor"}, 60 // all of them
	if report, err = bench.Run(t.Context(), o, d.target()); err != nil {
		t.Fatal(err)
	}
	if r := outcome(t, report, "list-cursor").Results[0]; r.NotOffered != "" {
		t.Errorf("with all people known: %+v", r)
	}
}
