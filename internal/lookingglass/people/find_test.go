package people_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const byUserName = "/Users?filter=userName+eq+"

// TestVerdicts asks after somebody in every state there is.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.user(okta, `{"userName":"alice@example.com","externalId":"00u1","emails":[{"value":"alice.b@example.com","type":"work"}]}`)
	w.user(okta, `{"userName":"inger"}`)
	ivan := w.user(okta, `{"userName":"ivan"}`)
	w.do(okta, "PATCH", "/Users/"+ivan, patch(`{"op":"replace","value":{"active":false}}`), 200)
	iris := w.user(entra, `{"userName":"iris","active":false}`)
	w.do("", "PATCH", "/Users/"+iris, patch(`{"op":"replace","path":"title","value":"CTO"}`), 200)
	dora := w.user(entra, `{"userName":"dora"}`)
	w.do(entra, "DELETE", "/Users/"+dora, "", 204)
	w.do(okta, "POST", "/Users", `{"userName":"rita","name":{"givenName":"R"},"active":"perhaps"}`, 400)
	w.do(okta, "POST", "/Users", `{"userName":"alice@example.com"}`, 409)
	for range 3 {
		w.do(entra, "GET", byUserName+url.QueryEscape(`"sam"`), "", 200)
	}
	w.do(okta, "GET", "/Users?filter=emails.value+eq+%22sue@example.com%22", "", 200)
	crew := w.do(okta, "POST", "/Groups", `{"displayName":"Crew","members":[{"value":"`+alice+`"}]}`, 201)

	tests := []struct {
		name, asked string
		cause       people.Cause
		words       string
		client      string
		near        string
	}{
		{"active, in a group", "alice@example.com", people.Present, "“alice@example.com” is here and active, since TIME, in the group “Crew”.", "", ""},
		{"by externalId", "00u1", people.Present, "“alice@example.com” is here and active, since TIME, in the group “Crew”.", "", ""},
		{"by id", alice, people.Present, "“alice@example.com” is here and active, since TIME, in the group “Crew”.", "", ""},
		{"by address", "Alice.B@example.com", people.Present, "“alice@example.com” is here and active, since TIME, in the group “Crew”.", "",
			"attribute: “Alice.B@example.com” is the e-mail address; the userName here is “alice@example.com”. A client that looks for the address as a userName finds nobody"},
		{"active, in none", "inger", people.Present, "“inger” is here and active, since TIME.", "", ""},
		{"deactivated", "ivan", people.Inactive, "“ivan” is here, but inactive since TIME, by Okta.", "Okta", ""},
		{"created inactive, changed since", "iris", people.Inactive, "“iris” is here, but inactive since TIME, by Entra ID.", "Entra ID", ""},
		{"deleted", "dora", people.Deleted, "“dora” was deleted TIME, by Entra ID; until TIME “rollcall users restore ID” gives the person back.", "Entra ID", ""},
		{"deleted, by id", dora, people.Deleted, "“dora” was deleted TIME, by Entra ID; until TIME “rollcall users restore ID” gives the person back.", "Entra ID", ""},
		{"refused", "rita", people.Refused, "Okta tried to create “rita” TIME and was refused with 400: ", "Okta", ""},
		{"looked for", "sam", people.Sought, "Entra ID looked for “sam” by userName, 3 times, the last TIME, found nobody and created nobody.", "Entra ID", ""},
		{"looked for by address", "sue@example.com", people.Sought, "Okta looked for “sue@example.com” by e-mail address, TIME, found nobody and created nobody.", "Okta", ""},
		{"never mentioned", "zoe", people.Never, "Your identity provider never asked for “zoe”: not since TIME, which is as far back as requests are kept.", "", ""},
		{"a group", "crew", people.Present, "The group “Crew” is here, since TIME.", "", ""},
		{"a group by id", crew, people.Present, "The group “Crew” is here, since TIME.", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := w.find(tt.asked)
			got := still(v.Words)
			if tt.cause == people.Refused {
				if !strings.HasPrefix(got, tt.words) || !strings.Contains(got, "active") {
					t.Errorf("words: %s", got)
				}
			} else if got != tt.words {
				t.Errorf("words\n got: %s\nwant: %s", got, tt.words)
			}
			if v.Cause != tt.cause || v.Client != tt.client {
				t.Errorf("cause %s by %q, want %s by %q", v.Cause, v.Client, tt.cause, tt.client)
			}
			if near := nearWords(v); near != tt.near {
				t.Errorf("near\n got: %s\nwant: %s", near, tt.near)
			}
			if v.There() != (v.Cause == people.Present) || v.Cause != people.Present && len(v.Next) == 0 {
				t.Errorf("there %v, next %v", v.There(), v.Next)
			}
			if c := v.Cause; (c == people.Inactive || c == people.Deleted || c == people.Refused) && v.Seq == 0 {
				t.Error("no exchange is linked")
			}
		})
	}
}

