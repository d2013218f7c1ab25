package server_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// command runs the program with words and an environment, and returns its exit
// code and what it prints.
func command(t *testing.T, environ []string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := server.Main(t.Context(), args, environ, &out, &out)
	return code, out.String()
}

// tell runs a command and checks its exit code and what it prints.
func tell(t *testing.T, code int, want string, environ []string, args ...string) string {
	t.Helper()
	got, text := command(t, environ, args...)
	if got != code || !strings.Contains(text, want) {
		t.Fatalf("rollcall %s: exit %d, %s\nwant exit %d, %s", strings.Join(args, " "), got, text, code, want)
	}
	return text
}

// inhabited is a server with people, groups, passwords, and somebody deleted.
func inhabited(t *testing.T, environ ...string) *running {
	t.Helper()
	r := start(t, append(environ, "ROLLCALL_PASSWORDS=hash")...)
	var members []string
	first := ""
	for n := range 12 {
		password, manager := "", ""
		if n < 2 { // a hash takes its time
			password = `,"password":"a long secret"`
		}
		if n == 11 { // who is deleted refers to somebody
			manager = fmt.Sprintf(`,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":%q}}`, first)
		}
		a := r.do("POST", "/scim/v2/Users", fmt.Sprintf(`{"userName":"user%d","externalId":"X%d","title":"日本"%s%s}`, n, n, password, manager))
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(a.body), &made); err != nil || a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		first = cmp.Or(first, made.ID)
		members = append(members, fmt.Sprintf(`{"value":%q}`, made.ID))
		if n == 11 {
			r.do("DELETE", "/scim/v2/Users/"+made.ID, "")
			members = members[:11]
		}
	}
	if a := r.do("POST", "/scim/v2/Groups", `{"displayName":"all","members":[`+strings.Join(members, ",")+`]}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return r
}

// people is what clients see of a directory, without where it is.
func (r *running) people() string {
	r.t.Helper()
	text := r.do("GET", "/scim/v2/Users?count=100", "").body + r.do("GET", "/scim/v2/Groups?count=100", "").body
	return regexp.MustCompile(`http://localhost:[0-9]+`).ReplaceAllString(text, "")
}

// TestMoving runs what docs/moving.md shows.
func TestMoving(t *testing.T) {
	t.Parallel()
	r := inhabited(t)
	want := r.people()
	at := "sqlite:" + r.data
	schemas := []string{}

	// While it is served: to PostgreSQL, and compared again.
	db := pgtest.Database(t)
	text := tell(t, 0, "the same", schemas, "copy", "--from", at, "--to", db)
	if strings.Contains(text, "NOT THE SAME") || !regexp.MustCompile(`default +User +11 +[0-9a-f]{16}  the same`).MatchString(text) ||
		!regexp.MustCompile(`default +members +11 `).MatchString(text) || !regexp.MustCompile(`default +deleted +1 `).MatchString(text) {
		t.Errorf("copy says:\n%s", text)
	}
	tell(t, 0, "the same", schemas, "copy", "--from", at, "--to", db, "--verify")
	tell(t, 0, "a finished copy of this source already, and is only compared", schemas, "copy", "--from", at, "--to", db)
	pg := start(t, "ROLLCALL_DATABASE_URL="+db)
	if got := pg.people(); got != want {
		t.Errorf("after the move:\n%.2000s\nwant\n%.2000s", got, want)
	}
	if err := pg.stop(); err != nil {
		t.Fatal(err)
	}
	// And back, with the hashes of passwords.
	file := filepath.Join(t.TempDir(), "back.db")
	tell(t, 0, "the same", schemas, "copy", "--from", db, "--to", "sqlite:"+file)
	tell(t, 0, "the same", []string{"ROLLCALL_DATABASE_URL=" + db}, "copy", "--from", at, "--verify")
	for _, path := range []string{file, filepath.Join(r.data, "rollcall.db")} {
		if n := hashes(t, path); n != 2 {
			t.Errorf("%s has %d hashes of passwords, want 2", path, n)
		}
	}
	// The source has moved on.
	r.create("latecomer")
	text = tell(t, 1, "NOT THE SAME: default, User: 12 in the source, 11 in the target", schemas, "copy", "--from", at, "--to", db, "--verify")
	if !strings.Contains(text, "the target does not hold what the source does") {
		t.Error(text)
	}
	tell(t, 1, "holds a directory already", schemas, "copy", "--from", at, "--to", db)
	tell(t, 1, "no such file", schemas, "copy", "--from", "sqlite:"+file+"x", "--to", db)
	tell(t, 2, "--to is missing", schemas, "copy", "--from", at)
	tell(t, 2, "must be sqlite:FILE", schemas, "copy", "--from", "somewhere", "--to", db)
	tell(t, 2, "are the same", schemas, "copy", "--from", db, "--to", db)
	tell(t, 1, "is served by", schemas, "copy", "--from", db, "--to", at)
}

