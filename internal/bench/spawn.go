package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// ownToken is that of the servers that this program starts itself, which listen
// on loopback and end with it.
const ownToken = "bench-token-of-this-machine-only"

// process is a server that this program started.
type process struct {
	cmd   *exec.Cmd
	base  string        // SCIM base URL
	start time.Duration // until it answered
}

// pid returns the id of the process.
func (p *process) pid() int { return p.cmd.Process.Pid }

// spawnRollcall starts the program as a server and waits until it answers.
// storage is the variable that names its data folder or its database.
func spawnRollcall(ctx context.Context, binary, storage string, stderr io.Writer, environ ...string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	environ = append([]string{storage, "ROLLCALL_LISTEN=" + addr, "ROLLCALL_TOKEN=" + ownToken,
		"ROLLCALL_BASE_URL=http://" + addr, "ROLLCALL_LOG_LEVEL=WARN"}, environ...)
	return spawn(ctx, exec.CommandContext(ctx, binary, "serve"), environ, stderr, "http://"+addr+"/health", "http://"+addr+"/scim/v2")
}

// inherited leaves out the variables that would make a server another one than
// is meant. Those that tune it stay.
func inherited(environ []string) []string {
	return slices.DeleteFunc(environ, func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		for _, prefix := range []string{"PACTFLOW_", "SERVER_", "SCIM_", "SHOWCASE_", "LOGGING_", "EMU_", "ROLLCALL_PACTFLOW_", "ROLLCALL_TOKEN",
			"ROLLCALL_DATA", "ROLLCALL_CONTEXT_PATH", "ROLLCALL_TLS_", "ROLLCALL_RUN_AS"} {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	})
}

// spawn starts a server and waits until health answers. It is asked to end, as
// an operator would, when ctx does.
func spawn(ctx context.Context, cmd *exec.Cmd, environ []string, stderr io.Writer, health, base string) (*process, error) {
	const patience = 60 * time.Second // a large log may have to be read in first
	cmd.Env = append(inherited(os.Environ()), environ...)
	cmd.Stderr = stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us, who clean up first
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, base: base}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Proxy: nil}}
	defer client.CloseIdleConnections()
	for time.Since(begin) < patience && ctx.Err() == nil && syscall.Kill(p.pid(), 0) == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, health, nil)
		if err != nil {
			return nil, errors.Join(err, p.stop())
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				p.start = time.Since(begin)
				return p, nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s did not answer at %s", cmd.Args[0], health), ctx.Err(), p.stop())
}

// stop ends the process as an operator would, and waits for it.
func (p *process) stop() error {
	if p.cmd.ProcessState != nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() || errors.Is(err, context.Canceled) {
		err = nil
	}
	return err
}

// freeAddr returns an address of this machine that nobody listens at.
func freeAddr() (string, error) {
	list, err := freeport.Addresses("127.0.0.1", 1)
	if err != nil {
		return "", err
	}
	return list[0], nil
}

// spawnYardstick runs this program again as the yardstick, so that its work is
// scheduled like that of the server it is compared with.
func spawnYardstick(ctx context.Context, self string, stderr io.Writer) (*process, error) {
	cmd := exec.CommandContext(ctx, self, "bench", "yardstick")
	cmd.Env = append(os.Environ(), "ROLLCALL_TOKEN="+ownToken)
	cmd.Stderr = stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	line, err := bufio.NewReader(pipe).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the yardstick: %w", err), p.stop())
	}
	p.base = strings.TrimSpace(line)
	return p, nil
}

func (p *process) target() Target {
	return Target{URLs: []string{p.base}, Token: ownToken}
}
