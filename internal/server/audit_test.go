package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// TestAuditCommands covers SEC-023: it does what docs/audit.md says, on both databases, while a
// server runs and when none does.
func TestAuditCommands(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		auditCommands(t, []string{"ROLLCALL_DATA_DIR=" + data}, func(t *testing.T, text string) string { return inFiles(t, data, text) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := pgtest.Quick(t)
		auditCommands(t, []string{"ROLLCALL_DATABASE_URL=" + url}, func(*testing.T, string) string { return "" })
	})
}

func auditCommands(t *testing.T, environ []string, left func(*testing.T, string) string) {
	r := start(t, environ...)
	run := func(args ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		code := server.Main(context.Background(), args, environ, &out, &out)
		return code, out.String()
	}
	says := func(code int, want string, args ...string) string {
		t.Helper()
		got, text := run(args...)
		if got != code || !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("rollcall %s: exit %d, %s\nwant exit %d, %s", strings.Join(args, " "), got, text, code, want)
		}
		return text
	}
	add := func(body string) (id string) {
		t.Helper()
		a := r.do("POST", "/scim/v2/Users", body)
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(a.body), &made); err != nil || a.status != 201 {
			t.Fatalf("POST: %d %s", a.status, a.body)
		}
		return made.ID
	}
	const canary = "wilhelmina.canary"
	person := add(`{"userName":"Wilhelmina.Canary@example.com","name":{"familyName":"von Canary"},"title":"Keeper","emails":[{"value":"Wilhelmina.Canary@example.com"}],"password":"a-long-one-1"}`)
	other := add(`{"userName":"bob","title":"Clerk"}`)
	if a := r.do("PATCH", "/scim/v2/Users/"+other, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"title","value":"Cook"}]}`); a.status != 200 {
		t.Fatalf("PATCH: %d %s", a.status, a.body)
	}
	r.do("POST", "/scim/v2/Users", `{"userName":"Wilhelmina.Canary@example.com"}`)                 // refused
	r.do("GET", `/scim/v2/Users?filter=userName%20eq%20%22wilhelmina.canary@example.com%22`, "")   // a lookup
	r.do("GET", `/scim/v2/Users?filter=userName%20eq%20%22wilhelmina.canary.2@example.com%22`, "") // in vain

	head := says(0, `The audit log of default holds: 3 entries, from 1 on\.\nhead 3:[0-9a-f]{64}\n$`, "audit", "verify")
	head = strings.TrimSpace(head[strings.LastIndex(head, "head ")+5:])
	says(0, `"good": ?true`, "audit", "verify", "--json", "--head", head)
	says(1, `DOES NOT HOLD`, "audit", "verify", "--head", "3:"+strings.Repeat("0", 64))
	says(2, `is no head of a chain`, "audit", "verify", "--head", "x")
	says(0, `(?s)3  .* from 127\.0\.0\.1 updated User `+other+`\n    title: "Clerk" → "Cook"\n.*1  .* from 127\.0\.0\.1 created User `+person+`\n    userName: added "Wilhelmina`, "audit", "show")
	says(0, `^[^\n]*updated[^\n]*\n[^\n]*\n[^\n]*created[^\n]*\n[^\n]*"bob"\n[^\n]*\n[^\n]*\n$`, "audit", "show", "bob")
	says(0, `^.* created User `+person, "audit", "show", "Wilhelmina.Canary@example.com", "--op", "create", "--since", "1h")
	says(0, `^$`, "audit", "show", "--until", "2020-01-01")
	says(0, `There is more`, "audit", "show", "--limit", "1")
	says(0, `^\{"n":3,`, "audit", "show", "--json", "--limit", "1")
	says(2, `is no time`, "audit", "show", "--since", "yesterday")
	says(2, `"created" is not what a change does: it must be create, update, delete or erase`, "audit", "show", "--op", "created")
	says(3, `nobody is or was known`, "audit", "show", "nobody")
	says(3, `no such tenant`, "audit", "verify", "--tenant", "nobody-here")

	all := says(0, `(?s)^\{"n":1,"kind":"change".*\n\{"n":3,.*\}\n$`, "audit", "export")
	if rest := says(0, `^\{"n":3,`, "audit", "export", "--after", "2"); !strings.HasSuffix(all, rest) || strings.Count(rest, "\n") != 1 {
		t.Errorf("the rest of an export is %s", rest)
	}

	says(2, `add --yes`, "erase", "bob")
	says(1, `delete them first, or add --delete`, "erase", person, "--yes")
	says(1, `nobody is or was known`, "erase", "nobody", "--yes")
	if a := r.do("DELETE", "/scim/v2/Users/"+person, ""); a.status != 204 {
		t.Fatalf("DELETE: %d", a.status)
	}
	says(0, `erased `+person+`: the values of 2 changes; entry 5 of the audit log says so`, "erase", "wilhelmina.canary@example.com", "--yes")
	says(0, `was erased \S+ already \(entry 5\)`, "erase", person, "--yes")
	says(0, `holds: 5 entries, from 1 on; the values of 2 were erased`, "audit", "verify", "--head", head)
	says(0, `(?s)rollcall erase.* erased `+person+`: the values of 2 changes\n.*created User`, "audit", "show", person)
	if _, text := run("audit", "export"); strings.Contains(strings.ToLower(text), "canary") {
		t.Errorf("the export still has %s", text)
	}
	says(1, `no deleted user`, "users", "restore", person)
	says(1, `^never mentioned: `, "why", canary+"@example.com")
	if where := left(t, "canary@"); where != "" {
		t.Errorf("left in %s", where)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if where := left(t, "canary@"); where != "" {
		t.Errorf("after the server has stopped, left in %s", where)
	}
	says(1, `^never mentioned: `, "why", canary+"@example.com") // whatever an instance had yet to write
	says(0, `erased `+other+`: the values of 3 changes`, "erase", "bob", "--delete", "--yes")
	says(0, `holds: 7 entries.*; the values of 5 were erased`, "audit", "verify", "--head", head)
	says(0, `(?s)"kind":"erased".*"kind":"change".*"kind":"erased"`, "audit", "export")
}

// inFiles looks for a text in all files of a folder, in any case.
func inFiles(t *testing.T, dir, text string) (where string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			continue // the socket
		}
		if n := bytes.Count(bytes.ToLower(data), []byte(text)); n > 0 {
			where += fmt.Sprintf("%s (%d times) ", f.Name(), n)
		}
	}
	return where
}
