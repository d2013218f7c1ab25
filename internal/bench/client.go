package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// request is one call of a scenario.
type request struct {
	method, path string // path is relative to a base URL, or a URL
	body         []byte

	class int  // of the scenario's classes, which are told apart in the result
	free  bool // makes room for the next request; not measured
	read  bool // the answer's body is wanted

	// then looks at the answer of a request that succeeded; nil: not wanted. Its
	// error makes the answer a wrong one.
	then func(answer) error
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte // whole if it was wanted or is an error's
	bytes  int64  // of the body
}

// ok reports whether the server did what it was asked.
func (a answer) ok() bool { return a.status/100 == 2 }

// client speaks to one server, which may have several instances.
type client struct {
	bases []string // without a slash at the end
	token string
	http  *http.Client
	turn  atomic.Uint64
}

var errRemote = errors.New("is not an address of this machine: --remote allows it")

// newClient makes a client. Without remote it refuses every address that is not
// loopback, when it connects: so whatever a name resolves to is seen.
func newClient(bases []string, token string, timeout time.Duration, remote bool) (*client, error) {
	c := &client{token: token}
	for _, base := range bases {
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("%q is not a SCIM base URL such as http://localhost:8080/scim/v2", printable(base))
		}
		if ip := net.ParseIP(u.Hostname()); ip != nil && !ip.IsLoopback() && !remote {
			return nil, fmt.Errorf("%s %w", printable(u.Host), errRemote)
		}
		c.bases = append(c.bases, strings.TrimRight(base, "/"))
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !remote {
		dialer.Control = loopbackOnly
	}
	c.http = &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: nil, DialContext: dialer.DialContext, MaxIdleConnsPerHost: 512, DisableCompression: true,
			TLSHandshakeTimeout: 10 * time.Second},
	}
	return c, nil
}

// loopbackOnly refuses to connect to an address of another machine.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s %w", printable(address), errRemote)
	}
	return nil
}

// base returns the base URL of a worker: instances are shared out evenly.
func (c *client) base(worker int) string { return c.bases[worker%len(c.bases)] }

// do sends a request to the instance of the worker. The error is that of the
// transport.
func (c *client) do(ctx context.Context, worker int, r request) (answer, error) {
	target := r.path
	if !strings.Contains(target, "://") {
		target = c.base(worker) + target
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	if r.method != http.MethodGet {
		if err := ctx.Err(); err != nil {
			return answer{}, err
		}
		var done context.CancelFunc
		ctx, done = outlast(ctx)
		defer done()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return answer{}, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	if r.read || !a.ok() {
		a.body, err = io.ReadAll(resp.Body)
		a.bytes = int64(len(a.body))
	} else {
		a.bytes, err = io.Copy(io.Discard, resp.Body)
	}
	return a, err
}

// call sends a request outside of any measurement, in turn to each instance. A
// server that is busy (429, 503) is asked again for a minute. The error says
// what was answered, unless it was a success; v, if not nil, takes the body.
func (c *client) call(ctx context.Context, method, path string, body []byte, v any) (answer, error) {
	r := request{method: method, path: path, body: body, read: true}
	for tries := 0; ; tries++ {
		a, err := c.do(ctx, int(c.turn.Add(1)%uint64(len(c.bases))), r)
		switch {
		case err != nil:
			return a, err
		case (a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable) && tries < 30:
			wait, err := strconv.Atoi(a.header.Get("Retry-After"))
			if err != nil {
				wait = 1
			}
			select {
			case <-ctx.Done():
				return a, ctx.Err()
			case <-time.After(time.Duration(min(max(wait, 0), 10)) * time.Second):
			}
			continue
		case !a.ok():
			return a, &refusal{method, path, a.status, sample(a.body)}
		case v != nil:
			if err := json.Unmarshal(a.body, v); err != nil {
				return a, fmt.Errorf("%s %s: the answer is not the JSON expected: %w", method, printable(path), err)
			}
		}
		return a, nil
	}
}

// refusal is an answer that is no success.
type refusal struct {
	method, path string
	status       int
	body         string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s %s: status %d: %s", r.method, printable(r.path), r.status, r.body)
}

// statusOf returns the status of a refusal, or 0.
func statusOf(err error) int {
	var r *refusal
	if errors.As(err, &r) {
		return r.status
	}
	return 0
}

// sample returns the beginning of a body, for a terminal and for reports.
func sample(body []byte) string {
	const most = 300
	cut := ""
	if len(body) > most {
		body, cut = body[:most], "…"
	}
	return printable(string(body)) + cut
}

// printable returns s with everything that could disturb a terminal escaped.
func printable(s string) string {
	q := strconv.Quote(s)
	return strings.ReplaceAll(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`), `\\`, `\`)
}

// afterthought is how long a write may go on once the run was interrupted.
const afterthought = 10 * time.Second

// outlast returns a context that ends later than ctx: a write that was cut off
// could still be carried out, after the cleaning up.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(afterthought, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}
