package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

var variable = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d|( UTC))|[0-9a-f]{8}-[0-9a-f-]{27}|token-[0-9a-f]+`)

// asking returns a function that runs a command of the program.
func asking(t *testing.T, environ ...string) func(args ...string) (int, string) {
	return func(args ...string) (int, string) {
		t.Helper()
		var out bytes.Buffer
		code := server.Main(context.Background(), args, environ, &out, &out)
		return code, variable.ReplaceAllString(out.String(), "…$2")
	}
}

// TestWhy asks for people while a server serves the folder, and when none does.
func TestWhy(t *testing.T) {
	t.Parallel()
	r := start(t)
	run := asking(t, "ROLLCALL_DATA_DIR="+r.data)
	alice := r.create("alice")
	r.do("PATCH", "/scim/v2/Users/"+alice, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":false}}]}`, "User-Agent: Okta SCIM Client")
	r.create("bob")
	dora := r.create("dora")
	r.do("DELETE", "/scim/v2/Users/"+dora, "", "User-Agent: Azure-AD")
	r.do("GET", "/scim/v2/Users?filter="+url.QueryEscape(`userName eq "sam"`), "", "User-Agent: Okta SCIM Client")
	file := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(file, []byte("name;login\nA;alice\nB;bob\nD;=dora\nS;sam\nZ;zoe\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(filepath.Dir(file), "here.txt")
	if err := os.WriteFile(here, []byte("bob\nBOB\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	check := func(how string) {
		t.Helper()
		for _, tt := range []struct {
			args []string
			code int
			want []string
		}{
			{[]string{"why", "alice"}, 1, []string{"inactive: “alice” is here, but inactive since … UTC, by Okta.\n", "→ Okta: Assign the person", "Okta deactivated alice; groups kept\n", "Times are UTC."}},
			{[]string{"why", "bob"}, 0, []string{"present: “bob” is here and active"}},
			{[]string{"why", "dora"}, 1, []string{"deleted: “dora” was deleted … UTC, by Entra ID; until … UTC “rollcall users restore …” gives the person back.\n", "Entra ID deleted dora\n"}},
			{[]string{"why", "sam"}, 1, []string{"looked for, never created: Okta looked for “sam” by userName, … UTC, found nobody and created nobody.\n"}},
			{[]string{"why", "zoe"}, 1, []string{"never mentioned: Your identity provider never asked for “zoe”", "→ Entra ID:"}},
			{[]string{"why", " "}, 2, []string{"rollcall: give a userName"}},
			{[]string{"why"}, 2, []string{"expected"}},
			{[]string{"compare", file}, 1, []string{"comparing the column \"login\"", "5 in the list\n", "1  present\n", "1  inactive\n", "2  never mentioned\n", "1  looked for, never created\n",
				"alice  (line 1): inactive\n", "=dora  (line 3): never mentioned\n"}},
			{[]string{"compare", file, "--column", "Login", "--format", "csv"}, 1, []string{"'=dora,never mentioned", "bob,present,bob,"}},
			{[]string{"compare", file, "--column", "name"}, 1, []string{"5  never mentioned\n"}},
			{[]string{"compare", file, "--column", "x"}, 2, []string{`no column "x"; it has name, login`}},
			{[]string{"compare", file, "--format", "xml"}, 2, []string{"format"}},
			{[]string{"compare", file + "x"}, 2, []string{"can't read"}},
			{[]string{"compare", here}, 0, []string{"2  present\n", "BOB  (line 2): present"}},
			{[]string{"why", "bob", "--data", filepath.Join(r.data, "none")}, 3, []string{"no directory in the data folder"}},
			{[]string{"why", "bob", "--log-level", "loud"}, 2, []string{"--log-level"}},
		} {
			code, text := run(tt.args...)
			if code != tt.code {
				t.Errorf("%s: rollcall %v: exit %d, want %d\n%s", how, tt.args, code, tt.code, text)
			}
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: rollcall %v lacks %q:\n%s", how, tt.args, want, text)
				}
			}
		}
		_, text := run("compare", file, "--column", "login", "--format", "json")
		var answer struct {
			Counts map[string]int
			People []struct {
				Line  int
				Asked string
			}
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Counts["inactive"] != 1 || len(answer.People) != 5 || answer.People[4].Line != 5 {
			t.Errorf("%s: JSON: %v %s", how, err, text)
		}
	}
	waitFor(t, "the records", func() bool { _, text := run("why", "sam"); return strings.Contains(text, "looked for") })
	check("served")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	check("not served")
}

// TestCompareMany compares more people than one order may be about.
func TestCompareMany(t *testing.T) {
	t.Parallel()
	r := start(t, "SCIM_LOOKING_GLASS=false")
	r.create("last")
	var list strings.Builder
	for range 250 {
		list.WriteString("nobody " + strings.Repeat("x", 900) + "\n")
	}
	file := filepath.Join(t.TempDir(), "many")
	if err := os.WriteFile(file, []byte(list.String()+"nobody\nlast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, text := asking(t, "ROLLCALL_DATA_DIR="+r.data)("compare", file, "--format", "csv")
	if lines := strings.Split(strings.TrimSpace(text), "\n"); code != 1 || len(lines) != 253 || !strings.HasPrefix(lines[252], "last,present") ||
		!strings.Contains(lines[251], "what clients asked for is not known") {
		t.Errorf("exit %d, %d lines: %s", code, len(lines), lines[len(lines)-1])
	}
}

// TestWhyFacade asks for people of PactFlow, by a token of it.
func TestWhyFacade(t *testing.T) {
	t.Parallel()
	emulator, err := pactflowtest.New(pactflowtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(emulator)
	t.Cleanup(func() {
		emulator.Close()
		behind.Close()
	})
	environ := []string{"PACTFLOW_URL=" + behind.URL}
	if code, text := asking(t, environ...)("why", "alice"); code != 2 || !strings.Contains(text, "ROLLCALL_TOKEN must hold a token of PactFlow") {
		t.Errorf("without a token: %d %s", code, text)
	}
	if code, text := asking(t, append(environ, "ROLLCALL_TOKEN=wrong")...)("why", "alice"); code != 3 {
		t.Errorf("with a wrong token: %d %s", code, text)
	}
	run := asking(t, append(environ, "ROLLCALL_TOKEN="+pactflowtest.SCIMToken)...)
	if code, text := run("why", "nobody@nowhere.example"); code != 1 || !strings.Contains(text, "is not here; what clients asked for is not known.") ||
		!strings.Contains(text, "known to the running façade alone") {
		t.Errorf("nobody: %d %s", code, text)
	}
	file := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(file, []byte("nobody@nowhere.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, text := run("compare", file); code != 1 || !strings.Contains(text, "1  unknown\n") {
		t.Errorf("a list: %d %s", code, text)
	}
}
