package server_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/server"
)

// TestCompletion: each shell completes what the program understands.
func TestCompletion(t *testing.T) {
	t.Parallel()
	scripts := map[string]string{}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out, errs bytes.Buffer
		if code := server.Main(t.Context(), []string{"completion", shell}, nil, &out, &errs); code != 0 || errs.Len() > 0 {
			t.Fatalf("%s: exit %d, %s", shell, code, &errs)
		}
		scripts[shell] = filepath.Join(t.TempDir(), shell)
		if err := os.WriteFile(scripts[shell], out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code := server.Main(t.Context(), []string{"completion", "tcsh"}, nil, &bytes.Buffer{}, &bytes.Buffer{}); code != 2 {
		t.Errorf("another shell: exit %d", code)
	}
	// ask makes a shell complete a line, and returns what it offers.
	ask := map[string]func(words ...string) *exec.Cmd{
		"bash": func(words ...string) *exec.Cmd {
			return exec.CommandContext(t.Context(), needTool(t, "bash"), append([]string{"--norc", "-c", //nolint:gosec // our own words
				`source "$0"; COMP_WORDS=(rollcall "$@"); COMP_CWORD=$#; _rollcall; printf '%s\n' "${COMPREPLY[@]}"`, scripts["bash"]}, words...)...)
		},
		"zsh": func(words ...string) *exec.Cmd {
			return exec.CommandContext(t.Context(), needTool(t, "zsh"), append([]string{"-f", "-c", //nolint:gosec // our own words
				`compdef() {}; _files() {}; compadd() { shift; print -l -- ${(M)@:#${words[CURRENT]}*}; }; source "$0"; words=(rollcall "$@"); CURRENT=$#words; _rollcall`, scripts["zsh"]}, words...)...)
		},
		"fish": func(words ...string) *exec.Cmd {
			return exec.CommandContext(t.Context(), needTool(t, "fish"), "--no-config", "-c", //nolint:gosec // our own words
				`source $argv[1]; complete -C $argv[2] | string replace -r '\t.*' ''`, scripts["fish"], "rollcall "+strings.Join(words, " "))
		},
	}
	for shell, command := range ask {
		for _, tt := range []struct {
			words, want, not []string
		}{
			{[]string{""}, []string{"serve", "export", "completion"}, []string{"up"}},
			{[]string{"ser"}, []string{"serve"}, []string{"export"}},
			{[]string{"migrate", ""}, []string{"up"}, []string{"serve"}},
			{[]string{"serve", "--lis"}, []string{"--listen"}, []string{"--help", "serve"}},
			{[]string{"serve", "--listen", ":1", "--metrics-"}, []string{"--metrics-listen"}, []string{"--listen"}},
			{[]string{"nonsense", "stat"}, []string{"status"}, nil},
		} {
			cmd := command(tt.words...)
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s %q: %v\n%s", shell, tt.words, err, out)
			}
			offered := strings.Fields(string(out))
			for _, w := range tt.want {
				if !slices.Contains(offered, w) {
					t.Errorf("%s %q offers %q, without %s", shell, tt.words, offered, w)
				}
			}
			for _, w := range tt.not {
				if slices.Contains(offered, w) {
					t.Errorf("%s %q offers %s", shell, tt.words, w)
				}
			}
		}
	}
}
