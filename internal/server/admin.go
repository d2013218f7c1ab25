package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
)

// adminTimeout bounds a subcommand that works on the directory: a restore waits
// for the writes before it, and touches each group of its user.
const adminTimeout = time.Minute

// startTimeout is how long a subcommand waits for a server that has the data
// folder but does not listen to orders yet.
const startTimeout = 5 * time.Second

// The bounds of an order and of its answer, in bytes. Settings of 512 KiB are more
// as text in an order; lists come in pages of about mostPage, which may be six times
// as much with what JSON escapes.
const (
	mostOrder  = 4 << 20
	mostAnswer = 16 << 20
	mostPage   = 2 << 20
)

// order is what a subcommand wants done with the directory, and report what
// came of it. They travel through the control socket as JSON.
type (
	order struct {
		Do     string   // "deleted", "restore", "why", "compare" or one of managing
		Tenant string   `json:",omitempty"` // "": the default one
		Name   string   // userName or id; "why": whatever is known of somebody; else of the tenant or token
		As     string   // "restore": the new userName, or ""
		People []string `json:",omitempty"` // "compare": the values of a list

		Settings []setting     `json:",omitempty"` // of a tenant
		Token    *tokenOrder   `json:",omitempty"`
		Breaker  *breakerOrder `json:",omitempty"`
		After    string        `json:",omitempty"` // lists: the tenants after that name alone
	}
	report struct {
		Deleted  []scim.Deleted `json:",omitempty"`
		ID, Name string         // of the user restored
		Groups   int
		Why      *people.Verdict  `json:",omitempty"`
		Timeline *people.Timeline `json:",omitempty"`
		Rows     []people.Row     `json:",omitempty"`
		Tenants  []tenantReport   `json:",omitempty"`
		Tokens   []tokenReport    `json:",omitempty"`
		Secret   string           `json:",omitempty"` // of the first of Tokens, which is new
		Next     string           `json:",omitempty"` // lists: After of the next page; "": this is the last
		Warnings []string         `json:",omitempty"` // for the operator, who has what was ordered all the same
		Breaker  *breakerReport   `json:",omitempty"`
		Error    string           // for the operator; "": all went well
	}
)

// administer carries out an order, and again as long as its answer is a page of
// several.
func administer(ctx context.Context, s Settings, o order) (report, error) {
	all, err := administerOnce(ctx, s, o)
	for next := all.Next; err == nil && next != ""; {
		o.After = next
		var page report
		page, err = administerOnce(ctx, s, o)
		all.Tenants, all.Tokens = append(all.Tenants, page.Tenants...), append(all.Tokens, page.Tokens...)
		next = page.Next
	}
	return all, err
}

