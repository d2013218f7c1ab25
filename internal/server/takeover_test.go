package server_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// otherLayout is the layout of the other program's database.
const otherLayout = `
CREATE TABLE scim_users (id TEXT PRIMARY KEY, external_id TEXT, user_name TEXT NOT NULL UNIQUE, data TEXT NOT NULL,
	version INTEGER NOT NULL DEFAULT 1, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE scim_groups (id TEXT PRIMARY KEY, external_id TEXT, display_name TEXT NOT NULL, data TEXT NOT NULL,
	version INTEGER NOT NULL DEFAULT 1, created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE TABLE scim_group_members (group_id TEXT NOT NULL, user_id TEXT NOT NULL, type TEXT, display TEXT, PRIMARY KEY (group_id, user_id));
`

// otherUser is a statement that inserts a user.
func otherUser(id, userName string, version int, more string) string {
	data := fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":%q,"userName":%q,"active":true%s,"meta":{"resourceType":"User","version":"W/\"1\""}}`, id, userName, more)
	return fmt.Sprintf(`INSERT INTO scim_users VALUES ('%s', 'ext-%s', '%s', '%s', %d, '2025-01-02T03:04:05Z', '2025-02-03T04:05:06Z');`, id, id, userName, data, version)
}

func otherGroup(id, name string, members ...string) string {
	s := fmt.Sprintf(`INSERT INTO scim_groups VALUES ('%s', NULL, '%s', '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"%s"}', 4, '2025-01-02T03:04:05Z', '2025-02-03T04:05:06Z');`, id, name, name)
	for _, m := range members {
		s += fmt.Sprintf(`INSERT INTO scim_group_members VALUES ('%s', '%s', 'User', 'somebody');`, id, m)
	}
	return s
}

// otherDatabase makes a data folder with the other program's database.
func otherDatabase(t *testing.T, script ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	conn, err := sqlite.OpenConn(filepath.Join(dir, "scim.db"), sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, strings.Join(script, "\n"), nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTakeOver(t *testing.T) {
	t.Parallel()
	dir := otherDatabase(t, otherLayout,
		otherUser("u1", "ada", 7, `,"name":{"familyName":"Lovelace"},"emails":[{"value":"ada@example.com","type":"work","primary":true},{"value":"ada@home.example","type":"home","primary":true}],"unknownThing":{"x":1}`),
		otherUser("u2", "grace", 1, `,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Navy","manager":{"value":"u1"}},"password":"leaked-Canary"`),
		otherGroup("g1", "Engineers", "u1", "u2", "gone"),
		otherGroup("g2", "All", "g1", "u1"),
		otherGroup("g3", "Left", "g4"),
		otherGroup("g4", "Right", "g3"),
		otherGroup("g5", "Right"), // names of groups were not unique there
		`INSERT INTO scim_group_members VALUES ('nowhere', 'u1', 'User', '');`)
	old := filepath.Join(dir, "scim.db")
	sum := func() [32]byte {
		data, err := os.ReadFile(old)
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(data)
	}
	before := sum()
	// What an interrupted take-over leaves.
	if err := os.MkdirAll(filepath.Join(dir, "takeover.tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "takeover.tmp", "rollcall.db"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, "ROLLCALL_DATA_DIR="+dir)
	if sum() != before {
		t.Error("the other program's file was changed")
	}
	lines := 0
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "took over") {
			lines++
			for _, want := range []string{`"users":2`, `"groups":5`, `"memberships":6`, `"membershipsOfNobody":2`, `"withUnknownAttributes":1`} {
				if !strings.Contains(line, want) {
					t.Errorf("the log line lacks %s: %s", want, line)
				}
			}
		}
	}
	if lines != 1 {
		t.Errorf("%d log lines of the take-over, want 1", lines)
	}
	if _, err := os.Stat(filepath.Join(dir, "takeover.tmp")); !os.IsNotExist(err) {
		t.Errorf("the work folder is still there: %v", err)
	}

	get := func(path string) map[string]any {
		t.Helper()
		a := r.do("GET", "/scim/v2"+path, "")
		var m map[string]any
		if err := json.Unmarshal([]byte(a.body), &m); err != nil || a.status != 200 {
			t.Fatalf("GET %s: %d %s", path, a.status, a.body)
		}
		return m
	}
	ada := get("/Users/u1")
	meta := ada["meta"].(map[string]any)
	if ada["id"] != "u1" || ada["userName"] != "ada" || ada["externalId"] != "ext-u1" || meta["version"] != `W/"7"` ||
		!strings.HasPrefix(meta["created"].(string), "2025-01-02T03:04:05") || !strings.HasPrefix(meta["lastModified"].(string), "2025-02-03T04:05:06") ||
		ada["unknownThing"] != nil || strings.Count(fmt.Sprint(ada["emails"]), "primary:true") != 1 {
		t.Errorf("u1: %v", ada)
	}
	groups := map[string]string{}
	for _, g := range ada["groups"].([]any) {
		groups[g.(map[string]any)["value"].(string)] = g.(map[string]any)["type"].(string)
	}
	if groups["g1"] != "direct" || groups["g2"] != "direct" || len(groups) != 2 {
		t.Errorf("the groups of u1: %v", groups)
	}
	grace := fmt.Sprint(get("/Users/u2"))
	if !strings.Contains(grace, "department:Navy") || !strings.Contains(grace, "displayName") && !strings.Contains(grace, "value:u1") || strings.Contains(grace, "Canary") {
		t.Errorf("u2: %s", grace)
	}
	for id, want := range map[string]string{"g1": "u1 u2", "g2": "g1 u1", "g3": "g4", "g4": "g3", "g5": ""} {
		var got []string
		members, _ := get("/Groups/" + id)["members"].([]any)
		for _, m := range members {
			got = append(got, m.(map[string]any)["value"].(string))
		}
		if len(got) == 2 && got[0] > got[1] {
			got[0], got[1] = got[1], got[0]
		}
		if strings.Join(got, " ") != want {
			t.Errorf("the members of %s: %v, want %s", id, got, want)
		}
	}
	if a := r.do("GET", `/scim/v2/Users?filter=emails.value+co+"EXAMPLE"`, ""); !strings.Contains(a.body, `"totalResults":1`) {
		t.Errorf("what was taken over is not found by a filter: %s", a.body)
	}
	if a := r.do("POST", "/scim/v2/Users", `{"userName":"ADA"}`); a.status != 409 {
		t.Errorf("a userName that was taken over is free: %d", a.status)
	}
	if a := r.do("PATCH", "/scim/v2/Users/u1", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Countess"}]}`,
		`If-Match: W/"7"`); a.status != 200 || a.header.Get("ETag") == `W/"7"` {
		t.Errorf("a change with the old version: %d %s", a.status, a.body)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, "ROLLCALL_DATA_DIR="+dir)
	if a := again.do("GET", "/scim/v2/Users/u1", ""); !strings.Contains(a.body, "Countess") || strings.Contains(again.log.String(), "took over") {
		t.Errorf("the second start takes over again: %s", a.body)
	}
}

