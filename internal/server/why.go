package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Exit codes of the commands that look for people: scripts tell by them what
// was found from what could not be found out.
const (
	exitAllThere = 0 // whoever was asked for is there, and active
	exitMissing  = 1 // somebody is not
	exitNoAnswer = 3 // the directory could not be asked
)

// The bounds of one order about people: values that are compared at once, and
// the last events of a timeline.
const (
	peopleAtOnce = 100
	lastEvents   = 200
)

// whyFlags are the arguments of "rollcall why".
type whyFlags struct {
	Config

	Tenant string `name:"tenant" placeholder:"NAME" help:"whose people (default: the tenant \"default\")"`
	Person string `arg:"" name:"person" help:"userName, externalId, e-mail address or id; or the name or id of a group"`
}

// run says what became of a person and returns the exit code.
func (f *whyFlags) run(ctx context.Context, s Settings, environ []string, stdout, stderr io.Writer) int {
	a, err := openInquiry(ctx, s, environ)
	if err != nil {
		return noAnswer(stderr, err)
	}
	defer a.close()
	r, err := a.do(ctx, order{Do: "why", Tenant: f.Tenant, Name: f.Person})
	if err != nil || r.Why == nil {
		return noAnswer(stderr, err)
	}
	if err := writeWhy(stdout, r.Why, r.Timeline, s.PactFlow != nil); err != nil {
		return noAnswer(stderr, err)
	}
	if !r.Why.There() {
		return exitMissing
	}
	return exitAllThere
}

