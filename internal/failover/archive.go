//go:build linux

package failover

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// Archived is one PostgreSQL whose log goes to an archive, from which it can be
// restored as it was at any moment after a base backup.
type Archived struct {
	dir, at, password string
	as                *syscall.Credential
	guard             *os.File
	program           *program
}

// NewArchived makes one in a temporary folder and starts it.
func NewArchived(ctx context.Context) (_ *Archived, err error) {
	a := &Archived{password: rand.Text()}
	if a.as, err = nobody(); err != nil {
		return nil, err
	}
	if a.dir, err = os.MkdirTemp("", "rollcall-pitr"); err != nil {
		return nil, err
	}
	if a.guard, err = guard(a.dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(a.dir))
	}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	word := filepath.Join(a.dir, "password")
	for _, sub := range []string{"archive", "backup", "first", "second"} {
		if err := os.Mkdir(filepath.Join(a.dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(word, []byte(a.password), 0o600); err != nil {
		return nil, err
	}
	if a.as != nil {
		for _, path := range []string{"", "archive", "backup", "first", "second", "password"} {
			if err := os.Chown(filepath.Join(a.dir, path), int(a.as.Uid), int(a.as.Gid)); err != nil {
				return nil, err
			}
		}
	}
	data := filepath.Join(a.dir, "first", "data")
	if err := a.run(ctx, "initdb", "--pgdata="+data, "--username=postgres", "--pwfile="+word, "--auth=scram-sha-256", "--encoding=UTF8",
		"--locale=C", "--data-checksums"); err != nil {
		return nil, err
	}
	return a, a.start(ctx, data, "archive_mode=on", "archive_command=test ! -f "+a.dir+"/archive/%f && cp %p "+a.dir+"/archive/%f")
}

// run runs a program as the server's user.
func (a *Archived) run(ctx context.Context, name string, args ...string) error {
	path, err := tool(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // our own words
	cmd.Dir, cmd.Env = a.dir, append(os.Environ(), "PGPASSWORD="+a.password, "PGTZ=UTC", "LC_ALL=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// start starts a server on a data folder, with these settings, and waits until
// it takes writes.
func (a *Archived) start(ctx context.Context, data string, settings ...string) (err error) {
	path, err := tool("postgres")
	if err != nil {
		return err
	}
	free, err := freeport.Addresses("127.0.0.1", 1)
	if err != nil {
		return err
	}
	a.at = free[0]
	host, port, _ := strings.Cut(a.at, ":")
	argv := []string{path, "-D", data}
	for _, s := range append(settings, "listen_addresses="+host, "port="+port, "unix_socket_directories="+a.dir, "max_connections=100") {
		argv = append(argv, "-c", s)
	}
	if a.program, err = launch(a.as, a.dir, filepath.Join(a.dir, "log"), nil, argv...); err != nil {
		return err
	}
	err = until(ctx, "the server takes no writes", func() error {
		got, err := a.Query(ctx, "postgres", "SELECT pg_is_in_recovery()")
		if err == nil && got != "f" {
			err = errors.New("it is recovering")
		}
		return err
	})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(a.dir, "log"))
		return fmt.Errorf("%w\n%s", err, log)
	}
	return nil
}

// Query runs SQL as the superuser and returns what psql prints of it without
// any decoration.
func (a *Archived) Query(ctx context.Context, database, sql string) (string, error) {
	path, err := tool("psql")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, "postgres://postgres@"+a.at+"/"+database) //nolint:gosec // our own words
	cmd.Env = append(os.Environ(), "PGPASSWORD="+a.password, "PGTZ=UTC")
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", sql, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// URL is the URL of one of its databases.
func (a *Archived) URL(database string) string {
	return "postgres://postgres:" + a.password + "@" + a.at + "/" + database + "?sslmode=disable"
}

// Backup makes the base backup.
func (a *Archived) Backup(ctx context.Context) error {
	return a.run(ctx, "pg_basebackup", "--pgdata="+filepath.Join(a.dir, "backup", "data"), "--checkpoint=fast", "--wal-method=none", "--no-password",
		"--dbname=postgres://postgres@"+a.at+"/postgres")
}

// Restore stops the server, and starts another from the base backup and the
// archive, as the first was at the moment given.
func (a *Archived) Restore(ctx context.Context, moment time.Time) error {
	// What is not in the archive yet goes there first: the server hands over
	// the last piece of its log when it is stopped in peace.
	a.program.cmd.Process.Signal(syscall.SIGINT) //nolint:errcheck,gosec // that it ended is seen below
	select {
	case <-a.program.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	data := filepath.Join(a.dir, "second", "data")
	if err := a.run(ctx, "cp", "-a", filepath.Join(a.dir, "backup", "data"), data); err != nil {
		return err
	}
	if err := a.run(ctx, "touch", filepath.Join(data, "recovery.signal")); err != nil {
		return err
	}
	return a.start(ctx, data, "restore_command=cp "+a.dir+"/archive/%f %p",
		"recovery_target_time="+moment.UTC().Format("2006-01-02 15:04:05.000000+00"), "recovery_target_action=promote")
}

// Close ends the server and removes its files.
func (a *Archived) Close() {
	if a.program != nil {
		a.program.kill()
	}
	_ = a.guard.Close()
	_ = os.RemoveAll(a.dir)
}
