package remote_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/transfer/remote"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

type object = map[string]any

// provider is a SCIM server with people in it.
type provider struct {
	*testing.T
	*httptest.Server
	users, groups []string

	mu    sync.Mutex
	alter func(w http.ResponseWriter, r *http.Request, next http.Handler) // nil: as it is
}

func serve(t *testing.T, people int) *provider {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "source.db"), sqlite.Options{Load: schema.Load, Encode: schema.Encode, UnsafeSynchronousForTests: "OFF"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	keys, err := db.CursorKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(db.Tenant("x"), engine.Config{Profile: compat.Auto(), CursorKeys: func() [][]byte { return keys },
		Password: func(string) (string, error) { return "hash", nil }})
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{T: t}
	var scimServer http.Handler
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		alter := p.alter
		p.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer token-of-the-test":
			w.WriteHeader(http.StatusUnauthorized)
		case alter != nil:
			r.Header.Del("Accept-Encoding")
			alter(w, r, scimServer)
		default:
			scimServer.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	scimServer = http.StripPrefix("/v2", scimhttp.NewHandler(e, scimhttp.Options{BaseURL: p.URL + "/v2"}))
	for n := range people {
		u := object{"schemas": []string{scim.UserURN}, "userName": fmt.Sprintf("user%d", n), "externalId": fmt.Sprintf("X%d", n), "password": "a secret",
			"emails": []object{{"value": fmt.Sprintf("u%d@x.test", n), "primary": true}}, "title": "日本 \u0000 \"quoted\""}
		if n > 0 {
			u["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] = object{"manager": object{"value": p.users[n/2]}, "department": "d"}
		}
		p.users = append(p.users, p.post("/Users", u))
	}
	for n := range 7 {
		var members []object
		for i := n; i < people; i += n + 1 {
			members = append(members, object{"value": p.users[i]})
		}
		if n > 0 {
			members = append(members, object{"value": p.groups[n-1]})
		}
		p.groups = append(p.groups, p.post("/Groups", object{"schemas": []string{scim.GroupURN}, "displayName": fmt.Sprintf("group %d", n), "members": members}))
	}
	// A circle: the first group holds the last one, which holds it through the others.
	p.send("PATCH", "/Groups/"+p.groups[0], object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []object{{"op": "add", "path": "members", "value": []object{{"value": p.groups[6]}}}}})
	return p
}

func (p *provider) post(path string, body any) string {
	p.Helper()
	id, _ := p.send("POST", path, body).Get("id").(string)
	return id
}

func (p *provider) send(method, path string, body any) scim.Object {
	p.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.Context(), method, p.URL+"/v2"+path, bytes.NewReader(text))
	if err != nil {
		p.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token-of-the-test")
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := p.Client().Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		p.Fatalf("%s %s: %s %s, %v", method, path, resp.Status, answer, err)
	}
	o, _ := scim.ParseObject(answer, 0, 0)
	return o
}

// set makes a provider answer otherwise than it should.
func (p *provider) set(alter func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alter = alter
}

// job is a copy of the provider into a new database, or into the one at path.
func (p *provider) job(path string) remote.Job {
	p.Helper()
	db, err := sqlite.Open(p.Context(), path, sqlite.Options{Load: schema.Load, Encode: schema.Encode, UnsafeSynchronousForTests: "OFF"})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = db.Close() })
	c, err := remote.NewClient(p.URL+"/v2/", remote.Options{Token: "token-of-the-test", FirstPause: time.Millisecond})
	if err != nil {
		p.Fatal(err)
	}
	e, err := engine.New(db.Tenant("default"), engine.Config{Profile: compat.Auto()})
	if err != nil {
		p.Fatal(err)
	}
	return remote.Job{Client: c, Types: e.Types(), Store: db.Tenant("default"), Progress: func(int64, int64) {}}
}

func (p *provider) fresh() remote.Job {
	p.Helper()
	return p.job(filepath.Join(p.TempDir(), "target.db"))
}

// mustCopy copies and verifies, and returns what was said of the copy.
func mustCopy(t *testing.T, j remote.Job) *remote.Report {
	t.Helper()
	r, err := remote.Copy(t.Context(), j)
	if err != nil || r.Faulty > 0 {
		t.Fatalf("copy: %v, %v", r.Faults, err)
	}
	v, err := remote.Verify(t.Context(), j)
	if err != nil || v.Faulty > 0 {
		t.Fatalf("verify: %v, %v", v.Faults, err)
	}
	return r
}

