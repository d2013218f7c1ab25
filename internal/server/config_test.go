package server_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/server"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

// settings returns the settings of an environment.
func settings(t testing.TB, environ ...string) (server.Settings, []string, error) {
	t.Helper()
	var c server.Config
	warnings, err := c.Load(environ)
	if err != nil {
		return server.Settings{}, nil, err
	}
	s, err := c.Settings()
	return s, warnings, err
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s, warnings, err := settings(t, "PATH=/bin")
	if err != nil || len(warnings) > 0 {
		t.Fatalf("the empty environment: %v, %v", err, warnings)
	}
	if s.Listen != ":8080" || s.DataDir != "./data" || s.Profile.Name != "auto" || s.HistoryDays != 400 || s.HashPasswords ||
		len(s.Tokens) != 0 || s.Mount != "/scim" {
		t.Errorf("defaults: %+v", s)
	}
	if got := strings.Join(s.Origins, " "); got != "http://localhost:3000 http://localhost:5173" {
		t.Errorf("default origins: %s", got)
	}
	if got := s.BaseFor(8080); got != "http://localhost:8080/scim/v2" {
		t.Errorf("default base: %s", got)
	}
}

func TestSeedNames(t *testing.T) {
	t.Parallel()
	s, _, err := settings(t, "SHOWCASE_LISTEN_ADDR=127.0.0.1:9090", "SHOWCASE_BASE_URL=https://id.example.com/",
		"SHOWCASE_CORS_ORIGINS=https://a.example,https://B.example/", "SCIM_API_TOKEN=one-token-of-16-chars, two-token-of-16-chars",
		"SCIM_DATA_DIR=/srv/x", "SCIM_LOOKING_GLASS=false", "LOGGING_LEVEL_ROOT=WARN")
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != "127.0.0.1:9090" || s.DataDir != "/srv/x" || len(s.Tokens) != 2 || s.Tokens[1] != "two-token-of-16-chars" ||
		s.LogLevel.String() != "WARN" || strings.Join(s.Origins, " ") != "https://a.example https://b.example" {
		t.Errorf("settings: %+v", s)
	}
	if got := s.BaseFor(9090); got != "https://id.example.com/scim/v2" {
		t.Errorf("base: %s", got)
	}
	s, _, err = settings(t, "ROLLCALL_LISTEN=:1", "SHOWCASE_LISTEN_ADDR=:2", "ROLLCALL_TOKEN=", "SCIM_API_TOKEN=kept-token-0123456789")
	if err != nil || s.Listen != ":1" || len(s.Tokens) != 1 {
		t.Errorf("our own name must win, an empty variable must not: %+v, %v", s, err)
	}
}

func TestBase(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"https://x.example":           "https://x.example/scim/v2",
		"https://x.example/":          "https://x.example/scim/v2",
		"https://x.example/idm":       "https://x.example/idm/scim/v2",
		"https://x.example/scim":      "https://x.example/scim/v2",
		"https://x.example/scim/v2":   "https://x.example/scim/v2",
		"https://x.example/scim/v2/":  "https://x.example/scim/v2",
		"https://x.example:8443/idm/": "https://x.example:8443/idm/scim/v2",
	} {
		s, _, err := settings(t, "ROLLCALL_BASE_URL="+base)
		if err != nil || s.BaseFor(1) != want {
			t.Errorf("base of %s = %s, %v, want %s", base, s.BaseFor(1), err, want)
		}
	}
	s, _, err := settings(t, "ROLLCALL_BASE_URL=https://x.example", "ROLLCALL_CONTEXT_PATH=/")
	if err != nil || s.BaseFor(1) != "https://x.example/v2" {
		t.Errorf("base with the mount at the root = %s, %v", s.BaseFor(1), err)
	}
}

