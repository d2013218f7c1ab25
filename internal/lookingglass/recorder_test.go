package lookingglass_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

func TestExplained(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{Tenant: "acme"})
	id := s.user("alice")
	w := s.do("PATCH", "/Users/"+id, `{"schemas":["`+patchURN+`"],"Operations":[
		{"op":"Replace","path":"active","value":"False"},{"op":"Add","path":"title","value":"Clerk"}]}`)
	if w.Code != 200 {
		t.Fatal(w.Body)
	}
	x := s.last()
	if x.Seq != 2 || x.Tenant != "acme" || x.Actor != "tester" || x.Method != "PATCH" || x.Op != "patch" || x.Type != "User" || x.Target != id ||
		x.Name != "alice" || x.Status != 200 || x.Path != "/scim/v2/Users/"+id || x.Local != "/Users/"+id || x.ID == "" {
		t.Errorf("%+v", x)
	}
	if x.Micros.Total <= 0 || x.Time.IsZero() {
		t.Errorf("time %v, %+v", x.Time, x.Micros)
	}
	if d := cmp.Diff([]lookingglass.Change{{"title", "", `"Clerk"`}, {"active", "true", "false"}}, x.Changes); d != "" {
		t.Error(d)
	}
	if len(x.Rules) == 0 || x.Rules[0].ID == "" || x.Rules[0].What == "" {
		t.Errorf("rules %+v", x.Rules)
	}
	if x.Client.Kind != "entra" || !strings.Contains(x.Client.How, "capital") {
		t.Errorf("client %+v", x.Client)
	}
	if !strings.Contains(x.Request.Body, `"Clerk"`) || !strings.Contains(x.Response.Body, `"active":false`) || x.Response.Size != int64(w.Body.Len()) {
		t.Errorf("bodies %+v %+v", x.Request, x.Response)
	}
	for name, want := range map[string]string{"Content-Type": "application/scim+json; charset=utf-8", "Etag": w.Header().Get("ETag"), "X-Request-Id": x.ID} {
		if !slices.Contains(x.Response.Headers, lookingglass.Header{Name: name, Value: want}) || want == "" {
			t.Errorf("no %s: %s in %+v", name, want, x.Response.Headers)
		}
	}
	got, err := s.Get(t.Context(), x.Seq)
	if d := cmp.Diff(x, got); err != nil || d != "" {
		t.Errorf("Get: %v, %s", err, d)
	}
	if got, err := s.Get(t.Context(), 99); got != nil || err != nil {
		t.Errorf("Get of nothing: %v, %v", got, err)
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	alice, bob := s.user("alice"), s.user("bob")
	g := s.make("/Groups", `{"schemas":["`+groupURN+`"],"displayName":"clerks","members":[{"value":"`+alice+`"}]}`)
	s.do("PATCH", "/Groups/"+g, `{"schemas":["`+patchURN+`"],"Operations":[
		{"op":"add","path":"members","value":[{"value":"`+bob+`"}]},{"op":"remove","path":"members[value eq \"`+alice+`\"]"}]}`)
	x := s.last()
	if d := cmp.Diff([]lookingglass.Change{{"members", `["alice"]`, `["bob"]`}}, x.Changes); d != "" {
		t.Error(d)
	}
	if x.Name != "clerks" {
		t.Errorf("name %q", x.Name)
	}
	for id, want := range map[string]int{alice: 3, bob: 2, g: 2} {
		if list := s.find(lookingglass.Query{Touching: []string{id}}); len(list) != want {
			t.Errorf("%s is touched by %d, want %d", id, len(list), want)
		}
	}
	s.do("DELETE", "/Users/"+bob, "")
	if x := s.last(); x.Name != "bob" || x.Op != "delete" {
		t.Errorf("%+v", x)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, journal := range []string{"", "file"} {
		t.Run("journal "+journal, func(t *testing.T) {
			t.Parallel()
			o := lookingglass.Options{Ring: 4}
			if journal != "" {
				o.Journal = t.TempDir() + "/lg.db"
			} else {
				o.Ring = 100
			}
			s := watch(t, o)
			id := s.user("alice")                                                    // 1
			s.user("bob")                                                            // 2
			s.do("GET", "/Users/"+id, "", "User-Agent: Okta SCIM Client 1.0.0")      // 3
			s.do("GET", "/Users/nobody", "")                                         // 4
			s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"ALICE"}`) // 5
			s.do("GET", `/Groups?filter=displayName+eq+%22clerks%22`, "")            // 6
			s.do("DELETE", "/Users/"+id, "")                                         // 7
			s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":`)         // 8
			for name, tt := range map[string]struct {
				q    lookingglass.Query
				want []int64
			}{
				"all":         {lookingglass.Query{}, []int64{8, 7, 6, 5, 4, 3, 2, 1}},
				"oldest":      {lookingglass.Query{Oldest: true}, []int64{1, 2, 3, 4, 5, 6, 7, 8}},
				"oldest two":  {lookingglass.Query{Oldest: true, Limit: 2}, []int64{1, 2}},
				"oldest six":  {lookingglass.Query{Oldest: true, Limit: 6}, []int64{1, 2, 3, 4, 5, 6}},
				"newest two":  {lookingglass.Query{Limit: 2}, []int64{8, 7}},
				"newest six":  {lookingglass.Query{Limit: 6}, []int64{8, 7, 6, 5, 4, 3}},
				"before":      {lookingglass.Query{Before: 3}, []int64{2, 1}},
				"between":     {lookingglass.Query{Before: 7, After: 3, Oldest: true}, []int64{4, 5, 6}},
				"client":      {lookingglass.Query{Client: "okta"}, []int64{3}},
				"op":          {lookingglass.Query{Op: "create"}, []int64{8, 5, 2, 1}},
				"type":        {lookingglass.Query{Type: "Group"}, []int64{6}},
				"2xx":         {lookingglass.Query{Status: "2xx"}, []int64{7, 6, 3, 2, 1}},
				"409":         {lookingglass.Query{Status: "409"}, []int64{5}},
				"error":       {lookingglass.Query{Status: "error"}, []int64{8, 5, 4}},
				"none":        {lookingglass.Query{Status: "nonsense"}, nil},
				"text":        {lookingglass.Query{Text: "CLERKS"}, []int64{6}},
				"text detail": {lookingglass.Query{Text: "already in use"}, []int64{5}},
				"touching":    {lookingglass.Query{Touching: []string{id, "x"}}, []int64{7, 3, 1}},
				"both":        {lookingglass.Query{Touching: []string{id}, Status: "204"}, []int64{7}},
			} {
				var got []int64
				for _, x := range s.find(tt.q) {
					got = append(got, x.Seq)
				}
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
			st := s.Stats()
			if st.Kept != 8 || st.Dropped != 0 || st.Sampled != 0 || st.Bytes <= 0 || st.Oldest.IsZero() {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestSought(t *testing.T) {
	t.Parallel()
	for _, journal := range []string{"", "file"} {
		t.Run("journal "+journal, func(t *testing.T) {
			t.Parallel()
			o := lookingglass.Options{}
			if journal != "" {
				o.Journal = t.TempDir() + "/lg.db"
			}
			s := watch(t, o)
			s.user("bob")
			for _, path := range []string{
				`/Users?filter=userName+eq+%22Alice%40Example.com%22`,
				`/Users?filter=userName+eq+%22alice%40example.com%22`,
				`/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22alice%40example.com%22`,
				`/Users?filter=externalId+eq+%2247%22+and+active+eq+true`,
				`/Users?filter=userName+eq+%22bob%22`,
				`/Groups?filter=displayName+eq+%22clerks%22&excludedAttributes=members`,
				`/Users/0000-1111`,
				`/Users?filter=title+eq+%22boss%22`,
				`/Users?filter=id+eq+%22u%22+and+manager+eq+%22m%22`,
			} {
				s.do("GET", path, "", "User-Agent: Okta SCIM Client 1.0.0")
			}
			s.flush()
			for value, want := range map[string][]lookingglass.Lookup{
				"ALICE@example.com": {{"emails", "alice@example.com", 0}, {"userName", "alice@example.com", 0}},
				"47":                {{"externalId", "47", 0}},
				" Bob ":             {{"userName", "bob", 1}},
				"Clerks":            {{"displayName", "clerks", 0}},
				"0000-1111":         {{"id", "0000-1111", 0}},
				"boss":              nil,
				"u":                 nil,
			} {
				list, err := s.Sought(t.Context(), value)
				if err != nil {
					t.Fatal(err)
				}
				var got []lookingglass.Lookup
				for _, l := range list {
					got = append(got, l.Lookup)
					if l.Client.Kind != "okta" || l.First.IsZero() || l.Last.Before(l.First) {
						t.Errorf("%+v", l)
					}
					if l.Attribute == "userName" && l.Found == 0 && l.Times != 2 {
						t.Errorf("%d times", l.Times)
					}
				}
				if d := cmp.Diff(byAttribute(want), byAttribute(got)); d != "" {
					t.Errorf("%s: %s", value, d)
				}
			}
			all, err := s.AllSought(t.Context(), 0)
			if err != nil || len(all) != 6 {
				t.Errorf("%d in all, %v", len(all), err)
			}
		})
	}
}

func byAttribute(list []lookingglass.Lookup) map[string]lookingglass.Lookup {
	m := map[string]lookingglass.Lookup{}
	for _, l := range list {
		m[l.Attribute] = l
	}
	return m
}

// Reads above the rate are sampled; writes, errors and searches that found
// nothing have five times as much room.
func TestRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	s := watch(t, lookingglass.Options{Rate: 10, Now: func() time.Time { return now }})
	id := s.user("alice")
	for range 30 {
		s.do("GET", "/Users/"+id, "")
	}
	if got := len(s.find(lookingglass.Query{Op: "get", Limit: 1000})); got != 10 {
		t.Errorf("%d reads kept", got)
	}
	if st := s.Stats(); st.Sampled != 20 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
	s.do("GET", `/Users?filter=userName+eq+%22nobody%22`, "")
	s.do("GET", `/Users?filter=userName+eq+%22alice%22`, "")
	if got := s.find(lookingglass.Query{Op: "list"}); len(got) != 1 || got[0].Lookup.Value != "nobody" {
		t.Errorf("lists kept: %+v", got)
	}
	for range 60 {
		s.do("GET", "/Users/nobody", "")
	}
	if got := len(s.find(lookingglass.Query{Status: "404", Limit: 1000})); got != 48 {
		t.Errorf("%d errors kept", got)
	}
	if st := s.Stats(); st.Dropped != 12 {
		t.Errorf("%+v", st)
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{Rate: 1000})
	ctx, cancel := context.WithCancel(t.Context())
	live, slow := s.Subscribe(ctx), s.Subscribe(t.Context())
	s.user("alice")
	select {
	case e := <-live:
		if e.Exchange.Name != "alice" || e.Missed != 0 {
			t.Errorf("%+v", e)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
	cancel()
	for range live { //nolint:revive // until it is closed
	}
	for range 400 {
		s.do("GET", "/Users/nobody", "")
	}
	s.flush()
	n := 0
	for range 256 {
		<-slow
		n++
	}
	s.do("GET", "/Users/nobody", "")
	if e := <-slow; e.Missed != 401-n {
		t.Errorf("%d came, %d missed", n, e.Missed)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range slow { //nolint:revive // until it is closed
	}
	if _, open := <-s.Subscribe(t.Context()); open {
		t.Error("a subscription of a closed recorder")
	}
	s.do("GET", "/Users/nobody", "") // nobody minds
}

// A request that takes long is recorded after one that came later, and is the
// oldest all the same.
func TestOldest(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, open func(lookingglass.Options) *site) {
		s := open(lookingglass.Options{})
		came := time.Now().UTC().Truncate(time.Millisecond)
		for _, started := range []time.Time{came, came.Add(-20 * time.Second), came.Add(time.Second)} {
			s.Observe(scimhttp.Exchange{HTTP: httptest.NewRequest("GET", "/scim/v2/Users", nil), Started: started, Response: engine.Response{Status: 200}})
			s.flush()
		}
		if st := s.Stats(); !st.Oldest.Equal(came.Add(-20 * time.Second)) {
			t.Errorf("the oldest of %s is %s", came, st.Oldest)
		}
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, func(o lookingglass.Options) *site { return watch(t, o) })
	})
	both(t, test)
}

// Everything at once, for the race detector.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{Journal: t.TempDir() + "/lg.db", Keep: 50, Ring: 20, Rate: 100_000})
	id := s.user("alice")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				s.do("GET", "/Users/"+id, "")
			}
		})
		wg.Go(func() {
			for range 30 {
				if _, err := s.Find(t.Context(), lookingglass.Query{Touching: []string{id}, Oldest: true}); err != nil {
					t.Error(err)
				}
				if _, err := s.Sought(t.Context(), "x"); err != nil {
					t.Error(err)
				}
				s.Stats()
			}
		})
	}
	wg.Wait()
	s.flush()
	if st := s.Stats(); st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
}

// TestTraced: reads above the rate cost no trace, but what may tell why somebody
// is missing has one always.
func TestTraced(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rec, err := lookingglass.New(lookingglass.Options{Rate: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rec.Close() })
	traced := func(method, target string) bool {
		return scim.TraceOf(rec.Traced(httptest.NewRequest(method, target, nil)).Context()) != nil
	}
	if !traced("GET", "/Users/a") {
		t.Error("a read below the rate has no trace")
	}
	r := httptest.NewRequest("GET", "/Users/a", nil)
	x := scimhttp.Exchange{HTTP: r}
	x.Response.Status = 200
	rec.Observe(x)
	for request, want := range map[string]bool{"GET /Users/a": false, "HEAD /Users/a": false, "GET /Users?filter=id+pr": true, "POST /Users": true, "DELETE /Users/a": true} {
		method, target, _ := strings.Cut(request, " ")
		if traced(method, target) != want {
			t.Errorf("%s above the rate: a trace is %v, want %v", request, !want, want)
		}
	}
}
