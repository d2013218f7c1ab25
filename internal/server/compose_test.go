package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// service is what the tests look at of a service in a compose file.
type service struct {
	keys    map[string]string // key → what follows it on its line
	environ []string          // "NAME=value"
	list    map[string][]string
}

// compose reads the services of a compose file in the plain form that ours
// have: a key a line, two spaces a level, lists of scalars. Anything else fails.
func compose(t *testing.T, path string) map[string]*service {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^( *)(?:(- )(.+)|([A-Za-z_][A-Za-z0-9_-]*):(?: (.+))?)$`)
	unquote := func(s string) string {
		if before, _, ok := strings.Cut(s, " #"); ok {
			s = strings.TrimSpace(before)
		}
		return strings.Trim(s, `"`)
	}
	services := map[string]*service{}
	var in *service
	section, key := "", ""
	for n, l := range strings.Split(string(text), "\n") {
		if trimmed := strings.TrimSpace(l); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil || len(m[1])%2 != 0 {
			t.Fatalf("%s:%d: not in plain form: %q", path, n+1, l)
		}
		name, value := m[4], unquote(m[5])
		switch depth := len(m[1]) / 2; {
		case depth == 0 && name != "":
			section = name
		case section != "services":
		case depth == 1 && name != "":
			in = &service{keys: map[string]string{}, list: map[string][]string{}}
			services[name] = in
		case depth == 2 && name != "":
			if _, twice := in.keys[name]; twice {
				t.Fatalf("%s:%d: %q is there twice", path, n+1, name)
			}
			key, in.keys[name] = name, value
		case depth == 3 && key == "environment" && name != "":
			in.environ = append(in.environ, name+"="+value)
		case depth == 3 && key == "environment":
			in.environ = append(in.environ, unquote(m[3]))
		case depth == 3 && m[2] != "":
			in.list[key] = append(in.list[key], unquote(m[3]))
		case depth == 3 && (key == "build" || key == "healthcheck" || key == "logging"):
		default:
			t.Fatalf("%s:%d: not expected here: %q", path, n+1, l)
		}
	}
	return services
}

// TestCompose: the compose files start what they say they do: the names in them
// are those of the program, and the address by which PactFlow is called is one
// that it knows itself by.
func TestCompose(t *testing.T) {
	t.Parallel()
	for file, names := range map[string][]string{
		"compose.yml":          {"pactflow", "postgres", "scim-api", "simplesaml"},
		"compose.emulator.yml": {"pactflow", "scim-api"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			services := compose(t, "../../deploy/pactflow/"+file)
			var found []string
			for name, s := range services {
				found = append(found, name)
				if s.keys["image"] == "" {
					t.Errorf("%s has no image", name)
				}
				for _, needed := range s.list["depends_on"] {
					if services[needed] == nil {
						t.Errorf("%s needs %s, which is not there", name, needed)
					}
				}
			}
			if slices.Sort(found); !slices.Equal(found, names) {
				t.Fatalf("services %v, want %v", found, names)
			}
			api := services["scim-api"]
			if !slices.Equal(api.list["ports"], []string{"8100:8080"}) || api.keys["image"] != "${ROLLCALL_IMAGE:-rollcall:latest}" {
				t.Errorf("scim-api: %+v", api)
			}
			if want := []string{"PACTFLOW_URL=http://pactflow:9292", "LOGGING_LEVEL_ROOT=DEBUG", "LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_WIRE=INFO"}; !slices.Equal(api.environ, want) {
				t.Errorf("scim-api: %v, want %v", api.environ, want)
			}
			// As in the image.
			s, warnings, err := settings(t, append(api.environ, "SCIM_DATA_DIR=/app/data", "ROLLCALL_RUN_AS=65532:65532")...)
			if err != nil || len(warnings) > 0 || s.PactFlow == nil || s.PactFlow.Wire || s.Listen != ":8080" {
				t.Errorf("scim-api: %+v, %v, %v", s, warnings, err)
			}
			if i := slices.IndexFunc(services["pactflow"].environ, func(v string) bool { return strings.HasPrefix(v, "PACTFLOW_BASE_URL=") }); i < 0 ||
				!slices.Contains(strings.Fields(strings.TrimPrefix(services["pactflow"].environ[i], "PACTFLOW_BASE_URL=")), s.PactFlow.URL.String()) {
				t.Errorf("pactflow does not know itself as %s: %v", s.PactFlow.URL, services["pactflow"].environ)
			}
		})
	}
	emulator := compose(t, "../../deploy/pactflow/compose.emulator.yml")["pactflow"]
	var command []string
	if err := json.Unmarshal([]byte(emulator.keys["command"]), &command); err != nil ||
		!slices.Equal(command, []string{"pactflow-emulator", "--listen", ":9292", "--seed", "${SEED:-sample}"}) {
		t.Errorf("the emulator's command: %v, %v", command, err)
	}
	if o, err := pactflowtest.FromEnv(emulator.environ); err != nil || o.BaseURL == "" {
		t.Errorf("the emulator's environment: %+v, %v", o, err)
	}
}

