package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/server"
)

// TestUsersRestore restores deleted users as docs/deleted.md says, while a
// server serves the folder and when none does.
func TestUsersRestore(t *testing.T) {
	r := start(t)
	users := func(args ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		code := server.Main(context.Background(), append([]string{"users"}, args...), []string{"ROLLCALL_DATA_DIR=" + r.data}, &out, &out)
		return code, out.String()
	}
	add := func(path, body string) (id string) {
		t.Helper()
		a := r.do("POST", path, body)
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(a.body), &made); err != nil || a.status != 201 {
			t.Fatalf("POST %s: %d %s", path, a.status, a.body)
		}
		return made.ID
	}
	says := func(want string, code int, args ...string) {
		t.Helper()
		if got, text := users(args...); got != code || !strings.Contains(text, want) {
			t.Errorf("rollcall users %s: exit %d, %s\nwant exit %d, %s", strings.Join(args, " "), got, text, code, want)
		}
	}
	says("no deleted user can be restored", 0, "deleted")
	says(`called "alice"`, 0, "deleted", "alice")
	says(`called "nobody"`, 1, "restore", "nobody")
	says("expected", 2, "restore")
	says("expected", 2)

	alice := add("/scim/v2/Users", `{"userName":"Alice","title":"Engineer"}`)
	add("/scim/v2/Groups", `{"displayName":"Crew","members":[{"value":"`+alice+`"}]}`)
	if a := r.do("DELETE", "/scim/v2/Users/"+alice, ""); a.status != 204 {
		t.Fatalf("DELETE: %d %s", a.status, a.body)
	}
	says(alice, 0, "deleted")
	other := add("/scim/v2/Users", `{"userName":"alice"}`)
	says(`"userName": this value is already in use`, 1, "restore", "alice")
	says("--as NEWNAME", 1, "restore", alice)
	says("userName", 1, "restore", alice, "--as", "a\nb")
	says(`as "ally"; groups: 1`, 0, "restore", "ALICE", "--as", "ally")
	if a := r.do("GET", "/scim/v2/Users/"+alice, ""); a.status != 200 || !strings.Contains(a.body, `"userName":"ally"`) ||
		!strings.Contains(a.body, `"title":"Engineer"`) || !strings.Contains(a.body, `"display":"Crew"`) {
		t.Errorf("the restored user: %d %s", a.status, a.body)
	}
	for _, id := range []string{other, add("/scim/v2/Users", `{"userName":"twin"}`)} {
		r.do("DELETE", "/scim/v2/Users/"+id, "")
	}
	r.do("DELETE", "/scim/v2/Users/"+add("/scim/v2/Users", `{"userName":"Twin"}`), "")
	says("give the id of one", 1, "restore", "twin")

	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	says(other, 0, "deleted", "alice")
	says(`as "alice"; groups: 0`, 0, "restore", "alice")
	says("no directory in the data folder", 1, "deleted", "--data", t.TempDir())
}
