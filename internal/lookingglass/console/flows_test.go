package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/flows"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const flowsPath = console.Path + "/flows"

// guest is somebody with a session.
type guest struct {
	*site
	cookie string
}

func (s *site) guest(token string) guest {
	c := s.session(token)
	return guest{s, "Cookie: " + c.Name + "=" + c.Value}
}

// send sends a form, or asks for a page if there is none, and follows where it
// is sent to, within the site.
func (v guest) send(method, path, form string, lines ...string) (status int, body, at string) {
	v.t.Helper()
	for range 5 {
		var header http.Header
		status, body, header = v.page(method, path, "", form, append([]string{v.cookie}, lines...)...)
		if status != http.StatusSeeOther {
			return status, body, path
		}
		method, path, form = http.MethodGet, header.Get("Location"), ""
		path, _, _ = strings.Cut(path, "#")
	}
	v.t.Fatalf("%s leads nowhere", path)
	return 0, "", ""
}

var stepForm = regexp.MustCompile(`<form class="stack stepform" method="post" action="([^"]+)">`)

// TestFlowsWithoutScript: each flow from its beginning to its end by plain
// forms, by somebody who may look only; the real directory is never asked.
func TestFlowsWithoutScript(t *testing.T) {
	t.Parallel()
	var asked bool
	s := newSite(t, func(o *console.Options) {
		real := o.Engine
		o.Engine = func() *engine.Engine { asked = true; return real() }
	})
	v := s.guest(viewerToken)
	for _, f := range flows.All() {
		status, body, _ := v.send(http.MethodGet, flowsPath+"/"+f.ID, "")
		if status != http.StatusOK || !strings.Contains(body, html.EscapeString(f.Steps[len(f.Steps)-1].Title)) {
			t.Errorf("%s: %d %s", f.ID, status, body)
		}
		status, body, at := v.send(http.MethodPost, flowsPath+"/"+f.ID, "")
		for n := range f.Steps {
			if status != http.StatusOK || strings.Count(body, `class="done"`) != n || strings.Count(body, `class="now"`) != 1 {
				t.Fatalf("%s, before step %d: %d %s", f.ID, n+1, status, body)
			}
			forms := stepForm.FindAllStringSubmatch(body, -1)
			status, body, _ = v.send(http.MethodPost, forms[len(forms)-1][1], fieldsOf(body))
			if !strings.Contains(html.UnescapeString(body), f.Steps[n].Look) {
				t.Errorf("%s, step %d did not go as it should: %s", f.ID, n+1, body)
			}
		}
		if !strings.Contains(body, "That was all of it") {
			t.Errorf("%s does not end: %s", f.ID, body)
		}
		if _, body, _ := v.send(http.MethodPost, at, "do=end"); !strings.Contains(body, "<h1>Flows</h1>") {
			t.Errorf("%s: %s", at, body)
		}
		if _, body, _ := v.send(http.MethodGet, at, ""); !strings.Contains(body, "That run has ended") {
			t.Errorf("%s is still there: %s", at, body)
		}
	}
	if asked {
		t.Error("the engine of the real directory was asked")
	}
	if list, err := s.Store.Changes(t.Context(), scim.ChangeQuery{}); err != nil || len(list) > 0 {
		t.Errorf("the real directory has changed: %v %v", list, err)
	}
	s.flush()
	if kept := s.Recorder.Stats().Kept; kept != 0 {
		t.Errorf("%d exchanges were recorded", kept)
	}
}

var (
	filterField = regexp.MustCompile(`id="filter-\d+" name="filter" class="mono" value="([^"]*)"`)
	bodyField   = regexp.MustCompile(`(?s)name="body"[^>]*>(.*?)</textarea>`)
)

// fieldsOf is what a browser sends of the last form of a page.
func fieldsOf(body string) string {
	body = body[strings.LastIndex(body, `<form class="stack stepform"`):]
	q := url.Values{}
	if m := filterField.FindStringSubmatch(body); m != nil {
		q.Set("filter", html.UnescapeString(m[1]))
	}
	if m := bodyField.FindStringSubmatch(body); m != nil {
		q.Set("body", strings.ReplaceAll(html.UnescapeString(m[1]), "\n", "\r\n"))
	}
	return q.Encode()
}

