package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// mostApproval bounds how long mass changes are let pass.
const mostApproval = 7 * 24 * time.Hour

func (c *Console) breakerRoutes(mux *http.ServeMux) {
	if c.realm == nil {
		return
	}
	mux.HandleFunc("GET "+Path+"/breaker", func(w http.ResponseWriter, r *http.Request) { c.breaker(w, r, http.StatusOK, "") })
	mux.HandleFunc("POST "+Path+"/breaker/approve", c.approve)
	mux.HandleFunc("POST "+Path+"/breaker/reset", c.resetBreaker)
}

// breakerPage is what breaker.html shows.
type breakerPage struct {
	Terms    guard.Terms
	Window   string
	Limit    int
	State    guard.State
	Holding  bool // something is held
	Approved bool // mass changes pass for now
	Wrong    string

	Protected []string
	Ceilings  []ceiling
}

// ceiling says which values clients may give.
type ceiling struct {
	Name  string
	Words string
}

// Share is how much of the limit is used, in thousandths.
func (p breakerPage) Share() int {
	if p.Limit <= 0 {
		return 0
	}
	return min(p.State.People*1000/p.Limit, 1000)
}

// HeldURL is about the person that the last change that was held is about, or "".
func (p breakerPage) HeldURL() string {
	if _, id, ok := strings.Cut(p.State.Held.What, " "+guard.People+"/"); ok {
		return personURL(id, false, "")
	}
	return ""
}

// breaker shows what holds mass changes, and what is held.
func (c *Console) breaker(w http.ResponseWriter, r *http.Request, status int, wrong string) {
	t := c.realm.Tenant
	p := breakerPage{Terms: guard.TermsOf(t.Breaker), Protected: t.Protected, Wrong: wrong}
	p.Window = strings.TrimPrefix(tenant.Age(p.Terms.Window), "1 ")
	var err error
	if p.State, err = c.realm.Store.BreakerState(r.Context(), p.Terms.Window, p.Terms.People+1); err != nil {
		c.o.Logger.Error("the console can't read the breaker", "tenant", t.Name, "error", err)
		c.fail(w, r, http.StatusInternalServerError, "The breaker can't be read", capital(scim.AsError(err).Detail)+". The log says more.")
		return
	}
	p.Limit = p.Terms.Limit(p.State.Settled)
	p.Holding = p.State.Held.Requests > 0 && p.State.Now.Sub(p.State.Held.Last) < p.Terms.Window
	p.Approved = p.State.Now.Before(p.State.Approval.Until)
	for _, one := range []struct {
		name string
		tenant.Ceiling
	}{{"roles", t.Promotion.Roles}, {"entitlements", t.Promotion.Entitlements}, {"groups", t.Promotion.Groups}} {
		if one.Only != nil || one.Never != nil {
			p.Ceilings = append(p.Ceilings, ceiling{one.name, ceilingWords(one.Ceiling)})
		}
	}
	c.render(w, r, status, "breaker.html", p)
}

func ceilingWords(l tenant.Ceiling) string {
	quote := func(list []string) string {
		list = slices.Clone(list)
		for i := range list {
			list[i] = "“" + list[i] + "”"
		}
		return strings.Join(list, ", ")
	}
	words := "any value"
	switch {
	case l.Only != nil && len(l.Only) == 0:
		return "none"
	case l.Only != nil:
		words = "only " + quote(l.Only)
	}
	if len(l.Never) > 0 {
		words += ", but never " + quote(l.Never)
	}
	return words
}

// approve lets mass changes pass for a while.
func (c *Console) approve(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	span := guard.TermsOf(c.realm.Tenant.Breaker).Window
	if text := r.PostFormValue("for"); text != "" {
		var err error
		if span, err = time.ParseDuration(text); err != nil || span <= 0 || span > mostApproval {
			c.breaker(w, r, http.StatusBadRequest, "That is no time from now, of a week at most.")
			return
		}
	}
	people := 0
	if text := strings.TrimSpace(r.PostFormValue("people")); text != "" {
		var err error
		if people, err = strconv.Atoi(text); err != nil || people < 1 || people > 100_000_000 {
			c.breaker(w, r, http.StatusBadRequest, "That is no number of people. Leave it empty to let any number pass.")
			return
		}
	}
	a := guard.Approval{People: people, By: c.actor(r)}
	if c.changed(w, r, "mass changes can't be approved", func(ctx context.Context) (err error) {
		a.Until, err = c.realm.Store.ApproveBreaker(ctx, span, a)
		return err
	}) {
		c.o.Logger.Warn("mass changes are approved", "tenant", c.tenant(), "until", a.Until, "people", a.People, "by", a.By)
		c.redirect(w, r, Path+"/breaker")
	}
}

// resetBreaker forgets what was counted, held and approved.
func (c *Console) resetBreaker(w http.ResponseWriter, r *http.Request) {
	if c.changed(w, r, "the breaker can't begin anew", func(ctx context.Context) error { return c.realm.Store.ResetBreaker(ctx) }) {
		c.o.Logger.Warn("the breaker of mass changes begins anew", "tenant", c.tenant(), "by", c.actor(r))
		c.redirect(w, r, Path+"/breaker")
	}
}

// changed carries out a change, and answers if it fails.
func (c *Console) changed(w http.ResponseWriter, r *http.Request, what string, f func(context.Context) error) bool {
	err := f(c.context(r))
	if err != nil {
		c.o.Logger.Error("console: "+what, "tenant", c.tenant(), "error", err)
		c.fail(w, r, http.StatusInternalServerError, capital(what), capital(scim.AsError(err).Detail)+". The log says more.")
	}
	return err == nil
}

// actor is who sends a request, as the log names them.
func (c *Console) actor(r *http.Request) string { return scim.OriginOf(c.context(r)).Actor }
