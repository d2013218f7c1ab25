package facade

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// idleTime is less than the 20 s after which common servers close a connection,
// lest a call be sent on one that is just being closed.
const idleTime = 15 * time.Second

// transport returns the RoundTripper of an Upstream that was given none.
func transport(o Options) http.RoundTripper {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: o.ConnectTimeout, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    o.ConnectTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           o.Concurrent,
		MaxIdleConnsPerHost:    o.Concurrent,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: 256 << 10,
	}
}
