package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/scim"
)

// auditFlags are the arguments of "rollcall audit …".
type auditFlags struct {
	Config
	Tenant string `name:"tenant" placeholder:"NAME" help:"whose log (default: the tenant \"default\")"`

	Verify struct {
		Head string `name:"head" placeholder:"HEAD" help:"the head of the chain as it was printed and noted elsewhere earlier"`
		JSON bool   `name:"json" help:"print JSON"`
	} `cmd:"" help:"Read the whole log and say whether anything in it was changed or is missing; exit 1 if so, 3 if it can't be found out."`
	Show struct {
		Person string `arg:"" optional:"" help:"userName, externalId, e-mail address or id; somebody who can't be restored any more: the id"`
		Since  string `name:"since" placeholder:"TIME" help:"from then on: 2026-01-31, 2026-01-31T12:00:00Z, or 24h for the last day"`
		Until  string `name:"until" placeholder:"TIME" help:"before then"`
		Actor  string `name:"actor" placeholder:"NAME" help:"what this one did"`
		Op     string `name:"op" placeholder:"OP" help:"create, update, delete or erase"`
		Limit  int    `name:"limit" default:"100" help:"at most so many, 0: all"`
		JSON   bool   `name:"json" help:"print JSON, an object a line"`
	} `cmd:"" help:"Say who changed what, when and from where, the newest first."`
	Export struct {
		After int64 `name:"after" placeholder:"N" help:"only entries with a greater number: those that an earlier export lacks"`
	} `cmd:"" help:"Write the log to standard output, a JSON object a line."`
}

// eraseFlags are the arguments of "rollcall erase".
type eraseFlags struct {
	Config
	Tenant string `name:"tenant" placeholder:"NAME" help:"whose (default: the tenant \"default\")"`
	Person string `arg:"" help:"id or userName of a deleted user"`
	Delete bool   `name:"delete" help:"delete the user first, if it exists"`
	Yes    bool   `name:"yes" help:"yes, erase all that is kept of this person"`
}

// eraseTimeout bounds an order about the audit log: to erase is to write the file
// of SQLite anew.
const eraseTimeout = time.Hour

// auditOps are what an entry can say that was done.
var auditOps = []string{"create", "update", "delete", audit.OpErase}

// run carries out "rollcall audit verb" and returns the exit code.
func (f *auditFlags) run(ctx context.Context, verb string, s Settings, stdout, stderr io.Writer) int {
	o := auditOrder{Do: verb, Tenant: f.Tenant}
	asJSON := false
	switch verb {
	case "verify":
		o.Head, asJSON = f.Verify.Head, f.Verify.JSON
		if o.Head != "" {
			if _, err := audit.ParseHead(o.Head); err != nil {
				return noAnswer(stderr, &usageError{err})
			}
		}
	case "show":
		o.Person, o.Actor, o.Op, o.Limit, asJSON = f.Show.Person, f.Show.Actor, f.Show.Op, f.Show.Limit, f.Show.JSON
		var err error
		if o.Since, err = moment(f.Show.Since); err == nil {
			o.Until, err = moment(f.Show.Until)
		}
		if err == nil && o.Op != "" && !slices.Contains(auditOps, o.Op) {
			err = fmt.Errorf("%q is not what a change does: it must be create, update, delete or erase", printable(o.Op))
		}
		if err != nil {
			return noAnswer(stderr, &usageError{err})
		}
	case "export":
		o.After = f.Export.After
	}
	code := exitStopped
	err := askAudit(ctx, s, o, func(l auditLine) error {
		switch {
		case l.Verdict != nil && !l.Verdict.Good:
			code = exitFailed
			fallthrough
		case l.Verdict != nil:
			return writeVerdict(stdout, l.Verdict, asJSON)
		case l.Event != nil:
			return writeEvent(stdout, l.Event, asJSON)
		case l.More:
			_, err := fmt.Fprintln(stderr, "There is more; --limit 0 shows all.")
			return err
		case l.Entry != nil:
			_, err := stdout.Write(append(l.Entry, '\n'))
			return err
		}
		return nil
	})
	if err != nil {
		return noAnswer(stderr, err)
	}
	return code
}