func hashes(t *testing.T, path string) int {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wal, _ := os.ReadFile(path + "-wal")
	found := map[string]bool{}
	for _, hash := range regexp.MustCompile(`\$argon2id\$[^"]+`).FindAll(append(data, wal...), -1) {
		found[string(hash)] = true
	}
	return len(found)
}

// TestExportImport: an export holds all but secrets, and makes the same
// directory elsewhere; one that is not whole is refused before anything happens.
func TestExportImport(t *testing.T) {
	t.Parallel()
	r := inhabited(t)
	own := []string{"ROLLCALL_DATA_DIR=" + r.data}
	dir := t.TempDir()
	file := filepath.Join(dir, "people.ndjson")
	if text := tell(t, 0, "left out: what is never returned, such as hashes of passwords, of 2 resources", own, "export", file); !regexp.MustCompile(`User +11`).MatchString(text) {
		t.Error(text)
	}
	tell(t, 1, "exists already", own, "export", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if bytes.Contains(data, []byte("argon2")) || bytes.Count(data, []byte("\n")) < 25 {
		t.Errorf("the export:\n%s", data)
	}
	if code, text := command(t, own, "export", "-"); code != 0 || strings.Count(text, `"kind":"resource"`) != 12 {
		t.Errorf("to the standard output: exit %d\n%s", code, text)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	other := func() []string { return []string{"ROLLCALL_DATA_DIR=" + filepath.Join(t.TempDir(), "new")} }
	for what, faulty := range map[string]struct {
		data []byte
		want string
	}{
		"cut":           {data[:len(data)-10], "incomplete"},
		"without lines": {bytes.Join(append(lines[:3:3], lines[4:]...), nil), "changed or damaged"},
		"altered":       {bytes.Replace(data, []byte(`"userName":"user1"`), []byte(`"userName":"eve"`), 1), "changed or damaged"},
		"longer":        {append(bytes.Clone(data), lines[2]...), "changed or damaged"},
		"foreign":       {[]byte("{\"schemas\":[]}\n"), "no export of rollcall"},
		"newer":         {bytes.Replace(data, []byte(`{"rollcall":1`), []byte(`{"rollcall":2`), 1), "newer version"},
		"empty":         {nil, "incomplete"},
	} {
		bad := filepath.Join(dir, "bad."+strings.Fields(what)[0])
		if err := os.WriteFile(bad, faulty.data, 0o600); err != nil {
			t.Fatal(err)
		}
		to := other()
		tell(t, 1, faulty.want, to, "import", bad)
		if _, err := os.Stat(strings.TrimPrefix(to[0], "ROLLCALL_DATA_DIR=") + "/rollcall.db"); err == nil {
			t.Errorf("%s: a database was made", what)
		}
	}
	to := other()
	tell(t, 0, "the same", to, "import", file)
	tell(t, 0, "only compared", to, "import", file)
	made := start(t, to...)
	if got, want := made.people(), r.people(); got != want {
		t.Errorf("imported:\n%.2000s\nwant\n%.2000s", got, want)
	}
	tell(t, 1, "is served by", to, "import", file)
	tell(t, 1, "stop it first", to, "import", "--merge", file)
	if err := made.stop(); err != nil {
		t.Fatal(err)
	}
	tell(t, 0, "created 0, there already 12, conflicts 0", to, "import", "--merge", file)

	// Into a directory with other people: one has a name that is taken.
	busy := start(t)
	busy.create("USER3")
	before := busy.create("somebody")
	if err := busy.stop(); err != nil {
		t.Fatal(err)
	}
	into := []string{"ROLLCALL_DATA_DIR=" + busy.data}
	tell(t, 1, "--merge adds to it", into, "import", file)
	text := tell(t, 1, "created 11, there already 0, conflicts 2; memberships added 10", into, "import", "--merge", file)
	if !strings.Contains(text, "(user3): \"userName\": this value is already in use") || !strings.Contains(text, "lacks the member") {
		t.Errorf("merge says:\n%s", text)
	}
	busy = start(t, into...)
	if a := busy.do("GET", "/scim/v2/Users/"+before, ""); a.status != 200 {
		t.Errorf("who was there: %d", a.status)
	}
	if a := busy.do("GET", "/scim/v2/Groups", ""); strings.Count(a.body, `"value":`) != 10 {
		t.Errorf("the group: %s", a.body)
	}
	// Through PostgreSQL, and the export is the same again.
	db := "ROLLCALL_DATABASE_URL=" + pgtest.Database(t)
	tell(t, 0, "the same", []string{db}, "import", file)
	_, again := command(t, []string{db}, "export", "-")
	if _, rest, _ := strings.Cut(again, "\n"); !strings.HasPrefix(rest, string(bytes.Join(lines[1:], nil))) {
		t.Errorf("exported again:\n%s\nwant\n%s", rest, data)
	}
}

// TestBackupRestore: a backup of a served directory is whole, and is brought
// back into an empty folder, or in place of what is there.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	r := inhabited(t)
	own := []string{"ROLLCALL_DATA_DIR=" + r.data}
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.db")
	tell(t, 0, "bytes, checked", own, "backup", file)
	tell(t, 1, "exists already", own, "backup", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	want := r.people()
	late := r.create("latecomer")
	tell(t, 1, "is served by", own, "restore", "--force", file)
	fresh := []string{"ROLLCALL_DATA_DIR=" + filepath.Join(dir, "fresh")}
	tell(t, 1, "there is no directory", fresh, "backup", file+"2")
	tell(t, 0, "restored", fresh, "restore", file)
	back := start(t, fresh...)
	if got := back.people(); got != want {
		t.Errorf("restored:\n%.2000s\nwant\n%.2000s", got, want)
	}
	if err := back.stop(); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	tell(t, 1, "--force sets it aside", own, "restore", file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(data)
	copy(damaged[len(damaged)/2:], bytes.Repeat([]byte{0xee}, 20_000))
	for name, bad := range map[string][]byte{"damaged": damaged, "short": data[:len(data)/2], "text": []byte("no database"), "empty": nil} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		tell(t, 1, "was not restored", own, "restore", "--force", path)
	}
	tell(t, 0, "set aside: "+filepath.Join(r.data, "rollcall.db.before-restore-"), own, "restore", "--force", file)
	again := start(t, own...)
	if got := again.people(); got != want {
		t.Errorf("restored in place:\n%.2000s\nwant\n%.2000s", got, want)
	}
	if a := again.do("GET", "/scim/v2/Users/"+late, ""); a.status != 404 {
		t.Errorf("who came after the backup: %d", a.status)
	}
	db := []string{"ROLLCALL_DATABASE_URL=postgres://127.0.0.1:1/x"}
	for _, verb := range []string{"backup", "restore"} {
		tell(t, 1, "docs/operations.md", db, verb, file)
	}
}

// TestCopyFromServer: a copy from a SCIM server over HTTP, into either database.
func TestCopyFromServer(t *testing.T) {
	t.Parallel()
	r := inhabited(t)
	tokens := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokens, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	from := "scim:" + r.url + "/scim/v2"
	for kind, to := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "rollcall.db"), "postgres": pgtest.Database(t)} {
		text := tell(t, 0, "compared attribute by attribute: the same", nil, "copy", "--from", from, "--to", to, "--token-file", tokens)
		if !strings.Contains(text, "not to be had from a SCIM server: passwords") {
			t.Error(text)
		}
		environ := []string{"ROLLCALL_DATABASE_URL=" + to}
		if kind == "sqlite" {
			environ = []string{"ROLLCALL_DATA_DIR=" + filepath.Dir(strings.TrimPrefix(to, "sqlite:"))}
		}
		made := start(t, environ...)
		if got, want := made.people(), r.people(); got != want {
			t.Errorf("%s:\n%.2000s\nwant\n%.2000s", kind, got, want)
		}
		if err := made.stop(); err != nil {
			t.Fatal(err)
		}
		if kind == "postgres" {
			r.create("latecomer")
			tell(t, 1, "(latecomer): it is not there", []string{"ROLLCALL_TOKEN=" + testToken}, "copy", "--from", from, "--to", to, "--verify")
			a := r.do("GET", "/scim/v2/Users?filter="+strings.ReplaceAll(`userName eq "latecomer"`, " ", "%20"), "")
			var list struct{ Resources []struct{ ID string } }
			if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list.Resources) != 1 {
				t.Fatal(a.body)
			}
			r.do("DELETE", "/scim/v2/Users/"+list.Resources[0].ID, "")
		}
		tell(t, 0, "the same", nil, "copy", "--from", from, "--to", to, "--token-file", tokens)
	}
	code, text := command(t, nil, "copy", "--from", from, "--to", "sqlite:"+filepath.Join(t.TempDir(), "x.db"), "--token", "wrong-token-0123456789")
	if code != 1 || !strings.Contains(text, "401") || strings.Contains(text, "wrong-token") {
		t.Errorf("the wrong token: exit %d, %s", code, text)
	}
}

