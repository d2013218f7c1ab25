package server_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/server"
)

// TestReplay plays a recorded conversation against a server as an operator
// does: all is well in the default profile, and in strict it says what is not.
func TestReplay(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "testdata", "idp", "traces", "entra-flag-on.json")
	run := func(environ []string, args ...string) (code int, out, errs string) {
		var o, e logBuffer
		code = server.Main(context.Background(), append([]string{"replay"}, args...), environ, &o, &e)
		return code, o.String(), e.String()
	}
	auto, strict := start(t), start(t, "ROLLCALL_PROFILE=strict")
	base := func(r *running) string { return "--base=" + r.url + "/scim/v2" }

	code, out, errs := run(nil, file, base(auto)+"/", "--token", testToken)
	if code != 0 || !strings.HasSuffix(out, "25 steps, 25 ok, 0 faulty\n") || strings.Contains(out, "FAULT") || errs != "" ||
		strings.Contains(out, "PATCH /Users") || strings.Count(out, "\n") != 27 {
		t.Errorf("auto: exit %d\n%s%s", code, out, errs)
	}
	code, out, errs = run([]string{"ROLLCALL_TOKEN=" + testToken + ",other"}, "--verbose", base(strict), file)
	if code != 1 || !strings.Contains(out, "FAULT") || !strings.Contains(out, "status 400, want") || !strings.Contains(out, "PATCH /Users/") ||
		!strings.Contains(out, "PATCH-04") || strings.Contains(out, " 0 faulty") || strings.Contains(out, testToken) || errs != "" {
		t.Errorf("strict: exit %d\n%s%s", code, out, errs)
	}
	if code, out, _ = run(nil, base(auto), "--token=wrong", file); code != 1 || !strings.Contains(out, "status 401") {
		t.Errorf("a wrong token: exit %d\n%s", code, out)
	}

	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`[{"name":"x","url":"/"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"not a conversation": {[]string{base(auto), bad}, 1, "unknown field"},
		"no such file":       {[]string{base(auto), bad + "2"}, 1, "no such file"},
		"nobody there":       {[]string{"--base=http://127.0.0.1:1/scim/v2", file}, 1, "refused"},
		"no base":            {[]string{file}, 2, "--base"},
		"no URL":             {[]string{"--base=localhost", file}, 2, "--base must be a URL"},
		"no file":            {[]string{base(auto)}, 2, "<file>"},
	} {
		if code, out, errs := run(nil, tt.args...); code != tt.code || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit %d, want %d and %q\n%s%s", name, code, tt.code, tt.want, out, errs)
		}
	}
}
