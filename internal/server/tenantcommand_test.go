package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTenantCommands: what the commands print and refuse, while a server runs and
// when none does.
func TestTenantCommands(t *testing.T) {
	t.Parallel()
	r := start(t)
	s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
	says := func(code int, want string, args ...string) {
		t.Helper()
		got, out, errs := s.run(args...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("rollcall %s: exit %d, %s%s\nwant exit %d, %s", strings.Join(args, " "), got, out, errs, code, want)
		}
	}
	file := filepath.Join(t.TempDir(), "protected.json")
	if err := os.WriteFile(file, []byte(`["User:root@example.com"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, running := range []bool{true, false} {
		name := map[bool]string{true: "acme", false: "globex"}[running]
		if !running {
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
		}
		says(0, "added the tenant", "tenant", "add", name, "profile=strict", "protected=@"+file)
		says(1, "taken", "tenant", "add", name)
		says(1, "letters from a to z", "tenant", "add", "Acme")
		says(1, "reserved", "tenant", "add", "root")
		says(2, "name=value", "tenant", "add", "other", "profile")
		says(2, "can't read the value", "tenant", "set", name, "schemas=@"+file+".not")
		says(1, "profile", "tenant", "set", name, "profile=nope")
		says(1, "there are User, Group", "tenant", "set", name, `protected=["Users:root@example.com"]`)
		says(0, "", "tenant", "set", name, `protected=["user:root@example.com"]`)
		says(1, "no such tenant", "tenant", "show", "nobody")
		says(1, "no such tenant", "token", "add", "x", "--tenant", "nobody")
		says(0, "settings: {\n  \"version\": 1,\n", "tenant", "show", name)
		says(0, `"User:root@example.com"`, "tenant", "show", name)
		says(0, "profile, protected", "tenant", "list")
		says(0, `"name": "default"`, "tenant", "list", "--json")
		says(1, "always exists", "tenant", "remove", "default", "--yes")
		says(2, "--expires", "token", "add", "x", "--tenant", name, "--expires", "soon")
		says(2, "contradict", "token", "rotate", "x", "--tenant", name, "--now", "--grace", "1h")
		says(1, "is no scope", "token", "add", "x", "--tenant", name, "--scopes", "admin")
		says(1, "no such token", "token", "revoke", "x", "--tenant", name)

		_, out, errs := s.run("token", "add", "okta", "--tenant", name, "--expires", "90d")
		if secret := strings.TrimSuffix(out, "\n"); len(secret) != 52 || !strings.HasPrefix(secret, "rc_") || strings.Contains(errs, secret) || !strings.Contains(errs, "read write bulk") {
			t.Errorf("a new token: %q, %q", out, errs)
		}
		var made struct {
			Token, ID, Scopes, State string
			Expires                  time.Time
			Before                   []struct{ ID, State string }
		}
		if err := json.Unmarshal([]byte(s.must("token", "rotate", "okta", "--tenant", name, "--grace", "7d", "--json")), &made); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(made.Token, "rc_") || made.State != "live" || len(made.Before) != 1 || made.Before[0].State != "live" || made.Expires.Before(time.Now().AddDate(0, 0, 80)) {
			t.Errorf("a rotated token: %+v", made)
		}
		if list := s.must("token", "list"); strings.Contains(list, made.Token) || strings.Count(list, "live") < 2 || !strings.Contains(list, made.ID) {
			t.Errorf("the tokens:\n%s", list)
		}
		says(0, "revoked okta", "token", "revoke", made.ID, "--tenant", name)
		says(0, "has ended already", "token", "revoke", made.ID, "--tenant", name)
		says(0, "removed the tenant", "tenant", "remove", name, "--yes")
	}
}
