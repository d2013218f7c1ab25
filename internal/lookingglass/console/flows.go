package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/flows"
	"github.com/rollcall-scim/rollcall/scim"
)

// maxForm bounds the forms of the pages that take requests, in bytes.
const maxForm = 256 << 10

func (c *Console) flowsRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path+"/flows", func(w http.ResponseWriter, r *http.Request) {
		c.render(w, r, http.StatusOK, "flows.html", flows.All())
	})
	mux.HandleFunc("GET "+Path+"/flows/{flow}", c.outline)
	mux.HandleFunc("POST "+Path+"/flows/{flow}", c.startFlow)
	mux.HandleFunc("GET "+Path+"/flows/{flow}/{run}", c.showRun)
	mux.HandleFunc("POST "+Path+"/flows/{flow}/{run}", c.endFlow)
	mux.HandleFunc("POST "+Path+"/flows/{flow}/{run}/{step}", c.runStep)
}

// flowPage is what flow.html shows.
type flowPage struct {
	*flows.Flow
	Run         string // its id; "" is none
	Steps       []flowStep
	Gone        bool   // the run that was asked for has ended
	Other, Here string // the instance where it is, if that is not this one
	Done        bool
}

// flowStep is a step with its request and, if it has been run, what came of it.
type flowStep struct {
	*flows.Step
	Number  int
	URL     string // to run it; "" if it is not its turn
	Request flows.Request
	Missing string // why it can't be run
	Result  *flowResult
	Again   bool // it has been run and may be once more
	Rows    int  // of the body's text area
}

type flowResult struct {
	*flows.Result
	Filter  *lookingglass.Node
	Changes []flowChange
	Fault   *scim.Error
}

// flowChange is what became of one resource.
type flowChange struct {
	What   string
	Deltas []historyDelta
}

// rehearses reports whether a path is one of the flows': what is sent there
// touches nothing but a directory that is thrown away.
func rehearses(path string) bool { return strings.HasPrefix(path, Path+"/flows/") }

// owner is who the runs of a request belong to.
func (c *Console) owner(r *http.Request) *Who {
	if c.o.Open {
		return nil
	}
	return c.who(r)
}

func (c *Console) flow(w http.ResponseWriter, r *http.Request) *flows.Flow {
	f := flows.Lookup(r.PathValue("flow"))
	if f == nil {
		c.fail(w, r, http.StatusNotFound, "There is no such flow", "The page Flows lists them.")
	}
	return f
}

func flowURL(f *flows.Flow) string { return Path + "/flows/" + f.ID }

// outline shows a flow that is not being run.
func (c *Console) outline(w http.ResponseWriter, r *http.Request) {
	if f := c.flow(w, r); f != nil {
		c.render(w, r, http.StatusOK, "flow.html", &flowPage{Flow: f, Steps: stepsOf(f, nil, ""), Gone: r.URL.Query().Has("gone")})
	}
}

func (c *Console) startFlow(w http.ResponseWriter, r *http.Request) {
	f := c.flow(w, r)
	if f == nil {
		return
	}
	run, err := flows.Start(r.Context(), f)
	if err != nil {
		c.o.Logger.Error("the console can't start a flow", "flow", f.ID, "error", err)
		c.fail(w, r, http.StatusInternalServerError, "This flow can't be started", "The log says why.")
		return
	}
	c.redirect(w, r, flowURL(f)+"/"+c.scratches.add(run, c.owner(r)))
}

// run returns the run that the address names; if it has ended, it sends the
// browser to the flow.
func (c *Console) run(w http.ResponseWriter, r *http.Request) *flows.Run {
	f := c.flow(w, r)
	if f == nil {
		return nil
	}
	run := c.scratches.get(r.PathValue("run"), c.owner(r))
	if run == nil || run.Flow != f {
		if at := c.elsewhere(r.PathValue("run")); at != "" {
			c.render(w, r, http.StatusNotFound, "flow.html", &flowPage{Flow: f, Steps: stepsOf(f, nil, ""), Other: at, Here: c.o.Instance})
			return nil
		}
		c.redirect(w, r, flowURL(f)+"?gone")
		return nil
	}
	return run
}

