package scimhttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// stalling is a body that stops short of its end until it is let go.
type stalling struct {
	io.Reader
	reached chan<- struct{}
	release <-chan struct{}
	once    sync.Once
}

func (s *stalling) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		s.once.Do(func() { s.reached <- struct{}{} })
		<-s.release
	}
	return n, err
}

// unread is a client that does not take its answer until it is let go.
type unread struct {
	*httptest.ResponseRecorder
	reached chan<- struct{}
	release <-chan struct{}
}

func (u unread) Write(p []byte) (int, error) {
	u.reached <- struct{}{}
	<-u.release
	return u.ResponseRecorder.Write(p)
}

func largeUser(name string) string {
	return fmt.Sprintf(`{"userName":%q%s}`, name, strings.Repeat(" ", 3<<19))
}

// handler returns what creates a user through a handler that has 8 MiB for what
// bodies have beyond their first MiB.
func handler(t *testing.T) (post func(w http.ResponseWriter, body io.Reader)) {
	t.Helper()
	e, err := engine.New(new(memory.Store), engine.Config{Limits: engine.Limits{Body: 2 << 20, LargeBody: 2 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	h := scimhttp.NewHandler(e, scimhttp.Options{BodyTimeout: 50 * time.Millisecond})
	return func(w http.ResponseWriter, body io.Reader) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "http://h/Users", body)
		r.ContentLength = -1
		h.ServeHTTP(w, r)
	}
}

func await(t *testing.T, reached <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-reached:
	case <-time.After(10 * time.Second):
		t.Fatal("not reached: " + what)
	}
}

// TestSlowSenders: who sends slowly holds what was sent, and no more. Only when
// that is all there is, the next one is told to come back.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	post := handler(t)
	reached, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	slow := make([]*httptest.ResponseRecorder, 8)
	stall := func(i int) {
		slow[i] = httptest.NewRecorder()
		go func() {
			post(slow[i], &stalling{Reader: strings.NewReader(largeUser(fmt.Sprint("slow", i))), reached: reached, release: release})
			done <- struct{}{}
		}()
		await(t, reached, "a body of which the end is missing")
	}
	status := func(body string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		post(w, strings.NewReader(body))
		return w
	}
	for i := range 7 {
		stall(i)
	}
	if w := status(largeUser("quick")); w.Code != 201 {
		t.Errorf("a large body beside seven slow ones: %d %s", w.Code, w.Body)
	}
	stall(7)
	if w := status(largeUser("ninth")); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("a large body where there is no room: %d %v", w.Code, w.Header())
	}
	if w := status(`{"userName":"small"}`); w.Code != 201 {
		t.Errorf("a small body where there is no room for large ones: %d %s", w.Code, w.Body)
	}
	for range slow {
		release <- struct{}{}
		await(t, done, "the answer to a slow body")
	}
	for i, w := range slow {
		if w.Code != 201 {
			t.Errorf("slow %d: %d %s", i, w.Code, w.Body)
		}
	}
	if w := status(largeUser("ninth")); w.Code != 201 {
		t.Errorf("a large body when the slow ones are through: %d %s", w.Code, w.Body)
	}
}

// TestSlowReaders: who does not take the answer holds nothing of the body.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	post := handler(t)
	reached, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(release)
	for i := range 10 {
		wg.Go(func() {
			post(unread{httptest.NewRecorder(), reached, release}, strings.NewReader(largeUser(fmt.Sprint("u", i))))
		})
		await(t, reached, "the answer to a large body")
	}
	w := httptest.NewRecorder()
	post(w, strings.NewReader(largeUser("last")))
	if w.Code != 201 {
		t.Errorf("a large body beside ten unread answers: %d %s", w.Code, w.Body)
	}
}

// many serves two customers, of whom one may do nothing, with 8 MiB for what
// bodies have beyond their first MiB. X-Customer says whose request it is.
func many(t *testing.T) http.Handler {
	t.Helper()
	e, err := engine.New(new(memory.Store), engine.Config{Limits: engine.Limits{Body: 2 << 20, LargeBody: 2 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	refusing := e.Guarded(func(context.Context, engine.Access) error { return &scim.Error{Status: 403, Detail: "not you"} })
	return scimhttp.NewResolver(func(r *http.Request) (*engine.Engine, error) {
		if r.Header.Get("X-Customer") == "refused" {
			return refusing, nil
		}
		return e, nil
	}, scimhttp.Options{MaxBody: 2 << 20, BodyTimeout: 50 * time.Millisecond, Holder: func(r *http.Request) string { return r.Header.Get("X-Customer") }})
}

func ask(t *testing.T, h http.Handler, method, customer string, body io.Reader) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://h/Users", body)
	r.ContentLength = -1
	r.Header.Set("X-Customer", customer)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestOneCustomersSlowSenders: one customer can't have all the room for large
// bodies.
func TestOneCustomersSlowSenders(t *testing.T) {
	t.Parallel()
	h := many(t)
	reached, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	for i := range 4 {
		go func() {
			body := &stalling{Reader: strings.NewReader(largeUser(fmt.Sprint("slow", i))), reached: reached, release: release}
			if w := ask(t, h, "POST", "a", body); w.Code != 201 {
				t.Errorf("slow %d: %d", i, w.Code)
			}
			done <- struct{}{}
		}()
		await(t, reached, "a body of which the end is missing")
	}
	if w := ask(t, h, "POST", "a", strings.NewReader(largeUser("a"))); w.Code != 503 {
		t.Errorf("more than half for one customer: %d %s", w.Code, w.Body)
	}
	if w := ask(t, h, "POST", "b", strings.NewReader(largeUser("b"))); w.Code != 201 {
		t.Errorf("another customer: %d %s", w.Code, w.Body)
	}
	for range 4 { // one after the other, since two may be worked on
		release <- struct{}{}
		await(t, done, "the answer to a slow body")
	}
	if w := ask(t, h, "POST", "a", strings.NewReader(largeUser("a"))); w.Code != 201 {
		t.Errorf("when the slow ones are through: %d %s", w.Code, w.Body)
	}
}

// counted counts the bytes that are read of a body.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// TestUnwantedBodies: a body is not read where it means nothing, or where the
// request is refused whatever it says.
func TestUnwantedBodies(t *testing.T) {
	t.Parallel()
	h := many(t)
	for _, c := range []struct {
		method, customer string
		status           int
		length           int
		close            string
	}{
		{"GET", "a", 200, 2 << 20, "close"}, {"HEAD", "a", 200, 2 << 20, "close"}, {"OPTIONS", "a", 204, 2 << 20, "close"},
		{"GET", "a", 200, 100, ""}, {"POST", "refused", 403, 2 << 20, "close"}, {"POST", "refused", 403, 100, ""},
	} {
		body := &counted{Reader: strings.NewReader(strings.Repeat("x", c.length))}
		w := ask(t, h, c.method, c.customer, body)
		if w.Code != c.status || body.n > 128<<10 || w.Header().Get("Connection") != c.close {
			t.Errorf("%s of %s: %d, %d bytes read of %d, Connection %q", c.method, c.customer, w.Code, body.n, c.length, w.Header().Get("Connection"))
		}
	}
}
