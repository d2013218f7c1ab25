package people_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

const twoPrimary = `"emails":[{"value":"a@x.example","primary":true},{"value":"b@x.example","primary":true}]`

// TestMentioned asks for people and groups by what clients called them once, or
// only in a request that was refused: nobody "never asked" for these.
func TestMentioned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	renamed := w.user(okta, `{"userName":"old@example.com","externalId":"00u1"}`)
	w.do(okta, "PATCH", "/Users/"+renamed, patch(`{"op":"replace","path":"userName","value":"new@example.com"}`), 200)
	put := w.user(okta, `{"userName":"put@example.com"}`)
	w.do(okta, "PUT", "/Users/"+put, `{"userName":"put2@example.com","active":false}`, 200)
	crew := w.do(okta, "POST", "/Groups", `{"displayName":"Crew"}`, 201)
	w.do(okta, "PATCH", "/Groups/"+crew, patch(`{"op":"replace","path":"displayName","value":"Team"}`), 204)
	gone := w.user(okta, `{"userName":"dora","externalId":"00u2","emails":[{"value":"dora@example.com"}]}`)
	w.do(entra, "DELETE", "/Users/"+gone, "", 204)
	staff := w.do(okta, "POST", "/Groups", `{"displayName":"Staff"}`, 201)
	w.do(entra, "DELETE", "/Groups/"+staff, "", 204)
	w.do(okta, "POST", "/Groups", `{"displayName":"Odd","members":[{"value":"nobody"}]}`, 400)
	w.do(okta, "POST", "/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
		{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"bulk@example.com","externalId":"00u3"}},
		{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"rita@example.com",`+twoPrimary+`}}]}`, 200)
	w.do(okta, "GET", "/Users?filter="+url.QueryEscape(`userName eq "sam@example.com" and`), "", 400)
	w.do(okta, "POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"tom@example.com\" or"}`, 400)
	w.do(okta, "POST", "/Users?dryRun=true", `{"userName":"try@example.com"}`, 200)
	w.do(okta, "GET", "/Groups?filter="+url.QueryEscape(`displayName eq "Nobodies"`), "", 200)
	mended := "/Users?filter=" + url.QueryEscape(`userName eq "uma@example.com"`)
	w.do(okta, "GET", mended+"+and", "", 400)
	w.do(okta, "GET", mended, "", 200)

	for _, tt := range []struct {
		asked       string
		cause       people.Cause
		words, near string
	}{
		{"old@example.com", people.Present, "“new@example.com” is here and active, since TIME.",
			"“old@example.com” was the userName of “new@example.com” before; a client that looks for it finds nobody"},
		{"put@example.com", people.Inactive, "“put2@example.com” is here, but inactive since TIME, by Okta.", "“put@example.com” was the userName of “put2@example.com” before"},
		{"00U1", people.Never, "", "“new@example.com” has this value in another case as its externalId"},
		{"Crew", people.Present, "The group “Team” is here, since TIME.", "“Crew” was the displayName of the group “Team” before"},
		{"00u2", people.Deleted, "“dora” was deleted TIME, by Entra ID; until TIME “rollcall users restore ID” gives the person back.", ""},
		{"Dora@example.com", people.Deleted, "“dora” was deleted TIME, by Entra ID; until TIME “rollcall users restore ID” gives the person back.", ""},
		{"Staff", people.Deleted, "The group “Staff” was deleted TIME, by Entra ID; deleted groups are not kept.", ""},
		{"Odd", people.Refused, "Okta tried to create the group “Odd” TIME and was refused with 400: ", ""},
		{"rita@example.com", people.Refused, "Okta tried to create “rita@example.com” TIME and was refused with 400: \"emails", ""},
		{"sam@example.com", people.Refused, "Okta looked for “sam@example.com” TIME and was refused with 400: the filter", ""},
		{"tom@example.com", people.Refused, "Okta looked for “tom@example.com” TIME and was refused with 400: the filter", ""},
		{"uma@example.com", people.Sought, "Okta looked for “uma@example.com” by userName, TIME, found nobody and created nobody.", ""},
		{"try@example.com", people.Never, "", ""},
	} {
		v := w.find(tt.asked)
		if v.Cause != tt.cause || !strings.HasPrefix(still(v.Words), tt.words) || !strings.Contains(nearWords(v), tt.near) || tt.near == "" && v.Near != nil {
			t.Errorf("%s: %s: %s; near %s\nwant %s: %s; near %s", tt.asked, v.Cause, still(v.Words), nearWords(v), tt.cause, tt.words, tt.near)
		}
	}
	if v := w.find("00u2"); len(v.Notes) != 1 || v.Notes[0] != "What was asked for, “00u2”, was the externalId of “dora”." {
		t.Errorf("deleted, by what she had: %v", v.Notes)
	}
	for asked, word := range map[string]string{"Staff": "group", "Nobodies": "Push Groups"} {
		if v := w.find(asked); len(v.Next) != 1 || !strings.Contains(v.Next[0].Text, word) {
			t.Errorf("what to do about a group: %v", v.Next)
		}
	}
	rows := compared(w, "old@example.com", "00u2", "Odd", "rita@example.com", "Crew")
	for i, want := range []people.Cause{people.Present, people.Deleted, people.Never, people.Refused, people.Never} {
		if rows[i].Cause != want {
			t.Errorf("in a list, %s: %s, want %s", rows[i].Asked, rows[i].Cause, want)
		}
	}

	alone := people.NewDesk(people.Sources{Engine: func() *engine.Engine { return w.engine }, Log: w.rec})
	for _, asked := range []string{"Staff", "dora@example.com"} {
		if v, err := alone.Find(t.Context(), asked); err != nil || v.Cause != people.Deleted {
			t.Errorf("from requests alone, %s: %v %+v", asked, err, v)
		}
	}
}

