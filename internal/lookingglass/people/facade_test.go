package people_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// TestFacade asks for people of an application that has neither a change log nor
// anything deleted, with a token of it and with one that it does not know.
func TestFacade(t *testing.T) {
	t.Parallel()
	emulator, err := pactflowtest.New(pactflowtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(emulator)
	t.Cleanup(func() {
		emulator.Close()
		behind.Close()
	})
	address, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(pactflow.New(pactflow.Options{URL: address}), engine.Config{Types: pactflow.Types()})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := lookingglass.New(lookingglass.Options{Types: e.Types})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rec.Close() })
	d := people.NewDesk(people.Sources{Engine: func() *engine.Engine { return e }, Log: rec, Facade: "PactFlow"})
	h := scimhttp.NewHandler(e, scimhttp.Options{Observe: rec.Observe, Bodies: lookingglass.Bodies})
	token := pactflowtest.SCIMToken
	send := func(method, path, body string, status int) (id string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("User-Agent", okta)
		r.Header.Set("Content-Type", "application/scim+json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(scim.WithTrace(facade.WithCaller(t.Context(), token), &scim.Trace{})))
		if w.Code != status {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		var made struct{ ID string }
		_ = json.Unmarshal(w.Body.Bytes(), &made)
		return made.ID
	}
	send("POST", "/Users", `{"userName":"alice","name":{"givenName":"A","familyName":"L"},"emails":[{"value":"alice@example.com"}],"active":true}`, 201)
	send("GET", "/Users?filter="+url.QueryEscape(`userName eq "sam"`), "", 200)
	dora := send("POST", "/Users", `{"userName":"dora","name":{"givenName":"D","familyName":"L"},"emails":[{"value":"dora@example.com"}],"active":true}`, 201)
	send("DELETE", "/Users/"+dora, "", 204)
	token = "a-token-of-nobody"
	send("GET", "/Users?filter="+url.QueryEscape(`userName eq "tom"`), "", 401)
	if err := rec.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}

	ask := func(token, asked string) *people.Verdict {
		t.Helper()
		v, err := d.Find(facade.WithCaller(t.Context(), token), asked)
		if err != nil {
			t.Fatalf("%s: %v", asked, err)
		}
		return v
	}
	for asked, want := range map[string]people.Cause{"alice": people.Present, "alice@example.com": people.Present, "sam": people.Sought, "zoe": people.Never} {
		if v := ask(pactflowtest.SCIMToken, asked); v.Cause != want || len(v.Notes) != 0 {
			t.Errorf("%s: %s %v, want %s", asked, v.Cause, v.Notes, want)
		}
	}
	for asked, want := range map[string]string{
		"dora": "“dora” is here, but inactive since TIME, by Okta.", // as a DELETE leaves people in PactFlow
		"tom":  "Okta looked for “tom” TIME and was refused with 401: PactFlow does not accept the token; it says: ",
	} {
		if v := ask(pactflowtest.SCIMToken, asked); !strings.HasPrefix(still(v.Words), want) || v.Client != "Okta" {
			t.Errorf("%s: %s", asked, still(v.Words))
		}
	}
	v := ask(pactflowtest.SCIMToken, "alice")
	story, err := d.Timeline(facade.WithCaller(t.Context(), pactflowtest.SCIMToken), v, people.TimelineQuery{})
	if err != nil || story.Log || len(story.Events) == 0 || story.Events[0].Words != "Okta created alice" {
		t.Errorf("timeline: %v %+v", err, story)
	}
	// The token of the console is none of PactFlow's.
	for asked, want := range map[string]people.Cause{"alice": people.Unknown, "sam": people.Sought, "zoe": people.Unknown} {
		v := ask("a-token-of-nobody", asked)
		if v.Cause != want || len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], "PactFlow does not let the token that you logged in with read its people") {
			t.Errorf("%s, not allowed: %s %v, want %s", asked, v.Cause, v.Notes, want)
		}
	}
	if v := ask("a-token-of-nobody", "ALICE"); still(v.Words) != "Okta created “alice” TIME; what is there now can't be seen." || v.Person == nil {
		t.Errorf("alice, not allowed: %s", v.Words)
	}
	err = d.Compare(facade.WithCaller(t.Context(), "a-token-of-nobody"), []string{"alice", "sam"}, func(i int, v *people.Verdict) error {
		if want := []people.Cause{people.Unknown, people.Sought}[i]; v.Cause != want {
			t.Errorf("%s in a list: %s", v.Asked, v.Cause)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	emulator.Close()
	behind.Close()
	if _, err := d.Find(facade.WithCaller(context.Background(), pactflowtest.SCIMToken), "nobody@else.example"); err == nil {
		t.Error("an application that does not answer was taken for one without people")
	}
}
