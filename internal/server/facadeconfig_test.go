package server_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/server"
)

func TestFacadeDefaults(t *testing.T) {
	t.Parallel()
	s, warnings, err := settings(t, "PACTFLOW_URL=https://PactFlow.example.com:443/", "SCIM_API_TOKEN=", "SCIM_DATA_DIR=/app/data", "ROLLCALL_RUN_AS=65532:65532")
	if err != nil || len(warnings) > 0 || s.PactFlow == nil {
		t.Fatalf("%v, %v", err, warnings)
	}
	o := s.PactFlow
	if o.URL.String() != "https://pactflow.example.com" || o.DeleteUsers || o.DropSystemAccounts || o.IndexTime != 30*time.Second ||
		o.Concurrent != 8 || o.CallTimeout != 30*time.Second || o.Wire || s.Mount != "/scim" || s.Listen != ":8080" || s.DataDir != "" {
		t.Errorf("defaults: %+v %+v", s, o)
	}
	if got := s.BaseFor(8080); got != "http://localhost:8080/scim" {
		t.Errorf("base: %s", got)
	}
}

// TestFacadeNames: the variables of the image that is replaced, and our own,
// which win.
func TestFacadeNames(t *testing.T) {
	t.Parallel()
	s, warnings, err := settings(t, "ROLLCALL_PACTFLOW_URL=http://one", "PACTFLOW_URL=http://two", "SERVER_PORT=8181", "SERVER_SERVLET_CONTEXT_PATH=idm/",
		"PACTFLOW_USER_DELETE=Delete", "PACTFLOW_KEEP_SYSTEM_ACCOUNTS=False", "SCIM_USERNAME_FALLBACK=email", "SCIM_LIST_CACHE_SECONDS=0",
		"SERVER_FORWARD_HEADERS_STRATEGY=none", "ROLLCALL_UPSTREAM_CALLS=3", "ROLLCALL_UPSTREAM_TIMEOUT=5s", "LOGGING_LEVEL_ROOT=WARN")
	if err != nil || len(warnings) > 0 {
		t.Fatalf("%v, %v", err, warnings)
	}
	o := s.PactFlow
	if o.URL.String() != "http://one" || s.Listen != ":8181" || s.Mount != "/idm" || !o.DeleteUsers || !o.DropSystemAccounts ||
		o.UserNameFallback != "email" || o.IndexTime != 0 || o.Concurrent != 3 || o.CallTimeout != 5*time.Second {
		t.Errorf("settings: %+v %+v", s, o)
	}
	s, _, err = settings(t, "PACTFLOW_URL=http://one", "SERVER_PORT=8181", "SHOWCASE_LISTEN_ADDR=:9", "SERVER_SERVLET_CONTEXT_PATH=/", "ROLLCALL_UPSTREAM_TIMEOUT=7")
	if err != nil || s.Listen != ":9" || s.Mount != "" || s.PactFlow.CallTimeout != 7*time.Second || s.BaseFor(80) != "http://localhost:80" {
		t.Errorf("settings: %+v, %v", s, err)
	}
	for base, want := range map[string]string{"https://x": "https://x/scim", "https://x/scim": "https://x/scim", "https://x/gw": "https://x/gw/scim"} {
		if s, _, err := settings(t, "PACTFLOW_URL=http://one", "ROLLCALL_BASE_URL="+base); err != nil || s.BaseFor(1) != want {
			t.Errorf("base of %s: %s, %v, want %s", base, s.BaseFor(1), err, want)
		}
	}
}

// TestWireLevel: the level of the wire log is its own, else that of its nearest
// parent, else the root's.
func TestWireLevel(t *testing.T) {
	t.Parallel()
	const wire = "LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_WIRE="
	for variables, want := range map[string]bool{
		"":                                 false,
		"LOGGING_LEVEL_ROOT=DEBUG":         true,
		"LOGGING_LEVEL_ROOT=trace":         true,
		"LOGGING_LEVEL_ROOT=DEBUG " + wire: true,
		"LOGGING_LEVEL_ROOT=DEBUG " + wire + "INFO":  false,
		"LOGGING_LEVEL_ROOT=DEBUG " + wire + "ERROR": false,
		"LOGGING_LEVEL_ROOT=DEBUG " + wire + "OFF":   false,
		"LOGGING_LEVEL_ROOT=INFO " + wire + "DEBUG":  true,
		wire + "TRACE": true,
		"ROLLCALL_LOG_WIRE=INFO " + wire + "DEBUG":                                                false,
		"LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP=DEBUG":                                          true,
		"LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5=DEBUG":                                               true,
		"LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5=DEBUG LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP=INFO": false,
	} {
		s, warnings, err := settings(t, append(strings.Fields(variables), "PACTFLOW_URL=http://x")...)
		if err != nil || len(warnings) > 0 || s.PactFlow.Wire != want {
			t.Errorf("%s: %v, %v, %v, want %v", variables, s.PactFlow.Wire, warnings, err, want)
		}
	}
}

