package engine_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// ETG-006 to ETG-013
func TestConditions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)
	store := &memory.Store{Now: func() time.Time { return now }}
	c := open(t, store, engine.Config{})
	id := c.user("u")
	tag := c.must(200, "GET /Users/"+id, "").ETag
	strong := tag[2:]
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	const before, same, after = -time.Second, 0, time.Second

	for _, tt := range []struct {
		name    string
		headers []string
		get     int
		put     int // of a PUT that changes nothing
	}{
		{"none", nil, 200, 200},
		{"match", []string{"If-Match: " + tag}, 200, 200},
		{"match, strong form", []string{"If-Match: " + strong}, 200, 200},
		{"match in a list", []string{`If-Match: "x" ,, ` + tag + ` ,"y"`}, 200, 200},
		{"match any", []string{"If-Match: *"}, 200, 200},
		{"no match", []string{`If-Match: "x", W/"y"`}, 412, 412},
		{"malformed", []string{"If-Match: abc"}, 400, 400},
		{"unquoted end", []string{`If-Match: "abc`}, 400, 400},
		{"lower-case w", []string{`If-Match: w/"abc"`}, 400, 400},
		{"two without comma", []string{`If-Match: "a" "b"`}, 400, 400},
		{"only commas", []string{`If-Match: , ,`}, 400, 400},
		{"a blank inside", []string{`If-None-Match: "a b"`}, 400, 400},
		{"none match", []string{`If-None-Match: "x"`}, 200, 200},
		{"none match, there", []string{"If-None-Match: " + tag}, 304, 412},
		{"none match, strong form", []string{"If-None-Match: " + strong}, 304, 412},
		{"none match in a list", []string{`If-None-Match: "x", ` + tag}, 304, 412},
		{"none match any", []string{"If-None-Match: *"}, 304, 412},
		{"match and none match", []string{"If-Match: " + tag, "If-None-Match: " + tag}, 304, 412},
		{"no match goes first", []string{`If-Match: "x"`, "If-None-Match: " + tag}, 412, 412},
		{"modified since", []string{"If-Modified-Since: " + at(before)}, 200, 200},
		{"not modified since", []string{"If-Modified-Since: " + at(same)}, 304, 200},
		{"not modified since later", []string{"If-Modified-Since: " + at(after)}, 304, 200},
		{"a date that is none", []string{"If-Modified-Since: yesterday", "If-Unmodified-Since: never"}, 200, 200},
		{"tag before date", []string{`If-None-Match: "x"`, "If-Modified-Since: " + at(after)}, 200, 200},
		{"unmodified since", []string{"If-Unmodified-Since: " + at(same)}, 200, 200},
		{"not unmodified since", []string{"If-Unmodified-Since: " + at(before)}, 412, 412},
		{"match before date", []string{"If-Match: " + tag, "If-Unmodified-Since: " + at(before)}, 200, 200},
		{"obsolete date", []string{"If-Unmodified-Since: Friday, 02-Jan-26 03:04:04 GMT"}, 412, 412},
		{"asctime date", []string{"If-Modified-Since: Fri Jan  2 03:04:05 2026"}, 304, 200},
	} {
		a := c.do("GET /Users/"+id, "", tt.headers...)
		if a.Status != tt.get {
			t.Errorf("%s: GET gives %d, want %d (%s)", tt.name, a.Status, tt.get, a.text)
		}
		if a.Status == 304 && (a.Body != nil || a.ETag != tag) {
			t.Errorf("%s: 304 with body %v, ETag %q", tt.name, a.Body, a.ETag)
		}
		for _, line := range []string{"PUT /Users/" + id, "PATCH /Users/" + id} {
			body := `{"userName":"u"}`
			if line[1] == 'A' {
				body = patchOp(`{"op":"replace","path":"userName","value":"u"}`)
			}
			if a := c.do(line, body, tt.headers...); a.Status != tt.put {
				t.Errorf("%s: %s gives %d, want %d (%s)", tt.name, line[:5], a.Status, tt.put, a.text)
			}
		}
		victim := c.user("victim")
		vtag := c.must(200, "GET /Users/"+victim, "").ETag
		if vtag != tag {
			t.Fatalf("the first version is %s here and %s there", tag, vtag)
		}
		want := tt.put
		if want == 200 {
			want = 204
		}
		if a := c.do("DELETE /Users/"+victim, "", tt.headers...); a.Status != want {
			t.Errorf("%s: DELETE gives %d, want %d (%s)", tt.name, a.Status, want, a.text)
		}
		c.do("DELETE /Users/"+victim, "")
	}
	// ETG-016, SRC-008: not on lists.
	c.must(200, "GET /Users", "", "If-None-Match: *", "If-Match: rubbish")
	// SPC-013: but on discovery documents.
	doc := c.must(200, "GET /Schemas", "")
	if a := c.must(304, "GET /schemas", "", "If-None-Match: "+doc.ETag); a.Body != nil || a.ETag != doc.ETag {
		t.Errorf("304 with body %v, ETag %q", a.Body, a.ETag)
	}
	c.must(200, "GET /Schemas", "", `If-None-Match: "x"`)
	c.must(412, "GET /ServiceProviderConfig", "", `If-Match: "x"`)
}

// ETG-018
func TestNoETags(t *testing.T) {
	t.Parallel()
	c := open(t, nil, engine.Config{NoETag: true})
	id := c.user("u")
	for _, line := range []string{"GET /Users/" + id, "GET /ServiceProviderConfig", "GET /Schemas"} {
		a := c.must(200, line, "", "If-None-Match: *", "If-Match: rubbish")
		if meta, _ := a.json["meta"].(map[string]any); a.ETag != "" || meta["version"] != nil {
			t.Errorf("%s: ETag %q, meta %v", line, a.ETag, meta)
		}
	}
	c.must(200, "PUT /Users/"+id, `{"userName":"v"}`, `If-Match: "x"`)
	c.must(204, "DELETE /Users/"+id, "", `If-Match: "x"`)
}

// A DELETE whose precondition was true deletes that version only.
func TestConditionalDeleteRace(t *testing.T) {
	t.Parallel()
	both(t, engine.Config{}, func(t *testing.T, c client) {
		id := c.user("u")
		tag := c.must(200, "GET /Users/"+id, "").ETag
		got := race(c, 20, func(i int) answer {
			if i%2 == 0 {
				return c.do("DELETE /Users/"+id, "", "If-Match: "+tag)
			}
			return c.do("PUT /Users/"+id, `{"userName":"v"}`, "If-Match: "+tag)
		})
		if got[204]+got[200] != 1 {
			t.Errorf("answers by status: %v, want one success", got)
		}
	})
}
