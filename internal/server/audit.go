package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// auditOrder is what a subcommand wants of the audit log, and auditLine one line
// of what came of it. They travel through the control socket as JSON.
type (
	auditOrder struct {
		Do           string // "verify", "show", "export" or "erase"
		Tenant       string // "": the default one
		Person       string
		Actor, Op    string
		Since, Until time.Time
		Limit        int
		After        int64  // "export": the number of the last entry that is known
		Head         string // "verify": noted earlier
		Delete       bool   // "erase": somebody who exists
		By           string // who ordered it
	}
	auditLine struct {
		Verdict *audit.Verdict `json:",omitempty"`
		Event   *audit.Event   `json:",omitempty"`
		Entry   jsontext.Value `json:",omitempty"` // a line of an export
		Erased  *erasedReport  `json:",omitempty"`
		More    bool           `json:",omitempty"` // there are more events than were asked for
		Error   string         `json:",omitempty"`
	}
	// erasedReport is what came of an erasure.
	erasedReport struct {
		ID      string
		Outcome audit.Outcome
		Deleted bool // it was deleted first
		Again   bool // there was nothing left to erase
	}
)

// addressOf is the address that a request came from, as the change log keeps it.
func addressOf(proxies []netip.Prefix, r *http.Request) string {
	if a := clientAddress(proxies, r); a.IsValid() {
		return a.Unmap().String()
	}
	return ""
}

// audited is a tenant that has an audit log.
func audited(s store) (audit.Log, error) {
	switch s := s.(type) {
	case *sqlite.Store:
		return s.Audit(), nil
	case *postgres.Store:
		return s.Audit(), nil
	}
	return nil, errors.New("this directory has no audit log")
}

// audit carries out an order about the audit log and hands over line by line what
// comes of it.
func (d *directory) audit(ctx context.Context, o auditOrder, out func(auditLine) error) error {
	t, err := d.registry.Tenant(ctx, askedTenant(o.Tenant))
	if err != nil {
		return err
	}
	s := d.db.bound(*t)
	log, err := audited(s)
	if err != nil {
		return err
	}
	switch o.Do {
	case "verify":
		var noted *audit.Head
		if o.Head != "" {
			h, err := audit.ParseHead(o.Head)
			if err != nil {
				return err
			}
			noted = &h
		}
		if _, err := log.Seal(ctx); err != nil {
			return err
		}
		v, err := audit.Verify(ctx, t.Name, log, noted)
		if err != nil {
			return err
		}
		return out(auditLine{Verdict: &v})
	case "show":
		return d.showAudit(ctx, t, s, log, o, out)
	case "export":
		return exportAudit(ctx, log, o.After, out)
	case "erase":
		r, err := d.erase(ctx, t, s, log, o)
		if err != nil {
			return err
		}
		return out(auditLine{Erased: &r})
	}
	return fmt.Errorf("this server knows no order %q about the audit log", printable(o.Do))
}