func nearWords(v *people.Verdict) string {
	var list []string
	for _, n := range v.Near {
		list = append(list, n.Kind+": "+n.Words)
	}
	return strings.Join(list, "; ")
}

// TestNear asks after people who are there under another spelling.
func TestNear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{
		`{"userName":"Bjørn@example.com","externalId":"ABC-DEF"}`,
		`{"userName":"jose@example.com","displayName":"José García"}`,
		`{"userName":"paul@old.example"}`,
		`{"userName":"mark","emails":[{"value":"mark@corp.example"}]}`,
		`{"userName":"\u0440eter@example.com"}`,
		`{"userName":"ann lee"}`,
		`{"userName":"emp","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"4711"},
		  "schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]}`,
		`{"userName":"twin1","emails":[{"value":"both@example.com"}]}`,
		`{"userName":"twin2","emails":[{"value":"both@example.com"}]}`,
	} {
		w.user(okta, body)
	}
	tests := []struct{ name, asked, cause, near string }{
		{"case", "BJØRN@EXAMPLE.COM", "present", "case: the userName is spelled “Bjørn@example.com” here; case makes no difference to SCIM, but it may to the application"},
		{"case of an externalId", "abc-def", "never", "case: “Bjørn@example.com” has this value in another case as its externalId"},
		{"blanks around", " ann lee\u00a0", "present", "blanks: there are blanks around “ann lee” in what was asked for; they were left out"},
		{"blanks inside", "mark @corp.example", "never", "blanks: “mark” has this value, without the blanks or invisible characters, as its e-mail address"},
		{"a zero-width space", "pa\u200bul@old.example", "never", "blanks: “paul@old.example” differs only in blanks or invisible characters"},
		{"another domain", "paul@new.example", "never", "domain: “paul@old.example” has the same name before the @, at another domain or without one"},
		{"no domain", "paul", "never", "domain: “paul@old.example” has the same name, followed by a domain"},
		{"a domain too many", "mark@old.example", "never", "domain: “mark” has the same name before the @, at another domain or without one"},
		{"a tag", "paul+x@old.example", "never", "domain: “paul@old.example” has the same name before the @, at another domain or without one"},
		{"the address", "mark@corp.example", "present", "attribute: “mark@corp.example” is the e-mail address; the userName here is “mark”. A client that looks for the address as a userName finds nobody"},
		{"accents", "josé@example.com", "never", "letters: “jose@example.com” differs only in letters that look alike, or in accents"},
		{"Cyrillic in what was asked", "раul@old.example", "never", "letters: “paul@old.example” differs only in letters that look alike, or in accents"},
		{"Cyrillic in the directory", "peter@example.com", "never", "letters: “\u0440eter@example.com” differs only in letters that look alike, or in accents"},
		{"full width", "ｐaul@old.example", "present", "letters: the userName is written “paul@old.example” here, with other characters that count as the same"},
		{"the display name", "José García", "never", "attribute: “jose@example.com” has this value as its displayName"},
		{"the number of an employee", "4711", "never", "attribute: “emp” has this value as its employeeNumber"},
		{"two with one address", "both@example.com", "present", "attribute: “both@example.com” is the e-mail address; the userName here is “twin1”. A client that looks for the address as a userName finds nobody; attribute: “twin2” has the same e-mail address"},
		{"nobody", "quirin@example.com", "never", ""},
		{"markup", `<b>"x"</b>' or 1=1`, "never", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := w.find(tt.asked)
			if string(v.Cause) != tt.cause || nearWords(v) != tt.near {
				t.Errorf("%q: %s, %s\nwant %s, %s", tt.asked, v.Cause, nearWords(v), tt.cause, tt.near)
			}
		})
	}
}

