package lookingglass_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// samples are exchanges as scimhttp hands them over.
func samples(tb testing.TB) []scimhttp.Exchange {
	tb.Helper()
	var list []scimhttp.Exchange
	h := serve(tb, func(x scimhttp.Exchange) { list = append(list, x) })
	s := &site{t: tb, handler: h}
	headers := []string{"Authorization: Bearer 3f1c9a7d5e2b4860", "User-Agent: Okta SCIM Client 1.0.0", "Accept: application/scim+json",
		"Accept-Encoding: gzip,deflate", "X-Forwarded-For: 192.0.2.1"}
	for i := range 100 {
		body := fmt.Sprintf(`{"schemas":[%q],"userName":"user%d@example.com","externalId":"00u%d","active":true,"password":"secret-%d",
			"name":{"givenName":"Ada","familyName":"Byron %d"},"emails":[{"value":"user%d@example.com","type":"work","primary":true}],
			"phoneNumbers":[{"value":"+1 555 0100","type":"work"}],"title":"Clerk","displayName":"Ada Byron %d"}`, userURN, i, i, i, i, i, i)
		w := s.do("POST", "/Users", body, headers...)
		_, after, _ := strings.Cut(w.Body.String(), `"id":"`)
		id, _, _ := strings.Cut(after, `"`)
		s.do("GET", "/Users/"+id, "", headers...)
		s.do("GET", fmt.Sprintf("/Users?filter=userName+eq+%%22user%d%%40example.com%%22", i), "", headers...)
		s.do("PATCH", "/Users/"+id, `{"schemas":["`+patchURN+`"],"Operations":[{"op":"replace","value":{"active":false}}]}`, headers...)
	}
	return list
}

// What a request pays for being observed: above the rate, as most do under
// load, and below it.
func BenchmarkObserve(b *testing.B) {
	all := samples(b)
	for name, rate := range map[string]int{"sampled": 1, "kept": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			s := watch(b, lookingglass.Options{Rate: rate})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Observe(all[i%len(all)])
			}
		})
	}
}

// All that is done for an exchange, in the background, with a journal.
func BenchmarkExplain(b *testing.B) {
	all := samples(b)
	for name, journal := range map[string]string{"memory": "", "journal": filepath.Join(b.TempDir(), "lg.db")} {
		b.Run(name, func(b *testing.B) {
			s := watch(b, lookingglass.Options{Rate: 1 << 30, Journal: journal})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Observe(all[i%len(all)])
				if i%256 == 255 {
					s.flush()
				}
			}
			s.flush()
			if d := s.Stats().Dropped; d > 0 {
				b.Errorf("%d dropped", d)
			}
		})
	}
}

// A page of 200 from a journal of 10,000.
func BenchmarkFind(b *testing.B) {
	s := watch(b, lookingglass.Options{Rate: 1 << 30, Ring: 1, Journal: filepath.Join(b.TempDir(), "lg.db")})
	all := samples(b)
	for i := range 10_000 {
		s.Observe(all[i%len(all)])
		if i%500 == 0 {
			s.flush()
		}
	}
	s.flush()
	touched := s.find(lookingglass.Query{Limit: 40})[20].Target
	for name, q := range map[string]lookingglass.Query{
		"newest":   {Limit: 200},
		"text":     {Limit: 200, Text: "user77@"},
		"errors":   {Limit: 200, Status: "error"},
		"touching": {Limit: 200, Touching: []string{touched}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.find(q)
			}
		})
	}
}

// The recorder stays below 64 MB at its default size, whatever is observed.
func TestMemory(t *testing.T) {
	most := 3000
	if testing.Short() {
		most = 500
	}
	s := watch(t, lookingglass.Options{Rate: 1 << 30, Journal: filepath.Join(t.TempDir(), "lg.db")})
	big := []byte(`{"schemas":["` + userURN + `"],"title":"` + strings.Repeat("long title ", 6000) + `"}`)
	r, err := http.NewRequestWithContext(t.Context(), "PUT", "http://id.example.com/scim/v2/Users/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range most {
		x := scimhttp.Exchange{HTTP: r, RequestBody: append([]byte(nil), big[:lookingglass.MaxBody]...), RequestSize: int64(len(big))}
		x.Response.Status = 200
		x.ResponseBody, x.ResponseSize = append([]byte(nil), big...), int64(len(big))
		s.Observe(x)
		if i%50 == 0 {
			s.flush()
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 || s.Stats().Bytes > 64<<20 {
		t.Errorf("%d MB, of which %d are accounted for", grown>>20, s.Stats().Bytes>>20)
	}
}
