package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Target is a server to hold a conversation with.
type Target struct {
	Base    string // base URL, such as http://127.0.0.1:8080/scim/v2
	Client  *http.Client
	Header  http.Header         // sent with every request
	Advance func(time.Duration) // moves the server's clock; nil: it has none
}

// Conversation is a fixture on its way: Run holds it.
type Conversation struct {
	fixture *Fixture
	vars    *vars
}

// New returns a conversation that has not begun.
func New(f *Fixture) *Conversation {
	return &Conversation{f, &vars{set: map[string]string{}, answers: map[string]*answer{}}}
}

// Me returns the id that the fixture's "me" line stands for at this moment, or
// "" if it is not known yet. Safe to call while Run runs.
func (c *Conversation) Me() string {
	id, err := c.vars.expand(c.fixture.Me, nil, nil)
	if err != nil {
		return ""
	}
	return id
}

// Run holds the conversation and returns an error that describes every
// departure of the first step that went wrong.
func (c *Conversation) Run(ctx context.Context, t Target) error {
	c.vars.put("B", t.Base)
	if scheme, rest, ok := strings.Cut(t.Base, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		c.vars.put("origin", scheme+"://"+host)
	}
	for _, s := range c.fixture.Steps {
		if s.Clock != 0 {
			if t.Advance == nil {
				return errors.New("this server's clock can't be moved")
			}
			t.Advance(s.Clock)
			continue
		}
		if err := c.step(ctx, t, s); err != nil {
			return err
		}
	}
	return nil
}

// step sends a step's requests, in turn or all at once, and then counts.
func (c *Conversation) step(ctx context.Context, t Target, s Step) error {
	n := s.To - s.From + 1
	failed := make([]error, n)
	statuses := make([]int, n)
	one := func(i int) {
		own := map[string]string{}
		label := s.Label
		if s.Var != "" {
			own[s.Var] = strconv.Itoa(s.From + i)
			label += own[s.Var]
		}
		statuses[i], failed[i] = c.exchange(ctx, t, s, label, own)
	}
	if s.Parallel {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { one(i) })
		}
		wg.Wait()
		if err := errors.Join(failed...); err != nil {
			return err
		}
	} else {
		for i := range n {
			if one(i); failed[i] != nil {
				return failed[i]
			}
		}
	}
	if s.Expect == nil {
		return nil
	}
	for _, want := range s.Expect.Status {
		got := 0
		for _, st := range statuses {
			if st == want.Status {
				got++
			}
		}
		if want.Times >= 0 && got != want.Times {
			return fmt.Errorf("-- %s -- %d answers of status %d, want %d", s.Label, got, want.Status, want.Times)
		}
	}
	return nil
}

func (c *Conversation) exchange(ctx context.Context, t Target, s Step, label string, own map[string]string) (int, error) {
	req, sent, err := c.request(ctx, t, s, own)
	if err != nil {
		return 0, fmt.Errorf("-- %s --: %w", label, err)
	}
	a, err := send(t.Client, req)
	if err != nil {
		return 0, fmt.Errorf("-- %s --: %w", label, err)
	}
	c.vars.keep(label, a)
	c.vars.keep(s.Label, a)
	plain := s.Expect != nil && slices.ContainsFunc(s.Expect.Do, func(d Directive) bool { return d.Verb == "plain" })
	var faults []string
	if !plain {
		faults = check(t.Base, s.Method, req.Header.Get("Accept"), a)
	}
	faults = append(faults, c.judge(s.Expect, a, own)...)
	if len(faults) == 0 {
		return a.status, nil
	}
	return a.status, fmt.Errorf("-- %s -- %s %s\n%s\nanswer: %d %s\n%s\n  * %s", label, s.Method, req.URL.RequestURI(),
		cut(sent), a.status, headline(a.header), cut(string(a.body)), strings.Join(faults, "\n  * "))
}

// request builds the HTTP request of a step, and its body as text.
func (c *Conversation) request(ctx context.Context, t Target, s Step, own map[string]string) (*http.Request, string, error) {
	path, err := c.vars.expand(s.Path, own, nil)
	if err != nil {
		return nil, "", err
	}
	if !strings.HasPrefix(path, "http://") && !strings.HasPrefix(path, "https://") {
		path = t.Base + path
	}
	body, err := sugar(s.Body)
	if err != nil {
		return nil, "", err
	}
	if body, err = c.vars.expand(body, own, inJSON); err != nil {
		return nil, "", err
	}
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, s.Method, encode(path), r)
	if err != nil {
		return nil, "", err
	}
	for k, v := range t.Header {
		req.Header[k] = v
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for _, l := range s.Header {
		value, err := c.vars.expand(l.Value, own, nil)
		switch {
		case err != nil:
			return nil, "", err
		case value == "-":
			req.Header.Del(l.Name)
		case strings.EqualFold(l.Name, "Host"):
			req.Host = value
		case strings.EqualFold(l.Name, "Transfer-Encoding"):
			req.ContentLength = -1
		default:
			req.Header.Set(l.Name, value)
		}
	}
	return req, body, nil
}

// encode percent-encodes what may not stand in a URI, so that a fixture can
// write a filter as it is read. What is encoded already stays.
func encode(path string) string {
	const keep = "!$&'()*+,/:;=?@[]%~-._"
	var b strings.Builder
	for i := range len(path) {
		ch := path[i]
		if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.IndexByte(keep, ch) >= 0 {
			b.WriteByte(ch)
		} else {
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}

func send(client *http.Client, req *http.Request) (*answer, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	a := &answer{status: resp.StatusCode, header: resp.Header, body: body}
	if v, err := decode(body); err == nil {
		a.json = v
	}
	return a, nil
}

func cut(text string) string {
	const most = 1500
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// headline prints the headers that matter in a failure message.
func headline(h http.Header) string {
	var b bytes.Buffer
	for _, name := range []string{"Content-Type", "Location", "ETag", "Allow"} {
		if v := h.Get(name); v != "" {
			fmt.Fprintf(&b, " %s: %s;", name, v)
		}
	}
	return b.String()
}
