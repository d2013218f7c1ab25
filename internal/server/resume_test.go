package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestResumedCopyIsCompared: a copy from a SCIM server that goes on with what an
// earlier run has left is not finished if that was changed meanwhile.
func TestResumedCopyIsCompared(t *testing.T) {
	t.Parallel()
	r := inhabited(t)
	origin, err := url.Parse(r.url)
	if err != nil {
		t.Fatal(err)
	}
	var short atomic.Bool // the server speaks of more people than there are: a fault
	short.Store(true)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(origin)
			p.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(resp *http.Response) error {
			if !short.Load() || !strings.HasSuffix(resp.Request.URL.Path, "/Users") {
				return nil
			}
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				return err
			}
			var doc map[string]any
			if err := json.Unmarshal(text, &doc); err != nil {
				return err
			}
			doc["totalResults"] = 1000
			if text, err = json.Marshal(doc); err != nil {
				return err
			}
			resp.Body = io.NopCloser(bytes.NewReader(text))
			resp.ContentLength = int64(len(text))
			resp.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	to := "sqlite:" + filepath.Join(t.TempDir(), "rollcall.db")
	environ := []string{"ROLLCALL_TOKEN=" + testToken}
	run := []string{"copy", "--from", "scim:" + front.URL + "/scim/v2", "--to", to}
	tell(t, 1, "says that there are 1000, and gives 11", environ, run...)

	short.Store(false)
	var list struct {
		Resources []struct {
			ID      string
			Members []struct{ Value string }
		}
	}
	if err := json.Unmarshal([]byte(r.do("GET", "/scim/v2/Groups", "").body), &list); err != nil || len(list.Resources) != 1 {
		t.Fatal(err, list)
	}
	group := list.Resources[0]
	patch := func(op string) {
		t.Helper()
		a := r.do("PATCH", "/scim/v2/Groups/"+group.ID, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`+op+`]}`)
		if a.status >= 300 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	gone := group.Members[3].Value
	patch(`{"op":"remove","path":"members[value eq \"` + gone + `\"]"}`)
	tell(t, 1, "this copy, which stays unfinished", environ, run...)
	tell(t, 1, "was not finished", environ, append(run, "--verify")...)

	// As it was, it is the same again, and finished.
	patch(`{"op":"add","path":"members","value":[{"value":"` + gone + `"}]}`)
	tell(t, 0, "compared attribute by attribute: the same", environ, run...)
	tell(t, 0, "the same", environ, append(run, "--verify")...)
}
