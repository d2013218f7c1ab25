package failover

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Outcome is what a client knows of a write.
type Outcome int

const (
	// Applied was acknowledged by a 2xx.
	Applied Outcome = iota + 1
	// Refused was not carried out: a 4xx, or nobody listened.
	Refused
	// Unknown may have been carried out, or may yet be: a 5xx, a connection
	// that was cut, or no answer in time.
	Unknown
)

// Answer is what came of one request.
type Answer struct {
	Outcome Outcome
	Status  int // 0 without an answer
	Version string
	Body    []byte
	Err     error
}

// caller sends SCIM requests of one load to the instances.
type caller struct {
	token  string
	client *http.Client
	limit  time.Duration // an answer that takes longer is a fault
	record *Record
}

func newCaller(token string, limit time.Duration, record *Record) *caller {
	return &caller{token: token, limit: limit, record: record, client: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext},
		Timeout:   limit + 10*time.Second,
	}}
}

// do sends a request to the instance at base and notes its outcome. A nil body
// sends none; ifMatch is the version the write depends on, or empty.
func (c *caller) do(ctx context.Context, method, base, path string, body any, ifMatch string) Answer {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return Answer{Outcome: Refused, Err: err}
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, base+"/scim/v2"+path, bytes.NewReader(data))
	if err != nil {
		return Answer{Outcome: Refused, Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	if ifMatch != "" {
		req.Header.Set("If-Match", ifMatch)
	}
	began := time.Now()
	a := c.send(req)
	c.record.note(method, base, a, time.Since(began), c.limit)
	return a
}

func (c *caller) send(req *http.Request) Answer {
	resp, err := c.client.Do(req)
	if err != nil {
		a := Answer{Outcome: Unknown, Err: err}
		if op := new(net.OpError); errors.As(err, &op) && op.Op == "dial" {
			a.Outcome = Refused
		}
		return a
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Version: resp.Header.Get("ETag")}
	a.Body, a.Err = io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode >= 500:
		a.Outcome = Unknown
		if resp.StatusCode != http.StatusServiceUnavailable {
			a.Err = fmt.Errorf("%s %s: %d %s", req.Method, req.URL, resp.StatusCode, a.Body)
		} else if resp.Header.Get("Retry-After") == "" {
			a.Err = fmt.Errorf("%s %s: 503 without Retry-After: %s", req.Method, req.URL, a.Body)
		}
	case resp.StatusCode >= 400:
		a.Outcome = Refused
	default:
		a.Outcome = Applied // a body that broke off came after the acknowledgement
	}
	return a
}