// TestAgain is about names that somebody has who is not the first.
func TestAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.user(okta, `{"userName":"ada"}`)
	w.do(entra, "POST", "/Users", `{"userName":"Ada"}`, 409)
	v := w.find("ada")
	if len(v.Notes) != 1 || !strings.HasPrefix(still(v.Notes[0]), "Entra ID tried to create “ada” again, TIME, and was refused with 409: ") ||
		len(v.Next) != 1 || v.Next[0].Client != "Entra ID" {
		t.Errorf("created twice: %v, %v", v.Notes, v.Next)
	}
	if got := tell(w.timeline(w.desk, "ada", people.TimelineQuery{})); !strings.Contains(got, "refused: Entra ID tried to create ada and was refused with 409: ") {
		t.Errorf("created twice:\n%s", got)
	}
	w.do(entra, "PATCH", "/Users/"+ada, patch(`{"op":"replace","path":"title","value":"x"}`), 200)
	if v := w.find("ada"); len(v.Notes) != 0 {
		t.Errorf("then adopted: %v", v.Notes)
	}

	w.do(okta, "DELETE", "/Users/"+ada, "", 204)
	w.do(okta, "POST", "/Users", `{"userName":"ada",`+twoPrimary+`}`, 400)
	v = w.find("ada")
	if v.Cause != people.Refused || len(v.Notes) != 1 || still(v.Notes[0]) != "Another “ada” was deleted TIME: ID" || !v.Until.IsZero() {
		t.Errorf("deleted, and then refused: %s %v %v", v.Cause, v.Notes, v.Until)
	}
	got := tell(w.timeline(w.desk, "ada", people.TimelineQuery{}))
	if !strings.Contains(got, "Okta deleted ada\n") || strings.Contains(got, "changed nothing") {
		t.Errorf("deleted, and then refused:\n%s", got)
	}
	w.user(okta, `{"userName":"ada"}`)
	if v = w.find("ada"); v.Cause != people.Present || len(v.Notes) != 1 || still(v.Notes[0]) != "Another “ada” was deleted TIME: ID" {
		t.Errorf("created anew: %s %v", v.Cause, v.Notes)
	}
	if _, err := w.engine.Restore(t.Context(), scim.Ref{Type: w.engine.Types()[0], ID: ada}, "ada2"); err != nil {
		t.Fatal(err)
	}
	if v = w.find("ada"); v.Cause != people.Present || len(v.Notes) != 0 {
		t.Errorf("both there: %s %v", v.Cause, v.Notes)
	}
}

