package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
)

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rollcall.db")
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := db.CursorKeys(t.Context())
	if err != nil || len(keys) != 1 || len(keys[0]) != 32 {
		t.Fatalf("CursorKeys = %x, %v", keys, err)
	}
	first := create(t, db.Tenant("a"), user(t, "first"))
	gone := create(t, db.Tenant("a"), user(t, "gone"))
	if err := db.Tenant("a").Delete(t.Context(), gone.Ref(), ""); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, %v; it holds people's data", info.Mode(), err)
	}

	db = open(t, path, sqlite.Options{})
	again, err := db.CursorKeys(t.Context())
	if err != nil || len(again) != 1 || !bytes.Equal(keys[0], again[0]) {
		t.Errorf("CursorKeys after a restart = %x, %v; want %x", again, err, keys)
	}
	if got := get(t, db.Tenant("a"), first); !bytes.Equal(got.Text, first.Text) || got.Meta != first.Meta {
		t.Errorf("after a restart: %s %v, want %s %v", got.Text, got.Meta, first.Text, first.Meta)
	}
	create(t, db.Tenant("a"), user(t, "third"))
	if n, err := db.Int(t.Context(), `SELECT max(pk) FROM resources`); err != nil || n != 3 {
		t.Errorf("the third resource has number %d, %v; a number must not be used twice", n, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	fresh := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "rollcall.db")
		db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		create(t, db.Tenant("a"), user(t, "u"))
		if err := db.Exec(t.Context(), `CREATE TABLE extra (a INTEGER)`); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name, want string
		is         error
		spoil      func(t *testing.T, path string) string
	}{
		{"no database", "damaged, or is no database", nil, func(t *testing.T, path string) string {
			return path + overwrite(t, path, 0, "This is a letter to my bank, and it is a good deal longer than a header.")
		}},
		{"corrupt", "damaged, or is no database", nil, func(t *testing.T, path string) string {
			return path + overwrite(t, path, 100, strings.Repeat("\xff", 3000))
		}},
		{"read-only", "read-only", nil, func(t *testing.T, path string) string {
			if err := os.Chmod(path, 0o400); err != nil {
				t.Fatal(err)
			}
			return path
		}},
		{"folder", "directory", nil, func(t *testing.T, path string) string { return filepath.Dir(path) }},
		{"no folder", "no such file", os.ErrNotExist, func(t *testing.T, path string) string {
			return filepath.Join(filepath.Dir(path), "nowhere", "rollcall.db")
		}},
		{"newer", "newer version of this program", sqlite.ErrNewer, func(t *testing.T, path string) string {
			db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			return path
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := tt.spoil(t, fresh(t))
			db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err == nil {
				db.Close()
				t.Fatal("Open succeeded")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
				t.Errorf("Open: %q; want one line with %q and the path", err, tt.want)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Open: %v; want %v", err, tt.is)
			}
		})
	}
}

// overwrite puts text into the file at an offset, and returns "".
func overwrite(t *testing.T, path string, at int64, text string) string {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte(text), at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return ""
}

func TestSynchronous(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for mode, want := range map[string]string{"FULL": "", "OFF": "", "LAZY": "synchronous"} {
		db, err := sqlite.Open(t.Context(), filepath.Join(dir, mode), sqlite.Options{UnsafeSynchronousForTests: mode})
		if err == nil {
			db.Close()
		}
		if (want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("synchronous=%s: %v, want %q", mode, err, want)
		}
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := db.Tenant("a")
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	r := create(t, s, user(t, "u"))
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	unavailable := &scim.Error{Status: 503}
	if _, err := s.Get(t.Context(), r.Ref(), scim.Selection{}); !errors.Is(err, unavailable) {
		t.Errorf("Get after Close: %v", err)
	}
	if err := s.Delete(context.Background(), r.Ref(), ""); !errors.Is(err, unavailable) {
		t.Errorf("Delete after Close: %v", err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, unavailable) {
		t.Errorf("Ping after Close: %v", err)
	}
}
