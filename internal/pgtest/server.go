//go:build unix

package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// Options are how a server differs from others. The zero value is durable.
type Options struct {
	NoFsync  bool     // faster, and not durable
	Settings []string // "name=value" for postgresql.conf
}

// Server is a PostgreSQL server with a folder of its own.
type Server struct {
	bin, dir, password, address string

	as    *syscall.Credential // nil: as the process itself
	guard *os.File            // the server ends when it is closed, be it for want of use
}

// Start starts a server that is the test's own, and stops it when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// New makes a cluster in a temporary folder and starts it. It runs until Close,
// until the process ends, or until nothing refers to the Server any more.
func New(o Options) (s *Server, err error) {
	s = &Server{password: rand.Text()}
	if s.bin, err = programs(); err != nil {
		return nil, err
	}
	if s.as, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "rollcall-pg"); err != nil {
		return nil, err
	}
	if err := s.make(o); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.watch(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Resume(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// programs finds the folder with PostgreSQL's programs, of the newest version
// if there are several.
func programs() (string, error) {
	if dir := os.Getenv("ROLLCALL_TEST_POSTGRES_BIN"); dir != "" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		version := func(path string) int {
			n, _ := strconv.Atoi(strings.Split(path, "/")[4])
			return n
		}
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New("tests need PostgreSQL's programs (Debian: apt-get install postgresql), or a server in ROLLCALL_TEST_POSTGRES")
	}
	return filepath.Dir(path), nil
}

// unprivileged finds whom to run the server as, since it refuses to be root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no other user")
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command is a program run as the server's user. What it says goes to a file,
// so that nobody waits for the server that it leaves behind.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir, c.Env = s.dir, append(os.Environ(), "LC_ALL=C", "PGTZ=UTC")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true}
	return c
}

func (s *Server) run(name string, args ...string) error {
	path := filepath.Join(s.dir, "output")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c := s.command(filepath.Join(s.bin, name), args...)
	c.Stdout, c.Stderr = f, f
	if err := c.Run(); err != nil {
		said, _ := os.ReadFile(path)
		logged, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("%s: %w: %s%s", name, err, said, logged)
	}
	return nil
}

// make makes the cluster's files.
func (s *Server) make(o Options) error {
	word := filepath.Join(s.dir, "password")
	if err := os.WriteFile(word, []byte(s.password), 0o600); err != nil {
		return err
	}
	if s.as != nil {
		for _, path := range []string{s.dir, word} {
			if err := os.Chown(path, int(s.as.Uid), int(s.as.Gid)); err != nil {
				return err
			}
		}
	}
	args := []string{"--pgdata=" + s.data(), "--username=postgres", "--pwfile=" + word, "--auth-local=password",
		"--auth-host=password", "--encoding=UTF8", "--locale=C", "--no-sync"}
	if err := s.run("initdb", args...); err != nil {
		return err
	}
	at, err := freeport.Addresses("127.0.0.1", 1)
	if err != nil {
		return err
	}
	s.address = at[0]
	host, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	settings := []string{
		"listen_addresses='" + host + "'", "port=" + port, fmt.Sprintf("unix_socket_directories='%s'", s.dir),
		"max_connections=300", "shared_buffers='64MB'", "logging_collector=off",
	}
	if o.NoFsync {
		settings = append(settings, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n" + strings.Join(append(settings, o.Settings...), "\n") + "\n")
	return errors.Join(err, f.Close())
}

// watch starts a process that ends the server, and removes its files, when this
// process lets go of the other end of its input: by Close, or by ending.
func (s *Server) watch() error {
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	const script = `cat >/dev/null; "$1/pg_ctl" stop -s -m immediate -D "$2/data" >/dev/null 2>&1; rm -rf "$2"`
	c := s.command("/bin/sh", "-c", script, "sh", s.bin, s.dir)
	c.Stdin = in
	if err := c.Start(); err != nil {
		return errors.Join(err, out.Close())
	}
	s.guard = out
	return c.Process.Release()
}

// Close stops the server and removes it.
func (s *Server) Close() {
	_ = s.Stop("immediate")
	_ = s.guard.Close()
}

// Stop stops the server: "fast" disconnects the clients, "immediate" is like a
// crash. It returns when the server has ended.
func (s *Server) Stop(mode string) error {
	return s.run("pg_ctl", "stop", "-s", "-w", "-m", mode, "-D", s.data())
}

// Resume starts the server again, and returns when it takes connections.
func (s *Server) Resume() error {
	err := s.run("pg_ctl", "start", "-s", "-w", "-t", "60", "-D", s.data(), "-l", filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return run(ctx, s.URL("postgres"), nil)
}

// Signal sends a signal to the server's first process.
func (s *Server) Signal(sig syscall.Signal) error {
	data, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, sig)
}

// URL returns the URL of a database of the server, for its superuser.
func (s *Server) URL(database string) string { return s.URLAs("postgres", s.password, database) }

// URLAs is URL for another role.
func (s *Server) URLAs(role, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", role, password, s.address, database)
}