// TestBadValues: one line that names the variable, the value and what is
// allowed, and never a secret.
func TestBadValues(t *testing.T) {
	t.Parallel()
	tests := []struct{ variable, want string }{
		{"ROLLCALL_LISTEN=8080", `ROLLCALL_LISTEN="8080"`},
		{"SHOWCASE_LISTEN_ADDR=:99999", `SHOWCASE_LISTEN_ADDR=":99999"`},
		{"ROLLCALL_BASE_URL=ftp://x", `ROLLCALL_BASE_URL="ftp://x"`},
		{"ROLLCALL_BASE_URL=https://user:hunter2@x", `ROLLCALL_BASE_URL="https://`},
		{"SHOWCASE_BASE_URL=https://x?y", `SHOWCASE_BASE_URL="https://x?y"`},
		{"ROLLCALL_CONTEXT_PATH=scim", `ROLLCALL_CONTEXT_PATH="scim"`},
		{"ROLLCALL_CONTEXT_PATH=/a//b", `ROLLCALL_CONTEXT_PATH="/a//b"`},
		{"ROLLCALL_CONTEXT_PATH=/t", `ROLLCALL_CONTEXT_PATH="/t"`},
		{"ROLLCALL_CONTEXT_PATH=/t/scim", `ROLLCALL_CONTEXT_PATH="/t/scim"`},
		{"ROLLCALL_CORS_ORIGINS=*", `ROLLCALL_CORS_ORIGINS="*"`},
		{"SHOWCASE_CORS_ORIGINS=https://x/path", `SHOWCASE_CORS_ORIGINS="https://x/path"`},
		{"ROLLCALL_TRUSTED_PROXIES=10.0.0.0/33", `ROLLCALL_TRUSTED_PROXIES="10.0.0.0/33"`},
		{"SCIM_API_TOKEN=,", "SCIM_API_TOKEN: is given but holds no token"},
		{"SCIM_API_TOKEN=hunter2 hunter2", "SCIM_API_TOKEN (value not shown)"},
		{"ROLLCALL_TLS_CERT=/x", "ROLLCALL_TLS_CERT and ROLLCALL_TLS_KEY"},
		{"ROLLCALL_RUN_AS=0:0", `ROLLCALL_RUN_AS="0:0"`},
		{"ROLLCALL_RUN_AS=nobody", `ROLLCALL_RUN_AS="nobody"`},
		{"ROLLCALL_DATABASE_URL=mysql://u:hunter2@h/d", "ROLLCALL_DATABASE_URL (value not shown) must be a PostgreSQL URL"},
		{"ROLLCALL_DATABASE_URL=hunter2", "ROLLCALL_DATABASE_URL (value not shown) must be a PostgreSQL URL"},
		{"ROLLCALL_DATABASE_URL=postgres://u:hunter2@h:hunter2/d", "ROLLCALL_DATABASE_URL (value not shown) can't be read"},
		{"ROLLCALL_DATABASE_URL=postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem"},
		{"ROLLCALL_DATABASE_CONNECTIONS=8", "ROLLCALL_DATABASE_CONNECTIONS is for PostgreSQL"},
		{"ROLLCALL_DATABASE_TIMEOUT=8s", "ROLLCALL_DATABASE_TIMEOUT is for PostgreSQL"},
		{"ROLLCALL_DATABASE_PASSWORD_FILE=/x", "ROLLCALL_DATABASE_PASSWORD_FILE is for PostgreSQL"},
		{"ROLLCALL_MIGRATE=later", `ROLLCALL_MIGRATE="later": must be auto or off`},
		{"ROLLCALL_DRAIN=-1s", `ROLLCALL_DRAIN="-1s": must be a duration from 0s to 5m0s`},
		{"ROLLCALL_DRAIN=6m", `ROLLCALL_DRAIN="6m"`},
		{"ROLLCALL_HISTORY_DAYS=-1", `ROLLCALL_HISTORY_DAYS="-1"`},
		{"ROLLCALL_PASSWORDS=keep", `ROLLCALL_PASSWORDS="keep": must be discard or hash`},
		{"ROLLCALL_PROFILE=azure", `ROLLCALL_PROFILE="azure": "azure" is no profile: must be one of auto, strict`},
		{"ROLLCALL_PROFILE=auto,-Uniqueness", `ROLLCALL_PROFILE="auto,-Uniqueness": "-Uniqueness" is no switch: must be + or - and one of StringBooleans`},
		{"ROLLCALL_LOG_LEVEL=LOUD", `ROLLCALL_LOG_LEVEL="LOUD": must be TRACE`},
		{"LOGGING_LEVEL_ROOT=5", `LOGGING_LEVEL_ROOT="5"`},
		{"ROLLCALL_LOG_FORMAT=xml", `ROLLCALL_LOG_FORMAT="xml"`},
		{"SCIM_LOOKING_GLASS=maybe", `SCIM_LOOKING_GLASS="maybe": must be true or false`},
		{"ROLLCALL_MEMORY_LIMIT=lots", `ROLLCALL_MEMORY_LIMIT="lots"`},
		{"ROLLCALL_LISTEN=a\x1b[31m\nb", `ROLLCALL_LISTEN="a\x1b[31m\nb"`},
		{"PACTFLOW_URL=", "PACTFLOW_URL is required in façade mode"},
		{"ROLLCALL_PACTFLOW_URL=", "PACTFLOW_URL is required in façade mode"},
		{"SERVER_SERVLET_CONTEXT_PATH=/scim", "PACTFLOW_URL is required in façade mode, and is empty or unset while SERVER_SERVLET_CONTEXT_PATH is set"},
		{"SERVER_SERVLET_CONTEXT_PATH=", "PACTFLOW_URL is required in façade mode"},
		{"LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_WIRE=DEBUG", "PACTFLOW_URL is required in façade mode"},
		{"LOGGING_LEVEL_ORG_APACHE_HTTP=INFO", "PACTFLOW_URL is required in façade mode"},
		{"PACTFLOW_USER_DELETE=delete", "PACTFLOW_URL is required in façade mode"},
		{"ROLLCALL_UPSTREAM_CALLS=4", "PACTFLOW_URL is required in façade mode"},
	}
	for _, tt := range tests {
		t.Run(tt.variable, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			var out, errs bytes.Buffer
			code := server.Main(context.Background(), nil, []string{"ROLLCALL_DATA_DIR=" + data, tt.variable}, &out, &errs)
			text := errs.String()
			if code != 1 || strings.Count(text, "\n") != 1 || !strings.Contains(text, tt.want) {
				t.Errorf("exit %d, %q, want exit 1 and one line with %q", code, text, tt.want)
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("the line tells a secret: %q", text)
			}
		})
	}
}