func (d *directory) showAudit(ctx context.Context, t *tenant.Tenant, s store, log audit.Log, o auditOrder, out func(auditLine) error) error {
	if _, err := log.Seal(ctx); err != nil {
		return err
	}
	q := audit.Query{Actor: o.Actor, Op: o.Op, Since: o.Since, Until: o.Until, Limit: 500}
	if o.Person != "" {
		var err error
		if q.Person, _, err = d.whoIs(ctx, t, s, log, o.Person); err != nil {
			return err
		}
	}
	for n := 0; ; {
		page, err := log.Query(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Events {
			if n++; o.Limit > 0 && n > o.Limit {
				return out(auditLine{More: true})
			}
			if err := out(auditLine{Event: &page.Events[i]}); err != nil {
				return err
			}
		}
		if q.Before = page.Next; q.Before == 0 {
			return nil
		}
	}
}

// whoIs finds out whose id is meant by what people know somebody by, and
// whether they exist.
func (d *directory) whoIs(ctx context.Context, t *tenant.Tenant, s store, log audit.Log, person string) (id string, there bool, err error) {
	h, err := d.houses.Load().of(t)
	if err != nil {
		return "", false, err
	}
	of := household{h, s, typeOf(h, "User")}
	v, err := d.deskOf(of).Find(ctx, person)
	switch {
	case err != nil:
		return "", false, err
	case v.Person != nil && v.Person.ID != "" && v.Cause != people.Deleted:
		// An id is what it is, though somebody else may be called so.
		if _, err := s.Get(ctx, scim.Ref{Type: of.user, ID: v.Person.ID}, scim.Selection{}); err == nil {
			return v.Person.ID, true, nil
		}
	}
	gone, err := s.Deleted(ctx, scim.DeletedQuery{Type: of.user, Name: person, Limit: 10})
	if err != nil {
		return "", false, err
	}
	if len(gone) > 1 && !slices.ContainsFunc(gone, func(g scim.Deleted) bool { return g.ID == person }) {
		var b strings.Builder
		fmt.Fprintf(&b, "several deleted users were called %q; give the id of one:", printable(person))
		for _, g := range gone {
			fmt.Fprintf(&b, "\n  %s  deleted %s", g.ID, g.Time.Format(time.RFC3339))
		}
		return "", false, errors.New(b.String())
	}
	if len(gone) == 1 {
		return gone[0].ID, false, nil
	}
	// Of somebody who can't be restored any more the log knows the id.
	page, err := log.Query(ctx, audit.Query{Person: person, Limit: 1})
	if err != nil {
		return "", false, err
	}
	if len(page.Events) > 0 {
		return person, false, nil
	}
	return "", false, fmt.Errorf("nobody is or was known as %q here; of somebody who can't be restored any more only the id is known", printable(person))
}

// entryLine is an entry of an export.
type entryLine struct {
	N       int64          `json:"n"`
	Kind    string         `json:"kind"`
	Time    time.Time      `json:"time"`
	Type    string         `json:"type,omitempty"`
	ID      string         `json:"id,omitempty"`
	Op      string         `json:"op,omitempty"`
	Version string         `json:"version,omitempty"`
	Actor   string         `json:"actor,omitempty"`
	Request string         `json:"request,omitempty"`
	Address string         `json:"address,omitempty"`
	Values  jsontext.Value `json:"values,omitempty"`
	Erased  bool           `json:"erased,omitempty"`
	Note    jsontext.Value `json:"note,omitempty"`
	Salt    []byte         `json:"salt,omitempty"`
	Sum     []byte         `json:"sum,omitempty"`
	Link    string         `json:"link"`
}

var kindNames = map[audit.Kind]string{audit.Changed: "change", audit.Erased: "erased", audit.Expired: "expired"}

// exportAudit hands over the entries behind a number.
func exportAudit(ctx context.Context, log audit.Log, after int64, out func(auditLine) error) error {
	if _, err := log.Seal(ctx); err != nil {
		return err
	}
	for {
		list, err := log.Entries(ctx, after, 500)
		if err != nil || len(list) == 0 {
			return err
		}
		for i := range list {
			e := &list[i]
			l := entryLine{N: e.N, Kind: kindNames[e.Kind], Time: e.Time, Note: e.Note, Salt: e.Salt, Sum: e.Sum, Link: e.Link.String()}
			if c := e.Change; c != nil {
				l.Type, l.ID, l.Op, l.Version, l.Actor, l.Request, l.Address = c.Type, c.ID, c.Op, c.Version, c.Actor, c.Request, c.Address
				l.Values, l.Erased = c.Deltas, e.Salt == nil
			}
			text, err := json.Marshal(l)
			if err != nil {
				return err
			}
			if err := out(auditLine{Entry: text}); err != nil {
				return err
			}
			after = e.N
		}
	}
}

// erase forgets somebody: in the change log, among those who can be restored, and
// in the Looking Glass.
func (d *directory) erase(ctx context.Context, t *tenant.Tenant, s store, log audit.Log, o auditOrder) (r erasedReport, err error) {
	id, there, err := d.whoIs(ctx, t, s, log, o.Person)
	if err != nil {
		return r, err
	}
	r.ID = id
	if there && !o.Delete {
		return r, fmt.Errorf("%q exists; delete them first, or add --delete", printable(o.Person))
	}
	if there {
		h, err := d.houses.Load().of(t)
		if err != nil {
			return r, err
		}
		by := scim.WithOrigin(ctx, scim.Origin{Actor: o.By})
		if err := s.Delete(by, scim.Ref{Type: typeOf(h, "User"), ID: id}, ""); err != nil {
			return r, err
		}
		r.Deleted = true
	}
	d.spread(ctx) // instances write what they recorded some time after it happened
	values, err := valuesOf(ctx, log, id)
	if err != nil {
		return r, err
	}
	// The recorder is first: its values are known as long as the log has them.
	if records := d.records.Load(); records != nil {
		if err := records.Erase(ctx, t.Name, id, values); err != nil {
			return r, fmt.Errorf("the Looking Glass: %w", err)
		}
	}
	if r.Outcome, err = log.Erase(ctx, audit.Erasure{ID: id, Actor: o.By}); err != nil {
		return r, err
	}
	if r.Again = r.Outcome.Rows == 0 && !r.Outcome.Stored; r.Again && r.Outcome.N == 0 {
		return r, fmt.Errorf("nothing is kept of %q", printable(o.Person))
	}
	if db, ok := d.db.(sqliteDB); ok {
		if err := db.Scrub(ctx); err != nil {
			return r, fmt.Errorf("the values are erased, but copies may be left in parts of the file that nothing uses; do it again: %w", err)
		}
	}
	d.log.Info("somebody was erased", "tenant", t.Name, "id", id, "rows", r.Outcome.Rows, "entry", r.Outcome.N, "by", o.By)
	return r, nil
}

// identifying are attributes, and within them sub-attributes, whose values say who
// somebody is: what has one of them in the Looking Glass goes.
var identifying = map[string][]string{
	"userName": {""}, "externalId": {""}, "displayName": {""}, "nickName": {""}, "profileUrl": {""}, "employeeNumber": {""},
	"name": {"formatted", "familyName"}, "emails": {"value", "display"}, "phoneNumbers": {"value", "display"}, "ims": {"value", "display"},
	"photos": {"value"}, "addresses": {"formatted", "streetAddress"}, "x509Certificates": {"value"},
}

// valuesOf returns what somebody was known by, as far as the change log knows.
func valuesOf(ctx context.Context, log audit.Log, id string) (values []string, err error) {
	if _, err := log.Seal(ctx); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	note := func(v any) {
		if s, ok := v.(string); ok && s != "" && !seen[s] {
			seen[s] = true
			values = append(values, s)
		}
	}
	for q := (audit.Query{Person: id, Limit: audit.MostEvents}); ; {
		page, err := log.Query(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			if e.Change.ID != id || e.Change.Op == audit.OpErase {
				continue
			}
			deltas, err := changelog.Decode(e.Change.Deltas)
			if err != nil {
				continue // then nobody can read them
			}
			for _, delta := range deltas {
				name, sub, _ := strings.Cut(delta.Path[strings.LastIndexByte(delta.Path, ':')+1:], ".")
				for _, v := range slices.Concat(delta.Added, delta.Removed) {
					o, complex := v.(scim.Object)
					if !complex && slices.Contains(identifying[name], sub) {
						note(v)
					}
					for _, m := range o {
						if slices.Contains(identifying[name], m.Name) {
							note(m.Value)
						}
					}
				}
			}
		}
		if q.Before = page.Next; q.Before == 0 {
			return values, nil
		}
	}
}