// run carries out "rollcall erase".
func (f *eraseFlags) run(ctx context.Context, s Settings, stdout io.Writer) error {
	if !f.Yes {
		return &usageError{fmt.Errorf("all that is kept of %q would be erased, and nothing brings it back; to do so add --yes", printable(f.Person))}
	}
	by := "rollcall erase"
	if u, err := user.Current(); err == nil {
		by += " (" + u.Username + ")"
	}
	return askAudit(ctx, s, auditOrder{Do: "erase", Tenant: f.Tenant, Person: f.Person, Delete: f.Delete, By: by}, func(l auditLine) error {
		if l.Erased == nil {
			return nil
		}
		at := l.Erased.Outcome.Time.Format(time.RFC3339)
		if l.Erased.Again {
			_, err := fmt.Fprintf(stdout, "%s was erased %s already (entry %d); nothing was left\n", l.Erased.ID, at, l.Erased.Outcome.N)
			return err
		}
		_, err := fmt.Fprintf(stdout, "erased %s: the values of %d changes; entry %d of the audit log says so\n", l.Erased.ID, l.Erased.Outcome.Rows, l.Erased.Outcome.N)
		return err
	})
}

// moment reads a time as people write it: a day, an instant, or how long ago.
func moment(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago > 0 {
		return time.Now().Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: give a day such as 2026-01-31, an instant such as 2026-01-31T12:00:00Z, or 24h for a day ago", printable(s))
}

func writeVerdict(out io.Writer, v *audit.Verdict, asJSON bool) error {
	if asJSON {
		return printJSON(out, v)
	}
	var b strings.Builder
	if v.Good {
		fmt.Fprintf(&b, "The audit log of %s holds: %d entries", v.Tenant, v.Entries)
		if v.Entries > 0 {
			fmt.Fprintf(&b, ", from %d on", v.First)
		}
		if v.Erased > 0 {
			fmt.Fprintf(&b, "; the values of %d were erased", v.Erased)
		}
		if v.Expired > 0 {
			fmt.Fprintf(&b, "; those up to %d have expired", v.Expired)
		}
		fmt.Fprintf(&b, ".\nhead %s\n", v.Head)
	} else {
		fmt.Fprintf(&b, "THE AUDIT LOG OF %s DOES NOT HOLD. The first entry that is wrong is %d: %s\n", v.Tenant, v.Bad, v.Why)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writeEvent(out io.Writer, e *audit.Event, asJSON bool) error {
	c := &e.Change
	if asJSON {
		l := entryLine{N: e.N, Kind: "change", Time: c.Time, Type: c.Type, ID: c.ID, Op: c.Op, Version: c.Version, Actor: c.Actor, Request: c.Request, Address: c.Address, Values: c.Deltas}
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		_, err = out.Write(append(text, '\n'))
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %d  ", c.Time.UTC().Format("2006-01-02 15:04:05"), e.N)
	who := c.Actor
	if who == "" {
		who = "somebody"
	}
	b.WriteString(visible(who))
	if c.Address != "" {
		b.WriteString(" from " + visible(c.Address))
	}
	if c.Op == audit.OpErase {
		fmt.Fprintf(&b, " erased %s: the values of %d changes\n", visible(c.ID), e.Rows)
	} else {
		fmt.Fprintf(&b, " %s %s %s\n", past(c.Op), c.Type, visible(c.ID))
		deltas, err := changelog.Decode(c.Deltas)
		if err != nil {
			return err
		}
		if len(deltas) == 0 && c.Op != "delete" {
			b.WriteString("    its values were erased, or there were none\n")
		}
		for _, d := range deltas {
			fmt.Fprintf(&b, "    %s: %s\n", visible(d.Path), visible(fromTo(d)))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func past(op string) string {
	if strings.HasSuffix(op, "e") {
		return op + "d"
	}
	return op
}

// mostShown bounds the values of one attribute that are shown.
const mostShown = 20

// fromTo is a difference in words.
func fromTo(d scim.RecordDelta) string {
	list := func(values []any) string {
		var parts []string
		for i, v := range values {
			if i == mostShown {
				parts = append(parts, fmt.Sprintf("and %d more", len(values)-mostShown))
				break
			}
			parts = append(parts, string(scim.AppendValue(nil, v)))
		}
		return strings.Join(parts, ", ")
	}
	switch {
	case len(d.Added) == 0 && len(d.Removed) == 0:
		return "changed (its value is not kept)"
	case len(d.Removed) == 0:
		return "added " + list(d.Added)
	case len(d.Added) == 0:
		return "removed " + list(d.Removed)
	}
	return list(d.Removed) + " → " + list(d.Added)
}

// askAudit carries out an order about the audit log: by the server of the data
// folder if there is one, else by opening the folder itself, or PostgreSQL.
func askAudit(ctx context.Context, s Settings, o auditOrder, take func(auditLine) error) error {
	ctx, cancel := context.WithTimeout(ctx, eraseTimeout)
	defer cancel()
	direct := func(d *directory, err error) error {
		if err != nil {
			return err
		}
		defer d.close()
		stop, err := d.openDesk()
		if err != nil {
			return err
		}
		defer stop()
		return refusal(d.audit(ctx, o, take))
	}
	if s.Database != nil {
		return direct(openDirect(ctx, s))
	}
	for end := time.Now().Add(startTimeout); ; {
		err := streamControl(ctx, s.DataDir, o, take)
		if errors.Is(err, errNoServer) {
			err = direct(openFolder(ctx, s))
		}
		// A server that is just starting has the folder, but no socket yet.
		if !errors.Is(err, errServed) || time.Now().After(end) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// refusal is an error as the operator is told it.
func refusal(err error) error {
	var refused *scim.Error
	if errors.As(err, &refused) && refused.Detail != "" {
		return errors.New(refused.Detail)
	}
	return err
}

// streamControl sends an order to the server of a data folder, and hands over the
// lines of its answer as they come.
func streamControl(ctx context.Context, dir string, o auditOrder, take func(auditLine) error) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", controlPath(dir))
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control/audit", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" && !errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("%w %s", errNoServer, printable(dir))
		}
		return fmt.Errorf("the server of %s can't be asked: %w", printable(dir), bare(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server of %s is another version and does not know this command: %s", printable(dir), resp.Status)
	}
	for dec := json.NewDecoder(resp.Body); ; {
		var l auditLine
		switch err := dec.Decode(&l); {
		case errors.Is(err, io.EOF):
			return errors.New("the server ended its answer too early; do it again")
		case err != nil:
			return fmt.Errorf("the server of %s gave no answer: %w", printable(dir), err)
		case l.Error != "":
			return errors.New(l.Error)
		case l.Verdict == nil && l.Event == nil && l.Entry == nil && l.Erased == nil && !l.More:
			return nil
		}
		if err := take(l); err != nil {
			return err
		}
	}
}

// serveAudit answers an order about the audit log, a JSON object a line. An empty
// one is the last.
func (d *directory) serveAudit(w http.ResponseWriter, r *http.Request) {
	var o auditOrder
	enc := json.NewEncoder(w)
	err := json.NewDecoder(io.LimitReader(r.Body, mostOrder)).Decode(&o)
	if err == nil {
		err = refusal(d.audit(r.Context(), o, func(l auditLine) error { return enc.Encode(l) }))
	}
	last := auditLine{}
	if err != nil {
		last.Error = err.Error()
	}
	_ = enc.Encode(last) // whoever asked may be gone
}
