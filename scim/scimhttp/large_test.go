package scimhttp_test

import (
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