// TestHistories are verdicts that depend on what came first, which the clock of
// the directory can't say: it may differ from that of the server, or two things
// may happen in one of its milliseconds.
func TestHistories(t *testing.T) {
	t.Parallel()
	w := newWorldAt(t, func() time.Time { return time.Now().Add(time.Minute) })
	id := w.user(okta, `{"userName":"ada"}`)
	w.do(okta, "DELETE", "/Users/"+id, "", 204)
	w.do(entra, "POST", "/Users", `{"userName":"ada","active":"perhaps"}`, 400)
	if v := w.find("ada"); v.Cause != people.Refused || v.Client != "Entra ID" {
		t.Errorf("deleted and then refused: %s by %s", v.Cause, v.Client)
	}
	if _, err := w.engine.Restore(t.Context(), scim.Ref{Type: w.engine.Types()[0], ID: id}, ""); err != nil {
		t.Fatal(err)
	}
	if v := w.find("ada"); v.Cause != people.Present || len(v.Notes) != 0 {
		t.Errorf("restored: %s %v", v.Cause, v.Notes)
	}
	w.do(okta, "PATCH", "/Users/"+id, patch(`{"op":"replace","path":"active","value":"perhaps"}`), 400)
	if v := w.find("ada"); len(v.Notes) != 1 || !strings.HasPrefix(still(v.Notes[0]), "The last change that Okta asked for, TIME, was refused with 400: ") {
		t.Errorf("a change that was refused: %v", v.Notes)
	}
	w.do(okta, "PATCH", "/Users/"+id, patch(`{"op":"replace","path":"active","value":false}`), 200)
	if v := w.find("ada"); v.Cause != people.Inactive || len(v.Notes) != 0 {
		t.Errorf("deactivated: %s %v", v.Cause, v.Notes)
	}
}

// TestFewSources asks a desk that has less to go by.
func TestFewSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(okta, `{"userName":"alice"}`)
	id := w.user(okta, `{"userName":"ivan"}`)
	w.do(okta, "PATCH", "/Users/"+id, patch(`{"op":"replace","path":"active","value":false}`), 200)
	dora := w.user(okta, `{"userName":"dora"}`)
	w.do(okta, "DELETE", "/Users/"+dora, "", 204)
	engineOf := func() *engine.Engine { return w.engine }
	ask := func(s people.Sources, asked string) string {
		s.Engine = engineOf
		v, err := people.NewDesk(s).Find(t.Context(), asked)
		if err != nil {
			t.Fatal(err)
		}
		return string(v.Cause) + ": " + still(v.Words)
	}
	for _, tt := range []struct {
		s           people.Sources
		asked, want string
	}{
		{people.Sources{}, "alice", "present: “alice” is here and active, since TIME."},
		{people.Sources{}, "ivan", "inactive: “ivan” is here, but inactive; since when is not known, for there is no change log here."},
		{people.Sources{}, "zoe", "unknown: “zoe” is not here; what clients asked for is not known."},
		{people.Sources{Log: w.rec}, "ivan", "inactive: “ivan” is here, but inactive since TIME, by Okta."},
		{people.Sources{Log: w.rec}, "dora", "deleted: “dora” was deleted TIME, by Okta, and can't be restored any more."},
		{people.Sources{Changes: w.store}, "ivan", "inactive: “ivan” is here, but inactive since TIME, by the client with token-1."},
		{people.Sources{Changes: w.store}, dora, "deleted: “dora” was deleted TIME, by the client with token-1, and can't be restored any more."},
	} {
		if got := ask(tt.s, tt.asked); got != tt.want {
			t.Errorf("%s\n got: %s\nwant: %s", tt.asked, got, tt.want)
		}
	}
	for _, none := range []string{"", " \u200b", strings.Repeat("x", 600)} {
		if _, err := w.desk.Find(t.Context(), none); !errors.Is(err, people.ErrNoValue) {
			t.Errorf("Find(%q): %v", none, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.desk.Find(ctx, "alice"); err == nil {
		t.Error("a context that has ended gave an answer")
	}
}
