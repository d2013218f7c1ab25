package server

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// emulatorFlags are the arguments of "rollcall pactflow-emulator". What else can
// be set is in the environment: pactflowtest.FromEnv. Flags win.
type emulatorFlags struct {
	Listen string `name:"listen" placeholder:"ADDRESS" help:"listen address (default: 127.0.0.1:9292) [EMU_ADDR]"`
	Seed   string `name:"seed" placeholder:"NAME" help:"what it holds at first: sample, okta, large, large:N or empty (default: sample) [EMU_SEED]"`
}

// run serves an emulator until ctx ends and returns the exit code.
func (f emulatorFlags) run(ctx context.Context, environ []string, stdout, stderr io.Writer) int {
	fail := func(code int, err error) int {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(stderr, "rollcall:", printable(line))
		}
		return code
	}
	o, err := pactflowtest.FromEnv(environ)
	if err != nil {
		return fail(exitUsage, err)
	}
	o.Seed = cmp.Or(f.Seed, o.Seed)
	listen := f.Listen
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, "EMU_ADDR="); ok {
			listen = cmp.Or(listen, value)
		}
	}
	listen = cmp.Or(listen, "127.0.0.1:9292")
	if !validAddress(listen) {
		return fail(exitUsage, fmt.Errorf(`--listen="%s": must be an address to listen on, such as ":9292" or "127.0.0.1:9292"`, listen))
	}
	e, err := pactflowtest.New(o)
	if err != nil {
		return fail(exitUsage, err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fail(exitFailed, fmt.Errorf("can't listen on %s: %w", listen, bare(err)))
	}
	h := &http.Server{Handler: e, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	fmt.Fprintf(stdout, `
  An emulator of PactFlow listens on %s. It is for trials: all is in memory, and anybody can change it.

  PACTFLOW_URL=http://localhost:%d rollcall serve
  curl -H "Authorization: Bearer %s" http://localhost:8080/scim/Users

  Tokens: %s of an administrator, %s with the SCIM role; %s

`, l.Addr(), l.Addr().(*net.TCPAddr).Port, pactflowtest.AdminToken, pactflowtest.AdminToken, pactflowtest.SCIMToken,
		strings.Join([]string{pactflowtest.ReadOnlyToken, pactflowtest.UserToken, pactflowtest.ViewerToken, pactflowtest.NoAccessToken,
			pactflowtest.ExpiredToken, pactflowtest.InviteToken}, ", "))
	select {
	case err := <-failed:
		return fail(exitFailed, err)
	case <-ctx.Done():
	}
	e.Close() // answers that are being delayed
	stop, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if h.Shutdown(stop) != nil {
		_ = h.Close()
	}
	return exitStopped
}
