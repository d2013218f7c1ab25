package console

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

const (
	maxStreams = 100                    // event streams that are open at once
	beat       = 100 * time.Millisecond // how long exchanges are gathered before they are sent
	perSecond  = 20                     // rows that a browser gets, above burst
	burst      = 40
	quiet      = 15 * time.Second // after which a stream without events gets a sign of life
)

// events is the stream behind the live page: rows as they come, newest first,
// and the recorder's figures. What is more than anybody can read is left out and
// counted; failures and writes are the last to be left out.
func (c *Console) events(w http.ResponseWriter, r *http.Request) {
	if !ownOrigin(r) {
		http.Error(w, "The event stream is for the console's own pages.", http.StatusForbidden)
		return
	}
	select {
	case c.streams <- struct{}{}:
		defer func() { <-c.streams }()
	default:
		http.Error(w, "Too many pages are open.", http.StatusServiceUnavailable)
		return
	}
	s := sieveOf(r.URL.Query())
	s.Before = 0
	after, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
	if err != nil {
		after, _ = strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // 0 if it is none
	}

	// What other instances recorded may have come late, between what is shown: the
	// browser leaves out what it has.
	after = min(after, c.records.Settled())
	out := &stream{console: c, w: w, control: http.NewResponseController(w), sieve: s, last: after, floor: after, have: map[int64]bool{}, credit: burst}
	arriving := c.records.Subscribe(r.Context()) // before what came meanwhile is read: nothing falls between
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	if !out.send("retry: 2000\n\n") || !out.catchUp(r) {
		return
	}
	out.run(r, arriving)
}

// stream is one browser's.
type stream struct {
	console *Console
	w       http.ResponseWriter
	control *http.ResponseController
	sieve   sieve

	last    int64          // Seq of the newest that was sent or left out
	floor   int64          // that of who is not wanted
	have    map[int64]bool // that of those above floor which were sent when the stream began
	waiting []*lookingglass.Exchange
	leftOut int64
	credit  float64
	told    figures
	sent    time.Time
}

// catchUp sends what came since the page was made, or the stream broke.
func (s *stream) catchUp(r *http.Request) bool {
	q := s.sieve.query(pageSize)
	q.After = s.last
	missed, err := s.console.records.Find(r.Context(), q)
	if err != nil {
		s.console.o.Logger.Error("the recorder can't be read", "error", err)
		return false
	}
	slices.Reverse(missed)
	if len(missed) == pageSize {
		s.floor = missed[0].Seq
	}
	for _, x := range missed {
		s.have[x.Seq] = true
	}
	return s.rows(missed) && s.figures(r)
}

// run ends when the browser leaves, the session ends, or the recorder closes.
func (s *stream) run(r *http.Request, arriving <-chan lookingglass.Event) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	told := time.Now()
	wanted := s.sieve.query(0).Matcher()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.console.closed:
			return
		case e, ok := <-arriving:
			if !ok {
				return
			}
			s.leftOut += int64(e.Missed)
			if x := e.Exchange; x != nil && s.isNew(x) && wanted(x) {
				s.waiting = append(s.waiting, x)
			}
			if len(s.waiting) > 4*burst {
				s.choose()
			}
		case now := <-tick.C:
			s.credit = min(burst, s.credit+perSecond*beat.Seconds())
			if len(s.waiting) > 0 {
				if s.choose(); !s.rows(s.waiting) {
					return
				}
				s.credit -= float64(len(s.waiting))
				s.waiting = s.waiting[:0]
			}
			if now.Sub(told) >= time.Second {
				if told = now; !s.console.current(r) || !s.figures(r) {
					return
				}
			}
			if now.Sub(s.sent) > quiet && !s.send(":\n\n") {
				return
			}
		}
	}
}

// isNew reports whether an exchange is none of those that the stream began with.
func (s *stream) isNew(x *lookingglass.Exchange) bool {
	return x.Seq > s.floor && !s.have[x.Seq]
}

// choose leaves out of what waits as much as the credit does not cover.
func (s *stream) choose() {
	most := max(int(s.credit), 0)
	if len(s.waiting) <= most {
		return
	}
	slices.SortStableFunc(s.waiting, func(a, b *lookingglass.Exchange) int { return weight(b) - weight(a) })
	s.leftOut += int64(len(s.waiting) - most)
	clear(s.waiting[most:])
	s.waiting = s.waiting[:most]
	slices.SortFunc(s.waiting, func(a, b *lookingglass.Exchange) int { return int(a.Seq - b.Seq) })
}

// weight says how much an exchange is worth seeing.
func weight(x *lookingglass.Exchange) int {
	switch {
	case x.Status >= 400:
		return 2
	case x.Op == "create" || x.Op == "replace" || x.Op == "patch" || x.Op == "delete" || x.Op == "bulk":
		return 1
	}
	return 0
}

// rows sends exchanges, of which the oldest comes first.
func (s *stream) rows(list []*lookingglass.Exchange) bool {
	if len(list) == 0 {
		return true
	}
	var b bytes.Buffer
	for _, x := range slices.Backward(list) {
		text, err := s.console.execute("live.html", "row", row{Exchange: x, Params: s.sieve.Encode()})
		if err != nil {
			s.console.o.Logger.Error("the console can't render a row", "error", err)
			return false
		}
		b.Write(text)
	}
	s.last = max(s.last, list[len(list)-1].Seq)
	return s.event("rows", strconv.FormatInt(s.last, 10), b.String())
}

// figures sends those of the recorder, if they are new.
func (s *stream) figures(r *http.Request) bool {
	now := s.console.figures(r, s.leftOut)
	if now == s.told {
		return true
	}
	s.told = now
	text, err := s.console.execute("live.html", "figures", now)
	if err != nil {
		s.console.o.Logger.Error("the console can't render its figures", "error", err)
		return false
	}
	return s.event("figures", "", string(text))
}

func (s *stream) event(name, id, data string) bool {
	var b strings.Builder
	fmt.Fprintf(&b, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	for line := range strings.Lines(strings.ReplaceAll(data, "\r", "\n")) {
		fmt.Fprintf(&b, "data: %s\n", strings.TrimRight(line, "\n"))
	}
	b.WriteByte('\n')
	return s.send(b.String())
}

// send writes to the browser. One that does not read is given up.
func (s *stream) send(text string) bool {
	_ = s.control.SetReadDeadline(time.Time{})                // the stream outlives that of requests
	_ = s.control.SetWriteDeadline(time.Now().Add(2 * quiet)) // some writers have none
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	s.sent = time.Now()
	return s.control.Flush() == nil
}
