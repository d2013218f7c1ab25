package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

// scenario is one kind of work that servers are measured at.
type scenario struct {
	name, title string
	indexed     bool // an index answers it: it must not grow with the directory
	yard        bool // the yardstick is measured at the same number of GETs
	one         bool // by one worker
	all         bool // a sample of the people does not do
	writers     bool // by as many workers as write

	// needs says why a server can't be asked for this; "": it can.
	needs func(s *side) string

	// prepare makes what the scenario works on.
	prepare func(ctx context.Context, s *side) (*work, error)
}

// work is a scenario on one server.
type work struct {
	classes []string // of requests, where there are several kinds
	next    func(worker, n int) request

	// round is one round of something else than workers with requests; nil:
	// those.
	round func(ctx context.Context, workers int, b bound) *round

	// finish looks whether all that was acknowledged is there, and tidies up;
	// nil: nothing to do. It returns what is wrong with the server.
	finish func(ctx context.Context) (faults []string, err error)
}

// errAbsent says why a scenario is not measured at a server.
type errAbsent string

func (e errAbsent) Error() string { return string(e) }

func absent(format string, args ...any) error { return errAbsent(fmt.Sprintf(format, args...)) }

// scenarios returns all, in the order in which they run.
func scenarios() []scenario {
	return append(append(reads(), writes()...), crowds()...)
}

// Names returns the names of all scenarios in order.
func Names() []string {
	var list []string
	for _, s := range scenarios() {
		list = append(list, s.name)
	}
	return list
}

// choose returns the scenarios with those names, in their own order. In a name
// "*" stands for anything.
func choose(names []string) ([]scenario, error) {
	var list []scenario
	used := map[string]bool{}
	for _, s := range scenarios() {
		for _, name := range names {
			if ok, _ := path.Match(name, s.name); ok {
				used[name] = true
				if len(list) == 0 || list[len(list)-1].name != s.name {
					list = append(list, s)
				}
			}
		}
	}
	for _, name := range names {
		if !used[name] {
			return nil, fmt.Errorf("there is no scenario %q; there are %s", printable(name), strings.Join(Names(), ", "))
		}
	}
	if len(names) == 0 {
		return scenarios(), nil
	}
	return list, nil
}

func (sc scenario) workers(o *Options) int {
	switch {
	case sc.one:
		return 1
	case sc.writers:
		return o.Writers
	}
	return o.Workers
}

// open prepares the scenario on a server and tries it once. Its error is an
// errAbsent if the server does not offer this.
func (sc scenario) open(ctx context.Context, s *side) (*work, error) {
	if s.yard {
		if !sc.yard {
			return nil, absent("the yardstick has nothing like it")
		}
		return &work{next: func(int, int) request { return request{method: http.MethodGet, path: ""} }}, nil
	}
	if sc.all && s.who != nil {
		return nil, absent("only a sample of the people is known")
	}
	if sc.needs != nil {
		if why := sc.needs(s); why != "" {
			return nil, absent("%s", why)
		}
	}
	w, err := sc.prepare(ctx, s)
	if err != nil {
		if gone(err) {
			return nil, absent("%v", err)
		}
		return nil, err
	}
	return w, nil
}

// gone reports whether a refusal says that the server does not do this at all.
func gone(err error) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	switch r.status {
	case http.StatusNotImplemented, http.StatusMethodNotAllowed, http.StatusNotFound:
		return true
	case http.StatusBadRequest:
		return strings.Contains(r.body, "invalidFilter") || strings.Contains(r.body, "Cursor")
	}
	return false
}

// try sends a request once before it is measured, so that a server that does
// not offer it is told from one that fails.
func (s *side) try(ctx context.Context, r request) (answer, error) {
	return s.c.call(ctx, r.method, r.path, r.body, nil)
}

// What scenarios need.
func needsFilter(s *side) string {
	if !s.has.Filter {
		return "the server has no filters"
	}
	return ""
}

func needsPatch(s *side) string {
	if !s.has.Patch {
		return "the server has no PATCH"
	}
	return ""
}

func needsGroups(s *side) string {
	if !s.has.Groups {
		return "the server has no groups"
	}
	return ""
}

func needsGroupPatch(s *side) string {
	if why := needsGroups(s); why != "" {
		return why
	}
	return needsPatch(s)
}

func needsBulk(s *side) string {
	if !s.has.Bulk {
		return "the server has no Bulk"
	}
	return ""
}

// interleave lets the classes take turns: the whole round for one request each.
func interleave(classes int, next func(class, n int) request) func(worker, n int) request {
	return func(_, n int) request {
		r := next(n%classes, n/classes)
		r.class = n % classes
		return r
	}
}

// share is a part of a bound.
func (b bound) share(n int) bound {
	return bound{(b.requests + n - 1) / n, max(b.time/time.Duration(n), time.Millisecond)}
}
