package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/replay"
)

// replayFlags are the arguments of "rollcall replay".
type replayFlags struct {
	Files   []string `arg:"" name:"file" help:"conversations, in the format of docs/traces.md; each wants an empty tenant"`
	Base    string   `name:"base" required:"" placeholder:"URL" help:"SCIM base URL of the server, such as https://id.example.com/scim/v2"`
	Token   string   `name:"token" placeholder:"TOKEN" help:"bearer token (default: the first one of ROLLCALL_TOKEN, which other users of this machine can't see)"`
	Verbose bool     `name:"verbose" help:"print the request, the status and the compatibility rules of each step"`
}

// run plays the files and returns the exit code.
func (f replayFlags) run(ctx context.Context, environ []string, stdout, stderr io.Writer) int {
	base, err := url.Parse(f.Base)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" {
		fmt.Fprintln(stderr, "rollcall: --base must be a URL such as https://id.example.com/scim/v2")
		return exitUsage
	}
	player := replay.Player{Base: strings.TrimRight(f.Base, "/"), Token: f.token(environ), Client: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	steps, faulty := 0, 0
	for _, name := range f.Files {
		results, err := f.play(ctx, player, name)
		n := f.print(stdout, name, results)
		steps, faulty = steps+len(results), faulty+n
		if err != nil {
			fmt.Fprintf(stderr, "rollcall: %s: %s\n", printable(name), visible(err.Error()))
			return exitFailed
		}
	}
	fmt.Fprintf(stdout, "%d steps, %d ok, %d faulty\n", steps, steps-faulty, faulty)
	if faulty > 0 {
		return exitFailed
	}
	return exitStopped
}

func (f replayFlags) token(environ []string) string {
	token := f.Token
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, "ROLLCALL_TOKEN="); ok && token == "" {
			token, _, _ = strings.Cut(value, ",")
		}
	}
	return strings.TrimSpace(token)
}

func (f replayFlags) play(ctx context.Context, player replay.Player, name string) ([]replay.Result, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	steps, err := replay.Read(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return player.Play(ctx, steps)
}

// print writes a line for each step, the faults of those that have some, and
// returns how many those are.
func (f replayFlags) print(out io.Writer, name string, results []replay.Result) (faulty int) {
	fmt.Fprintln(out, printable(filepath.Base(name)))
	for i, r := range results {
		verdict := "ok   "
		if len(r.Faults) > 0 {
			verdict = "FAULT"
			faulty++
		}
		fmt.Fprintf(out, "  %s %3d %s\n", verdict, i+1, visible(r.Step.Name))
		if f.Verbose {
			fmt.Fprintf(out, "            %s %s: %d; %s\n", r.Step.Method, visible(r.Step.Path), r.Status, strings.Join(r.Step.Rules, " "))
		}
		for _, fault := range r.Faults {
			fmt.Fprintf(out, "            %s\n", visible(fault))
		}
	}
	return faulty
}
