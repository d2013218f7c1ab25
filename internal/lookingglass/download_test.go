package lookingglass_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/replay"
)

// story is a small conversation of its own: everything in it was made in it.
func story(s *site) {
	token := "Authorization: Bearer 3f1c9a7d5e2b4860"
	s.do("GET", `/Users?filter=userName+eq+%22o%27neil%40example.com%22&startIndex=1`, "", token, "Accept: application/scim+json")
	id := s.make("/Users", `{"schemas":["`+userURN+`"],"userName":"o'neil@example.com","password":"t0p-secret!","title":"<b>&"}`)
	s.do("PATCH", "/Users/"+id, `{"schemas":["`+patchURN+`"],"Operations":[{"op":"Replace","path":"active","value":"False"}]}`, token)
	g := s.make("/Groups", `{"schemas":["`+groupURN+`"],"displayName":"clerks","members":[{"value":"`+id+`"}]}`)
	s.do("GET", "/Groups/"+g+"?", "", token)
	s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"O'Neil@example.com"}`, token)
	s.do("GET", `/Users?filter=externalId+eq+%22a%26b%2Bc%22`, "", token)
	s.do("POST", "/Users", `{"userName":`, token)
	s.do("DELETE", "/Users/"+id, "", token)
	s.do("GET", "/Users/"+id, "", token)
}

// A trace file of what was recorded is played against an empty server, which
// answers the same.
func TestTraceFile(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	story(s)
	file, err := lookingglass.TraceFile(s.find(lookingglass.Query{}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(file), "t0p-secret") || strings.Contains(string(file), "3f1c9a7d5e2b4860") {
		t.Errorf("a secret: %s", file)
	}
	steps, err := replay.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	if len(steps) != 9 { // without the body that was no JSON
		t.Errorf("%d steps", len(steps))
	}
	srv := httptest.NewServer(serve(t, nil))
	defer srv.Close()
	results, err := replay.Player{Base: srv.URL + "/scim/v2", Token: "x"}.Play(t.Context(), steps)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if len(r.Faults) > 0 {
			t.Errorf("%s: %v", r.Step.Name, r.Faults)
		}
	}
	if empty := must(lookingglass.TraceFile(nil)); string(empty) != "[]" {
		t.Errorf("of nothing: %s", empty)
	}
}

// What looks like a variable of the player is sent as it was.
func TestTraceFileVariables(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"a","title":"${token}"}`)
	file := string(must(lookingglass.TraceFile(s.find(lookingglass.Query{}))))
	if strings.Count(file, "${token}") != 1 || !strings.Contains(file, `\u0024{token}`) { // that of Authorization
		t.Error(file)
	}
}

func TestHAR(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	story(s)
	var f struct {
		Log struct {
			Version string
			Entries []struct {
				StartedDateTime string
				Request         struct {
					Method, URL string
					QueryString []lookingglass.Header
					PostData    *struct{ MimeType, Text string }
				}
				Response struct {
					Status  int
					Content struct{ Text string }
				}
			}
		}
	}
	if err := json.Unmarshal(must(lookingglass.HAR(s.find(lookingglass.Query{Oldest: true}))), &f); err != nil {
		t.Fatal(err)
	}
	if f.Log.Version != "1.2" || len(f.Log.Entries) != 10 {
		t.Fatalf("%+v", f.Log)
	}
	e := f.Log.Entries[0]
	if e.Request.URL != "http://example.com/scim/v2/Users?filter=userName+eq+%22o%27neil%40example.com%22&startIndex=1" || e.StartedDateTime == "" ||
		e.Request.QueryString[0] != (lookingglass.Header{Name: "filter", Value: `userName eq "o'neil@example.com"`}) || e.Response.Status != 200 ||
		!strings.Contains(e.Response.Content.Text, "totalResults") {
		t.Errorf("%+v", e)
	}
	if p := f.Log.Entries[1].Request.PostData; p == nil || p.MimeType != "application/scim+json" || !strings.Contains(p.Text, `"password":"***"`) {
		t.Errorf("%+v", p)
	}
	if got := string(must(lookingglass.HAR(nil))); !strings.Contains(got, `"entries": []`) {
		t.Error(got)
	}
}

// The command line is one that a shell takes apart as it was meant.
func TestCurl(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	story(s)
	list := s.find(lookingglass.Query{Oldest: true})
	want := `curl 'http://example.com/scim/v2/Users?filter=userName+eq+%22o%27neil%40example.com%22&startIndex=1' \
  -H "Authorization: Bearer $TOKEN" \
  -H 'Accept: application/scim+json'`
	if got := lookingglass.Curl(list[0]); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	for _, x := range list {
		script := `curl() { for a; do printf '%s\0' "$a"; done; }; TOKEN=tok; ` + lookingglass.Curl(x)
		out, err := exec.CommandContext(t.Context(), sh, "-c", script).Output()
		if err != nil {
			t.Fatalf("%v: %s", err, script)
		}
		args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if b := x.Request.Body; b != "" && args[len(args)-1] != b {
			t.Errorf("the body %s arrives as %s", b, args[len(args)-1])
		}
		if strings.Contains(string(out), "***") && !strings.Contains(x.Request.Body, "***") {
			t.Errorf("%q", args)
		}
	}
}