func (c *Console) showRun(w http.ResponseWriter, r *http.Request) {
	if run := c.run(w, r); run != nil {
		c.renderRun(w, r, http.StatusOK, run)
	}
}

func (c *Console) renderRun(w http.ResponseWriter, r *http.Request, status int, run *flows.Run) {
	page := &flowPage{Flow: run.Flow, Run: flowURL(run.Flow) + "/" + r.PathValue("run")}
	page.Steps = stepsOf(run.Flow, run, page.Run)
	page.Done = len(run.Results()) == len(run.Flow.Steps)
	c.render(w, r, status, "flow.html", page)
}

// endFlow throws a run away, and perhaps starts another one.
func (c *Console) endFlow(w http.ResponseWriter, r *http.Request) {
	c.scratches.drop(r.PathValue("run"), c.owner(r))
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.PostFormValue("do") == "again" {
		c.startFlow(w, r)
		return
	}
	c.redirect(w, r, Path+"/flows")
}

// runStep runs one step, as it was edited.
func (c *Console) runStep(w http.ResponseWriter, r *http.Request) {
	run := c.run(w, r)
	if run == nil {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusRequestEntityTooLarge, "This form is too large", "A step takes bodies of up to 64 KiB.")
		return
	}
	var e flows.Edit
	if v, ok := r.PostForm["body"]; ok {
		e.Body = &v[0]
	}
	if v, ok := r.PostForm["filter"]; ok {
		e.Filter = &v[0]
	}
	n, err := strconv.Atoi(r.PathValue("step"))
	if err == nil {
		_, err = run.Do(r.Context(), n-1, e)
	}
	var missing *flows.MissingError
	switch {
	case errors.Is(err, flows.ErrSpent):
		c.fail(w, r, http.StatusConflict, "This run is used up", "It takes "+strconv.Itoa(flows.MaxRequests)+" requests. Start the flow again.")
	case errors.As(err, &missing), err == nil, errors.Is(err, flows.ErrOrder): // the page says where it stands
		c.redirect(w, r, flowURL(run.Flow)+"/"+r.PathValue("run")+"#step-"+strconv.Itoa(max(n, 1)))
	default:
		c.fail(w, r, http.StatusNotFound, "There is no such step", "Go back and use the buttons.")
	}
}

// stepsOf returns the steps of a flow and what came of those that were run. run
// may be nil.
func stepsOf(f *flows.Flow, run *flows.Run, at string) []flowStep {
	var results []*flows.Result
	if run != nil {
		results = run.Results()
	}
	var list []flowStep
	for i := range f.Steps {
		s := flowStep{Step: &f.Steps[i], Number: i + 1}
		s.Request = flows.Request{Method: s.Method, Path: s.Path, Filter: s.Filter, Body: s.Body, IfMatch: s.IfMatch}
		if run != nil && i <= len(results) {
			var err error
			if s.Request, err = run.Prepare(i); err != nil {
				s.Missing = err.Error()
			}
			if i >= len(results)-1 && err == nil {
				s.URL = at + "/" + strconv.Itoa(i+1)
			}
		}
		if i < len(results) {
			s.Again = s.URL != ""
			s.Request = results[i].Request
			s.Result = resultOf(results[i])
		}
		s.Rows = min(max(strings.Count(s.Request.Body, "\n")+1, 2), 24)
		list = append(list, s)
	}
	return list
}

func resultOf(res *flows.Result) *flowResult {
	r := &flowResult{Result: res, Filter: lookingglass.Tree(res.Filter)}
	for _, rec := range res.Changes {
		verb := map[string]string{"create": "Created the ", "update": "Changed the ", "delete": "Deleted the "}[rec.Op]
		ch := flowChange{What: verb + one(rec.Type) + " " + res.Name(rec.ID)}
		for _, d := range rec.Changes {
			ch.Deltas = append(ch.Deltas, historyDelta{d.Path, shortValues(d.Removed, res.Names()), shortValues(d.Added, res.Names())})
		}
		r.Changes = append(r.Changes, ch)
	}
	return r
}