// TestDatabaseSettings: those of PostgreSQL, and that its password is nowhere.
func TestDatabaseSettings(t *testing.T) {
	t.Parallel()
	const url = "postgres://u:hunter2@a.example,b.example:5433/people?target_session_attrs=read-write"
	s, warnings, err := settings(t, "ROLLCALL_DATABASE_URL="+url, "ROLLCALL_DATABASE_CONNECTIONS=40", "ROLLCALL_DATABASE_TIMEOUT=5s", "ROLLCALL_DRAIN=7")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if d := s.Database; d == nil || d.Address != "postgres://a.example,b.example:5433/people" || d.Connections != 40 || d.Timeout != 5*time.Second || s.Drain != 7*time.Second || s.NoMigrate {
		t.Errorf("settings: %+v", s)
	}
	if text := fmt.Sprint(s.Database) + s.Database.String(); strings.Contains(text, "hunter2") {
		t.Errorf("the settings tell the password: %s", text)
	}
	for _, bad := range []string{"ROLLCALL_DATABASE_CONNECTIONS=3", "ROLLCALL_DATABASE_CONNECTIONS=many", "ROLLCALL_DATABASE_TIMEOUT=0s", "ROLLCALL_DATABASE_TIMEOUT=1h"} {
		if _, _, err := settings(t, "ROLLCALL_DATABASE_URL="+url, bad); err == nil || !strings.Contains(err.Error(), strings.Split(bad, "=")[0]) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, _, err := settings(t, "PACTFLOW_URL=https://x.example", "ROLLCALL_DATABASE_URL="+url); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("in façade mode: %v", err)
	}
	c := server.Config{DatabaseURL: url}
	if warnings, err := c.Load(nil); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "--database holds a password") || strings.Contains(warnings[0], "hunter2") {
		t.Errorf("a password on the command line: %q, %v", warnings, err)
	}
	for _, args := range [][]string{{"serve", "--help"}, {"status"}, {"migrate", "status"}, {"users", "deleted"}, {"why", "alice"}} {
		var out bytes.Buffer
		code := server.Main(context.Background(), args, []string{"ROLLCALL_DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/people?connect_timeout=1"}, &out, &out)
		text := out.String()
		if strings.Contains(text, "hunter2") || args[0] != "serve" && (code == 0 || strings.Count(text, "\n") != 1 || !strings.Contains(text, "postgres://127.0.0.1:1/people")) {
			t.Errorf("rollcall %v: exit %d, %s", args, code, text)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := server.Main(context.Background(), args, nil, &out, &errs)
		return code, out.String(), errs.String()
	}
	if code, out, _ := run("version"); code != 0 || !strings.HasPrefix(out, "rollcall ") {
		t.Errorf("version: exit %d, %q", code, out)
	}
	code, out, _ := run("serve", "--help")
	for _, want := range []string{"--listen", "ROLLCALL_LISTEN", "SHOWCASE_LISTEN_ADDR", "SCIM_API_TOKEN", ":8080", "ROLLCALL_PASSWORDS",
		"ROLLCALL_TLS_CERT", "SCIM_DATA_DIR", "SCIM_LOOKING_GLASS", "LOGGING_LEVEL_ROOT", "SHOWCASE_CORS_ORIGINS", "SHOWCASE_BASE_URL"} {
		if !strings.Contains(out, want) {
			t.Errorf("serve --help lacks %s:\n%s", want, out)
		}
	}
	if code != 0 {
		t.Errorf("serve --help: exit %d", code)
	}
	for _, args := range [][]string{{"--nonsense"}, {"dance"}, {"serve", "--listen=nowhere"}, {"--profile", "azure"}} {
		if code, _, errs := run(args...); code != 2 || errs == "" {
			t.Errorf("%v: exit %d, %q, want 2 and a reason", args, code, errs)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	_, warnings, err := settings(t, "ROLLCALL_LISTN=:1", "ROLLCALL_LISTEN=:1", "OTHER=x")
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "ROLLCALL_LISTN ") {
		t.Errorf("warnings = %q, %v, want one of ROLLCALL_LISTN", warnings, err)
	}
}

// TestSwitches: single switches follow the profile, and the manual has each.
func TestSwitches(t *testing.T) {
	t.Parallel()
	s, _, err := settings(t, "ROLLCALL_PROFILE=auto,-UniqueGroupNames,+JSONMediaType")
	if err != nil || s.Profile.Name != "auto-UniqueGroupNames+JSONMediaType" ||
		s.Profile.Switches.UniqueGroupNames || !s.Profile.Switches.JSONMediaType || !s.Profile.Switches.KeepActive {
		t.Errorf("profile: %+v, %v", s.Profile, err)
	}
	manual, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[compat.Switches]()) {
		if !strings.Contains(string(manual), "\n| `"+f.Name+"` |") {
			t.Errorf("docs/configuration.md does not explain %s", f.Name)
		}
	}
}
