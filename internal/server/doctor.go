package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/pactflow/doctor"
)

// tokenVariable holds the token that the doctor tries: a flag could be read by
// every user of the machine.
const tokenVariable = "ROLLCALL_PACTFLOW_TOKEN"

// doctorFlags are the arguments of "rollcall pactflow doctor". The settings of
// the façade are taken from the environment, as "rollcall serve" does.
type doctorFlags struct {
	URL       string `name:"pactflow-url" placeholder:"URL" help:"address of PactFlow [ROLLCALL_PACTFLOW_URL, PACTFLOW_URL]"`
	CA        string `name:"upstream-ca" placeholder:"FILE" help:"certificates of authorities, PEM, beside the system's [ROLLCALL_UPSTREAM_CA]"`
	TokenFile string `name:"token-file" placeholder:"FILE" help:"file that holds the token to try; without it ROLLCALL_PACTFLOW_TOKEN is it"`
	Write     bool   `name:"write" help:"make a user and a team, to try what reading does not show, and remove them"`
}

// run examines a PactFlow and returns the exit code: 1 if it can't work.
func (f doctorFlags) run(ctx context.Context, environ []string, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(stderr, "rollcall:", line)
		}
		return exitFailed
	}
	var token string
	environ = append([]string(nil), environ...)
	for i, v := range environ {
		if value, ok := strings.CutPrefix(v, tokenVariable+"="); ok {
			token, environ[i] = value, ""
		}
	}
	c := Config{PactFlowURL: f.URL, UpstreamCA: f.CA}
	warnings, err := c.Load(environ)
	if err != nil {
		return fail(err)
	}
	if c.PactFlowURL == "" {
		return fail(fmt.Errorf("which PactFlow? Give its address by --pactflow-url or PACTFLOW_URL"))
	}
	s, err := c.Settings()
	if err != nil {
		return fail(err)
	}
	for _, w := range warnings {
		fmt.Fprintln(stderr, "rollcall:", w)
	}
	if f.TokenFile != "" {
		text, err := os.ReadFile(f.TokenFile)
		if err != nil {
			return fail(fmt.Errorf("can't read the token file %s: %w", printable(f.TokenFile), bare(err)))
		}
		token = string(text)
	}
	token = strings.TrimSpace(token)
	if token == "" || strings.ContainsAny(token, " \n") || !sendable([]string{token}) {
		return fail(fmt.Errorf("a token of PactFlow is needed, in %s or, alone, in a file: --token-file", tokenVariable))
	}
	o := doctor.Options{URL: s.PactFlow.URL, Token: token, CallTimeout: s.PactFlow.CallTimeout, Write: f.Write}
	if s.UpstreamCA != "" {
		if o.RootCAs, err = authorities("ROLLCALL_UPSTREAM_CA", s.UpstreamCA); err != nil {
			return fail(err)
		}
	}
	fatal, count := 0, map[doctor.Verdict]int{}
	doctor.Examine(ctx, o, func(found doctor.Finding) {
		mark := string(found.Verdict)
		count[found.Verdict]++
		if found.Fatal {
			fatal++
			mark = "DOES NOT"
		}
		fmt.Fprintf(stdout, "%-8s  %s", mark, visible(found.Assumption))
		if found.Seen != "" {
			fmt.Fprintf(stdout, ": %s", visible(found.Seen))
		}
		fmt.Fprintln(stdout)
		if found.Means != "" && found.Verdict != doctor.Holds {
			fmt.Fprintf(stdout, "          → %s\n", visible(found.Means))
		}
	})
	fmt.Fprintf(stdout, "\n%d hold, %d do not, %d are unknown. ", count[doctor.Holds], count[doctor.Fails], count[doctor.Unknown])
	if fatal > 0 {
		fmt.Fprintln(stdout, "This can't work: see what DOES NOT hold.")
		return exitFailed
	}
	fmt.Fprintln(stdout, "Nothing keeps the façade from starting; what follows from those that do not hold is written below them.")
	return exitStopped
}
