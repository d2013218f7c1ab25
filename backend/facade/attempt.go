package facade

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
)

// maxComplaint bounds what is read of an answer that is no success.
const maxComplaint = 64 << 10

// attempt makes one try of a call, in its turn.
func (u *Upstream) attempt(ctx context.Context, caller *Caller, c Call, try int, body []byte, into any) (answer *Answer, f *Failure) {
	if err := ctx.Err(); err != nil {
		return nil, u.failure(c, TimedOut, context.Cause(ctx))
	}
	if !c.Public {
		switch err := u.turns.AcquirePermitWithMaxWait(ctx, u.o.QueueTimeout); {
		case errors.Is(err, bulkhead.ErrFull):
			return nil, u.failure(c, Busy, err)
		case err != nil:
			return nil, u.failure(c, TimedOut, err)
		}
		defer u.turns.ReleasePermit()
	}
	ctx, cancel := context.WithTimeout(ctx, u.o.CallTimeout)
	defer cancel()
	_, traced := u.o.Transport.(*http.Transport)
	way := &way{calls: &caller.calls, traced: traced}
	req, err := u.request(httptrace.WithClientTrace(ctx, way.trace()), caller, c, body)
	if err != nil {
		return nil, u.failure(c, Nonsense, err)
	}
	caller.calls.Add(1)
	if u.o.Watch != nil {
		end := u.o.Watch(ctx, c, try, req.Header)
		defer func() { end(answer, f) }()
	}
	entry := u.logCall(req, caller, body)
	start := time.Now()
	// No http.Client: it would follow redirects, with the token.
	resp, err := u.o.Transport.RoundTrip(req)
	if err != nil {
		entry.failed(err, time.Since(start))
		return nil, u.interrupted(ctx, c, way, err)
	}
	defer func() { _ = resp.Body.Close() }()
	in := &answerReader{in: resp.Body, left: u.o.MaxAnswer}
	entry.watch(in)
	f = u.read(ctx, caller, c, resp, in, into)
	entry.answered(resp, in.err, time.Since(start))
	if f != nil {
		return nil, f
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header}, nil
}

// request makes the request of a try. It says nothing of the client but the
// token.
func (u *Upstream) request(ctx context.Context, caller *Caller, c Call, body []byte) (*http.Request, error) {
	address := u.o.Base.String() + c.Path
	if len(c.Query) > 0 {
		address += "?" + c.Query.Encode()
	}
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, address, in)
	if err != nil {
		return nil, err
	}
	if req.URL.Host != u.o.Base.Host || req.URL.User != nil {
		return nil, errors.New("the path leads to another host")
	}
	req.Header.Set("Accept", u.o.Accept)
	req.Header.Set("User-Agent", "Rollcall")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		if c.ContentType != "" {
			req.Header.Set("Content-Type", c.ContentType)
		}
	}
	if caller.token != "" && !c.Public {
		req.Header.Set("Authorization", "Bearer "+caller.token)
	}
	return req, nil
}

// interrupted returns the Failure of a try that got no answer, or lost it.
func (u *Upstream) interrupted(ctx context.Context, c Call, way *way, err error) *Failure {
	reached, sent := way.been()
	reason := Broken
	switch {
	case ctx.Err() != nil:
		reason, err = TimedOut, context.Cause(ctx)
	case !reached:
		reason = Unreached
	}
	f := u.failure(c, reason, err)
	f.Sent = sent
	return f
}

// read reads an answer, and decides what it is.
func (u *Upstream) read(ctx context.Context, caller *Caller, c Call, resp *http.Response, in *answerReader, into any) *Failure {
	requestID := clean(resp.Header.Get("X-Request-Id"), caller.token, 64)
	failure := func(reason Reason, err error, text string) *Failure {
		f := u.failure(c, reason, err)
		f.Status, f.RequestID, f.Sent, f.Text = resp.StatusCode, requestID, true, text
		return f
	}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return failure(Nonsense, nil, "a redirect, which is not followed")
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		in.left = min(in.left, maxComplaint)
		body, _ := io.ReadAll(in) // what can't be read is not said
		says := u.o.Complaint(resp.Header, body)
		f := failure(Refused, nil, clean(says.Text, caller.token, maxText))
		f.Problem = clean(says.Problem, caller.token, 64)
		f.RetryAfter = retryAfter(resp.Header)
		// Who refuses has done nothing; who fails may have.
		f.Sent = resp.StatusCode >= 500
		return f
	}
	var err error
	if into != nil {
		err = decode(in, into)
	} else {
		err = skip(in)
	}
	var f *Failure
	switch {
	case err == nil:
		return nil
	case in.err == nil && errors.As(err, &f): // into's own judgement: Nonsense
		f.Status, f.RequestID, f.Sent = resp.StatusCode, requestID, true
		return f
	case in.err != nil && ctx.Err() != nil:
		return failure(TimedOut, context.Cause(ctx), "")
	case in.err != nil:
		return failure(Broken, in.err, "")
	case in.over:
		return failure(Nonsense, err, "an answer of more than "+strconv.FormatInt(u.o.MaxAnswer, 10)+" bytes")
	}
	return failure(Nonsense, err, "an answer that is not the JSON expected")
}

// retryAfter returns how long the application asks to be left alone, if it says
// so in seconds or as a date (RFC 9110 §10.2.3).
func retryAfter(h http.Header) time.Duration {
	s := h.Get("Retry-After")
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(min(n, 24*3600)) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(at).Round(time.Second), 0), 24*time.Hour)
	}
	return 0
}

// way is how far a try has come. net/http may itself try again on another
// connection, if the one that it had kept turns out to be dead: a GET always,
// any other request only if nothing of it was written.
type way struct {
	calls  interface{ Add(int64) int64 }
	traced bool // whether the RoundTripper is known to tell

	mu             sync.Mutex
	tries          int
	reached, wrote bool
}

func (w *way) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.tries++
			if w.tries > 1 {
				w.calls.Add(1)
			}
			w.reached, w.wrote = false, false
		},
		GotConn: func(httptrace.GotConnInfo) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reached = true
		},
		WroteHeaders: func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.wrote = true
		},
	}
}

// been reports whether there was a connection, and whether anything may have
// been sent on it. Of a RoundTripper that does not trace the worst is assumed.
func (w *way) been() (reached, wrote bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tries == 0 && !w.traced {
		return true, true
	}
	return w.reached, w.wrote
}
