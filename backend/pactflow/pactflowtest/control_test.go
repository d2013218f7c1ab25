package pactflowtest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestControl steers an emulator as the command's users do, over HTTP.
func TestControl(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{Seed: "okta"})
	call := func(method, what, body string, code int) reply {
		t.Helper()
		got := do(t, e, "", method, "/__emu/"+what, body)
		if got.code != code {
			t.Fatalf("%s %s %s: %d %s", method, what, body, got.code, got.body)
		}
		return got
	}
	users := func() int { return len(names(t, do(t, e, scim, "GET", "/admin/users", ""))) }

	call("POST", "faults", `{"match":{"method":"GET","path":"/admin/users"},"fault":{"status":{"code":429,"headers":{"Retry-After":"1"}}}}`, 204)
	call("POST", "faults", `[{"times":-1,"fault":{"latency":{"ms":1}}},{"skip":1,"fault":{"stale":{"reads":1}}}]`, 204)
	if got := call("GET", "faults", "", 200); strings.Count(got.body, `"fault"`) != 3 {
		t.Error(got.body)
	}
	if got := do(t, e, scim, "GET", "/admin/users", ""); got.code != 429 || got.header.Get("Retry-After") != "1" {
		t.Errorf("%d %v", got.code, got.header)
	}
	call("DELETE", "faults", "", 204)

	call("PUT", "settings", `{"linkBase":"http://evil.example","noDefaults":true,"duplicateStatus":409,"EMU_PUT_OMITTED":"clear"}`, 204)
	if got := do(t, e, scim, "GET", "/user", ""); !strings.Contains(got.body, "http://evil.example/") {
		t.Error(got.body)
	}
	for _, body := range []string{`{"linkBase":"nowhere"}`, `{"putOmitted":"perhaps"}`, `{"unknown":1}`, `{"duplicateStatus":"x"}`, `[]`, `{"version":"3"}`} {
		call("PUT", "settings", body, 400)
	}

	call("POST", "tokens", `{"value":"secret-value","user":"`+pactflowtest.SampleUser+`","permissions":["user:read:*"]}`, 204)
	call("DELETE", "log", "", 204)
	do(t, e, "secret-value", "GET", "/admin/users?q=ada", "")
	do(t, e, "wrong-value", "POST", "/admin/users", `{"a":1}`)
	do(t, e, "", "GET", "/user", "", "Authorization", "Basic c2VjcmV0")
	log := call("GET", "log", "", 200)
	var entries []pactflowtest.Entry
	if err := json.Unmarshal([]byte(log.body), &entries); err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 || entries[0].Token != "token-9" || entries[0].Query != "q=ada" || entries[0].Status != 200 || entries[0].N == 1 ||
		entries[1].Token != "unknown" || entries[1].Body != `{"a":1}` || entries[1].Status != 401 ||
		entries[0].Header.Get("Authorization") != "Bearer token-9" || entries[2].Header.Get("Authorization") != "unknown" {
		t.Error(log.body)
	}
	for _, secret := range []string{"secret-value", "wrong-value", "c2VjcmV0"} {
		if strings.Contains(log.body, secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	if e.Calls() != 3 {
		t.Errorf("%d calls", e.Calls())
	}

	state := call("GET", "state", "", 200)
	call("POST", "reset", `{"seed":"sample"}`, 204)
	if n := users(); n != 1 {
		t.Errorf("sample: %d users", n)
	}
	call("PUT", "state", state.body, 204)
	if n := users(); n != 5 {
		t.Errorf("the state of before: %d users", n)
	}
	if again := call("GET", "state", "", 200); again.body != state.body {
		t.Errorf("%s\n%s", again.body, state.body)
	}
	call("POST", "reset", "", 204)
	if n := users(); n != 5 {
		t.Errorf("the configured seed: %d users", n)
	}
	for _, bad := range []struct{ method, what, body string }{
		{"POST", "reset", `{"seed":"large:x"}`},
		{"PUT", "state", `{"users":[{"uuid":"u","roles":["r"]}]}`},
		{"PUT", "state", `{"teams":[{"uuid":"t","members":["u"]}]}`},
		{"PUT", "state", `{"teams":[{"uuid":"t"},{"uuid":"t"}]}`},
		{"PUT", "state", `{"defaultTeam":"t"}`},
		{"PUT", "state", `{"unknown":1}`},
		{"POST", "tokens", `{"name":"n"}`},
		{"POST", "faults", `{"fault":{"unknown":{}}}`},
		{"POST", "faults", `{"fault":{}}`},
		{"POST", "faults", `nonsense`},
	} {
		call(bad.method, bad.what, bad.body, 400)
	}
	if n := users(); n != 5 {
		t.Errorf("what was refused left %d users", n)
	}
	call("GET", "reset", "", 404)
	call("GET", "nothing", "", 404)
}

// TestControlAccess: this machine only, unless an option says otherwise.
func TestControlAccess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		control, from string
		code          int
	}{
		{"", "127.0.0.1:1", 200}, {"", "[::1]:1", 200}, {"on", "192.0.2.1:1", 403}, {"", "nonsense", 403},
		{"any", "192.0.2.1:1", 200}, {"off", "127.0.0.1:1", 404},
	} {
		e := start(t, pactflowtest.Options{Control: tt.control})
		r := httptest.NewRequest("GET", "/__emu/log", nil)
		r.RemoteAddr = tt.from
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != tt.code {
			t.Errorf("%q from %s: %d", tt.control, tt.from, w.Code)
		}
	}
}

