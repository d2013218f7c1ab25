package lookingglass_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// A journal of version 1 is used further: its lookups stay, its exchanges are
// forgotten, and their numbers are not given again.
func TestJournalOfVersion1(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lg.db")
	for _, statement := range []string{
		`CREATE TABLE exchanges (seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, client TEXT NOT NULL, op TEXT NOT NULL, type TEXT NOT NULL,
			status INTEGER NOT NULL, text TEXT NOT NULL, deflated INTEGER NOT NULL, body BLOB NOT NULL)`,
		`CREATE INDEX exchanges_by_time ON exchanges (time)`,
		`CREATE TABLE touched (seq INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (seq, id)) WITHOUT ROWID`,
		`CREATE INDEX touched_by_id ON touched (id, seq)`,
		`CREATE TABLE lookups (folded TEXT NOT NULL, attribute TEXT NOT NULL, value TEXT NOT NULL, found INTEGER NOT NULL, client TEXT NOT NULL,
			how TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (folded, attribute)) WITHOUT ROWID`,
		`CREATE INDEX lookups_by_time ON lookups (last)`,
		`CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL)`,
		`INSERT INTO state VALUES (1, 6)`,
		`INSERT INTO exchanges VALUES (7, 1800000000000, 'okta', 'get', 'User', 200, '', 0, '{}')`,
		`INSERT INTO lookups VALUES ('ann', 'userName', 'Ann', 0, 'okta', 'x', 4100000000000, 4100000000000, 3)`,
		`PRAGMA user_version = 1`,
	} {
		execute(t, path, statement)
	}
	var log bytes.Buffer
	s := watch(t, lookingglass.Options{Journal: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if list := s.find(lookingglass.Query{}); len(list) != 0 || strings.Count(log.String(), "earlier version") != 1 {
		t.Errorf("%+v, log %s", list, &log)
	}
	if list, err := s.Sought(t.Context(), "ANN"); err != nil || len(list) != 1 || list[0].Times != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	s.user("bob")
	if x := s.last(); x.Seq != 8 {
		t.Errorf("seq %d", x.Seq)
	}
}