func noAnswer(stderr io.Writer, err error) int {
	if err == nil {
		err = errors.New("the server gave no answer")
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "rollcall:", visible(line))
	}
	var usage *usageError
	if errors.As(err, &usage) || err.Error() == people.ErrNoValue.Error() {
		return exitUsage
	}
	return exitNoAnswer
}

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func writeWhy(out io.Writer, v *people.Verdict, t *people.Timeline, front bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", v.Cause.Label(), visible(v.Words))
	for _, note := range v.Notes {
		fmt.Fprintf(&b, "  %s\n", visible(note))
	}
	for _, n := range v.Near {
		fmt.Fprintf(&b, "  near: %s (%s)\n", visible(n.Words), visible(n.Person.ID))
	}
	if v.Cause != people.Present {
		for _, step := range v.Next {
			fmt.Fprintf(&b, "  → %s: %s\n", visible(step.Client), visible(step.Text))
		}
	}
	if front {
		b.WriteString("\nWhat clients asked for is known to the running façade alone: see /looking-glass/people there.\n")
	}
	if t != nil && len(t.Events) > 0 {
		b.WriteString("\n")
		if t.Next != "" {
			fmt.Fprintf(&b, "The last %d of what happened; /looking-glass/people has all.\n", len(t.Events))
		}
		for _, e := range t.Events {
			fmt.Fprintf(&b, "%s  %s", e.Time.UTC().Format("2006-01-02 15:04:05"), visible(e.Words))
			if e.Times > 1 && e.Kind == "read" {
				fmt.Fprintf(&b, " (%d times)", e.Times)
			}
			b.WriteString("\n")
			for _, d := range e.Details {
				fmt.Fprintf(&b, "                       %s\n", visible(d))
			}
		}
		if !t.Since.IsZero() {
			fmt.Fprintf(&b, "\nTimes are UTC. Requests are known since %s", people.Moment(t.Since))
			if t.Log {
				b.WriteString("; changes as long as the change log is kept")
			}
			b.WriteString(".\n")
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// inquiry asks about people: the server of the data folder if there is one, else
// the folder itself, or the application behind the façade.
type inquiry struct {
	do    func(ctx context.Context, o order) (report, error)
	close func()
}

func openInquiry(ctx context.Context, s Settings, environ []string) (*inquiry, error) {
	if s.PactFlow != nil {
		return frontInquiry(s, environ)
	}
	if s.Database != nil {
		d, err := openDirect(ctx, s)
		if err != nil {
			return nil, err
		}
		stop, err := d.openDesk()
		if err != nil {
			d.close()
			return nil, err
		}
		return d.inquiry(stop), nil
	}
	do := func(ctx context.Context, o order) (report, error) { return administer(ctx, s, o) }
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var self status
	switch err := askControl(asking, s.DataDir, "/status", nil, &self); {
	case err == nil:
		return &inquiry{do, func() {}}, nil
	case !errors.Is(err, errNoServer):
		return nil, err
	}
	d, err := openFolder(ctx, s)
	if err != nil {
		return nil, err
	}
	stop, err := d.openDesk()
	if err != nil {
		d.close()
		return nil, err
	}
	return d.inquiry(stop), nil
}

// inquiry asks a directory that this command has opened itself.
func (d *directory) inquiry(stop func()) *inquiry {
	return &inquiry{func(ctx context.Context, o order) (report, error) {
		ctx, cancel := context.WithTimeout(ctx, adminTimeout)
		defer cancel()
		r := d.carryOut(ctx, o)
		if r.Error != "" {
			return r, errors.New(r.Error)
		}
		return r, nil
	}, func() { stop(); d.close() }}
}

// frontInquiry asks PactFlow with the token of ROLLCALL_TOKEN.
func frontInquiry(s Settings, environ []string) (*inquiry, error) {
	token := replayFlags{}.token(environ)
	if token == "" || !sendable([]string{token}) {
		return nil, &usageError{errors.New("ROLLCALL_TOKEN must hold a token of PactFlow that may read its users: the façade itself keeps none")}
	}
	f := &front{s: s, log: newLogger(io.Discard, s)}
	if err := f.claim(); err != nil {
		return nil, err
	}
	e, err := f.engine(nil)
	if err != nil {
		return nil, err
	}
	desk := people.NewDesk(people.Sources{Engine: func() *engine.Engine { return e }, Logger: f.log})
	return &inquiry{func(ctx context.Context, o order) (r report, err error) {
		ctx, cancel := context.WithTimeout(facade.WithCaller(ctx, token), 5*adminTimeout)
		defer cancel()
		return askDesk(ctx, desk, o)
	}, f.close}, nil
}

// askDesk carries out an order about people.
func askDesk(ctx context.Context, desk *people.Desk, o order) (r report, err error) {
	switch o.Do {
	case "why":
		if r.Why, err = desk.Find(ctx, o.Name); err == nil {
			r.Timeline, err = lastOf(ctx, desk, r.Why)
		}
	case "compare":
		if len(o.People) > peopleAtOnce {
			return r, fmt.Errorf("one order can be about %d people at most", peopleAtOnce)
		}
		err = desk.Compare(ctx, o.People, func(i int, v *people.Verdict) error {
			r.Rows = append(r.Rows, people.RowOf(i, v))
			return nil
		})
	}
	return r, err
}

// lastOf returns the last events of a timeline.
func lastOf(ctx context.Context, desk *people.Desk, v *people.Verdict) (*people.Timeline, error) {
	const mostPages = 50
	var all []people.Event
	q, cut := people.TimelineQuery{Limit: lastEvents}, false
	for range mostPages {
		t, err := desk.Timeline(ctx, v, q)
		if err != nil {
			return nil, err
		}
		if all = append(all, t.Events...); len(all) > lastEvents {
			all, cut = all[len(all)-lastEvents:], true
		}
		if q.After = t.Next; q.After == "" {
			t.Events = all
			if cut {
				t.Next = "more"
			}
			return t, nil
		}
	}
	return nil, fmt.Errorf("too much happened to %q for this command; see /looking-glass/people", printable(v.Asked))
}

// consult lets orders about people know what the recorder has; nil: there is
// none.
func (d *directory) consult(recorder *lookingglass.Recorder) { d.records.Store(recorder) }

// deskOf answers about the people of a tenant.
func (d *directory) deskOf(of household) *people.Desk {
	s := people.Sources{Engine: func() *engine.Engine { return of.plain }, Changes: of.store, Deleted: of.store, Logger: d.log}
	if r := d.records.Load(); r != nil {
		s.Log = r.Of(of.tenant.Name)
	}
	return people.NewDesk(s)
}

// openDesk lets orders about people know what the server of this folder recorded
// when it ran last, or what the instances of the database did.
func (d *directory) openDesk() (stop func(), err error) {
	if db, ok := d.db.(postgresDB); ok {
		exchanges, err := db.Exchanges(tenant.Default, "", "")
		if err != nil {
			return nil, err
		}
		r, err := lookingglass.New(lookingglass.Options{Tenant: tenant.Default, Shared: exchanges, ReadOnly: true, Logger: d.log})
		if err != nil {
			return nil, errors.Join(err, exchanges.Close())
		}
		d.consult(r)
		return func() { _ = r.Close() }, nil
	}
	journal := filepath.Join(d.s.DataDir, "looking-glass.db")
	if _, err := os.Stat(journal); err != nil {
		d.consult(nil)
		return func() {}, nil
	}
	r, err := lookingglass.New(lookingglass.Options{Tenant: tenant.Default, Types: d.typesServed,
		Journal: journal, Keep: d.s.GlassKeep, Days: d.s.GlassDays, Logger: d.log})
	if err != nil {
		return nil, err
	}
	d.consult(r)
	return func() { _ = r.Close() }, nil
}

// typesServed are those of the default tenant, or the core types before it is
// served.
func (d *directory) typesServed() []*scim.ResourceType {
	if e := d.current.Load(); e != nil {
		return e.Types()
	}
	return schema.Core()
}
