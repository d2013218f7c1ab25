package server

import (
	"net/http"
	"time"

	"github.com/rollcall-scim/rollcall/scim/compat"
)

// gate is what holds requests up beside credentials and scopes. Each of its
// functions may be nil. An error of them is sent as it is if it is a
// *scim.Error, with the header as they leave it.
type gate struct {
	// knock is asked before the credentials of a request are looked at.
	knock func(h http.Header, r *http.Request) error

	// failed is told of a request whose credentials were refused, and why. What
	// it returns, unless nil, is sent in place of that: 429 to an address from
	// which too many have come. A good credential from there is never asked about.
	failed func(h http.Header, r *http.Request, why error) error

	// refused notes a refused credential beside those of failed, and returns how
	// long its address has to wait; 0: it need not.
	refused func(r *http.Request) time.Duration

	// admit is asked for a request whose credentials are good, be it for the tenant
	// of the path or for another.
	admit func(h http.Header, r *http.Request, c *caller) error
}

// finished is a request that was answered, for those that count, trace and
// record. It is not kept.
type finished struct {
	Request   *http.Request
	Path      string // cleaned; it may hold ids and names
	Kind      string // "scim", "console", "health" or "other"
	Caller    *caller
	Tenant    string // "": not known
	Operation string // as engine.Response.Operation; "": none
	Type      string // of the resource concerned, or ""
	Client    string // kind, as compat.ClientOf says
	Status    int
	Started   time.Time
	Took      time.Duration
	Bytes     int64
	Err       error // why Status is 4xx or 5xx, as far as known; of credentials also a *tenant.Refusal
}

// finish tells the log and the observers of a request that was answered.
func (srv *Server) finish(r *http.Request, path string, out *recorder, x *exchange, started time.Time) {
	took := time.Since(started)
	srv.logAccess(r, path, out, x, took)
	if len(srv.watchers) == 0 {
		return
	}
	f := &finished{Request: r, Path: path, Kind: "other", Caller: x.caller, Tenant: x.tenant, Operation: x.operation, Type: x.typ,
		Client: compat.ClientOf(r.UserAgent()), Status: out.status, Started: started, Took: took, Bytes: out.bytes, Err: x.err}
	_, mounted := srv.where.locate(path)
	switch {
	case isConsole(r, path):
		f.Kind = "console"
	case srv.where.isHealth(path):
		f.Kind = "health"
	case mounted:
		f.Kind = "scim"
	}
	for _, watch := range srv.watchers {
		watch(f)
	}
}

// watch adds an observer of all requests that are answered from now on. It must
// not block. All are added before the server listens: it answers 503 while what it
// serves can't be opened yet.
func (srv *Server) watch(f func(*finished)) { srv.watchers = append(srv.watchers, f) }
