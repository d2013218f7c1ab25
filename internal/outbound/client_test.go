package outbound_test

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/outbound"
)

// server answers on loopback with TLS, for the name example.com.
func server(t *testing.T, h http.HandlerFunc) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, roots
}

func ok(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{}`)
}

// TestT21Dial is T21 and covers SEC-024: a name that resolves to this machine is not connected to,
// unless the operator says so.
func TestT21Dial(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); ok(w, r) })
	port := s.Listener.Addr().(*net.TCPAddr).Port
	for allow, want := range map[string]bool{"": false, "10.0.0.0/8": false, "example.com": false, "127.0.0.0/8": true, "localhost": true, "http://localhost:1": false} {
		calls.Store(0)
		client := outbound.New(outbound.Options{Policy: policy(t, allow+",::1"), Roots: roots})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("https://localhost:%d/", port), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		refused := (*outbound.Refused)(nil)
		switch {
		case want && err != nil && !strings.Contains(err.Error(), "certificate"): // it is made for another name
			t.Errorf("allow %q: %v", allow, err)
		case !want && !errors.As(err, &refused):
			t.Errorf("allow %q: %v, want a refusal", allow, err)
		case !want && calls.Load() != 0:
			t.Errorf("allow %q: the server was called", allow)
		}
	}
}

// nameserver answers every question for an address with the next one of a list.
func nameserver(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var next atomic.Int32
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			end := 12
			for end < n && buffer[end] != 0 {
				end += int(buffer[end]) + 1
			}
			question := buffer[12 : end+5]
			out := append([]byte{}, buffer[:2]...)
			out = append(out, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
			out = append(out, question...)
			if binary.BigEndian.Uint16(buffer[end+1:]) == 1 { // A; there is no AAAA
				a := netip.MustParseAddr(answers[min(int(next.Add(1)), len(answers))-1]).As4()
				out[7] = 1
				out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				out = append(out, a[:]...)
			}
			_, _ = conn.WriteTo(out, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestT21Rebinding is T21: a name that was good when it was looked at first has
// another address with the next call, and it is the address that decides.
func TestT21Rebinding(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Connection", "close")
		ok(w, r)
	})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	// 127.0.0.1 stands for an address that is permitted, 127.0.0.2 for one that is not.
	client := outbound.New(outbound.Options{Policy: policy(t, "127.0.0.1"), Roots: roots, Resolver: nameserver(t, "127.0.0.1", "127.0.0.2")})
	if _, err := outbound.JSON(t.Context(), client, "https://example.com:"+port+"/"); err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	_, err := outbound.JSON(t.Context(), client, "https://example.com:"+port+"/")
	if refused := (*outbound.Refused)(nil); !errors.As(err, &refused) || refused.Addr != netip.MustParseAddr("127.0.0.2") {
		t.Errorf("the second call: %v, want 127.0.0.2 refused", err)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("%d calls arrived, want 1", n)
	}
}

// TestT21Answers is T21: redirects, sizes, times, media types, and that nothing
// of an answer is repeated.
func TestT21Answers(t *testing.T) {
	t.Parallel()
	const secret = "what-only-this-server-can-see"
	elsewhere := make(chan string, 10)
	inner, _ := server(t, func(w http.ResponseWriter, r *http.Request) { elsewhere <- r.Header.Get("Authorization"); ok(w, r) })
	release := make(chan struct{})
	defer close(release)
	s, roots := server(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
		switch r.URL.Path {
		case "/good":
			_, _ = io.WriteString(w, `{"a":1}`)
		case "/redirect":
			http.Redirect(w, r, inner.URL+"/"+secret, http.StatusFound)
		case "/self":
			http.Redirect(w, r, "/good?"+secret, http.StatusTemporaryRedirect)
		case "/file":
			h.Set("Location", "file:///etc/"+secret)
			w.WriteHeader(http.StatusFound)
		case "/fault":
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, secret)
		case "/text":
			h.Set("Content-Type", "text/html; x="+secret)
			_, _ = io.WriteString(w, secret)
		case "/long":
			h.Set("Content-Length", "2000000")
			_, _ = w.Write(make([]byte, 2000000))
		case "/endless":
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		case "/exact":
			_, _ = w.Write(make([]byte, 1<<20))
		case "/header":
			h.Set("X-Long", strings.Repeat("x", 100<<10))
		case "/silent":
			<-release
		case "/stalls":
			_, _ = io.WriteString(w, `{`)
			_ = http.NewResponseController(w).Flush()
			<-release
		}
	})
	client := outbound.New(outbound.Options{Policy: policy(t, "127.0.0.1"), Roots: roots, Timeout: 500 * time.Millisecond})
	patient := outbound.New(outbound.Options{Policy: policy(t, "127.0.0.1"), Roots: roots})
	const late = "late" // in the words of net/http, which depend on what it was at
	for path, want := range map[string]string{
		"/good": "", "/exact": "", "/redirect": "redirect", "/self": "redirect", "/file": "redirect", "/fault": "403", "/text": "media type",
		"/long": "larger than", "/endless": "larger than", "/header": "header", "/silent": late, "/stalls": late,
	} {
		c := patient
		if want == late {
			c = client
		}
		text, err := outbound.JSON(t.Context(), c, s.URL+path)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", path, err)
		case want == late:
			var slow net.Error
			if !(errors.As(err, &slow) && slow.Timeout()) || text != nil {
				t.Errorf("%s: %q, %v; want a timeout", path, text, err)
			}
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || text != nil):
			t.Errorf("%s: %q, %v; want an error with %q", path, text, err, want)
		case err != nil && strings.Contains(err.Error(), secret):
			t.Errorf("%s: the error repeats what the server said: %v", path, err)
		}
	}
	if len(elsewhere) != 0 {
		t.Error("a redirect was followed")
	}
}

// TestT21Proxy is T21: a proxy in the environment does not get the calls. The
// environment is read once a process, so this sets what net/http would find.
func TestT21Proxy(t *testing.T) {
	proxied := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { proxied <- r.Host }))
	defer proxy.Close()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	client := outbound.New(outbound.Options{Policy: policy(t, "127.0.0.1"), Resolver: nameserver(t, "127.0.0.1")})
	_, err := outbound.JSON(t.Context(), client, "https://idp.example.com:1/")
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("%v, want a failure to connect to 127.0.0.1:1", err)
	}
	if len(proxied) != 0 {
		t.Errorf("the proxy was asked for %q", <-proxied)
	}
}

// TestT21TLS is T21: without a certificate for the name there is no call, and
// without TLS only to a port of this machine that the operator named.
func TestT21TLS(t *testing.T) {
	t.Parallel()
	s, _ := server(t, ok)
	plain := httptest.NewServer(http.HandlerFunc(ok))
	defer plain.Close()
	u, err := url.Parse(plain.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := outbound.New(outbound.Options{Policy: policy(t, "127.0.0.1")})
	if _, err := outbound.JSON(t.Context(), client, s.URL); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody: %v", err)
	}
	if _, err := outbound.JSON(t.Context(), client, plain.URL); err == nil || !strings.Contains(err.Error(), "https") {
		t.Errorf("without TLS: %v", err)
	}
	client = outbound.New(outbound.Options{Policy: policy(t, "http://"+u.Host)})
	if _, err := outbound.JSON(t.Context(), client, plain.URL); err != nil {
		t.Errorf("a port that the operator named: %v", err)
	}
}
