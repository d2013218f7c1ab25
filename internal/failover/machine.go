//go:build linux

package failover

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// program is a process that a [Cluster] started, and whatever it started in
// turn.
type program struct {
	cmd  *exec.Cmd
	file string // of a process id, of another that belongs to it
	done chan struct{}
}

// launch starts a program whose output goes to the end of a log file. It is
// killed when this process ends.
func launch(as *syscall.Credential, dir, log string, env []string, argv ...string) (*program, error) {
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &program{cmd: exec.Command(argv[0], argv[1:]...), done: make(chan struct{})} //nolint:gosec,noctx // our own words; ended by Kill
	p.cmd.Dir, p.cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "PGTZ=UTC"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // that it ended is all that counts
		close(p.done)
	}()
	return p, nil
}

// pids are the ids of the program's processes and of all below them.
func (p *program) pids() []int {
	var all []int
	select {
	case <-p.done:
	default:
		all = append(all, p.cmd.Process.Pid)
	}
	if pid, ok := p.other(); ok {
		all = append(all, pid)
	}
	for i := 0; i < len(all); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, task := range tasks {
			data, _ := os.ReadFile(task)
			for _, field := range strings.Fields(string(data)) {
				if pid, err := strconv.Atoi(field); err == nil && !slices.Contains(all, pid) {
					all = append(all, pid)
				}
			}
		}
	}
	return all
}

// other is the process whose id is in the file, if it is one of this folder's:
// an id that was left behind may be a stranger's by now.
func (p *program) other() (int, bool) {
	if p.file == "" {
		return 0, false
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return 0, false
	}
	words, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return pid, err == nil && strings.Contains(string(words), filepath.Dir(p.file))
}

// signal sends a signal to all processes of the program.
func (p *program) signal(s syscall.Signal) {
	for _, pid := range p.pids() {
		_ = syscall.Kill(pid, s) // one that ended meanwhile is no error
	}
}

// kill ends all processes of the program at one moment, as a machine that loses
// its power does: none is left that could tell its clients.
func (p *program) kill() {
	p.signal(syscall.SIGSTOP)
	pids := p.pids()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && slices.ContainsFunc(pids, alive); {
		time.Sleep(5 * time.Millisecond)
	}
}

// alive reports whether a process runs: one that ended and was not yet waited
// for does not.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// guard starts a process that kills what the files of process ids in dir name
// and removes dir, once this process lets go of what guard returns, which the
// system does for it at its end.
func guard(dir string) (*os.File, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	const script = `cat >/dev/null; for f in "$1"/*/data/postmaster.pid; do
pid=$(head -n 1 "$f" 2>/dev/null) && grep -q "$1" "/proc/$pid/cmdline" 2>/dev/null && kill -9 "$pid"; done; rm -rf "$1"`
	c := exec.Command("/bin/sh", "-c", script, "sh", dir) //nolint:gosec,noctx // our own words; must outlive us
	c.Stdin, c.SysProcAttr = in, &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, c.Process.Release()
}

// nobody finds whom to run servers as that refuse to be root.
func nobody() (*syscall.Credential, error) {
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

// tool finds a program where Debian has it or, failing that, by the path: its
// PostgreSQL is in a folder of each version, of which the newest counts.
func tool(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		version := func(path string) int {
			n, _ := strconv.Atoi(strings.Split(path, "/")[4])
			return n
		}
		return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
	}
	for _, name := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: make setup", name)
}
