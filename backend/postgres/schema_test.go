package postgres_test

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// TestKeysBeginWithTenant asks of the tables what databases ask that keep a
// tenant's rows together: every primary, unique and foreign key, and every other
// index, begins with the tenant.
func TestKeysBeginWithTenant(t *testing.T) {
	t.Parallel()
	url := migrated(t, pgtest.Database(t))
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	// Names of tenants, and tokens, are looked up before one is known; the version of
	// the tables is the migrations' own.
	exceptions := []string{"tenants_name_key", "tokens_hash", "goose_db_version_pkey"}
	rows, err := c.Query(t.Context(), `
		SELECT i.relname, t.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
		JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] WHERE t.relnamespace = 'public'::regnamespace
		UNION ALL
		SELECT k.conname, k.conrelid::regclass::text, string_agg(a.attname, ',') FROM pg_constraint k
		JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1] OR a.attrelid = k.confrelid AND a.attnum = k.confkey[1]
		WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace GROUP BY k.oid, k.conname, k.conrelid`)
	if err != nil {
		t.Fatal(err)
	}
	keys, met := 0, 0
	for rows.Next() {
		var key, table, first string
		if err := rows.Scan(&key, &table, &first); err != nil {
			t.Fatal(err)
		}
		keys++
		switch {
		case slices.Contains(exceptions, key):
			met++
		case first != "tenant" && first != "tenant,tenant":
			t.Errorf("%s of %s begins with %s", key, table, first)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if keys < 30 || met != len(exceptions) {
		t.Errorf("%d keys and %d of the exceptions were looked at", keys, met)
	}
	n := 0
	if err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d triggers, %v", n, err)
	}
}

// statements are those that a DB has run.
type statements struct {
	mu   sync.Mutex
	seen map[string]bool
}

func spy(db *postgres.DB) *statements {
	s := &statements{seen: map[string]bool{}}
	db.Spy(func(q string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen[q] = true
	}, nil)
	return s
}

// check looks at each statement: of every table in it the tenant is named.
func (s *statements) check(t *testing.T, db *postgres.DB) {
	t.Helper()
	if looked := s.look(t, db); looked < 50 {
		t.Errorf("only %d statements were looked at", looked)
	}
}

// look is check for a test that runs a few statements.
func (s *statements) look(t *testing.T, db *postgres.DB) (looked int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range s.seen {
		if q == `SELECT DISTINCT tenant FROM doomed` {
			continue // asks which tenants have work left
		}
		if missing := crosses(q); missing != "" {
			t.Errorf("the tenant of %s is not said:\n%s", missing, q)
		}
		looked++
	}
	return looked
}

var (
	tables   = `resources|counts|attrs|uniq|members|refs|changes|changes_people|doomed|deleted|deleted_groups|meta|instances|ended|tenants|tokens|revisions|guards|guard_people|rates|glass_blocks|glass_lookups|glass_writers|glass_pruning|audit|audit_heads|audit_lease`
	mention  = regexp.MustCompile(`(?i)\b(?:FROM|JOIN|UPDATE|USING)\s+(?:ONLY\s+)?(` + tables + `)\b(?:\s+(?:AS\s+)?(\w+))?|,\s*(` + tables + `)\s+(\w+)\b`)
	insertOf = regexp.MustCompile(`(?i)\bINSERT\s+INTO\s+(?:` + tables + `)\s*(?:AS\s+\w+\s*)?\(\s*(\w+)`)
	keywords = regexp.MustCompile(`(?i)^(WHERE|JOIN|ON|SET|ORDER|GROUP|LIMIT|CROSS|LEFT|UNION|USING|FOR|RETURNING|VALUES|AND|WINDOW|HAVING)$`)
)

// crosses returns a table of which a statement does not name the tenant, or "".
func crosses(q string) string {
	for _, m := range insertOf.FindAllStringSubmatch(q, -1) {
		if m[1] != "tenant" && !strings.Contains(q, "INSERT INTO tenants") {
			return m[0]
		}
	}
	for _, m := range mention.FindAllStringSubmatchIndex(q, -1) {
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return q[m[2*i]:m[2*i+1]]
		}
		table, alias := group(1)+group(3), group(2)+group(4)
		if keywords.MatchString(alias) {
			alias = ""
		}
		if table == "tenants" {
			continue // the one whose rows are tenants
		}
		name := `\b` + table + `\.`
		if alias != "" {
			name = `\b` + alias + `\.`
		} else {
			name = `(?:` + name + `)?`
		}
		said := regexp.MustCompile(name + `tenant\s*(?:=\s*(?:\$\d|0\b|\w+\.tenant)|,)`)
		if !said.MatchString(q[m[0]:]) && !said.MatchString(q) {
			return table + " " + alias
		}
	}
	return ""
}

func TestCrosses(t *testing.T) {
	t.Parallel()
	for q, want := range map[string]string{
		`SELECT 1 FROM attrs a JOIN resources r ON r.pk = a.res WHERE a.tenant = $1`:                   "resources r",
		`SELECT 1 FROM attrs a JOIN resources r ON r.tenant = $1 AND r.pk = a.res WHERE a.tenant = $1`: "",
		`SELECT 1 FROM resources WHERE id = $1`:                                                        "resources ",
		`DELETE FROM attrs WHERE tenant = $1 AND res = $2`:                                             "",
		`INSERT INTO uniq (type, tenant) VALUES ($1, $2)`:                                              "INSERT INTO uniq (type",
		`UPDATE resources r SET version = '2' FROM members m WHERE m.tenant = $1 AND m.grp = r.pk`:     "resources r",
		`SELECT tenant FROM tenants WHERE name = $1`:                                                   "",
	} {
		if got := crosses(q); got != want {
			t.Errorf("%s: %q, want %q", q, got, want)
		}
	}
}
