package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// The page of connections looks at so many of the newest exchanges, and no
// further back than that.
const (
	mostLooked  = 2000
	lookedAt    = 24 * time.Hour
	mostFailing = 20 // people of one client who are named
)

func (c *Console) connectionRoutes(mux *http.ServeMux) {
	if c.realm != nil {
		mux.HandleFunc("GET "+Path+"/connections", c.connections)
	}
}

// connectionsPage is what connections.html shows.
type connectionsPage struct {
	List      []*connection
	Reminders []reminder
	Refused   int       // credentials, in the last hour
	Since     time.Time // how far back it looked; zero: a day
	Now       time.Time
	Fault     string
}

// connection is a kind of client that calls.
type connection struct {
	Kind     string
	Last     time.Time
	Ago      string
	Trouble  string // of the last request; "": it went well
	Hour     int    // requests within the last hour
	Partly   bool   // there may have been more
	Errors   int    // of them, that were refused or failed
	Failing  []failing
	People   int // who are failing
	Tokens   []string
	Exchange int64 // the last one; 0: not recorded
}

// Mood is the class of its state.
func (n *connection) Mood() string {
	switch {
	case n.Trouble != "":
		return "bad"
	case n.People > 0:
		return "warn"
	}
	return "good"
}

// failing is a person whose last write was refused.
type failing struct {
	Name, URL, Why string
	Exchange       int64
	Time           time.Time
}

// reminder is a token that is about to expire.
type reminder struct {
	tenant.Token
	Left string
	Soon bool
}

// connections shows the health of each kind of client.
func (c *Console) connections(w http.ResponseWriter, r *http.Request) {
	now := c.o.Now()
	p := connectionsPage{Now: now}
	tokens, err := c.o.Tenants.Tokens.Tokens(r.Context(), c.tenant())
	if err != nil {
		c.o.Logger.Error("the console can't list tokens", "tenant", c.tenant(), "error", err)
		p.Fault = "The tokens can't be read; the log says why."
	}
	if err := p.look(r, c); err != nil {
		c.broken(w, r, err)
		return
	}
	p.unseen(tokens)
	for _, n := range p.List {
		n.Ago = ago(now.Sub(n.Last))
		slices.Sort(n.Tokens)
	}
	slices.SortFunc(p.List, func(a, b *connection) int { return cmp.Or(b.Last.Compare(a.Last), strings.Compare(a.Kind, b.Kind)) })
	for _, rem := range tenant.Reminders(tokens, now) {
		p.Reminders = append(p.Reminders, reminder{rem.Token, tenant.Age(rem.Left), rem.Stage <= 3})
	}
	c.render(w, r, http.StatusOK, "connections.html", p)
}

// look reads the newest exchanges.
func (p *connectionsPage) look(r *http.Request, c *Console) error {
	q := lookingglass.Query{Limit: 500}
	written := map[string]bool{} // people whose last write is known
	for looked := 0; looked < mostLooked; looked += q.Limit {
		list, err := c.records.Find(r.Context(), q)
		if err != nil {
			return err
		}
		for _, x := range list {
			if p.Now.Sub(x.Time) > lookedAt {
				return nil
			}
			if x.Client.Kind != "rollcall" {
				p.add(x, written)
			}
			p.Since = x.Time
		}
		if len(list) < q.Limit {
			p.Since = time.Time{}
			return nil
		}
		q.Before = list[len(list)-1].Seq
	}
	for _, n := range p.List {
		n.Partly = p.Now.Sub(p.Since) < time.Hour
	}
	return nil
}

// add counts an exchange. They come newest first.
func (p *connectionsPage) add(x *lookingglass.Exchange, written map[string]bool) {
	n := p.of(x.Client.Kind)
	if n.Last.IsZero() {
		n.Last, n.Exchange = x.Time, x.Seq
		switch {
		case x.Status == http.StatusUnauthorized:
			n.Trouble = "its token was not accepted"
		case x.Status >= 500:
			n.Trouble = "something failed behind its last request"
		}
	}
	if p.Now.Sub(x.Time) <= time.Hour {
		n.Hour++
		if x.Status >= 400 {
			n.Errors++
		}
		if x.Status == http.StatusUnauthorized {
			p.Refused++
		}
	}
	if x.Actor != "" && !slices.Contains(n.Tokens, x.Actor) && len(n.Tokens) < 10 {
		n.Tokens = append(n.Tokens, x.Actor)
	}
	if !writesPerson(x) {
		return
	}
	known := false
	for _, key := range []string{x.Target, strings.ToLower(x.Name)} {
		known = known || key != "" && written[key]
		written[key] = true
	}
	if known || x.Status < 400 {
		return
	}
	n.People++
	if len(n.Failing) < mostFailing {
		f := failing{Name: cmp.Or(x.Name, x.Target, "somebody without a name"), Exchange: x.Seq, Time: x.Time, Why: sentence(x)}
		if who := cmp.Or(x.Name, x.Target); who != "" {
			f.URL = Path + "/people?" + url.Values{"q": {who}}.Encode()
		}
		if x.Fault != nil && x.Fault.Detail != "" {
			f.Why = x.Fault.Detail
		}
		n.Failing = append(n.Failing, f)
	}
}

// writesPerson reports whether an exchange was meant to change a person. To delete
// one who is not there does no harm.
func writesPerson(x *lookingglass.Exchange) bool {
	if x.Type != "User" || x.Op == "delete" && x.Status == http.StatusNotFound {
		return false
	}
	return x.Op == "create" || x.Op == "replace" || x.Op == "patch" || x.Op == "delete"
}

// unseen adds what tokens know of clients that were not seen for long.
func (p *connectionsPage) unseen(tokens []tenant.Token) {
	for i := range tokens {
		t := &tokens[i]
		if t.LastClient == "" || t.LastClient == "rollcall" || t.LastUsed.IsZero() {
			continue
		}
		n := p.of(t.LastClient)
		if name := t.Name + " (" + t.ID + ")"; n.Exchange == 0 && !slices.Contains(n.Tokens, name) {
			n.Tokens = append(n.Tokens, name)
		}
		if t.LastUsed.After(n.Last) {
			n.Last = t.LastUsed
		}
	}
}

func (p *connectionsPage) of(kind string) *connection {
	i := slices.IndexFunc(p.List, func(n *connection) bool { return n.Kind == kind })
	if i < 0 {
		p.List = append(p.List, &connection{Kind: kind})
		i = len(p.List) - 1
	}
	return p.List[i]
}

// ago says how long something is past.
func ago(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return plural(int(d.Seconds()), "second") + " ago"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min ago"
	}
	return tenant.Age(d) + " ago"
}
