package pactflow_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// toy is a PactFlow that answers what a test wants it to.
func toy(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, self string)) (*rig, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var calls []string
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		calls = append(calls, r.Method+" "+r.URL.RequestURI())
		mu.Unlock()
		w.Header().Set("Content-Type", "application/hal+json;charset=utf-8")
		answer(w, r, "http://"+r.Host)
	}))
	t.Cleanup(up.Close)
	u, err := pactflow.ParseURL(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, pactflowtest.Options{}, pactflow.Options{URL: u}), func() []string {
		mu.Lock()
		defer mu.Unlock()
		list := calls
		calls = nil
		return list
	}
}

// row is a user of a toy's list.
func row(n int) string {
	return fmt.Sprintf(`{"uuid":"u%d","name":"User %d","active":true,"type":0,"createdAt":"2022-12-06T03:49:22+02:00","roles":[{"name":"old"}],"email":null}`, n, n)
}

func rows(from, to int) string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, row(n))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// TestListShapes: pages by number, by link, all at once, and what is none.
func TestListShapes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(page string, self string) string
		total  int
		calls  int
		status int
	}{
		{"all at once", func(_, _ string) string { return `{"users":` + rows(1, 250) + `}` }, 250, 1, 200},
		{"other names first", func(_, _ string) string {
			return `{"x":[{"users":[]}],"page":null,"_links":{},"users":` + rows(1, 2) + `}`
		}, 2, 1, 200},
		{"none", func(_, _ string) string { return `{"users":[]}` }, 0, 1, 200},
		{"by links alone", func(page, self string) string {
			next := map[string]string{"1": "2", "2": "3"}[page]
			link := ""
			if next != "" {
				link = `,"_links":{"next":{"href":"` + self + `/admin/users?size=100&page=` + next + `"}}`
			}
			n := map[string]int{"1": 0, "2": 100, "3": 200}[page]
			return `{"users":` + rows(n+1, n+100) + link + `}`
		}, 300, 3, 200},
		{"relative links", func(page, _ string) string {
			if page == "1" {
				return `{"users":` + rows(1, 1) + `,"_links":{"next":{"href":"/admin/users?page=2"}}}`
			}
			return `{"users":` + rows(2, 2) + `}`
		}, 2, 2, 200},
		{"somebody was added meanwhile", func(page, _ string) string {
			n := map[string]int{"1": 0, "2": 99, "3": 199}[page]
			return `{"users":` + rows(n+1, n+100) + `,"page":{"number":` + page + `,"totalPages":3}}`
		}, 299, 3, 200},
		{"fewer pages than told", func(page, _ string) string {
			if page != "1" {
				return `{"users":[],"page":{"totalPages":2}}`
			}
			return `{"users":` + rows(1, 100) + `,"page":{"totalPages":5}}`
		}, 100, 5, 200},
		{"a loop", func(_, self string) string {
			return `{"users":` + rows(1, 1) + `,"_links":{"next":{"href":"` + self + `/admin/users?page=1"}}}`
		}, 0, 2, 502},
		{"a link to something else", func(_, self string) string {
			return `{"users":` + rows(1, 1) + `,"_links":{"next":{"href":"` + self + `/admin/tokens?page=1"}}}`
		}, 0, 1, 502},
		{"a million pages", func(_, _ string) string { return `{"users":` + rows(1, 1) + `,"page":{"totalPages":1000000}}` }, 0, 1, 502},
		{"no list", func(_, _ string) string { return `{"teams":[]}` }, 0, 1, 502},
		{"null", func(_, _ string) string { return `{"users":null}` }, 0, 1, 502},
		{"an array", func(_, _ string) string { return rows(1, 2) }, 0, 1, 502},
		{"nobody's id", func(_, _ string) string { return `{"users":[{"name":"x"}]}` }, 0, 1, 502},
		{"no objects", func(_, _ string) string { return `{"users":[7]}` }, 0, 1, 502},
		{"deep", func(_, _ string) string {
			return `{"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,"users":[]}`
		}, 0, 1, 502},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, calls := toy(t, func(w http.ResponseWriter, req *http.Request, self string) {
				page := req.URL.Query().Get("page")
				_, _ = io.WriteString(w, tt.answer(page, self))
			})
			a := r.want(tt.status, "GET /Users?count=1", "")
			if tt.status == 200 && fmt.Sprint(a.json["totalResults"]) != fmt.Sprint(tt.total) {
				t.Errorf("%v, want %d", a.json["totalResults"], tt.total)
			}
			if got := calls(); len(got) != tt.calls {
				t.Errorf("calls %v, want %d", got, tt.calls)
			}
			if tt.total > 0 && !strings.Contains(a.text, `"meta":{"created":"2022-12-06T01:49:22Z","lastModified":"2022-12-06T01:49:22Z"`) {
				t.Errorf("%s", a.text)
			}
		})
	}
}