// without is a handler's JSON answer after change.
func without(w http.ResponseWriter, r *http.Request, next http.Handler, change func(doc object)) {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	var doc object
	if rec.Code == http.StatusOK && json.Unmarshal(rec.Body.Bytes(), &doc) == nil {
		change(doc)
		text, _ := json.Marshal(doc)
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = w.Write(text)
		return
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func noCursors(doc object) { delete(doc, "pagination") }

// TestOwnServer: a copy of one of our own servers has all that clients see.
func TestOwnServer(t *testing.T) {
	t.Parallel()
	p := serve(t, 230)
	var byCursor, byIndex atomic.Int64
	count := func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Has("cursor") {
			byCursor.Add(1)
		}
		if r.URL.Query().Has("startIndex") {
			byIndex.Add(1)
		}
		next.ServeHTTP(w, r)
	}
	p.set(count)
	j := p.fresh()
	r := mustCopy(t, j)
	if r.Counts["User"] != 230 || r.Counts["Group"] != 7 || r.Memberships < 500 || r.Dangling != 0 || len(r.Unknown)+len(r.Missing)+len(r.Others) != 0 {
		t.Errorf("report: %+v", r)
	}
	if byCursor.Load() == 0 || byIndex.Load() != 0 {
		t.Errorf("%d pages by cursor, %d by index", byCursor.Load(), byIndex.Load())
	}
	// Again: all is there already, and nothing changes.
	again := mustCopy(t, j)
	if again.Counts["User"] != 230 || again.Counts["Group"] != 7 {
		t.Errorf("again: %+v", again)
	}
	p.set(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
			without(w, r, next, noCursors)
			return
		}
		count(w, r, next)
	})
	mustCopy(t, p.fresh())
	if byIndex.Load() < 8 {
		t.Errorf("%d pages by index: each list is read twice", byIndex.Load())
	}
}

// TestVerifyFinds: a comparison names what differs.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	p := serve(t, 20)
	j := p.fresh()
	mustCopy(t, j)
	p.send("PATCH", "/Users/"+p.users[3], object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []object{{"op": "replace", "path": "title", "value": "other"}, {"op": "replace", "path": "externalId", "value": "new"}}})
	p.send("PATCH", "/Groups/"+p.groups[2], object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []object{{"op": "add", "path": "members", "value": []object{{"value": p.users[0]}}}}})
	p.post("/Users", object{"schemas": []string{scim.UserURN}, "userName": "new"})
	v, err := remote.Verify(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(v.Faults, "\n")
	for _, want := range []string{p.users[3] + " (user3): title differs", "externalId differs", p.groups[2] + " (group 2): members (1 are missing)", "(new): it is not there", "User: 21 in the source, 20 in the target"} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %s\n%s", want, text)
		}
	}
	if v.Faulty != 5 {
		t.Errorf("%d differences:\n%s", v.Faulty, text)
	}
}