// TestFacadeBadValues: one line that names the variable, the value and what is
// allowed, and never a secret.
func TestFacadeBadValues(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{
		"PACTFLOW_URL=pactflow.example.com":          `PACTFLOW_URL="pactflow.example.com": an absolute http or https URL is expected`,
		"PACTFLOW_URL=https://admin:hunter2@x":       `PACTFLOW_URL="https://`,
		"PACTFLOW_URL=https://x?token=y":             `PACTFLOW_URL="https://x?token=y": the URL must not have a query`,
		"PACTFLOW_URL=https://":                      `the URL has no host`,
		"SERVER_PORT=http":                           `SERVER_PORT="http": must be a port`,
		"SERVER_SERVLET_CONTEXT_PATH=/a b":           `SERVER_SERVLET_CONTEXT_PATH="/a b": must be a path`,
		"SERVER_SERVLET_CONTEXT_PATH=/Users":         `SERVER_SERVLET_CONTEXT_PATH="/Users": must be a path of letters, digits and "-._~" that is not one of SCIM's own`,
		"PACTFLOW_USER_DELETE=purge":                 `PACTFLOW_USER_DELETE="purge": must be deactivate or delete`,
		"PACTFLOW_KEEP_SYSTEM_ACCOUNTS=perhaps":      `PACTFLOW_KEEP_SYSTEM_ACCOUNTS="perhaps": must be true or false`,
		"SCIM_USERNAME_FALLBACK=name":                `SCIM_USERNAME_FALLBACK="name": must be none, email or id`,
		"SCIM_LIST_CACHE_SECONDS=-1":                 `SCIM_LIST_CACHE_SECONDS="-1": must be a whole number of seconds`,
		"SERVER_FORWARD_HEADERS_STRATEGY=sometimes":  `SERVER_FORWARD_HEADERS_STRATEGY="sometimes": must be none, native or framework`,
		"ROLLCALL_UPSTREAM_CALLS=0":                  `ROLLCALL_UPSTREAM_CALLS="0": must be a whole number from 1`,
		"ROLLCALL_UPSTREAM_TIMEOUT=5m":               `ROLLCALL_UPSTREAM_TIMEOUT="5m": must be a duration from 1s to 55s`,
		"ROLLCALL_UPSTREAM_CA=/nowhere":              `ROLLCALL_UPSTREAM_CA="/nowhere": no such file`,
		"ROLLCALL_UPSTREAM_CA=facadeconfig_test.go":  `ROLLCALL_UPSTREAM_CA="facadeconfig_test.go" holds no certificate`,
		"LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP=X": `LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP="X": must be TRACE`,
		"SCIM_API_TOKEN=hunter2-hunter2-hunter2":     "SCIM_API_TOKEN is for the directory",
		"ROLLCALL_TOKEN_FILE=/x":                     "ROLLCALL_TOKEN_FILE is for the directory",
		"ROLLCALL_DATABASE_URL=postgres://u:hunter2": "ROLLCALL_DATABASE_URL is for the directory",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var out, errs bytes.Buffer
			code := server.Main(ctx, nil, []string{"PACTFLOW_URL=http://pactflow.example", "ROLLCALL_LISTEN=", "ROLLCALL_LOG_FORMAT=text", variable}, &out, &errs)
			text := strings.ReplaceAll(errs.String(), `\"`, `"`)
			if code != 1 || strings.Count(text, "\n") != 1 || !strings.Contains(text, want) {
				t.Errorf("exit %d, %q, want exit 1 and one line with %q", code, text, want)
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("the line tells a secret: %q", text)
			}
		})
	}
}

// TestIdleSettings: what has no effect is said, in one line.
func TestIdleSettings(t *testing.T) {
	t.Parallel()
	for variables, want := range map[string]string{
		"PACTFLOW_URL=http://x ROLLCALL_HISTORY_DAYS=3 ROLLCALL_PASSWORDS=hash ROLLCALL_DATA_DIR=/x": "of no effect, since meant for a directory, and PactFlow keeps the people here: ROLLCALL_DATA_DIR, ROLLCALL_HISTORY_DAYS, ROLLCALL_PASSWORDS",
		"PACTFLOW_URL=http://x SERVER_FORWARD_HEADERS_STRATEGY=framework":                            "SERVER_FORWARD_HEADERS_STRATEGY has no effect: forwarded headers count from the addresses of ROLLCALL_TRUSTED_PROXIES",
		"PACTFLOW_URL=http://x LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_HEADERS=INFO":                "LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_HEADERS names a logger that this program does not have: ignored",
		"SERVER_PORT=1": "of no effect, since meant for façade mode only (PACTFLOW_URL): SERVER_PORT",
	} {
		_, warnings, err := settings(t, strings.Fields(variables)...)
		if err != nil || len(warnings) != 1 || warnings[0] != want {
			t.Errorf("%s: %q, %v, want %q", variables, warnings, err, want)
		}
	}
}
