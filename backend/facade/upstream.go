package facade

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
)

// Options configures an Upstream. Base is required; other zero values mean
// what their comment says.
type Options struct {
	Name string   // of the application in errors and logs, such as "PactFlow"; "": the host
	Base *url.URL // absolute, http or https, perhaps with a path; no user, query or fragment

	Accept    string            // "": application/json
	RootCAs   *x509.CertPool    // nil: the system's, or those of SSL_CERT_FILE and SSL_CERT_DIR
	Transport http.RoundTripper // nil: one with proxies of the environment, RootCAs and ConnectTimeout

	Concurrent     int           // calls under way at once; 0: 8
	QueueTimeout   time.Duration // how long a call waits for its turn; 0: 30 s
	ConnectTimeout time.Duration // 0: 5 s
	CallTimeout    time.Duration // one try, its body included; 0: 30 s
	MaxAnswer      int64         // bytes of one answer, unpacked; 0: 40 MiB

	// Complaint reads the body of an answer that is no success, at most 64 KiB
	// of it; nil: ReadComplaint. It never fails: what it can't read has no text.
	Complaint func(header http.Header, body []byte) Complaint

	// Watch, unless nil, is told of each try of a call just before it is made,
	// counted from 1, and may add headers. What it returns is told how it ended.
	Watch func(ctx context.Context, c Call, try int, h http.Header) (end func(*Answer, *Failure))

	Logger *slog.Logger // nil: slog.Default()
	Wire   bool         // log every call and answer at level Debug; tokens and passwords are always masked
}

// Upstream calls an application's API with the caller's token. Safe for
// concurrent use.
type Upstream struct {
	o       Options
	turns   bulkhead.Bulkhead[*Answer]
	retries retries
}

// NewUpstream returns an Upstream. It makes no call.
func NewUpstream(o Options) *Upstream {
	base := *o.Base
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath = ""
	o.Base = &base
	o.Name = cmp.Or(o.Name, base.Hostname())
	o.Accept = cmp.Or(o.Accept, "application/json")
	o.Concurrent = cmp.Or(o.Concurrent, 8)
	o.QueueTimeout = cmp.Or(o.QueueTimeout, 30*time.Second)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 5*time.Second)
	o.CallTimeout = cmp.Or(o.CallTimeout, 30*time.Second)
	o.MaxAnswer = cmp.Or(o.MaxAnswer, 40<<20)
	if o.Complaint == nil {
		o.Complaint = ReadComplaint
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Transport == nil {
		o.Transport = transport(o)
	}
	return &Upstream{
		o:       o,
		turns:   bulkhead.New[*Answer](uint(max(o.Concurrent, 1))),
		retries: newRetries(firstPause, longestPause),
	}
}

// Base returns a copy of the application's address, without a slash at the end.
func (u *Upstream) Base() *url.URL {
	base := *u.o.Base
	return &base
}

// Call is one request to the application.
type Call struct {
	Method      string
	Path        string     // below the base, begins with "/"; made of escaped segments
	Query       url.Values // nil: none
	Body        any        // encoded as JSON; nil: none
	ContentType string     // of Body; "": application/json

	// Public calls carry no token and do not wait for a turn: a health check.
	Public bool
}

// String returns method and path, without the query, which may name people.
func (c Call) String() string { return c.Method + " " + c.Path }

// reads reports whether the call changes nothing, whatever becomes of it.
func (c Call) reads() bool { return c.Method == http.MethodGet || c.Method == http.MethodHead }

// Answer is what the application said to a call that succeeded (2xx).
type Answer struct {
	Status int
	Header http.Header
}

// Do makes a call. into gets the answer's JSON: a pointer to decode into, a
// func(*json.Decoder) error that reads it piece by piece (and may be called
// again, if the call is repeated), or nil if nothing is wanted of the body, which
// then is none or JSON. Any other result than a 2xx with a body of that shape is
// a [*Failure]: what else a proxy or a page for signing in says, nothing was
// done. While such a func runs its call is under way: it makes no call of its own.
//
// Redirects are never followed and the token goes to Base alone. GET is tried
// up to three times on 429, 502, 503, 504 and broken connections; PUT and
// DELETE twice on 502, 503, 504 and broken connections; POST and PATCH twice
// if no byte can have been sent. A Retry-After of up to 5 s is waited for; after
// a longer one nothing is repeated. A DELETE that was repeated, since the first
// may have been carried out, takes 404 and 410 for an answer. Beyond that, net/http
// itself moves what is safe to repeat from a connection that turns out to have
// been closed to another one; [Caller.Calls] counts that, too.
func (u *Upstream) Do(ctx context.Context, c Call, into any) (*Answer, error) {
	caller := CallerOf(ctx)
	var body []byte
	if c.Body != nil {
		var err error
		if body, err = encode(c.Body); err != nil {
			return nil, fmt.Errorf("%s: the body of %s: %w", u.o.Name, c, err)
		}
	}
	var answer *Answer
	var last *Failure
	sent := false // by an earlier try
	try := 0
	// The policy forgets a result if ctx ends meanwhile; answer and last don't.
	_, err := failsafe.With(u.retries.of(c.Method)).WithContext(ctx).Get(func() (*Answer, error) {
		try++
		started := time.Now()
		answer, last = u.attempt(ctx, caller, c, try, body, into)
		note(ctx, c, answer, last, time.Since(started))
		if last == nil {
			return answer, nil
		}
		if last.Err != nil {
			last.Err = masked{clean(last.Err.Error(), caller.token, maxText), last.Err}
		}
		if sent && c.Method == http.MethodDelete && (last.Status == http.StatusNotFound || last.Status == http.StatusGone) {
			answer, last = &Answer{Status: last.Status, Header: http.Header{}}, nil
			return answer, nil
		}
		sent = sent || last.Sent
		last.Sent = sent
		return nil, last
	})
	if sent && !c.reads() || last == nil && answer != nil && !c.reads() {
		caller.writes.Add(1)
	}
	switch {
	case last == nil && answer != nil:
		return answer, nil
	case last == nil: // ctx had ended before the first try
		return nil, u.failure(c, TimedOut, err)
	case ctx.Err() != nil && last.Err == nil:
		last.Err = ctx.Err() // while waiting for another try
	case last.unreadable():
		u.o.Logger.ErrorContext(ctx, "what was sent to "+u.o.Name+" is no JSON to it: a defect of this façade", "error", last)
	}
	return nil, last
}

// encode returns v as JSON, without the escapes that are for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Nonsense returns the Failure of an answer that was read but can't be: another
// shape than the application's, a link that leads elsewhere. detail is for the
// client, too.
func (u *Upstream) Nonsense(c Call, detail string) *Failure {
	f := u.failure(c, Nonsense, nil)
	f.Text = clean(detail, "", maxText)
	f.Sent = !c.reads()
	return f
}

func (u *Upstream) failure(c Call, reason Reason, err error) *Failure {
	return &Failure{Reason: reason, Name: u.o.Name, Call: c.String(), Err: err}
}
