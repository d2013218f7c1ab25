package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const token = "bench-token-of-this-machine-only"

// server is a process under measurement.
type server struct {
	cmd   *exec.Cmd
	base  string // SCIM base URL, or the yardstick's only URL
	start time.Duration
}

// startRollcall runs the binary on dir and waits until it answers.
func startRollcall(ctx context.Context, binary, dir string, environ ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "serve")
	return startProcess(ctx, cmd, append(environ, "ROLLCALL_LISTEN="+addr, "ROLLCALL_DATA_DIR="+dir, "ROLLCALL_TOKEN="+token,
		"ROLLCALL_BASE_URL=http://"+addr, "ROLLCALL_LOG_LEVEL=WARN"), "http://"+addr+"/health", "http://"+addr+"/scim/v2")
}

// startProcess starts a server of the binary and waits until health answers.
func startProcess(ctx context.Context, cmd *exec.Cmd, environ []string, health, base string) (*server, error) {
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stderr = os.Stderr
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, base: base}
	for time.Since(begin) < 30*time.Second && ctx.Err() == nil {
		resp, err := http.Get(health)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				s.start = time.Since(begin)
				return s, nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s did not answer at %s within 30 s", cmd.Args[0], health), s.stop())
}

// stop ends the process as an operator would, and waits for it.
func (s *server) stop() error {
	if s.cmd.ProcessState != nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// status returns a field of /proc/PID/status in bytes, or 0 where there is none.
func (s *server) status(field string) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// startYardstick runs this program again as the yardstick server, so that its
// work is scheduled like that of the server it is compared with.
func startYardstick(ctx context.Context, self string) (*server, error) {
	cmd := exec.CommandContext(ctx, self, "-yardstick")
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(pipe).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("yardstick: %w", err)
	}
	return &server{cmd: cmd, base: strings.TrimSpace(line)}, nil
}

// serveYardstick answers every request that carries the token with 1.5 KB,
// prints its URL, and ends at SIGTERM.
func serveYardstick(out io.Writer) error {
	body := append(append([]byte(`{"filler":"`), bytes.Repeat([]byte{'x'}, 1500)...), `"}`...)
	want := sha256.Sum256([]byte("Bearer " + token))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s/\n", l.Addr())
	srv := &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
			if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/scim+json")
			_, _ = w.Write(body)
		})}
	return exitAtTerm(srv, l)
}

func exitAtTerm(srv *http.Server, l net.Listener) error {
	ctx, stop := signalContext()
	defer stop()
	go func() {
		<-ctx.Done()
		_ = srv.Close()
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