// TestTakeOverOlder: a members table without types can't hold groups; the
// documents can. And what is only in the log of a killed process counts.
func TestTakeOverOlder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "scim.db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenWAL)
	if err != nil {
		t.Fatal(err)
	}
	layout := strings.Replace(otherLayout, " type TEXT, display TEXT,", "", 1)
	err = sqlitex.ExecuteScript(conn, layout+otherUser("u1", "ada", 1, "")+`
		INSERT INTO scim_groups VALUES ('g1', '', 'One', '{"displayName":"One","members":[{"value":"u1"},{"value":"g2"}]}', 1, '2025-01-02 03:04:05', '1735786800');
		INSERT INTO scim_groups VALUES ('g2', '', 'Two', '{"displayName":"Two","members":[]}', 1, '2025-01-02T03:04:05.5+01:00', '2025-01-02T03:04:05Z');
		INSERT INTO scim_group_members VALUES ('g1', 'u1');`, nil)
	if err != nil {
		t.Fatal(err)
	}
	// A folder as it is at this moment, the log not yet in the file.
	killed := t.TempDir()
	for _, name := range []string{"scim.db", "scim.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(killed, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	r := start(t, "ROLLCALL_DATA_DIR="+killed)
	a := r.do("GET", "/scim/v2/Groups/g1", "")
	if a.status != 200 || !strings.Contains(a.body, `"value":"u1"`) || !strings.Contains(a.body, `"value":"g2"`) {
		t.Errorf("g1: %d %s", a.status, a.body)
	}
	if _, err := os.Stat(filepath.Join(killed, "scim.db-shm")); !os.IsNotExist(err) {
		t.Errorf("a file appeared beside the other program's: %v", err)
	}
}

