// Package remote reads a directory from any SCIM server (RFC 7644) and brings it
// into a database of ours, with ids, externalIds, metadata and memberships. What
// a server does not give, such as passwords and the history, it can't bring.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// The bounds of one request: tries, the pauses between them, and how long one
// try may take.
const (
	mostRetries       = 6
	longestPause      = 30 * time.Second
	longestRetryAfter = 5 * time.Minute
	tryTimeout        = 10 * time.Minute // a large group
	silence           = time.Minute      // until the answer begins
)

// The bounds of answers, in bytes: a page of a list, and one resource, whose
// members are not kept in memory.
const (
	mostPage     = 64 << 20
	mostResource = 1 << 30
)

// Client asks one SCIM server. Safe for concurrent use.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
	retry retrypolicy.RetryPolicy[any]
}

// Options configures a Client. The zero value works.
type Options struct {
	Token      string            // bearer token; "": none is sent
	FirstPause time.Duration     // before the second try; 0: half a second
	Transport  http.RoundTripper // nil: one with sensible time-outs
}

// NewClient returns a client of the server whose base URL is given, such as
// https://id.example.com/scim/v2.
func NewClient(base string, o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("a SCIM server is named by its base URL, such as scim:https://id.example.com/scim/v2, without user and query")
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: silence, MaxResponseHeaderBytes: 256 << 10, ForceAttemptHTTP2: true}
	}
	if o.FirstPause == 0 {
		o.FirstPause = 500 * time.Millisecond
	}
	c := &Client{base: u, token: o.Token, http: &http.Client{Transport: o.Transport, CheckRedirect: sameHost}}
	c.retry = retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool {
			var f *failure
			return errors.As(err, &f) && f.passing && f.after <= longestRetryAfter
		}).
		WithMaxRetries(mostRetries).
		WithBackoff(o.FirstPause, longestPause).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[any]) time.Duration {
			var f *failure
			if errors.As(e.LastError(), &f) && f.after > 0 {
				return f.after
			}
			return -1
		}).
		ReturnLastFailure().
		Build()
	return c, nil
}

// sameHost lets redirects lead to the same host alone: the token is for it.
func sameHost(req *http.Request, via []*http.Request) error {
	if first := via[0].URL; req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return &failure{text: fmt.Sprintf("the server redirects to %s://%s, where the token is not sent", req.URL.Scheme, req.URL.Host)}
	}
	if len(via) > 5 {
		return &failure{text: "too many redirects"}
	}
	return nil
}

// failure is why a request was not answered.
type failure struct {
	status  int // 0: there was none
	text    string
	after   time.Duration // Retry-After
	passing bool          // another try may do better
}

func (f *failure) Error() string { return f.text }

// get asks for a resource below the base and hands the answer's body, of at most
// so many bytes, to read: again from its start if a try fails on the way.
func (c *Client) get(ctx context.Context, path string, q url.Values, most int64, read func(io.Reader) error) error {
	u := *c.base
	u.RawQuery = q.Encode()
	target := u.JoinPath(path).String()
	_, err := failsafe.With[any](c.retry).WithContext(ctx).GetWithExecution(func(failsafe.Execution[any]) (any, error) {
		return nil, c.try(ctx, target, most, read)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	return nil
}

func (c *Client) try(ctx context.Context, target string, most int64, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/scim+json, application/json;q=0.9")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var f *failure
		if errors.As(err, &f) {
			return f
		}
		return &failure{text: bare(err).Error(), passing: true}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		f := &failure{status: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"))}
		f.text = resp.Status
		if len(text) > 0 {
			f.text += ": " + string(text)
		}
		switch resp.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			f.passing = true
		}
		return f
	}
	body := &bounded{r: resp.Body, left: most}
	if err := read(body); err != nil {
		if body.err != nil && !errors.Is(body.err, io.EOF) {
			return &failure{text: "the answer broke off: " + body.err.Error(), passing: !errors.Is(body.err, errTooLarge)}
		}
		return err
	}
	return nil
}

var errTooLarge = errors.New("it is too large")

// bounded is a body of bounded size, which remembers how it ended.
type bounded struct {
	r    io.Reader
	left int64
	err  error
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.err = errTooLarge
		return 0, b.err
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		b.err = err
	}
	return n, err
}

// bare takes the URL off an error, which the message names already.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func retryAfter(s string) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
