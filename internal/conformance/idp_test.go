package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/replay"
	"github.com/rollcall-scim/rollcall/internal/server"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

// page is one of docs/idp: its text and its blocks that are checked.
type page struct {
	name, text string
	errors     []quoted // "scim-error PROFILE"
	logs       []quoted // "scim-log CONVERSATION"
}

type quoted struct{ of, text string }

func pages(t *testing.T) []page {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs", "idp", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages in docs/idp: %v", err)
	}
	block := regexp.MustCompile("(?ms)^```scim-(error|log) ?(\\S*)\n(.*?)\n```$")
	var all []page
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := page{name: filepath.Base(file), text: string(text)}
		for _, m := range block.FindAllStringSubmatch(p.text, -1) {
			if m[1] == "log" {
				p.logs = append(p.logs, quoted{m[2], m[3]})
				continue
			}
			p.errors = append(p.errors, quoted{m[2], m[3]})
		}
		if n := strings.Count(p.text, "```scim-"); n != len(p.errors)+len(p.logs) {
			t.Errorf("%s: %d blocks of ours, %d understood", p.name, n, len(p.errors)+len(p.logs))
		}
		if p.name != "README.md" && (len(p.errors) != 5 || len(p.logs) == 0) {
			t.Errorf("%s: %d errors and %d logs, want 5 and at least one", p.name, len(p.errors), len(p.logs))
		}
		all = append(all, p)
	}
	return all
}

// TestProviderRules demands that the rules that docs/idp names exist, and that
// a sentence which names a planned one says so.
func TestProviderRules(t *testing.T) {
	t.Parallel()
	known := map[string]bool{} // → planned
	for _, r := range compat.Rules() {
		known[r.ID] = r.Planned
	}
	id := regexp.MustCompile(`\b(?:HTTP|DISC|QRY|BODY|PATCH|GRP|LIFE|RESP)-\d+b?\b`)
	for _, p := range pages(t) {
		text := strings.ReplaceAll(p.text, "\n", " ")
		for sentence := range strings.SplitSeq(text, ". ") {
			for _, rule := range id.FindAllString(sentence, -1) {
				planned, ok := known[rule]
				if !ok {
					t.Errorf("%s names the rule %s, which does not exist", p.name, rule)
				}
				if said := strings.Contains(sentence, "planned") || strings.Contains(sentence, "not served yet"); planned && !said {
					t.Errorf("%s does not say that %s is planned", p.name, rule)
				}
			}
		}
	}
}

// TestProviderErrors sends the request of every error quoted in docs/idp to
// the program and compares its answer to the letter.
func TestProviderErrors(t *testing.T) {
	t.Parallel()
	byProfile := map[string][]func(*testing.T, *program){}
	for _, p := range pages(t) {
		for _, q := range p.errors {
			byProfile[q.of] = append(byProfile[q.of], func(t *testing.T, srv *program) {
				request, want, _ := strings.Cut(q.text, "\n\n")
				if got := srv.answer(t, request); got != want {
					t.Errorf("%s:\n%s\nanswers\n%s\nthe page says\n%s", p.name, request, got, want)
				}
			})
		}
	}
	for profile, checks := range byProfile {
		t.Run("profile="+profile, func(t *testing.T) {
			t.Parallel()
			srv := run(t, profile)
			for _, check := range checks {
				check(t, srv)
			}
		})
	}
}

// TestProviderLogs plays the conversation behind every log quoted in docs/idp
// and demands its lines in the program's log, in their order; "…" stands for
// anything.
func TestProviderLogs(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		for _, q := range p.logs {
			t.Run(q.of, func(t *testing.T) {
				t.Parallel()
				f, err := os.Open(filepath.Join(root, "testdata", "idp", "traces", q.of+".json"))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				steps, err := replay.Read(f)
				if err != nil {
					t.Fatal(err)
				}
				srv := run(t, "")
				if _, err := (replay.Player{Base: srv.url + "/scim/v2", Token: programToken}).Play(t.Context(), steps); err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(strings.TrimSpace(srv.stop()), "\n")
				for want := range strings.SplitSeq(q.text, "\n") {
					at := 0
					for at < len(lines) && !matches(lines[at], want) {
						at++
					}
					if at == len(lines) {
						t.Fatalf("%s: at its place the log of %s has no line\n%s", p.name, q.of, want)
					}
					lines = lines[at+1:]
				}
			})
		}
	}
}

// matches reports whether a line ends as a pattern says.
func matches(line, pattern string) bool {
	parts := strings.Split(pattern, "…")
	last := len(parts) - 1
	for _, part := range parts[:last] {
		var ok bool
		if _, line, ok = strings.Cut(line, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(line, parts[last])
}

const programToken = "a-token-of-the-tests-0123456789"

// program is the whole server, with a user and a group in it.
type program struct {
	url         string
	user, group string        // their ids
	stop        func() string // stops it and returns its log
}

func run(t *testing.T, profile string) *program {
	t.Helper()
	var c server.Config
	if _, err := c.Load([]string{"ROLLCALL_LISTEN=127.0.0.1:0", "ROLLCALL_TOKEN=" + programToken, "ROLLCALL_LOG_LEVEL=DEBUG",
		"ROLLCALL_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "ROLLCALL_PROFILE=" + profile}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer // slog's handlers write one at a time; read when the server has stopped
	srv, err := server.Open(t.Context(), s, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: s.LogLevel})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	p := &program{url: "http://" + srv.Addr().String()}
	p.stop = sync.OnceValue(func() string {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		srv.Close()
		return log.String()
	})
	t.Cleanup(func() { p.stop() })
	return p
}

// populate makes the user and the group that the pages speak of.
func (p *program) populate(t *testing.T) {
	t.Helper()
	if p.user != "" {
		return
	}
	for _, r := range []struct {
		id         *string
		path, body string
	}{
		{&p.user, "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com"}`},
		{&p.group, "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Analysts"}`},
	} {
		status, body := p.do(t, http.MethodPost, "/scim/v2"+r.path, r.body, nil)
		var made struct{ ID string }
		if err := json.Unmarshal(body, &made); err != nil || status != http.StatusCreated {
			t.Fatalf("POST %s: %d %s", r.path, status, body)
		}
		*r.id = made.ID
	}
}

// answer sends a request as the pages write it and returns the answer as they
// do: method and target, headers, body; then status and type, detail.
func (p *program) answer(t *testing.T, request string) string {
	t.Helper()
	p.populate(t)
	request = strings.NewReplacer("{user}", p.user, "{group}", p.group).Replace(request)
	first, rest, _ := strings.Cut(request, "\n")
	method, target, _ := strings.Cut(first, " ")
	if path, filter, ok := strings.Cut(target, "?filter="); ok {
		target = path + "?filter=" + url.QueryEscape(filter)
	}
	header := http.Header{}
	for rest != "" && rest[0] != '{' {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		name, value, _ := strings.Cut(line, ": ")
		header.Set(name, value)
	}
	status, body := p.do(t, method, target, rest, header)
	var e struct {
		Status, SCIMType, Detail string
	}
	if err := json.Unmarshal(body, &e); err != nil || e.Status != fmt.Sprint(status) {
		return fmt.Sprintf("%d %s (no error of SCIM: %v)", status, body, err)
	}
	return strings.TrimSpace(e.Status+" "+e.SCIMType) + "\n" + e.Detail
}

func (p *program) do(t *testing.T, method, target, body string, header http.Header) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+programToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/scim+json")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}
