package facade_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

const internal = "app.invalid" // a name that only the proxy can resolve

// authority returns a private CA, as PEM, and a certificate by it for internal
// and 127.0.0.1.
func authority(t *testing.T) ([]byte, tls.Certificate) {
	t.Helper()
	sign := func(c, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
		c.NotBefore, c.NotAfter, c.SerialNumber = time.Now().Add(-time.Hour), time.Now().Add(time.Hour), big.NewInt(time.Now().UnixNano())
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "a company's own"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	root := sign(ca, ca, caKey, caKey)
	leaf := &x509.Certificate{DNSNames: []string{internal}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}),
		tls.Certificate{Certificate: [][]byte{sign(leaf, ca, key, caKey), root}, PrivateKey: key}
}

// secure returns a TLS server behind a private CA, which answers with the token
// that it was sent, and the CA.
func secure(t *testing.T) (*httptest.Server, []byte) {
	t.Helper()
	ca, cert := authority(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"name":%q}`, r.Header.Get("Authorization"))
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, ca
}

func TestRootCAs(t *testing.T) {
	t.Parallel()
	s, ca := secure(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	var got named
	ctx := facade.WithCaller(t.Context(), token)
	if _, err := upstream(t, s.URL, func(o *facade.Options) { o.RootCAs = pool }).Do(ctx, facade.Call{Method: "GET", Path: "/a"}, &got); err != nil || got.Name != "Bearer "+token {
		t.Errorf("%v, %v", got, err)
	}
	ctx = facade.WithCaller(t.Context(), token)
	_, err := upstream(t, s.URL, nil).Do(ctx, facade.Call{Method: "GET", Path: "/a"}, &got)
	if f := failure(t, err); f.Reason != facade.Unreached || f.Sent || facade.CallerOf(ctx).Calls() != 1 {
		t.Errorf("a certificate that nobody trusts: %+v after %d calls", f, facade.CallerOf(ctx).Calls())
	}
}

// TestChild makes one call, as another process with another environment.
func TestChild(t *testing.T) {
	base := os.Getenv("FACADE_TEST_BASE")
	if base == "" {
		return // not that process
	}
	ctx := facade.WithCaller(t.Context(), token)
	var got named
	_, err := facade.NewUpstream(facade.Options{Base: parse(t, base)}).Do(ctx, facade.Call{Method: "POST", Path: "/a"}, &got)
	fmt.Printf("got %q error %v\n", got.Name, err)
}

func child(t *testing.T, env ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	for _, e := range os.Environ() {
		if !strings.Contains(strings.ToUpper(e[:max(strings.Index(e, "="), 0)]), "PROXY") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestEnvironment: a company's own certificates and its proxy come from the
// environment.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	s, ca := secure(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, s.Listener.Addr().String())
	proxied := "HTTPS_PROXY=http://joe:pr0xy-passw0rd@" + p.Listener.Addr().String()
	works := fmt.Sprintf("got %q error <nil>", "Bearer "+token)
	for _, c := range []struct {
		name, want string
		env        []string
		asked      string // of the proxy
	}{
		{"SSL_CERT_FILE", works, []string{"FACADE_TEST_BASE=" + s.URL, "SSL_CERT_FILE=" + file}, ""},
		{"SSL_CERT_DIR", works, []string{"FACADE_TEST_BASE=" + s.URL, "SSL_CERT_DIR=" + dir}, ""},
		{"no certificate", "unreached", []string{"FACADE_TEST_BASE=" + s.URL}, ""},
		{"HTTPS_PROXY", works, []string{"FACADE_TEST_BASE=https://" + internal, "SSL_CERT_FILE=" + file, proxied}, internal + ":443"},
		{"NO_PROXY", "unreached", []string{"FACADE_TEST_BASE=https://" + internal, "SSL_CERT_FILE=" + file, proxied, "NO_PROXY=." + internal + "," + internal}, ""},
		{"a proxy for others", works, []string{"FACADE_TEST_BASE=" + s.URL, "SSL_CERT_FILE=" + file, proxied}, ""}, // never for a loopback address
		{"a proxy that is none", "unreached", []string{"FACADE_TEST_BASE=https://" + internal, "HTTPS_PROXY=http://joe:pr0xy-passw0rd@127.0.0.1:1"}, ""},
	} {
		out := child(t, c.env...)
		if !strings.Contains(out, c.want) || strings.Contains(out, "pr0xy-passw0rd") {
			t.Errorf("%s: %s\nwant %s", c.name, out, c.want)
		}
		asked, headers := p.seen()
		if asked != c.asked || strings.Contains(headers, token) {
			t.Errorf("%s: the proxy was asked for %q, want %q: %s", c.name, asked, c.asked, headers)
		}
		if c.asked != "" && !strings.Contains(headers, "Proxy-Authorization") {
			t.Errorf("%s: the proxy was sent %s", c.name, headers)
		}
	}
}

// proxy is one that knows a single host.
type proxy struct {
	*httptest.Server
	mu             sync.Mutex
	asked, headers string
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked, p.headers = r.Host, fmt.Sprint(r.Header)
		p.mu.Unlock()
		if r.Method != http.MethodConnect || r.Host != internal+":443" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var d net.Dialer
		to, err := d.DialContext(context.WithoutCancel(r.Context()), "tcp", target)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = to.Close() }()
		w.WriteHeader(http.StatusOK)
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = from.Close() }()
		go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
		_, _ = io.Copy(from, to)
	}))
	t.Cleanup(p.Close)
	return p
}

// seen returns what the proxy was last asked for, and forgets it.
func (p *proxy) seen() (asked, headers string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, headers = p.asked, p.headers
	p.asked, p.headers = "", ""
	return asked, headers
}
