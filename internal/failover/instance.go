//go:build linux

package failover

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// Instance is a "rollcall serve" with a folder and an address of its own.
type Instance struct {
	URL string // without a path

	binary, dir string
	environment []string
	program     *program
}

// NewInstance starts one over the database behind a URL, for bearers of token,
// and returns when it is ready. The settings are further environment variables.
func NewInstance(ctx context.Context, binary, dir, database, token string, settings ...string) (*Instance, error) {
	free, err := freeport.Addresses("127.0.0.1", 1)
	if err != nil {
		return nil, err
	}
	at := free[0]
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	i := &Instance{URL: "http://" + at, binary: binary, dir: dir, environment: append([]string{"ROLLCALL_LISTEN=" + at,
		"ROLLCALL_DATABASE_URL=" + database, "ROLLCALL_DATA_DIR=" + filepath.Join(dir, "data"), "ROLLCALL_TOKEN=" + token,
		"ROLLCALL_BASE_URL=http://rollcall.example", "ROLLCALL_LOG_LEVEL=WARN"}, settings...)}
	return i, i.Start(ctx)
}

// Start starts it again at the same address, and returns when it is ready.
func (i *Instance) Start(ctx context.Context) (err error) {
	if i.program, err = launch(nil, i.dir, filepath.Join(i.dir, "log"), i.environment, i.binary, "serve"); err != nil {
		return err
	}
	err = until(ctx, "the instance is not ready", func() error {
		select {
		case <-i.program.done:
			return fmt.Errorf("it ended: %v", i.program.cmd.ProcessState)
		default:
		}
		return i.Ready(ctx)
	})
	if err != nil {
		i.Kill()
		return fmt.Errorf("%w\n%s", err, i.Log())
	}
	return nil
}

// Ready asks it whether a load balancer may send it requests.
func (i *Instance) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", i.URL+"/health/ready", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it is not ready: %d", resp.StatusCode)
	}
	return nil
}

// Kill ends it by SIGKILL.
func (i *Instance) Kill() { i.program.kill() }

// Stop ends it by SIGTERM and waits until it has answered what was under way.
func (i *Instance) Stop() {
	i.program.signal(syscall.SIGTERM)
	<-i.program.done
}

// Log is the end of what it logged.
func (i *Instance) Log() string {
	data, _ := os.ReadFile(filepath.Join(i.dir, "log"))
	return string(data[max(0, len(data)-5000):])
}
