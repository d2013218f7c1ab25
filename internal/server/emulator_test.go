package server_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// TestEmulatorCommand runs the emulator as a person does, and stops it.
func TestEmulatorCommand(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args, environ []string
		users         string // of the list that the administrator sees
	}{
		"defaults":  {nil, []string{"EMU_ADDR=127.0.0.1:0", "EMU_SEED="}, `"totalElements":2`},
		"flags win": {[]string{"--listen", "127.0.0.1:0", "--seed", "large:40"}, []string{"EMU_ADDR=nowhere", "EMU_SEED=sample"}, `"totalElements":4`},
		"variables": {[]string{"--listen", "127.0.0.1:0"}, []string{"EMU_VERSION=1.26.0", "PACTFLOW_BASE_URL=https://a.example", "EMU_SEED=okta"}, "https://a.example/admin/users"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out, errs logBuffer
			code := make(chan int, 1)
			go func() {
				code <- server.Main(ctx, append([]string{"pactflow-emulator"}, tt.args...), tt.environ, &out, &errs)
			}()
			address := ""
			waitFor(t, "the emulator", func() bool {
				if m := regexp.MustCompile(`listens on (127\.0\.0\.1:\d+)`).FindStringSubmatch(out.String()); m != nil {
					address = m[1]
				}
				return address != ""
			})
			r := &running{t: t, url: "http://" + address}
			a := r.do("GET", "/admin/users?page=1&size=1", "", admin)
			if a.status != 200 || !strings.Contains(a.body, tt.users) {
				t.Errorf("%d %s, want %s in it", a.status, a.body, tt.users)
			}
			if !strings.Contains(out.String(), pactflowtest.AdminToken) || !strings.Contains(out.String(), pactflowtest.SCIMToken) {
				t.Errorf("the greeting names no token: %s", out.String())
			}
			cancel()
			if c := <-code; c != 0 || errs.String() != "" {
				t.Errorf("exit %d, %s", c, errs.String())
			}
		})
	}
}

func TestEmulatorBadInput(t *testing.T) {
	t.Parallel()
	taken, _ := stand(t, pactflowtest.Options{})
	for name, tt := range map[string]struct {
		args, environ []string
		code          int
		want          string
	}{
		"seed":     {[]string{"--seed", "huge"}, nil, 2, "huge"},
		"address":  {[]string{"--listen", "9292"}, nil, 2, `--listen="9292": must be an address`},
		"variable": {nil, []string{"EMU_VERSON=1.26.0"}, 2, "EMU_VERSON"},
		"value":    {nil, []string{"EMU_PUT_OMITTED=maybe"}, 2, "keep or clear"},
		"in use":   {[]string{"--listen", taken.srv.Addr().String()}, nil, 1, "address already in use"},
		"argument": {[]string{"sample"}, nil, 2, "sample"},
	} {
		var out, errs logBuffer
		code := server.Main(t.Context(), append([]string{"pactflow-emulator"}, tt.args...), tt.environ, &out, &errs)
		if code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%s: exit %d, %q, want %d and %q", name, code, errs.String(), tt.code, tt.want)
		}
	}
}

// TestDoctorCommand: the token comes from a file or the environment, the exit
// code says whether it can work, and the token is never printed.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	e, err := pactflowtest.New(pactflowtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	listener := serveHTTP(t, e)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(pactflowtest.SCIMToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := "PACTFLOW_URL=" + listener
	for name, tt := range map[string]struct {
		args, environ []string
		code          int
		want          string
	}{
		"file":            {[]string{"--token-file", file, "--pactflow-url", listener}, nil, 0, "Nothing keeps the façade from starting"},
		"environment":     {nil, []string{url, "ROLLCALL_PACTFLOW_TOKEN=" + pactflowtest.SCIMToken}, 0, "only --write shows it"},
		"write":           {[]string{"--write"}, []string{url, "ROLLCALL_PACTFLOW_TOKEN=" + pactflowtest.SCIMToken}, 0, "all is gone"},
		"refused":         {nil, []string{url, "ROLLCALL_PACTFLOW_TOKEN=" + pactflowtest.ExpiredToken}, 1, "DOES NOT  PactFlow accepts the token"},
		"nobody there":    {nil, []string{"PACTFLOW_URL=http://" + freeAddress(t), "ROLLCALL_PACTFLOW_TOKEN=x"}, 1, "DOES NOT  PactFlow answers at this address"},
		"no token":        {nil, []string{url}, 1, "ROLLCALL_PACTFLOW_TOKEN"},
		"no file":         {[]string{"--token-file", "/nowhere"}, []string{url}, 1, "can't read the token file /nowhere"},
		"several tokens":  {nil, []string{url, "ROLLCALL_PACTFLOW_TOKEN=one two"}, 1, "a token of PactFlow is needed"},
		"no address":      {nil, []string{"ROLLCALL_PACTFLOW_TOKEN=x"}, 1, "PACTFLOW_URL"},
		"bad address":     {nil, []string{"PACTFLOW_URL=pactflow", "ROLLCALL_PACTFLOW_TOKEN=x"}, 1, `PACTFLOW_URL="pactflow"`},
		"token as a flag": {[]string{"--token", "x"}, []string{url}, 2, "--token"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs logBuffer
			code := server.Main(t.Context(), append([]string{"pactflow", "doctor"}, tt.args...), tt.environ, &out, &errs)
			text := out.String() + errs.String()
			if code != tt.code || !strings.Contains(text, tt.want) {
				t.Errorf("exit %d, want %d and %q\n%s", code, tt.code, tt.want, text)
			}
			for _, token := range []string{pactflowtest.SCIMToken, pactflowtest.ExpiredToken} {
				if strings.Contains(text, token) {
					t.Errorf("the token is printed:\n%s", text)
				}
			}
		})
	}
}