// TestFromEnv: every variable, and every bad value by its name.
func TestFromEnv(t *testing.T) {
	t.Parallel()
	got, err := pactflowtest.FromEnv([]string{"HOME=/x", "EMU_ADDR=:1", "EMU_SEED=large:7", "PACTFLOW_BASE_URL=http://a http://b", "EMU_VERSION=2.3.0",
		"EMU_PUT_OMITTED=clear", "EMU_UNIQUE_IDP_USERNAME=allow", "EMU_UNIQUE_EMAIL=reject", "EMU_DUPLICATE_STATUS=409",
		"EMU_SHOW_SYSTEM_ACCOUNTS=always", "EMU_LIST_INACTIVE=false", "EMU_NULLS=null", "EMU_ETAG=off", "EMU_STRICT_PATCH=true",
		"EMU_EMPTY_AUTH_BODIES=true", "EMU_PUT_USERS_BUG=true", "EMU_NO_DEFAULTS=true", "EMU_LEGACY_ROLES=false", "EMU_GUARD_EXTERNAL=true",
		"EMU_TOUCH_ALWAYS=true", "EMU_LINK_BASE=http://c", "EMU_CONTROL=any", "EMU_CLOCK=2026-01-01T00:00:00Z"})
	want := pactflowtest.Options{BaseURL: "http://a http://b", Seed: "large:7", Version: "2.3.0", PutOmittedClears: true, AllowSameUserName: true,
		RejectSameEmail: true, DuplicateStatus: 409, ShowSystemAccounts: true, HideInactive: true, Nulls: true, StrictPatch: true,
		EmptyAuthBodies: true, PutUsersBug: true, NoDefaults: true, HideLegacyRoles: true, GuardExternal: true, TouchAlways: true,
		LinkBase: "http://c", Control: "any", Clock: "2026-01-01T00:00:00Z"}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := pactflowtest.FromEnv([]string{"EMU_SEED=", "EMU_NULLS=omit", "EMU_CLOCK=real"}); err != nil || got != (pactflowtest.Options{Clock: "real"}) {
		t.Errorf("%+v %v", got, err)
	}
	bad := []string{"PACTFLOW_BASE_URL=pactflow", "EMU_SEED=big", "EMU_VERSION=9", "EMU_PUT_OMITTED=x", "EMU_UNIQUE_IDP_USERNAME=x",
		"EMU_UNIQUE_EMAIL=x", "EMU_DUPLICATE_STATUS=500", "EMU_SHOW_SYSTEM_ACCOUNTS=x", "EMU_LIST_INACTIVE=x", "EMU_NULLS=x", "EMU_ETAG=on",
		"EMU_STRICT_PATCH=x", "EMU_EMPTY_AUTH_BODIES=x", "EMU_PUT_USERS_BUG=x", "EMU_NO_DEFAULTS=x", "EMU_LEGACY_ROLES=x",
		"EMU_GUARD_EXTERNAL=x", "EMU_TOUCH_ALWAYS=x", "EMU_LINK_BASE=x", "EMU_CONTROL=x", "EMU_CLOCK=noon", "EMU_NOTHING=x"}
	got, err = pactflowtest.FromEnv(append(bad, "EMU_NULLS=null"))
	if err == nil || got != (pactflowtest.Options{Nulls: true}) {
		t.Fatalf("%+v %v", got, err)
	}
	lines := strings.Split(err.Error(), "\n")
	for i, v := range bad {
		name, _, _ := strings.Cut(v, "=")
		if i >= len(lines) || !strings.HasPrefix(lines[i], name+": ") {
			t.Fatalf("no line for %s in %s", name, err)
		}
		if _, err := pactflowtest.FromEnv([]string{v}); err == nil {
			t.Errorf("%s is taken", v)
		}
	}
}

// TestBadOptions: New names the option.
func TestBadOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]pactflowtest.Options{
		"BaseURL": {BaseURL: "http://a http://user@b"}, "LinkBase": {LinkBase: "ftp://x"}, "Seed": {Seed: "large:-1"}, "Version": {Version: "1.25.0"},
		"DuplicateStatus": {DuplicateStatus: 422}, "Control": {Control: "yes"}, "Clock": {Clock: "0"},
	} {
		if _, err := pactflowtest.New(o); err == nil || !strings.HasPrefix(err.Error(), "option "+name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := start(t, pactflowtest.Options{})
	if err := e.Set(func(o *pactflowtest.Options) { o.Version, o.Nulls = "x", true }); err == nil {
		t.Error("taken")
	}
	if got := do(t, e, scim, "GET", "/user", ""); strings.Contains(got.body, "null") {
		t.Error("half of a refused change was made")
	}
}