// TestNested tells of groups that are members of groups.
func TestNested(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.user(okta, `{"userName":"ada"}`)
	inner := w.do(okta, "POST", "/Groups", `{"displayName":"Inner","members":[{"value":"`+ada+`"}]}`, 201)
	outer := w.do(okta, "POST", "/Groups", `{"displayName":"Outer","members":[{"value":"`+inner+`"}]}`, 201)
	w.do(okta, "PATCH", "/Groups/"+outer, patch(`{"op":"remove","path":"members"}`), 204)
	for asked, lines := range map[string][]string{
		"ada":   {"group: Okta created the group Outer with 1 member\n", "group: Okta changed the members of Outer [0 added, 1 removed]\n"},
		"Inner": {"group: Okta created the group Outer with the group Inner\n", "group: Okta removed the group Inner from Outer\n"},
		"Outer": {"change: Okta created the group Outer with 1 member\n", "change: Okta changed the members of Outer [removed: Inner]\n"},
	} {
		got := tell(w.timeline(w.desk, asked, people.TimelineQuery{}))
		for _, line := range lines {
			if !strings.Contains(got, line) {
				t.Errorf("%s lacks %q:\n%s", asked, line, got)
			}
		}
		if strings.Contains(got, "changed nothing") {
			t.Errorf("%s:\n%s", asked, got)
		}
	}
}

// TestErasedName: who was erased is known by no name, although she was asked for
// before that.
func TestErasedName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dora := w.user(okta, `{"userName":"dora","externalId":"00u2"}`)
	w.do(okta, "DELETE", "/Users/"+dora, "", 204)
	w.do(okta, "POST", "/Users", `{"userName":"rita","externalId":"00u3",`+twoPrimary+`}`, 400)
	for asked, want := range map[string]people.Cause{"00u2": people.Deleted, "rita": people.Refused, "00u3": people.Refused} {
		if v := w.find(asked); v.Cause != want {
			t.Errorf("%s: %s", asked, v.Cause)
		}
	}
	list, err := w.rec.Find(t.Context(), lookingglass.Query{Tenant: lookingglass.AllTenants, Limit: 1})
	if err != nil || len(list) == 0 {
		t.Fatal(err, list)
	}
	if err := w.rec.Erase(t.Context(), list[0].Tenant, dora, []string{"dora", "00u2", "rita", "00u3"}); err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{"00u2", "rita", "00u3"} {
		v := w.find(asked)
		if v.Cause != people.Never {
			t.Errorf("%s, erased: %s: %s", asked, v.Cause, v.Words)
		}
		if got := tell(w.timeline(w.desk, asked, people.TimelineQuery{})); got != "" {
			t.Errorf("%s, erased: %s", asked, got)
		}
	}
}

// TestMentionedLongAgo: more was written since than is read at once.
func TestMentionedLongAgo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.user(okta, `{"userName":"first"}`)
	w.do(okta, "PATCH", "/Users/"+first, patch(`{"op":"replace","path":"userName","value":"renamed"}`), 200)
	for i := range 210 {
		w.user(okta, fmt.Sprintf(`{"userName":"p%d"}`, i))
	}
	for range 2 { // at first, and read on from there
		if v := w.find("first"); v.Cause != people.Present || v.Person.Name != "renamed" {
			t.Errorf("%s: %s", v.Cause, v.Words)
		}
		w.do(okta, "PATCH", "/Users/"+first, patch(`{"op":"replace","path":"title","value":"Cook"}`), 200)
	}
}
