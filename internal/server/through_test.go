package server_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// authority is a certificate authority that nobody knows, and a certificate of
// it for a host.
func authority(t *testing.T, host string) (caFile string, leaf tls.Certificate) {
	t.Helper()
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	from, until := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "A company's own"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, caKey := make(ca, ca, nil)
	server := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: from, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, key := make(server, ca, caKey)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return caFile, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// emulateTLS serves an emulator with a certificate.
func emulateTLS(t *testing.T, leaf tls.Certificate) *httptest.Server {
	t.Helper()
	e, err := pactflowtest.New(pactflowtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(e)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// program runs the façade in a process of its own, whose environment Go reads
// but once: that of certificates and of proxies.
func program(t *testing.T, environ ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), serveVariable + "=full", "ROLLCALL_LISTEN=" + address, "GOCOVERDIR=" + t.TempDir()}, environ...)
	var log logBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if strings.Contains(log.String(), pactflowtest.AdminToken) {
			t.Errorf("the log has the token:\n%s", log.String())
		}
	})
	waitFor(t, "the process", func() bool {
		resp, err := noRedirect.Get("http://" + address + "/health") //nolint:noctx // short
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	})
	return "http://" + address
}

// users asks a façade for the users and returns the status and the body.
func users(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/scim/Users", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+pactflowtest.AdminToken)
	resp, err := noRedirect.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestPrivateAuthority: a PactFlow behind a company's own authority is reached
// once that is trusted, in each of the three ways, and not before.
func TestPrivateAuthority(t *testing.T) {
	t.Parallel()
	ca, leaf := authority(t, "pactflow.test")
	pactflow := emulateTLS(t, leaf)
	other, _ := authority(t, "pactflow.test")
	dir := t.TempDir()
	text, err := os.ReadFile(ca)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "company.pem"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"":                                502,
		"ROLLCALL_UPSTREAM_CA=" + other:   502,
		"ROLLCALL_UPSTREAM_CA=" + ca:      200,
		"SSL_CERT_FILE=" + ca:             200,
		"SSL_CERT_DIR=" + dir:             200,
		"SSL_CERT_FILE=" + ca + " and CA": 200,
	} {
		t.Run(strings.NewReplacer("/", "_").Replace(name), func(t *testing.T) {
			t.Parallel()
			environ := []string{"PACTFLOW_URL=" + pactflow.URL}
			if variable, more := strings.CutSuffix(name, " and CA"); name != "" {
				environ = append(environ, variable)
				if more {
					environ = append(environ, "ROLLCALL_UPSTREAM_CA="+other) // beside it, not in its place
				}
			}
			status, body := users(t, program(t, environ...))
			if status != want || want == 200 && !strings.Contains(body, `"totalResults":2`) {
				t.Errorf("%d %s, want %d", status, body, want)
			}
			if want != 200 && (strings.Contains(body, "127.0.0.1") || !strings.Contains(body, "can't be reached")) {
				t.Errorf("the client is told %s", body)
			}
		})
	}
}

// proxy is an HTTP proxy that knows one host, and counts who asks for it.
func proxy(t *testing.T, host, leadsTo string) (url string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != host || r.Header.Get("Authorization") != "" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		asked.Add(1)
		there, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", leadsTo)
		if err != nil {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(there, bufio.NewReader(buffered))
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
		_ = here.Close()
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// TestProxy: the calls go through the proxy of the environment, encrypted to
// PactFlow itself, unless NO_PROXY names it.
func TestProxy(t *testing.T) {
	t.Parallel()
	ca, leaf := authority(t, "pactflow.test")
	pactflow := emulateTLS(t, leaf)
	through, asked := proxy(t, "pactflow.test:443", pactflow.Listener.Addr().String())
	environ := []string{"PACTFLOW_URL=https://pactflow.test", "ROLLCALL_UPSTREAM_CA=" + ca, "HTTPS_PROXY=" + through}

	status, body := users(t, program(t, environ...))
	if status != 200 || !strings.Contains(body, `"totalResults":2`) || asked.Load() == 0 {
		t.Errorf("through the proxy: %d %s, asked %d times", status, body, asked.Load())
	}
	before := asked.Load()
	if status, body := users(t, program(t, append(environ, "NO_PROXY=pactflow.test")...)); status != 502 || asked.Load() != before {
		t.Errorf("past the proxy, where there is no such host: %d %s, asked %d times more", status, body, asked.Load()-before)
	}
}
