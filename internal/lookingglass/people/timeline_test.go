package people_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

func (w *world) timeline(d *people.Desk, asked string, q people.TimelineQuery) []people.Event {
	w.t.Helper()
	v, err := d.Find(w.t.Context(), asked)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []people.Event
	for range 100 {
		page, err := d.Timeline(w.t.Context(), v, q)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, page.Events...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
	w.t.Fatal("the timeline has no end")
	return nil
}

func tell(events []people.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%s: %s", e.Kind, e.Words)
		if len(e.Details) > 0 {
			fmt.Fprintf(&b, " [%s]", strings.Join(e.Details, "; "))
		}
		if e.Times > 1 {
			fmt.Fprintf(&b, " ×%d", e.Times)
		}
		b.WriteByte('\n')
	}
	return still(b.String())
}

// live is a person's life, told by the clients that made it.
func live(w *world) (alice string) {
	w.do(okta, "GET", byUserName+url.QueryEscape(`"alice"`), "", 200)
	alice = w.user(okta, `{"userName":"alice","title":"Engineer"}`)
	crew := w.do(okta, "POST", "/Groups", `{"displayName":"Crew"}`, 201)
	w.do(entra, "PATCH", "/Groups/"+crew, patch(`{"op":"add","path":"members","value":[{"value":"`+alice+`"}]}`), 204)
	w.do(okta, "GET", "/Users/"+alice, "", 200)
	w.do(okta, "GET", "/Users/"+alice, "", 200)
	w.do(okta, "GET", byUserName+url.QueryEscape(`"alice"`), "", 200)
	w.do(okta, "PATCH", "/Users/"+alice, patch(`{"op":"replace","value":{"title":"Manager"}}`), 200)
	w.do(okta, "PATCH", "/Users/"+alice, patch(`{"op":"replace","value":{"title":"Manager"}}`), 200)
	w.do(okta, "PATCH", "/Users/"+alice, patch(`{"op":"replace","path":"active","value":"perhaps"}`), 400)
	w.do(okta, "PATCH", "/Users/"+alice, patch(`{"op":"replace","value":{"active":false}}`), 200)
	w.do(okta, "PATCH", "/Users/"+alice, patch(`{"op":"replace","value":{"active":true}}`), 200)
	w.do(okta, "PATCH", "/Users/"+alice, patch(`{"op":"replace","value":{"userName":"alice.b"}}`), 200)
	bob := w.user(okta, `{"userName":"bob"}`)
	w.do(entra, "PATCH", "/Groups/"+crew, patch(`{"op":"add","path":"members","value":[{"value":"`+bob+`"}]}`), 204)
	w.do(entra, "PATCH", "/Groups/"+crew, patch(`{"op":"replace","path":"displayName","value":"Team"}`), 204)
	return alice
}

const told = `lookup: Okta looked for “alice” by userName and found nobody
change: Okta created alice.b
group: Okta created the group Crew, empty
group: Entra ID added alice.b to Team
read: Okta read alice.b ×2
lookup: Okta looked for “alice” by userName and found one
change: Okta changed title of alice.b [title: "Engineer" → "Manager"]
read: Okta sent a change of alice.b that changed nothing
refused: Okta tried to change alice.b and was refused with 400: WHY
change: Okta deactivated alice.b; groups kept
change: Okta activated alice.b
change: Okta renamed alice to alice.b [userName: "alice" → "alice.b"]
group: Entra ID changed the members of Team [1 added, 0 removed]
group: Entra ID renamed the group Crew to Team
`

// TestTimeline tells a life in words, whole and by pages of any size.
func TestTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := live(w)
	v := w.find("alice.b")
	events := w.timeline(w.desk, "alice.b", people.TimelineQuery{})
	got := tell(events)
	for line := range strings.Lines(got) {
		if head, _, ok := strings.Cut(line, "refused with 400: "); ok {
			got = strings.Replace(got, line, head+"refused with 400: WHY\n", 1)
		}
	}
	if got != told {
		t.Errorf("got:\n%s\nwant:\n%s", got, told)
	}
	for _, e := range events {
		if e.Seq == 0 && !strings.HasSuffix(e.Words, "nobody") {
			t.Errorf("no exchange: %s", e.Words)
		}
	}
	for limit := 1; limit < 15; limit++ {
		paged := w.timeline(w.desk, "alice.b", people.TimelineQuery{Limit: limit})
		n := 0
		for _, e := range paged {
			n += e.Times
		}
		if n != 15 {
			t.Errorf("by pages of %d there are %d events:\n%s", limit, n, tell(paged))
		}
	}
	alone := tell(w.timeline(w.desk, alice, people.TimelineQuery{Alone: true}))
	if strings.Contains(alone, "renamed the group") || !strings.Contains(alone, "added alice.b to Team") {
		t.Errorf("alone:\n%s", alone)
	}
	for _, bad := range []string{"x", "1", "1.2", "-1.2.3"} {
		if _, err := w.desk.Timeline(t.Context(), v, people.TimelineQuery{After: bad}); !errors.Is(err, people.ErrCursor) {
			t.Errorf("after %q: %v", bad, err)
		}
	}
}

// TestTimelines are those of others than a person who is there.
func TestTimelines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := live(w)
	w.do(entra, "DELETE", "/Users/"+alice, "", 204)
	w.do(entra, "GET", byUserName+url.QueryEscape(`"zoe"`), "", 200)
	w.do(entra, "GET", byUserName+url.QueryEscape(`"zoe"`), "", 200)
	w.do(okta, "POST", "/Users", `{"userName":"zoe","active":"perhaps"}`, 400)

	group := tell(w.timeline(w.desk, "Team", people.TimelineQuery{}))
	for _, line := range []string{"change: Okta created the group Crew, empty\n", "change: Entra ID changed the members of Team [added: alice.b]\n",
		"change: Entra ID changed the members of Team [added: bob]\n", "change: Entra ID renamed the group Crew to Team\n",
		"change: Entra ID changed the members of Team [removed: alice.b]\n"} {
		if !strings.Contains(group, line) {
			t.Errorf("the group's timeline lacks %q:\n%s", line, group)
		}
	}
	gone := tell(w.timeline(w.desk, "alice.b", people.TimelineQuery{}))
	for _, line := range []string{"change: Okta created alice.b\n", "change: Entra ID deleted alice.b\n", "group: Entra ID removed alice.b from Team\n"} {
		if !strings.Contains(gone, line) {
			t.Errorf("the timeline of who was deleted lacks %q:\n%s", line, gone)
		}
	}
	never := tell(w.timeline(w.desk, "zoe", people.TimelineQuery{}))
	if lines := strings.Split(never, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "lookup: Entra ID looked for “zoe” by userName and found nobody ×2") ||
		!strings.HasPrefix(lines[1], "refused: Okta tried to create zoe and was refused with 400: ") {
		t.Errorf("the timeline of who never was:\n%s", never)
	}
}

// TestTimelineWithoutLog is what a façade can tell: requests alone.
func TestTimelineWithoutLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	live(w)
	d := people.NewDesk(people.Sources{Engine: func() *engine.Engine { return w.engine }, Log: w.rec})
	got := tell(w.timeline(d, "alice.b", people.TimelineQuery{}))
	for _, line := range []string{"change: Okta created alice.b\n", "change: Okta changed title of alice.b [title: \"Engineer\" → \"Manager\"]\n",
		"change: Okta deactivated alice.b", "change: Okta activated alice.b", "group: Entra ID added alice.b to Team\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("it lacks %q:\n%s", line, got)
		}
	}
}
