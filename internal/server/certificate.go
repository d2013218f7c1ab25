package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a certificate in files, read again when they change.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	stamp   string // of the files that were last tried
	checked time.Time
}

func loadCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log, checked: time.Now()}
	c.stamp = c.state()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("can't use the certificate %s with the key %s: %w", printable(cert), printable(key), err)
	}
	c.loaded = &pair
	return c, nil
}

// get returns the certificate for a handshake. It looks at the files at most
// once a second; if new ones can't be used, the old certificate stays.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) >= time.Second {
		c.checked = now
		if s := c.state(); s != c.stamp {
			c.stamp = s
			pair, err := tls.LoadX509KeyPair(c.cert, c.key)
			if err != nil {
				c.log.Error("the new certificate can't be used; the old one stays", "error", err)
			} else {
				c.loaded = &pair
				c.log.Info("certificate reloaded", "file", c.cert)
			}
		}
	}
	return c.loaded, nil
}

// state changes when one of the files does.
func (c *certificate) state() string {
	s := ""
	for _, path := range []string{c.cert, c.key} {
		if info, err := os.Stat(path); err == nil {
			s += fmt.Sprint(info.ModTime().UnixNano(), info.Size(), ";")
		}
	}
	return s
}
