// Package outbound calls what the server is configured to call: an identity
// provider's configuration and its keys. Whoever sets such a URL, or owns the
// name in it, must not reach through this server what only this server can
// reach, such as the metadata of a cloud (T21).
//
// So it looks at the address that is connected to, after the name was resolved;
// speaks TLS; follows no redirect; uses no proxy; and bounds time and size.
package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Bounds of one call.
const (
	maxBody     = 1 << 20 // bytes
	maxHeader   = 64 << 10
	callTimeout = 10 * time.Second // all of it
	dialTimeout = 4 * time.Second
	stepTimeout = 5 * time.Second // a handshake; waiting for the header
)

// Options configures a Client. The zero value calls the public Internet.
type Options struct {
	Policy  Policy
	Roots   *x509.CertPool // whom certificates may come from; nil: the system's
	Timeout time.Duration  // of one call; 0: 10 s

	// Resolver is how names become addresses; nil: the system's.
	Resolver *net.Resolver
}

// New returns a client. Its redirects are errors, its bodies end with an error
// after 1 MiB, and it keeps no cookies. What is made with it by other libraries
// is bound likewise.
func New(o Options) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: -1, Resolver: o.Resolver}
	if o.Timeout == 0 {
		o.Timeout = callTimeout
	}
	t := &http.Transport{
		Proxy: nil, // it would do the resolving, and connect to what it likes
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			d := *dialer
			d.ControlContext = func(_ context.Context, _, actual string, _ syscall.RawConn) error {
				return o.Policy.dialed(host, port, actual)
			}
			return d.DialContext(ctx, network, address)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
		TLSHandshakeTimeout:    stepTimeout,
		ResponseHeaderTimeout:  stepTimeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		MaxConnsPerHost:        4,
		MaxIdleConns:           8,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        30 * time.Second,
	}
	return &http.Client{
		Transport:     &bounded{o.Policy, t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect },
		Timeout:       o.Timeout,
	}
}

// errRedirect is not http.ErrUseLastResponse: whoever does not look at the status
// would take a redirect for an answer.
var errRedirect = errors.New("the answer is a redirect, and none is followed")

// dialed decides on the address that is about to be connected to.
func (p Policy) dialed(host, port, actual string) error {
	at, err := netip.ParseAddrPort(actual)
	if err != nil {
		return fmt.Errorf("outbound: the address %q is none", actual)
	}
	if p.plain[strings.ToLower(net.JoinHostPort(host, port))] && at.Addr().Unmap().IsLoopback() {
		return nil
	}
	return p.check(host, at.Addr())
}

// bounded is a transport that looks at URLs and bounds bodies.
type bounded struct {
	policy Policy
	inner  *http.Transport
}

// RoundTrip calls a URL that the policy permits (http.RoundTripper).
func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := b.policy.CheckURL(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("the URL %w", err)
	}
	resp, err := b.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > maxBody {
		_ = resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &limited{resp.Body, maxBody}
	return resp, nil
}

// CloseIdleConnections ends what is kept open (http.Client).
func (b *bounded) CloseIdleConnections() { b.inner.CloseIdleConnections() }

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxBody)

// limited is a body that ends with an error if it is longer than left.
type limited struct {
	io.ReadCloser
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if len(p) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.ReadCloser.Read(p)
	if n > l.left {
		return l.left, errTooLarge
	}
	l.left -= n
	return n, err
}

// JSON gets a document. Its error never has anything of the answer in it but the
// status.
func JSON(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("%s is no URL", shown(from))
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Rollcall")
	resp, err := client.Do(r)
	if err != nil {
		return nil, Plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d, not 200", shown(from), resp.StatusCode)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && !(strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")) {
		return nil, fmt.Errorf("%s answers with another media type than application/json", shown(from))
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(resp.Body); err != nil {
		return nil, fmt.Errorf("%s: %w", shown(from), Plain(err))
	}
	return text.Bytes(), nil
}

// Plain returns an error of a call without what a server may have put into it: a
// redirect's address.
func Plain(err error) error {
	var u *url.Error
	switch {
	case !errors.As(err, &u):
		return err
	case errors.Is(err, errRedirect):
		return errRedirect
	}
	return u.Err
}
