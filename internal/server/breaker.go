package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"time"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// breakerFlags are the arguments of "rollcall breaker …".
type breakerFlags struct {
	Config
	Tenant string `name:"tenant" default:"default" placeholder:"NAME" help:"whose breaker"`

	Show struct {
		JSON bool `name:"json" help:"print JSON"`
	} `cmd:"" help:"Show how many people were changed, what was held and what is approved; exit 1 if something is held."`
	Approve struct {
		For    string `name:"for" placeholder:"DURATION" help:"how long, such as 2h (default: as long as the breaker's window)"`
		People *int   `name:"people" placeholder:"COUNT" help:"so many more than the limit (default: any number)"`
	} `cmd:"" help:"Let mass changes pass for a while; they count no more when it is over."`
	Reset struct{} `cmd:"" help:"Forget what was counted, held and approved."`
}

// What orders about a breaker say, and what comes of them.
type (
	breakerOrder struct {
		For    time.Duration // 0: the window
		People int
		By     string
	}

	breakerReport struct {
		Tenant   string          `json:"tenant"`
		Mode     string          `json:"mode"`
		Limit    int             `json:"limit"`
		Window   string          `json:"window"`
		People   int             `json:"people"` // that count
		Total    int             `json:"total"`
		Settled  int             `json:"settled"` // of them, who were there before the window
		Oldest   time.Time       `json:"oldest,omitzero"`
		Held     *heldReport     `json:"held,omitempty"`
		Approved *approvalReport `json:"approved,omitempty"`
	}
	heldReport struct {
		First    time.Time `json:"first"`
		Last     time.Time `json:"last"`
		Requests int       `json:"requests"`
		People   int       `json:"people"` // that the last would have made it
		Actor    string    `json:"actor"`
		What     string    `json:"what"`
	}
	approvalReport struct {
		Until  time.Time `json:"until"`
		People int       `json:"people,omitempty"` // 0: any number
		By     string    `json:"by"`
	}
)

var errHeld = errors.New("a mass change is held")

// run carries out "rollcall breaker verb".
func (f *breakerFlags) run(ctx context.Context, verb string, s Settings, stdout, stderr io.Writer) error {
	o := order{Do: "breaker " + verb, Tenant: f.Tenant, Breaker: &breakerOrder{}}
	if verb == "approve" {
		o.Breaker.By = who()
		if n := f.Approve.People; n != nil { // without it any number passes, and so it would with 0
			if *n < 1 || *n > 100_000_000 {
				return &usageError{errors.New("--people must be from 1 to 100000000")}
			}
			o.Breaker.People = *n
		}
		if f.Approve.For != "" {
			var err error
			if o.Breaker.For, err = tokenSpan(f.Approve.For); err != nil || o.Breaker.For > mostApproval {
				return &usageError{fmt.Errorf(`--for=%q: must be a duration such as "2h", of 7 days at most`, printable(f.Approve.For))}
			}
		}
	}
	r, err := administer(ctx, s, o)
	if err != nil {
		return err
	}
	b := r.Breaker
	switch verb {
	case "approve":
		_, err = fmt.Fprintf(stderr, "mass changes of the tenant %s pass until %s%s\n", b.Tenant, day(b.Approved.Until), b.Approved.bound())
		return err
	case "reset":
		_, err = fmt.Fprintf(stderr, "the breaker of the tenant %s begins anew\n", b.Tenant)
		return err
	}
	if f.Show.JSON {
		err = printJSON(stdout, b)
	} else {
		err = b.show(stdout)
	}
	if err == nil && b.Held != nil {
		err = errHeld
	}
	return err
}

// mostApproval bounds how long mass changes are let pass.
const mostApproval = 7 * 24 * time.Hour

// who is the user of the system who runs the command, for the log.
func who() string {
	if u, err := user.Current(); err == nil {
		return "rollcall breaker approve, by " + u.Username
	}
	return "rollcall breaker approve"
}

