package server_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/server"
)

// put writes files into a folder.
func put(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// holding returns what is in the files of a folder.
func holding(t *testing.T, dir string) map[string]string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range list {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}

// TestSwap: a restore that fails on its way leaves the directory as it was, with
// its log, and one that succeeds leaves the old one whole under another name.
func TestSwap(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const aside = "rollcall.db.before-restore-20260102-030405"
	damaged := map[string]string{"rollcall.db": "too damaged to be opened", "rollcall.db-wal": "a log", "rollcall.db-shm": "an index"}
	for what, c := range map[string]struct {
		more  map[string]string
		fails bool
		want  map[string]string
	}{
		"all is well":        {map[string]string{"fresh": "new"}, false, map[string]string{"rollcall.db": "new", aside: damaged["rollcall.db"], aside + "-wal": "a log"}},
		"no new one":         {nil, true, nil},
		"the name is taken":  {map[string]string{"fresh": "new", aside: "older"}, true, nil},
		"the log's is taken": {map[string]string{"fresh": "new", aside + "-wal": "older"}, true, nil},
	} {
		dir := t.TempDir()
		put(t, dir, damaged)
		put(t, dir, c.more)
		before := holding(t, dir)
		path := filepath.Join(dir, "rollcall.db")
		got, err := server.Swap(t.Context(), filepath.Join(dir, "fresh"), path, now)
		if (err != nil) != c.fails || err == nil && got != filepath.Join(dir, aside) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
		want := c.want
		if c.fails {
			want = before
			delete(want, "rollcall.db-shm") // it is made anew
		}
		after := holding(t, dir)
		delete(after, "rollcall.db-shm")
		if len(after) != len(want) {
			t.Errorf("%s: there are %v, want %v", what, after, want)
		}
		for name, text := range want {
			if after[name] != text {
				t.Errorf("%s: %s is %q, want %q", what, name, after[name], text)
			}
		}
	}
}

// TestRestoreOverCrash: what a crash has left in the log is in the directory
// that a restore sets aside.
func TestRestoreOverCrash(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.create("before")
	file := filepath.Join(t.TempDir(), "backup.db")
	tell(t, 0, "bytes, checked", []string{"ROLLCALL_DATA_DIR=" + r.data}, "backup", file)
	r.create("after")
	crashed := t.TempDir() // as the power left it
	for _, name := range []string{"rollcall.db", "rollcall.db-wal"} {
		text, err := os.ReadFile(filepath.Join(r.data, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, crashed, map[string]string{name: string(text)})
	}
	own := []string{"ROLLCALL_DATA_DIR=" + crashed}
	text := tell(t, 0, "restored", own, "restore", "--force", file)
	_, rest, _ := strings.Cut(text, "set aside: ")
	aside, _, _ := strings.Cut(rest, "\n")
	if _, err := os.Stat(aside + "-wal"); err == nil {
		t.Error("the log was set aside beside the file")
	}
	if a := start(t, own...).people(); strings.Contains(a, `"after"`) || !strings.Contains(a, `"before"`) {
		t.Errorf("restored: %s", a)
	}
	back := []string{"ROLLCALL_DATA_DIR=" + filepath.Join(t.TempDir(), "back")}
	tell(t, 0, "restored", back, "restore", aside)
	if a := start(t, back...).people(); !strings.Contains(a, `"after"`) {
		t.Errorf("what was set aside: %s", a)
	}
}

// TestExportNames: an export writes through no name that is there, and replaces
// no file that came meanwhile.
func TestExportNames(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.create("ada")
	dir := t.TempDir()
	put(t, dir, map[string]string{"precious": "kept"})
	file := filepath.Join(dir, "people.ndjson")
	if err := os.Symlink("precious", file+".part"); err != nil {
		t.Fatal(err)
	}
	tell(t, 0, "User", []string{"ROLLCALL_DATA_DIR=" + r.data}, "export", file)
	text, err := os.ReadFile(filepath.Join(dir, "precious"))
	if err != nil || string(text) != "kept" {
		t.Errorf("the file that a link led to: %q, %v", text, err)
	}
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != 0o600 {
		t.Errorf("the export: %v, %v", info, err)
	}
	if files := holding(t, dir); len(files) != 3 || !bytes.Contains([]byte(files["people.ndjson"]), []byte(`"ada"`)) {
		t.Errorf("there are %d files", len(files))
	}

	put(t, dir, map[string]string{"new": "n"})
	if err := server.Settle(filepath.Join(dir, "new"), filepath.Join(dir, "precious")); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("over a file that is there: %v", err)
	}
	if err := server.Settle(filepath.Join(dir, "new"), filepath.Join(dir, "next")); err != nil {
		t.Error(err)
	}
	if files := holding(t, dir); files["precious"] != "kept" || files["next"] != "n" || files["new"] != "" {
		t.Errorf("there are %v", files)
	}
}