// TestQuirks: servers that do not keep to the letter are read all the same.
func TestQuirks(t *testing.T) {
	t.Parallel()
	isList := func(r *http.Request) bool { return r.URL.Query().Has("startIndex") }
	index := func(alter func(w http.ResponseWriter, r *http.Request, next http.Handler)) func(http.ResponseWriter, *http.Request, http.Handler) {
		return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") {
				without(w, r, next, noCursors)
				return
			}
			alter(w, r, next)
		}
	}
	resources := func(doc object) []any {
		list, _ := doc["Resources"].([]any)
		if list == nil {
			list = []any{doc}
		}
		return list
	}
	var busy, moved atomic.Int64
	for name, quirk := range map[string]struct {
		alter func(http.ResponseWriter, *http.Request, http.Handler)
		check func(t *testing.T, r *remote.Report)
	}{
		"no discovery at all": {alter: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasSuffix(r.URL.Path, "/ServiceProviderConfig") || strings.HasSuffix(r.URL.Path, "/ResourceTypes") {
				w.WriteHeader(404)
				return
			}
			next.ServeHTTP(w, r)
		}},
		"the total is that of the page": {alter: index(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			without(w, r, next, func(doc object) {
				if isList(r) {
					doc["totalResults"] = len(resources(doc))
				}
			})
		})},
		"smaller pages than asked for": {alter: index(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if q := r.URL.Query(); isList(r) {
				q.Set("count", "7")
				r.URL.RawQuery = q.Encode()
			}
			next.ServeHTTP(w, r)
		})},
		"an error behind the last page": {alter: index(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if n, _ := strconv.Atoi(r.URL.Query().Get("startIndex")); n > 60 {
				w.WriteHeader(400)
				return
			}
			next.ServeHTTP(w, r)
		})},
		"too busy now and then": {alter: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if n := busy.Add(1); n%3 == 0 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader([]int{429, 503, 502}[n/3%3])
				return
			}
			next.ServeHTTP(w, r)
		}},
		"answers that break off": {alter: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			if busy.Add(1)%4 == 0 {
				w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
				_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
				return
			}
			_, _ = w.Write(rec.Body.Bytes())
		}},
		"pages that move at first": {alter: index(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if q := r.URL.Query(); isList(r) && moved.Add(1) < 6 {
				n, _ := strconv.Atoi(q.Get("startIndex"))
				q.Set("startIndex", strconv.Itoa(n+int(moved.Load())%3))
				r.URL.RawQuery = q.Encode()
			}
			next.ServeHTTP(w, r)
		})},
		"members in lists too, and no metadata": {
			alter: index(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				q := r.URL.Query()
				q.Del("excludedAttributes")
				r.URL.RawQuery = q.Encode()
				without(w, r, next, func(doc object) {
					for _, one := range resources(doc) {
						if u, ok := one.(object); ok && u["userName"] != nil {
							delete(u, "meta")
							u["nickname2"], u["urn:other:2.0:X"] = "n", object{"a": 1}
						}
					}
				})
			}),
			check: func(t *testing.T, r *remote.Report) {
				t.Helper()
				if r.Missing["meta.created"] != 60 || r.Missing["meta.version"] != 60 || r.Unknown["User nickname2"] != 60 || r.Unknown["User urn:other:2.0:X"] != 60 {
					t.Errorf("report: %+v", r)
				}
			},
		},
		"members that do not exist": {
			alter: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				without(w, r, next, func(doc object) {
					if list, ok := doc["members"].([]any); ok {
						doc["members"] = append(list, object{"value": "nobody"})
					}
				})
			},
			check: func(t *testing.T, r *remote.Report) {
				t.Helper()
				if r.Dangling != 7 {
					t.Errorf("%d memberships of nobody", r.Dangling)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, 60)
			p.T = t
			p.set(quirk.alter)
			r := mustCopy(t, p.fresh())
			if r.Counts["User"] != 60 || r.Counts["Group"] != 7 {
				t.Errorf("report: %+v", r)
			}
			if quirk.check != nil {
				quirk.check(t, r)
			}
		})
	}
}

// TestRefusesRemote: what can't be read well is told, and the token goes nowhere
// else.
func TestRefusesRemote(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stolen.Add(int64(len(r.Header.Get("Authorization"))) + 1)
	}))
	t.Cleanup(thief.Close)
	var n atomic.Int64
	for name, refused := range map[string]struct {
		alter func(http.ResponseWriter, *http.Request, http.Handler)
		want  string
	}{
		"it never stands still": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			without(w, r, next, func(doc object) {
				delete(doc, "pagination")
				if list, _ := doc["Resources"].([]any); strings.HasSuffix(r.URL.Path, "/Users") && len(list) > 0 {
					list[0].(object)["meta"].(object)["version"] = fmt.Sprint("v", n.Add(1))
				}
			})
		}, "never stood still"},
		"a redirect to another host": {func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}, "where the token is not sent"},
		"the wrong token": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(401) }, "401"},
		"no JSON":         {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { _, _ = io.WriteString(w, "<html>") }, "invalid character"},
		"a first page and no more": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if q := r.URL.Query(); q.Has("startIndex") {
				q.Set("startIndex", "1")
				q.Set("count", "5")
				r.URL.RawQuery = q.Encode()
			}
			without(w, r, next, noCursors)
		}, "it has no pages"},
		"too busy for good": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(503) }, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, 8)
			p.T = t
			p.set(refused.alter)
			if _, err := remote.Copy(t.Context(), p.fresh()); err == nil || !strings.Contains(err.Error(), refused.want) {
				t.Errorf("copy: %v, want %q", err, refused.want)
			}
		})
	}
	t.Cleanup(func() {
		if stolen.Load() > 0 {
			t.Error("another host was asked")
		}
	})
	for _, base := range []string{"", "ftp://x", "https://user:secret@x.test", "https://x.test/?a=b"} {
		if _, err := remote.NewClient(base, remote.Options{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", base, err)
		}
	}
}