// administerOnce carries out an order, by the server of the data folder if there is
// one, else by opening the folder itself.
func administerOnce(ctx context.Context, s Settings, o order) (report, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	s.unserved = managing[o.Do] != nil
	body, err := json.Marshal(o)
	if err == nil && len(body) > mostOrder {
		err = fmt.Errorf("that is too long: an order has %d MiB at most", mostOrder>>20)
	}
	if err != nil {
		return report{}, err
	}
	var r report
	if s.Database != nil {
		d, err := openDirect(ctx, s)
		if err != nil {
			return r, err
		}
		defer d.close()
		if r = d.carryOut(ctx, o); r.Error != "" {
			err = errors.New(r.Error)
		} else if managing[o.Do] != nil && !strings.HasSuffix(o.Do, " list") {
			d.spread(ctx)
		}
		return r, err
	}
	for end := time.Now().Add(startTimeout); ; {
		if err = askControl(ctx, s.DataDir, "/order", body, &r); !errors.Is(err, errNoServer) {
			break
		}
		var d *directory
		if d, err = openFolder(ctx, s); err == nil {
			r = d.carryOut(ctx, o)
			d.close()
		}
		// A server that is just starting has the folder, but no socket yet.
		if !errors.Is(err, errServed) || time.Now().After(end) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	return r, err
}

// openFolder opens the directory in a data folder that nothing serves.
func openFolder(ctx context.Context, s Settings) (d *directory, err error) {
	if _, err := os.Stat(sqlitePath(s.DataDir)); err != nil {
		return nil, fmt.Errorf("there is no directory in the data folder %s: %w", printable(s.DataDir), bare(err))
	}
	d = newDirectory(s)
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.lock, err = lockFolder(s.DataDir); err != nil {
		return d, err
	}
	if err := dropPrivileges(s.DataDir, s.RunAs, d.log); err != nil {
		return d, err
	}
	if err := d.openStore(ctx); err != nil {
		return d, err
	}
	if !s.unserved {
		err = d.reload()
	}
	return d, err
}

// openDirect opens the directory in PostgreSQL, beside whatever serves it. It
// never migrates: that is for who serves, or asks for it.
func openDirect(ctx context.Context, s Settings) (*directory, error) {
	s.NoMigrate = true
	d := newDirectory(s)
	err := d.openStore(ctx)
	if err == nil && !s.unserved {
		err = d.reload()
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// newDirectory returns the directory of a subcommand, whose answer is what it
// prints: only what is wrong is logged.
func newDirectory(s Settings) *directory {
	s.LogLevel = max(s.LogLevel, slog.LevelWarn)
	return &directory{s: s, log: newLogger(os.Stderr, s)}
}

// carryOut does what an order says.
func (d *directory) carryOut(ctx context.Context, o order) (r report) {
	var err error
	if manage := managing[o.Do]; manage != nil {
		if o.Token == nil {
			o.Token = new(tokenOrder)
		}
		if o.Breaker == nil {
			o.Breaker = new(breakerOrder)
		}
		r, err = manage(ctx, d, o)
	} else {
		r, err = d.lookAfter(ctx, o)
	}
	var refused *scim.Error
	switch {
	case err == nil:
		return r
	case errors.As(err, &refused) && refused.Detail != "":
		return report{Error: refused.Detail}
	}
	return report{Error: err.Error()}
}

// lookAfter does what an order about the people of a tenant says.
func (d *directory) lookAfter(ctx context.Context, o order) (r report, err error) {
	t, err := d.registry.Tenant(ctx, askedTenant(o.Tenant))
	if err != nil {
		return r, err
	}
	h, err := d.houses.Load().of(t)
	if err != nil {
		return r, err
	}
	of := household{h, d.db.bound(*t), typeOf(h, "User")}
	switch o.Do {
	case "deleted":
		r.Deleted, err = of.store.Deleted(ctx, scim.DeletedQuery{Type: of.user, Name: o.Name})
	case "restore":
		r, err = d.restore(ctx, of, o)
	case "why", "compare":
		r, err = askDesk(ctx, d.deskOf(of), o)
	default:
		err = fmt.Errorf("this server knows no order %q", printable(o.Do))
	}
	return r, err
}

// household is a tenant for an order about its people.
type household struct {
	*house
	store store
	user  *scim.ResourceType
}

func (d *directory) restore(ctx context.Context, of household, o order) (report, error) {
	user := of.user
	found, err := of.store.Deleted(ctx, scim.DeletedQuery{Type: user, Name: o.Name, Limit: 10})
	switch {
	case err != nil:
		return report{}, err
	case len(found) == 0:
		return report{}, fmt.Errorf("no deleted user that can be restored is called %q or has that id; \"rollcall users deleted\" lists them", printable(o.Name))
	case len(found) > 1:
		var b bytes.Buffer
		fmt.Fprintf(&b, "several deleted users were called %q; give the id of one:", printable(o.Name))
		for _, d := range found {
			fmt.Fprintf(&b, "\n  %s  deleted %s", d.ID, d.Time.Format(time.RFC3339))
		}
		return report{}, errors.New(b.String())
	}
	ctx = scim.WithOrigin(ctx, scim.Origin{Actor: "rollcall users restore"})
	u, err := of.plain.Restore(ctx, scim.Ref{Type: user, ID: found[0].ID}, o.As)
	var refused *scim.Error
	if errors.Is(err, scim.ErrUniqueness) && errors.As(err, &refused) {
		return report{}, fmt.Errorf("another user took a unique value of %q meanwhile: %s; rename or delete that one, or restore with --as NEWNAME",
			printable(found[0].Name), refused.Detail)
	}
	if err != nil {
		return report{}, err
	}
	name := found[0].Name
	if o.As != "" {
		name = o.As
	}
	d.log.Info("a deleted user was restored", "id", u.ID, "userName", name, "groups", len(u.Groups))
	return report{ID: u.ID, Name: name, Groups: len(u.Groups)}, nil
}

// errNoServer says that nothing serves a data folder.
var errNoServer = errors.New("no rollcall serves the data folder")

// askControl sends a request to the server of a data folder and decodes its
// answer. A nil body makes it a GET.
func askControl(ctx context.Context, dir, path string, body []byte, answer any) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", controlPath(dir))
		}}}
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://control"+path, bytes.NewReader(body))
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
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostAnswer)).Decode(answer); err != nil {
		return fmt.Errorf("the server of %s gave no answer: %w", printable(dir), err)
	}
	return nil
}