// TestAbreast: the pages after the first are read eight at a time and no more,
// and come in their order however they arrive; one that fails ends the list.
func TestAbreast(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	gate := make(chan struct{}) // opened once eight are under way
	var once sync.Once
	failing := atomic.Bool{}
	r, calls := toy(t, func(w http.ResponseWriter, req *http.Request, _ string) {
		page := req.URL.Query().Get("page")
		if page != "1" {
			n := now.Add(1)
			defer now.Add(-1)
			for {
				m := most.Load()
				if n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			if n == 8 {
				once.Do(func() { close(gate) })
			}
			select {
			case <-gate:
			case <-time.After(10 * time.Second):
			}
			if failing.Load() && page == "3" {
				w.WriteHeader(500)
				return
			}
		}
		var n int
		_, _ = fmt.Sscan(page, &n)
		_, _ = io.WriteString(w, `{"users":`+rows(n*100-99, n*100)+`,"page":{"totalPages":30}}`)
	})
	a := r.want(200, "GET /Users?startIndex=2990&count=11&attributes=displayName", "")
	if !strings.Contains(a.text, `"totalResults":3000`) || strings.Index(a.text, "User 2991\"") > strings.Index(a.text, "User 3000\"") {
		t.Errorf("%s", a.text)
	}
	if got := most.Load(); got != 8 {
		t.Errorf("%d at once, want 8", got)
	}
	if got := calls(); len(got) != 30 {
		t.Errorf("%d calls", len(got))
	}
	failing.Store(true)
	r.refused(502, "", "GET /Users", "")
}

// TestAnswers: what the versions of PactFlow answer to writes, and less.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const one = "11111111-0000-4000-8000-000000000001"
	account := `{"uuid":"` + one + `","name":"N","active":true,"type":%d,"typeDescription":"%s","createdAt":"2022-12-06T03:49:22+00:00","externalIdpUsername":"u","email":"u@example.com","_embedded":{"roles":[],"teams":[]}}`
	team := `{"uuid":"` + one + `","name":"T","createdAt":"2022-12-06T03:49:22+00:00"}`
	for _, tt := range []struct {
		name   string
		line   string
		body   string
		answer func(w http.ResponseWriter, r *http.Request, self string) bool // false: as usual
		status int
		calls  []string
	}{
		{"a system account, its address and a list", "POST /Users", `{"displayName":"N","userType":"1"}`, func(w http.ResponseWriter, r *http.Request, self string) bool {
			if r.Method != "POST" {
				return false
			}
			w.Header().Set("Location", self+"/admin/system-accounts/"+one)
			w.WriteHeader(201)
			_, _ = io.WriteString(w, `[{"x":1}`)
			return true
		}, 201, []string{"POST /admin/system-accounts", "GET /admin/users/" + one}},
		{"a system account, its address elsewhere and nothing", "POST /Users", `{"displayName":"N","userType":"1"}`, func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.Method != "POST" {
				return false
			}
			w.Header().Set("Location", "http://elsewhere.invalid/admin/system-accounts/"+one)
			w.WriteHeader(201)
			return true
		}, 201, []string{"POST /admin/system-accounts", "GET /admin/users/" + one}},
		{"a user, and no word of it to a PUT that did nothing", "PUT /Users/" + one, person("u"), func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.Method == "PUT" {
				_, _ = io.WriteString(w, `{}`)
			}
			return r.Method == "PUT"
		}, 502, []string{"GET /admin/users/" + one, "PUT /admin/users/" + one, "GET /admin/users/" + one}},
		{"a team in a list", "POST /Groups", group("T"), func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.Method == "POST" {
				_, _ = io.WriteString(w, `{"teams":[{"uuid":"other","name":"t"},`+team+`]}`)
			}
			return r.Method == "POST"
		}, 201, []string{listTeams, postTeam, "GET /admin/teams/" + one}},
		{"a team by its address", "POST /Groups", group("T"), func(w http.ResponseWriter, r *http.Request, self string) bool {
			if r.Method == "POST" {
				w.Header().Set("Location", self+"/admin/teams/"+one)
				_, _ = io.WriteString(w, `{}`)
			}
			return r.Method == "POST"
		}, 201, []string{listTeams, postTeam, "GET /admin/teams/" + one}},
		{"a team that is looked for", "POST /Groups", group("T"), func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if r.Method == "POST" {
				_, _ = io.WriteString(w, `{}`)
			}
			return r.Method == "POST"
		}, 502, []string{listTeams, postTeam, listTeams}},
		{"another user than was asked for", "GET /Users/22222222-0000-4000-8000-000000000001", "", func(http.ResponseWriter, *http.Request, string) bool { return false }, 502,
			[]string{"GET /admin/users/22222222-0000-4000-8000-000000000001"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			kind := []any{0, "User"}
			if strings.Contains(tt.name, "system") {
				kind = []any{1, "System Account"}
			}
			r, calls := toy(t, func(w http.ResponseWriter, req *http.Request, self string) {
				switch {
				case tt.answer(w, req, self):
				case req.URL.Path == "/admin/users" || req.URL.Path == "/admin/teams":
					_, _ = io.WriteString(w, `{"users":[],"teams":[]}`)
				case strings.HasPrefix(req.URL.Path, "/admin/users/"):
					_, _ = fmt.Fprintf(w, account, kind...)
				default:
					_, _ = io.WriteString(w, team)
				}
			})
			r.want(tt.status, tt.line, tt.body)
			if got := calls(); !slices.Equal(got, tt.calls) {
				t.Errorf("calls %v\nwant %v", got, tt.calls)
			}
		})
	}
}
