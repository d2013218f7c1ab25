package console

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// pageSize is how many exchanges the live page shows.
const pageSize = 200

func (c *Console) liveRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path, c.live)
	mux.HandleFunc("GET "+Path+"/exchanges/{seq}", c.exchange)
	mux.HandleFunc("GET "+Path+"/events", c.events)
	mux.HandleFunc("GET "+Path+"/exchanges.har", c.download("application/json", ".har", lookingglass.HAR))
	mux.HandleFunc("GET "+Path+"/exchanges.json", c.download("application/json", ".json", lookingglass.TraceFile))
}

// sieve is what the live page's form chooses. Its fields are GET parameters,
// which the event stream and the downloads understand too.
type sieve struct {
	Client, Op, Type, Status, Text string
	Before                         int64 // a page of older ones; 0: the newest
}

func sieveOf(q url.Values) sieve {
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64) // 0 if it is none
	return sieve{q.Get("client"), q.Get("op"), q.Get("type"), q.Get("status"), q.Get("q"), max(before, 0)}
}

func (s sieve) query(limit int) lookingglass.Query {
	return lookingglass.Query{Client: s.Client, Op: s.Op, Type: s.Type, Status: s.Status, Text: s.Text, Before: s.Before, Limit: limit}
}

// Encode returns the parameters, with "?" before them, or "".
func (s sieve) Encode() string {
	q := url.Values{}
	for name, value := range map[string]string{"client": s.Client, "op": s.Op, "type": s.Type, "status": s.Status, "q": s.Text} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if s.Before > 0 {
		q.Set("before", strconv.FormatInt(s.Before, 10))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Any reports whether the form chooses something.
func (s sieve) Any() bool { s.Before = 0; return s != sieve{} }

// row is an exchange in the list.
type row struct {
	*lookingglass.Exchange
	Params  string // of the sieve, so that its page shows the same list
	Current bool
}

// option is one of a form's choices.
type option struct {
	Value, Label string
	Chosen       bool
}

func options(chosen string, pairs ...string) []option {
	list := []option{{"", pairs[0], chosen == ""}}
	known := chosen == ""
	for i := 1; i+1 < len(pairs); i += 2 {
		list = append(list, option{pairs[i], pairs[i+1], pairs[i] == chosen})
		known = known || pairs[i] == chosen
	}
	if !known {
		list = append(list, option{chosen, chosen, true})
	}
	return list
}

// livePage is what live.html shows.
type livePage struct {
	Sieve                           sieve
	Clients, Ops, Types, Statuses   []option
	Rows                            []row
	Older, Latest, Stream, Download string // addresses; "" if there is none
	Figures                         figures
	Detail                          *detail
}

// figures are what the recorder has.
type figures struct {
	lookingglass.Stats
	LeftOut int64 // of this browser's stream, since more came than anybody can read
	Guest   bool  // sees one tenant, and not how much is recorded of all
}

// figures are those that who asks may see: what is recorded of other tenants is
// in them.
func (c *Console) figures(r *http.Request, leftOut int64) figures {
	f := figures{Stats: c.records.Stats(), LeftOut: leftOut}
	if who := c.who(r); who != nil && who.Tenant != "" && !who.Admin {
		f.Stats, f.Guest = lookingglass.Stats{Oldest: f.Oldest, Alone: f.Alone}, true
	}
	return f
}

// live shows the newest exchanges.
func (c *Console) live(w http.ResponseWriter, r *http.Request) { c.list(w, r, nil) }

// list answers with the live page, and beside its list one exchange.
func (c *Console) list(w http.ResponseWriter, r *http.Request, open *detail) {
	s := sieveOf(r.URL.Query())
	found, err := c.records.Find(r.Context(), s.query(pageSize))
	if err != nil {
		c.broken(w, r, err)
		return
	}
	p := livePage{
		Sieve:    s,
		Clients:  options(s.Client, append([]string{"All clients"}, clientPairs()...)...),
		Ops:      options(s.Op, append([]string{"All operations"}, operations...)...),
		Types:    options(s.Type, append([]string{"All resources"}, c.typePairs()...)...),
		Statuses: options(s.Status, "Any status", "2xx", "Succeeded", "error", "Failed", "4xx", "4xx: refused", "5xx", "5xx: our fault"),
		Figures:  c.figures(r, 0),
		Detail:   open,
		Download: s.Encode(),
	}
	for _, x := range found {
		p.Rows = append(p.Rows, row{x, s.Encode(), open != nil && open.Seq == x.Seq})
	}
	if len(found) == pageSize {
		older := s
		older.Before = found[len(found)-1].Seq
		p.Older = Path + older.Encode()
	}
	if s.Before > 0 {
		s.Before = 0
		p.Latest = Path + s.Encode()
	} else {
		p.Stream = streamAddress(s, found)
	}
	c.render(w, r, http.StatusOK, "live.html", p)
}

// streamAddress is that of the events which follow what a list shows.
func streamAddress(s sieve, shown []*lookingglass.Exchange) string {
	after := "after=0"
	if len(shown) > 0 {
		after = "after=" + strconv.FormatInt(shown[0].Seq, 10)
	}
	if s.Any() {
		return Path + "/events" + s.Encode() + "&" + after
	}
	return Path + "/events?" + after
}

// broken answers when the recorder can't be read.
func (c *Console) broken(w http.ResponseWriter, r *http.Request, err error) {
	c.o.Logger.Error("the recorder can't be read", "error", err)
	c.fail(w, r, http.StatusInternalServerError, "The records can't be read", "The log says why. What is recorded from now on may still arrive.")
}

// operations are the engine's, with the words for them.
var operations = []string{"create", "Create", "get", "Read", "list", "List", "search", "Search", "replace", "Replace",
	"patch", "Change", "delete", "Delete", "bulk", "Bulk", "discovery", "Discovery", "preview", "Preview"}

// clientKinds are the kinds of clients that the form offers.
var clientKinds = []string{"okta", "entra", "authentik", "google", "jumpcloud", "keycloak", "midpoint", "onelogin", "oracle", "ping",
	"rippling", "sailpoint", "rollcall", "curl", "postman", "browser", "go", "java", "python", "unknown"}

func clientPairs() []string {
	var pairs []string
	for _, kind := range clientKinds {
		pairs = append(pairs, kind, clientName(kind))
	}
	return pairs
}

func (c *Console) typePairs() []string {
	var pairs []string
	for _, t := range c.o.Engine().Types() {
		pairs = append(pairs, t.Name, t.Name)
	}
	return pairs
}

// exchange shows one exchange: htmx gets it alone, to put beside the list.
func (c *Console) exchange(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	if err != nil || seq <= 0 {
		c.fail(w, r, http.StatusNotFound, "There is no such exchange", "Its number is not one.")
		return
	}
	x, err := c.records.Get(r.Context(), seq)
	switch {
	case err != nil:
		c.broken(w, r, err)
		return
	case x == nil:
		c.fail(w, r, http.StatusNotFound, "This exchange is not kept any more", "Exchanges are kept up to a number and an age: ROLLCALL_LOOKING_GLASS_KEEP raises both.")
		return
	}
	d := c.detailOf(r, x)
	if wantsFragment(r) {
		c.fragment(w, r, http.StatusOK, "live.html", "detail", d)
		return
	}
	c.list(w, r, d)
}