// TestTakeOverRefused: the error names the row, nothing is left, and the next
// start tries again.
func TestTakeOverRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		want         []string
	}{
		{"two userNames that differ in case", otherUser("u1", "ada", 1, "") + otherUser("u2", "Ada", 1, ""), []string{`scim_users`, `"u2"`, "userName"}},
		{"a document that is no JSON", `INSERT INTO scim_users VALUES ('u9', '', 'x', '{"userName":', 1, '2025-01-02T03:04:05Z', '2025-01-02T03:04:05Z');`, []string{`scim_users`, `"u9"`, "JSON"}},
		{"no userName", `INSERT INTO scim_users VALUES ('u9', '', 'x', '{}', 1, '2025-01-02T03:04:05Z', '2025-01-02T03:04:05Z');`, []string{`"u9"`, "userName"}},
		{"no time", `INSERT INTO scim_users VALUES ('u9', '', 'x', '{"userName":"x"}', 1, 'yesterday', '2025-01-02T03:04:05Z');`, []string{`"u9"`, "created_at"}},
		{"no id", `INSERT INTO scim_users VALUES ('', '', 'x', '{"userName":"x"}', 1, '2025-01-02T03:04:05Z', '2025-01-02T03:04:05Z');`, []string{"the id is empty"}},
		{"an id of a user and a group", otherUser("same", "ada", 1, "") + otherGroup("same", "g"), []string{"scim_groups", `"same"`}},
		{"two faults", otherUser("u1", "a", 1, `,"emails":"x"`) + otherUser("u2", "b", 1, `,"name":7`), []string{`"u2"`}},
		{"no such tables", `DROP TABLE scim_groups;`, []string{"not a database with the tables", "scim_groups"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := otherDatabase(t, otherLayout, tt.script)
			for range 2 {
				_, err := tryStart(t, "ROLLCALL_DATA_DIR="+dir)
				if err == nil {
					t.Fatal("the start succeeds")
				}
				for _, want := range append(tt.want, "scim.db") {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error %q lacks %q", err, want)
					}
				}
				for _, name := range []string{"rollcall.db", "rollcall.db-wal", "takeover.tmp"} {
					if _, err := os.Stat(filepath.Join(dir, name)); !os.IsNotExist(err) {
						t.Errorf("%s was left behind", name)
					}
				}
			}
		})
	}
	t.Run("not a database", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "scim.db"), []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tryStart(t, "ROLLCALL_DATA_DIR="+dir); err == nil || !strings.Contains(err.Error(), "not a database") {
			t.Errorf("start: %v", err)
		}
	})
}

// TestTakeOverMany: more users than fit a transaction, in the order of their
// creation.
func TestTakeOverMany(t *testing.T) {
	t.Parallel()
	const n = 1201
	var b strings.Builder
	for i := range n {
		b.WriteString(otherUser(fmt.Sprintf("u%05d", i), fmt.Sprintf("name%05d", i), i+1, ""))
	}
	r := start(t, "ROLLCALL_DATA_DIR="+otherDatabase(t, otherLayout, b.String()))
	a := r.do("GET", "/scim/v2/Users?attributes=userName&startIndex=1201", "")
	if !strings.Contains(a.body, `"totalResults":1201`) || !strings.Contains(a.body, `"name01200"`) {
		t.Errorf("the last page: %s", a.body)
	}
}
