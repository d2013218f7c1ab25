package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestContractWithLacks holds the façade to the contract of backends, with an index and
// without.
func TestContractWithLacks(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{0, time.Minute} {
		open := func(t *testing.T) scim.Backend {
			s := httptest.NewServer(&app{})
			t.Cleanup(s.Close)
			b, _, err := newFront(parse(t, s.URL), facade.StoreOptions{IndexTime: life})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		_, types, err := newFront(parse(t, "http://app.example"), facade.StoreOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint("index ", life), func(t *testing.T) {
			t.Parallel()
			scimtest.Run(t, scimtest.Harness{
				Open:  func(t *testing.T) (a, b scim.Backend) { return open(t), open(t) },
				Types: types,
				Lacks: scimtest.Lacks{Types: []string{"Widget"}, Nesting: true},
				Fit: func(r *scim.Resource) { // an empty title is none
					if r.Attrs.Get("displayName") == "" {
						r.Attrs.Set("displayName", nil)
					}
				},
				Short: true,
			})
		})
	}
}

// TestConversation: what an identity provider does, with the application's own
// token.
func TestConversation(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&app{tokens: []string{"good"}})
	defer server.Close()
	h, err := Handler(parse(t, server.URL))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(h)
	defer front.Close()
	for _, step := range []struct {
		token, method, path, body string
		status                    int
		want                      string // part of the answer
	}{
		{"", "GET", "/Users", "", 401, "token is required"},
		{"bad", "GET", "/Users", "", 401, "does not accept the token; it says: who are you?"},
		{"good", "POST", "/Users", `{"userName":"Ann","title":"Boss","active":true,"externalId":"x1"}`, 201, `"id":"no1"`},
		{"good", "POST", "/Users", `{"userName":"ann"}`, 409, `"scimType":"uniqueness"`},
		{"good", "GET", "/Users?filter=userName+eq+%22ANN%22", "", 200, `"userName":"Ann"`},
		{"good", "GET", "/Users?filter=title+pr", "", 200, `"totalResults":0`},
		{"good", "PATCH", "/Users/no1", `{"Operations":[{"op":"replace","path":"active","value":false}]}`, 200, `"active":false`},
		{"good", "POST", "/Groups", `{"displayName":"Team","members":[{"value":"no1"}]}`, 201, `"display":"Ann"`},
		{"good", "POST", "/Groups", `{"displayName":"Other","members":[{"value":"no77"}]}`, 400, `no such resource: \"no77\"`},
		{"good", "GET", "/Groups?filter=members+eq+%22no1%22", "", 200, `"totalResults":1`},
		{"good", "GET", "/Users/no1", "", 200, `"groups":[{"value":"no2","display":"Team","type":"direct"`},
		{"good", "PATCH", "/Groups/no2", `{"Operations":[{"op":"remove","path":"members[value eq \"no1\"]"}]}`, 204, ""},
		{"good", "GET", "/Groups/no2", "", 200, `"displayName":"Team"}`},
		{"bad", "DELETE", "/Users/no1", "", 401, "does not accept the token"},
		{"good", "DELETE", "/Users/no1", "", 204, ""},
		{"good", "GET", "/Users/no1", "", 404, "nothing there"},
		{"good", "GET", "/Users/..%2Fteams", "", 404, ""},
		{"good", "GET", "/ServiceProviderConfig", "", 200, `"etag":{"supported":false}`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), step.method, front.URL+step.path, strings.NewReader(step.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/scim+json")
		if step.token != "" {
			req.Header.Set("Authorization", "Bearer "+step.token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != step.status || !strings.Contains(string(body), step.want) {
			t.Errorf("%s %s: %d %s\nwant %d with %s", step.method, step.path, resp.StatusCode, body, step.status, step.want)
		}
	}
}