// TestCopyKilled: a copy whose process is killed goes on where it was, and ends
// as one that was not.
func TestCopyKilled(t *testing.T) {
	t.Parallel()
	people := 2_000
	if testing.Short() {
		people = 800
	}
	source := filepath.Join(t.TempDir(), "source")
	seed(t, source, people)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for kind, to := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "rollcall.db"), "postgres": pgtest.Database(t)} {
		child := func(ctx context.Context) (*exec.Cmd, *bytes.Buffer) {
			cmd := exec.CommandContext(ctx, self, "copy", "--from", "sqlite:"+source, "--to", to) //nolint:gosec // our own words
			cmd.Env = append(os.Environ(), serveVariable+"=full", "GOCOVERDIR="+t.TempDir())
			cmd.WaitDelay = 5 * time.Second
			out := new(bytes.Buffer)
			cmd.Stdout, cmd.Stderr = out, out
			return cmd, out
		}
		killed, busy := 0, 100*time.Millisecond
		for {
			first, said := child(t.Context())
			if err := first.Start(); err != nil {
				t.Fatal(err)
			}
			end := make(chan error, 1)
			go func() { end <- first.Wait() }()
			over := false
			select {
			case err = <-end:
				over = true
			case <-time.After(busy):
				_ = first.Process.Signal(syscall.SIGKILL)
				err = <-end
				killed++
			}
			busy += busy / 3
			if over && err == nil {
				if !strings.Contains(said.String(), "the same") || strings.Contains(said.String(), "NOT") {
					t.Errorf("%s: after %d kills: %s", kind, killed, said)
				}
				break
			}
			if over {
				t.Fatalf("%s: %v %s", kind, err, said)
			}
			if killed > 60 {
				t.Fatalf("%s: it never ends", kind)
			}
		}
		if killed < 2 {
			t.Errorf("%s: killed %d times only", kind, killed)
		}
		tell(t, 0, "the same", nil, "copy", "--from", "sqlite:"+source, "--to", to, "--verify")
	}
}

// seed makes a data folder with people in it.
func seed(t *testing.T, dir string, people int) {
	t.Helper()
	r := start(t, "ROLLCALL_DATA_DIR="+dir)
	for from := 0; from < people; from += 400 {
		var ops []string
		for n := from; n < from+400; n++ {
			ops = append(ops, fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":"b%d","data":{"userName":"user%d","title":"t"}}`, n, n))
		}
		var members []string
		for n := from; n < from+400; n++ {
			members = append(members, fmt.Sprintf(`{"value":"bulkId:b%d"}`, n))
		}
		ops = append(ops, fmt.Sprintf(`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"group %d","members":[%s]}}`, from, strings.Join(members, ",")))
		a := r.do("POST", "/scim/v2/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`+strings.Join(ops, ",")+`]}`)
		if a.status != 200 || strings.Contains(a.body, `"status":"4`) {
			t.Fatalf("bulk: %d %.500s", a.status, a.body)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}