func TestFlowEdited(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.guest(viewerToken)
	_, _, at := v.send(http.MethodPost, flowsPath+"/filters", "")
	_, body, _ := v.send(http.MethodPost, at+"/1", url.Values{"filter": {`userName sw "<script>alert(1)"`}}.Encode())
	if !strings.Contains(body, ">edited<") || !strings.Contains(body, "begins with") || strings.Contains(body, "<script>alert") {
		t.Errorf("an edited filter: %s", body)
	}
	_, body, _ = v.send(http.MethodPost, at+"/1", url.Values{"filter": {`userName sw`}}.Encode())
	if !strings.Contains(body, "You changed the request, and the status is another one: 200") || strings.Count(body, `class="done"`) != 1 {
		t.Errorf("a broken filter, the same step again: %s", body)
	}
	_, _, at = v.send(http.MethodPost, flowsPath+"/life-cycle", "")
	v.send(http.MethodPost, at+"/1", "")
	_, body, _ = v.send(http.MethodPost, at+"/2", "body=%7B")
	if !strings.Contains(body, "invalidSyntax") {
		t.Errorf("a broken body: %s", body)
	}
	v.send(http.MethodPost, at+"/3", "")
	_, body, _ = v.send(http.MethodPost, at+"/4", "")
	if !strings.Contains(body, "Not yet: this step needs") {
		t.Errorf("without an earlier answer: %s", body)
	}
	for path, want := range map[string]int{"/99": 200, "/0": 200, "/x": 404, "/-1": 200} {
		if status, body, _ := v.send(http.MethodPost, at+path, ""); status != want {
			t.Errorf("step %s: %d %s", path, status, body)
		}
	}
	if status, _, _ := v.send(http.MethodPost, at+"/3", "body="+strings.Repeat("a", 300<<10)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large form: %d", status)
	}
	_, body, again := v.send(http.MethodPost, at, "do=again")
	if again == at || strings.Contains(body, `class="done"`) {
		t.Errorf("%s again is %s: %s", at, again, body)
	}
	last := 0
	for range flows.MaxRequests + 1 {
		last, _, _ = v.send(http.MethodPost, again+"/1", "")
	}
	if last != http.StatusConflict {
		t.Errorf("after %d requests: %d", flows.MaxRequests+1, last)
	}
}

// TestFlowsAreOnesOwn: nobody else sees a run, it ends when it idles, and there
// are only so many.
func TestFlowsAreOnesOwn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var later time.Duration
	s := newSite(t, func(o *console.Options) {
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(later)
		}
	})
	v, other := s.guest(viewerToken), s.guest(viewerToken)
	gone := func(v guest, at string) bool {
		t.Helper()
		_, body, _ := v.send(http.MethodGet, at, "")
		return strings.Contains(body, "That run has ended")
	}
	_, _, at := v.send(http.MethodPost, flowsPath+"/bulk", "")
	if gone(v, at) || !gone(other, at) {
		t.Error("a run is not that of who started it alone")
	}
	if status, body, _ := other.send(http.MethodPost, at, "do=end"); status != 200 || gone(v, at) {
		t.Errorf("somebody else could end it: %s", body)
	}
	if !gone(v, strings.Replace(at, "/bulk/", "/filters/", 1)) {
		t.Error("a run under another flow's address")
	}
	mu.Lock()
	later = 14 * time.Minute
	mu.Unlock()
	if gone(v, at) {
		t.Error("it ended too soon")
	}
	mu.Lock()
	later = 30 * time.Minute
	mu.Unlock()
	if !gone(v, at) {
		t.Error("it did not end")
	}
	var runs []string
	for range 53 {
		_, _, at := v.send(http.MethodPost, flowsPath+"/discovery", "")
		runs = append(runs, at)
	}
	left := 0
	for _, at := range runs {
		if !gone(v, at) {
			left++
		}
	}
	if left != 50 {
		t.Errorf("%d runs at once, want 50", left)
	}
	for _, path := range []string{"/nothing", "/nothing/x"} {
		if status, _, _ := v.send(http.MethodGet, flowsPath+path, ""); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, line := range []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"} {
		if status, _, _ := v.send(http.MethodPost, flowsPath+"/bulk", "", line); status != http.StatusForbidden {
			t.Errorf("%s: %d", line, status)
		}
	}
	if status, _, header := s.page(http.MethodPost, flowsPath+"/bulk", "", ""); status == http.StatusSeeOther && !strings.Contains(header.Get("Location"), "/login") || status == http.StatusOK {
		t.Errorf("without a session: %d %v", status, header)
	}
}

// TestFlowInBrowser: with a mouse, and an edit on the way.
func TestFlowInBrowser(t *testing.T) {
	s := newSite(t)
	b := s.open(flowsPath, viewerToken)
	b.inspect("flows")
	b.visit(flowsPath + "/dialect")
	b.inspect("flow-outline")
	b.do(chromedp.Click(".head button.primary"))
	b.until("the first step", "document.querySelector('#step-1.now')")
	for n := range 3 {
		if n == 2 {
			eval[bool](b, `(document.querySelector("li.now textarea").value = document.querySelector("li.now textarea").value.replace('"False"', '"No"'), true)`)
		}
		b.do(chromedp.Click("li.now button.primary"))
		b.until("the step", fmt.Sprintf("document.querySelectorAll('li.done').length === %d", n+1))
	}
	b.until("the edit's outcome", "document.querySelector('#step-3')?.innerText.includes('edited')")
	b.inspect("flow-edited")
	b.do(chromedp.Click("#step-3 .again summary"))
	eval[bool](b, `(document.querySelector("#step-3 textarea").value = document.querySelector("#step-3 textarea").value.replace('"No"', '"False"'), true)`)
	b.do(chromedp.Click("#step-3 .stepform button.primary"))
	b.until("the step as it was meant", "document.querySelector('#step-3')?.innerText.includes('PATCH-09')")
	b.inspect("flow-middle")
	b.clean()
}
