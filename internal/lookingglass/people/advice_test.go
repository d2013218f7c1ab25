package people_test

import (
	"slices"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
)

// TestNextIsForTheClient sees that nobody is told what to do in a product that
// is not theirs, and that everything is said where it is not known whose it is.
func TestNextIsForTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(okta, `{"userName":"there"}`)
	bad := func(agent, name string) {
		w.do(agent, "POST", "/Users", `{"userName":"`+name+`","active":"perhaps"}`, 400)
	}
	bad(okta, "rita") // of which there is nothing to say to Okta alone
	bad(entra, "edda")
	bad("midPoint 4", "mia")
	bad("curl/8.1", "carl")
	w.do("curl/8.1", "GET", byUserName+"%22sam%22", "", 200)
	w.do("midPoint 4", "GET", byUserName+"%22sue%22", "", 200)
	for asked, want := range map[string][]string{
		"rita":  {"anybody"},
		"edda":  {"Entra ID"},
		"mia":   {"anybody"},
		"carl":  {"anybody", "Entra ID", "OneLogin"},
		"sam":   {"anybody", "Entra ID", "Okta"},
		"sue":   {"anybody"},
		"nobod": {"anybody", "Entra ID", "Okta"},
	} {
		var got []string
		for _, a := range w.find(asked).Next {
			got = append(got, a.Client)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", asked, got, want)
		}
	}
}

// TestPreviewIsNoAttempt sees that who only asked what a create would do did not
// try it, and was not refused.
func TestPreviewIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for query, status := range map[string]int{"dryRun=true": 200, "dryRun": 400, "dryRun=perhaps": 400, "DRYRUN=1": 400, "dryRun=false&dryRun=true": 400} {
		w.do(okta, "POST", "/Users?"+query, `{"userName":"paula","active":"perhaps"}`, status)
	}
	if v := w.find("paula"); v.Cause != people.Never {
		t.Errorf("%s: %s", v.Cause, v.Words)
	}
	for _, e := range w.timeline(w.desk, "paula", people.TimelineQuery{}) {
		if e.Kind == "refused" {
			t.Errorf("%+v", e)
		}
	}
	w.do(okta, "POST", "/Users?dryRun=false", `{"userName":"paula","active":"perhaps"}`, 400)
	if v := w.find("paula"); v.Cause != people.Refused {
		t.Errorf("%s: %s", v.Cause, v.Words)
	}
}