// TestComposePostgres: the two instances of the compose file are set up alike,
// and as the program understands it.
func TestComposePostgres(t *testing.T) {
	t.Parallel()
	services := compose(t, "../../deploy/postgresql/compose.yml")
	one, two := services["one"], services["two"]
	if one == nil || two == nil || !slices.Equal(one.environ, two.environ) || len(services) != 4 {
		t.Fatalf("the services: %v", services)
	}
	var environ []string
	for _, v := range one.environ {
		name, value, _ := strings.Cut(v, "=")
		if before, standard, ok := strings.Cut(value, ":-"); ok && strings.HasPrefix(before, "${") {
			value = strings.TrimSuffix(standard, "}")
		}
		environ = append(environ, name+"="+value)
	}
	s, warnings, err := settings(t, append(environ, "SCIM_DATA_DIR=/app/data", "ROLLCALL_RUN_AS=65532:65532")...)
	if err != nil || len(warnings) > 0 || s.Database == nil || s.Database.Address != "postgres://postgres/rollcall" || s.Drain < 4*time.Second {
		t.Errorf("the settings: %+v, %v, %v", s, warnings, err)
	}
}

// TestBehindProxy runs the proxy's configuration with two instances, of which one is
// stopped under load: no client notices.
func TestBehindProxy(t *testing.T) {
	t.Parallel()
	haproxy := needTool(t, "haproxy")
	text, err := os.ReadFile("../../deploy/postgresql/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	both, _ := instances(t, 2, "ROLLCALL_DRAIN=8s", "ROLLCALL_LOG_LEVEL=WARN")
	address := freeAddress(t)
	config := string(text)
	for from, to := range map[string]string{"bind :8080": "bind " + address, "one:8080": both[0].srv.Addr().String(), "two:8080": both[1].srv.Addr().String(),
		" init-addr none resolvers docker": ""} {
		if !strings.Contains(config, from) {
			t.Fatalf("haproxy.cfg lacks %q", from)
		}
		config = strings.Replace(config, from, to, 1)
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log logBuffer
	proxy := exec.Command(haproxy, "-db", "-f", path) //nolint:gosec,noctx // our own file; killed by the test
	proxy.Stdout, proxy.Stderr = &log, &log
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Process.Kill(); _ = proxy.Wait() })
	client := &running{t: t, url: "http://" + address, log: &log}
	waitFor(t, "the proxy", func() bool {
		resp, err := noRedirect.Get(client.url + "/health/ready") //nolint:noctx // short
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == 200
	})
	var stop atomic.Bool
	var done atomic.Int64
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for n := 0; !stop.Load(); n++ {
				status, err := post(t.Context(), noRedirect, client.url, fmt.Sprintf("proxy-%d-%d", c, n))
				if status == 503 && strings.Contains(log.String(), "Layer7 timeout") {
					continue // the other one stood still, and was taken for dead
				}
				if err != nil || status != 201 {
					t.Errorf("POST through the proxy: %d %v", status, err)
					return
				}
				done.Add(1)
			}
		})
	}
	waitFor(t, "requests", func() bool { return done.Load() > 20 || t.Failed() })
	if err := both[0].stop(); err != nil {
		t.Error(err)
	}
	before := done.Load()
	waitFor(t, "requests at the other", func() bool { return done.Load() > before+20 || t.Failed() })
	stop.Store(true)
	wg.Wait()
	if t.Failed() {
		t.Log(log.String())
	}
}

// TestLitestream: the side-car reads the volume that the program keeps its
// database in, under the name that the program gives it.
func TestLitestream(t *testing.T) {
	t.Parallel()
	services := compose(t, "../../deploy/litestream/compose.yml")
	api, side := services["scim-service"], services["litestream"]
	if len(services) != 2 || api == nil || side == nil {
		t.Fatalf("services %v", services)
	}
	environ := []string{"ROLLCALL_RUN_AS=65532:65532"} // as in the image
	for _, v := range api.environ {                    // as without anything in the shell's
		environ = append(environ, regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`).ReplaceAllString(v, "$1"))
	}
	s, warnings, err := settings(t, environ...)
	if err != nil || len(warnings) > 0 || !slices.Contains(api.list["volumes"], "scim-data:"+s.DataDir) || !slices.Contains(side.list["volumes"], "scim-data:/data") {
		t.Errorf("the program: %+v, %v, %v; its side-car: %+v", api, warnings, err, side)
	}
	config, err := os.ReadFile("../../deploy/litestream/litestream.yml")
	if err != nil || !strings.Contains(string(config), "path: /data/rollcall.db\n") || !slices.Contains(side.list["volumes"], "./litestream.yml:/etc/litestream.yml:ro") {
		t.Errorf("%v: %s", err, config)
	}
}

// TestSystemd: the unit gives the program as little as it needs, by systemd's own
// measure, of which 10 is the worst.
func TestSystemd(t *testing.T) {
	t.Parallel()
	analyze := needTool(t, "systemd-analyze")
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=yes", "--no-pager", "--threshold=15", "../../deploy/rollcall.service").CombinedOutput() //nolint:gosec // our own words
	if err != nil || !strings.Contains(string(out), "Overall exposure level for rollcall.service: 1.") {
		t.Errorf("%v: %s", err, out)
	}
}
