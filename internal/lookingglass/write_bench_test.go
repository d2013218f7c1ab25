package lookingglass_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// statements are about those of a POST of a user to the SQLite store.
var statements = []string{"wait for the writer",
	"SELECT 1 FROM uniq WHERE tenant = ? AND type = ? AND path = ? AND text = ? AND res <> ? LIMIT 1",
	"INSERT INTO uniq (tenant, type, path, text, res) VALUES (?, ?, ?, ?, ?)",
	"INSERT INTO resources (pk, tenant, type, id, external, seq, version, created, modified, links, display,\n\t\tdisplay_fold, digest, schemas, text, hidden, external_sort, external_sent)\n\t\tVALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
	"INSERT OR REPLACE INTO attrs (tenant, type, path, text, num, res, elem, long) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	"INSERT INTO grams (rowid, scope, userName, displayName, emails, familyName, givenName)\n\t\tVALUES (?, ?, ?, ?, ?, ?, ?)",
	"INSERT INTO counts (tenant, type, n) VALUES (?, ?, ?)\n\t\tON CONFLICT (tenant, type) DO UPDATE SET n = n + excluded.n",
	"INSERT INTO changes (tenant, time, type, res, id, op, version, actor, request, deltas)\n\t\tVALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	"COMMIT (shared with 7 writes)"}

// creations are POSTs of users as scimhttp hands them over, with the steps of a
// store on disk.
func creations(tb testing.TB) []scimhttp.Exchange {
	tb.Helper()
	var list []scimhttp.Exchange
	h := serve(tb, func(x scimhttp.Exchange) {
		trace := scim.TraceOf(x.HTTP.Context())
		for _, text := range statements {
			trace.Add(scim.Step{Kind: "sql", Text: text, Took: 17 * time.Microsecond, Rows: 1})
		}
		list = append(list, x)
	})
	s := &site{t: tb, handler: h}
	for i := range 1000 {
		s.do("POST", "/Users", fmt.Sprintf(`{"schemas":[%q],"userName":"u%d","password":"Generated-aB3!","active":true,"displayName":"Given Family",
			"nickName":"nick","title":"Engineer","name":{"formatted":"Given","givenName":"Given","familyName":"Family"},
			"emails":[{"value":"u%d@example.com","type":"work","primary":true},{"value":"home@mail.example.org","type":"home"}],
			"phoneNumbers":[{"value":"+49 30 7","type":"work"}]}`, userURN, i, i),
			"Authorization: Bearer 3f1c9a7d5e2b4860", "User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip", "Content-Length: 424")
	}
	return list
}

// All that is done for a creation beside its request: to redact and explain it
// (memory), and to write it down as well (journal).
func BenchmarkWrite(b *testing.B) {
	all := creations(b)
	for _, where := range []string{"memory", "journal"} {
		b.Run(where, func(b *testing.B) {
			o := lookingglass.Options{Rate: 1 << 30}
			if where == "journal" {
				o.Journal = filepath.Join(b.TempDir(), "lg.db")
			}
			s := watch(b, o)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Observe(all[i%len(all)])
				if i%200 == 199 {
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