func (a *approvalReport) bound() string {
	if a.People == 0 {
		return ""
	}
	return fmt.Sprintf(", for %d people more than the limit", a.People)
}

func (b *breakerReport) show(out io.Writer) error {
	var t bytes.Buffer
	fmt.Fprintf(&t, "tenant:   %s\nmode:     %s\nlimit:    %d people within %s, of %d", b.Tenant, b.Mode, b.Limit, b.Window, b.Total)
	if b.Settled < b.Total {
		fmt.Fprintf(&t, ", of whom %d were there before", b.Settled)
	}
	fmt.Fprintln(&t)
	fmt.Fprintf(&t, "counted:  %d people", b.People)
	if !b.Oldest.IsZero() {
		fmt.Fprintf(&t, ", the first at %s", day(b.Oldest))
	}
	fmt.Fprintln(&t)
	if h := b.Held; h != nil {
		fmt.Fprintf(&t, "HELD:     %d requests from %s to %s, the last by %s: %s, which would make it %d people\n",
			h.Requests, day(h.First), day(h.Last), printable(h.Actor), printable(h.What), h.People)
	}
	if a := b.Approved; a != nil {
		fmt.Fprintf(&t, "approved: until %s%s (%s)\n", day(a.Until), a.bound(), printable(a.By))
	}
	_, err := t.WriteTo(out)
	return err
}

// breakerShow, breakerApprove and breakerReset carry out orders about a breaker.
func breakerShow(ctx context.Context, d *directory, o order) (report, error) {
	t, err := d.registry.Tenant(ctx, askedTenant(o.Tenant))
	if err != nil {
		return report{}, err
	}
	terms := guard.TermsOf(t.Breaker)
	s, err := d.db.bound(*t).BreakerState(ctx, terms.Window, terms.People+1)
	if err != nil {
		return report{}, err
	}
	b := &breakerReport{Tenant: t.Name, Mode: terms.Mode, Limit: terms.Limit(s.Settled), Window: tenant.Age(terms.Window),
		People: s.People, Total: s.Total, Settled: s.Settled, Oldest: s.Oldest}
	if h := s.Held; h.Requests > 0 && s.Now.Sub(h.Last) < terms.Window {
		b.Held = &heldReport{h.First, h.Last, h.Requests, h.People, h.Actor, h.What}
	}
	if a := s.Approval; s.Now.Before(a.Until) {
		b.Approved = &approvalReport{a.Until, a.People, a.By}
	}
	return report{Breaker: b}, nil
}

func breakerApprove(ctx context.Context, d *directory, o order) (report, error) {
	t, err := d.registry.Tenant(ctx, askedTenant(o.Tenant))
	if err != nil {
		return report{}, err
	}
	a, lasts := guard.Approval{People: o.Breaker.People, By: o.Breaker.By}, guard.TermsOf(t.Breaker).Window
	if o.Breaker.For > 0 {
		lasts = min(o.Breaker.For, mostApproval)
	}
	if a.Until, err = d.db.bound(*t).ApproveBreaker(ctx, lasts, a); err != nil {
		return report{}, err
	}
	d.log.Warn("mass changes are approved", "tenant", t.Name, "until", a.Until, "people", a.People, "by", a.By)
	return report{Breaker: &breakerReport{Tenant: t.Name, Approved: &approvalReport{a.Until, a.People, a.By}}}, nil
}

func breakerReset(ctx context.Context, d *directory, o order) (report, error) {
	t, err := d.registry.Tenant(ctx, askedTenant(o.Tenant))
	if err != nil {
		return report{}, err
	}
	if err := d.db.bound(*t).ResetBreaker(ctx); err != nil {
		return report{}, err
	}
	d.log.Warn("the breaker of mass changes begins anew", "tenant", t.Name)
	return report{Breaker: &breakerReport{Tenant: t.Name}}, nil
}
