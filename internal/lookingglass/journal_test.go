package lookingglass_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

func TestJournalSurvives(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lg.db")
	s := watch(t, lookingglass.Options{Journal: path})
	id := s.user("alice")
	s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"bob","title":"`+strings.Repeat("long ", 5000)+`"}`)
	s.do("GET", `/Users?filter=userName+eq+%22carol%22`, "")
	before := s.find(lookingglass.Query{})
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%q: mode %v, %v", suffix, info.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = watch(t, lookingglass.Options{Journal: path})
	if d := cmp.Diff(before, s.find(lookingglass.Query{})); d != "" {
		t.Errorf("after a restart: %s", d)
	}
	if list, err := s.Sought(t.Context(), "CAROL"); err != nil || len(list) != 1 || list[0].Times != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	s.do("GET", "/Users", "")
	if x := s.last(); x.Seq != 4 {
		t.Errorf("seq %d", x.Seq)
	}
	if list := s.find(lookingglass.Query{Touching: []string{id}}); len(list) != 1 || list[0].Seq != 1 {
		t.Errorf("%+v", list)
	}
	if x, err := s.Get(t.Context(), 2); err != nil || x == nil || len(x.Request.Body) < 20_000 {
		t.Errorf("%+v, %v", x, err)
	}
	for _, none := range []int64{77, 0, -1} {
		if x, err := s.Get(t.Context(), none); err != nil || x != nil {
			t.Errorf("%d: %+v, %v", none, x, err)
		}
	}
	if st := s.Stats(); st.Kept != 4 || !st.Oldest.Equal(before[2].Time) {
		t.Errorf("%+v", st)
	}
}

// What is too much or too old goes; numbers go on, whatever is left.
func TestJournalBounds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lg.db")
	s := watch(t, lookingglass.Options{Journal: path, Keep: 100, Rate: 100_000, Ring: 10})
	for i := range 260 {
		s.do("GET", fmt.Sprintf("/Users?filter=userName+eq+%%22u%d%%22", i), "")
	}
	s.flush()
	poll(t, func() bool { return s.Stats().Kept <= 105 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = watch(t, lookingglass.Options{Journal: path, Keep: 100})
	poll(t, func() bool { return s.Stats().Kept == 100 })
	if list := s.find(lookingglass.Query{Limit: 1000}); len(list) != 100 || list[0].Seq != 260 || list[99].Seq != 161 {
		t.Errorf("%d exchanges", len(list))
	}
	if list, _ := s.Sought(t.Context(), "u0"); len(list) != 1 {
		t.Errorf("a lookup went with its exchange: %+v", list)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	later := time.Now().AddDate(0, 0, 8)
	s = watch(t, lookingglass.Options{Journal: path, Now: func() time.Time { return later }})
	poll(t, func() bool { return s.Stats().Kept == 0 })
	if list, _ := s.AllSought(t.Context(), 0); len(list) != 0 {
		t.Errorf("%d lookups", len(list))
	}
	s.do("GET", "/Users", "")
	if x := s.last(); x.Seq != 261 {
		t.Errorf("seq %d", x.Seq)
	}
}

func poll(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatal("it does not come to pass")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A journal that can't be used is set aside, and the start does not fail.
func TestJournalSetAside(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, path string)
		aside string
	}{
		"no database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("no database at all ", 500)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ".damaged"},
		"newer": {func(t *testing.T, path string) { execute(t, path, `PRAGMA user_version = 99`) }, ".newer"},
		"of another program": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			execute(t, path, `CREATE TABLE songs (title)`)
		}, ".damaged"},
		"a table is gone": {func(t *testing.T, path string) { execute(t, path, `DROP TABLE blocks`) }, ".damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "lg.db")
			s := watch(t, lookingglass.Options{Journal: path})
			s.user("alice")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, path)
			var log bytes.Buffer
			s = watch(t, lookingglass.Options{Journal: path, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			s.user("bob")
			if list := s.find(lookingglass.Query{}); len(list) != 1 || list[0].Name != "bob" {
				t.Errorf("%+v", list)
			}
			if _, err := os.Stat(path + tt.aside); err != nil {
				t.Error(err)
			}
			if st := s.Stats(); st.Kept != 1 || !strings.Contains(log.String(), "level=WARN") || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("%+v, log %s", st, &log)
			}
		})
	}
}

// Where there can be no file, memory has to do.
func TestJournalImpossible(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := watch(t, lookingglass.Options{Journal: filepath.Join(t.TempDir(), "no", "such", "folder.db"), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.user("alice")
	if list := s.find(lookingglass.Query{}); len(list) != 1 || !strings.Contains(log.String(), "in memory only") {
		t.Errorf("%+v, log %s", list, &log)
	}
}

// A journal that is damaged while it is in use is replaced by a new one.
func TestJournalDamagedInUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lg.db")
	s := watch(t, lookingglass.Options{Journal: path, Rate: 100_000, Ring: 5})
	for range 300 {
		s.do("GET", "/Users/nobody", "")
	}
	s.flush()
	execute(t, path, `PRAGMA wal_checkpoint(TRUNCATE)`)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Stat()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(info.Size())), 0); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	poll(t, func() bool {
		s.do("GET", "/Users/nobody", "")
		s.flush()
		_, err := os.Stat(path + ".damaged")
		return err == nil
	})
	s.do("GET", "/Users/after", "")
	list := s.find(lookingglass.Query{Limit: 1})
	if len(list) != 1 || list[0].Target != "after" {
		t.Errorf("%+v", list)
	}
}

func execute(t *testing.T, path, script string) {
	t.Helper()
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	if err := sqlitex.ExecuteTransient(c, script, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
