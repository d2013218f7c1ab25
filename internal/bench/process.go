package bench

import (
	"bufio"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of processor time in /proc, 10 ms on every Linux that Go
// knows.
const tick = 10 * time.Millisecond

// processes are those of a server. The zero value means that none is on this
// machine or ours to see.
type processes struct {
	pids    []int // that listen at its addresses: their memory is the server's
	helpers []int // that the caller named, such as a database's: they use processor time for it
}

// findProcesses looks for the processes that listen at the ports of the URLs,
// if these are on this machine. Where there are none, the helpers are the server.
func findProcesses(bases []string, helpers []int) processes {
	p := processes{helpers: helpers}
	for _, base := range bases {
		if pid := listener(base); pid != 0 && !slices.Contains(p.pids, pid) {
			p.pids = append(p.pids, pid)
		}
	}
	if len(p.pids) == 0 {
		p.pids, p.helpers = helpers, nil
	}
	return p
}

// listener returns the process that listens where a URL of this machine points,
// or 0.
func listener(base string) int {
	u, err := url.Parse(base)
	if err != nil {
		return 0
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return 0
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		if port = 80; u.Scheme == "https" {
			port = 443
		}
	}
	sockets := map[string]bool{}
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if inode := listening(lines.Text(), port); inode != "" {
				sockets["socket:["+inode+"]"] = true
			}
		}
		_ = f.Close()
	}
	if len(sockets) == 0 {
		return 0
	}
	for _, name := range running() {
		files, _ := os.ReadDir("/proc/" + name + "/fd") // ours alone, unless this is root
		for _, f := range files {
			if to, err := os.Readlink("/proc/" + name + "/fd/" + f.Name()); err == nil && sockets[to] {
				pid, _ := strconv.Atoi(name)
				return pid
			}
		}
	}
	return 0
}

// running returns the ids of all processes, as /proc names them.
func running() (names []string) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	all, _ := d.Readdirnames(-1)
	for _, name := range all {
		if name[0] >= '1' && name[0] <= '9' {
			names = append(names, name)
		}
	}
	return names
}

// listening returns the inode of a line of /proc/net/tcp if it is of a socket
// that listens at the port.
func listening(line string, port int) string {
	const state, inode = 3, 9
	f := strings.Fields(line)
	if len(f) <= inode || f[state] != "0A" || !strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
		return ""
	}
	return f[inode]
}

// cpu returns the processor time that the processes and their children have
// used, helpers included; ok is false if there are none.
func (p processes) cpu() (used time.Duration, ok bool) {
	if len(p.pids) == 0 {
		return 0, false
	}
	parents := map[int]int{}
	times := map[int]time.Duration{}
	for _, name := range running() {
		data, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		pid, parent, used := parseStat(string(data))
		parents[pid], times[pid] = parent, used
	}
	for pid, t := range times {
		for at, depth := pid, 0; at > 1 && depth < 50; at, depth = parents[at], depth+1 {
			if slices.Contains(p.pids, at) || slices.Contains(p.helpers, at) {
				used, ok = used+t, true
				break
			}
		}
	}
	return used, ok
}

// parseStat reads a line of /proc/PID/stat: the time is that of the process and
// of those of its children that have ended.
func parseStat(line string) (pid, parent int, used time.Duration) {
	head, rest, ok := strings.Cut(line, " (")
	end := strings.LastIndexByte(rest, ')') // the name may hold anything
	f := strings.Fields(rest[max(end+1, 0):])
	if !ok || end < 0 || len(f) < 15 {
		return 0, 0, 0
	}
	pid, _ = strconv.Atoi(head)
	parent, _ = strconv.Atoi(f[1])
	for _, field := range f[11:15] {
		n, _ := strconv.ParseInt(field, 10, 64)
		used += time.Duration(n) * tick
	}
	return pid, parent, used
}

// Memory is what is resident of a server's processes, without their children,
// in bytes: at the beginning, at the end, and at most in between.
type Memory struct {
	Before int64 `json:"before"`
	After  int64 `json:"after"`
	Peak   int64 `json:"peak"`
}

// Growth returns how much more than at the beginning there was at most.
func (m Memory) Growth() int64 { return max(m.Peak-m.Before, 0) }

// resident sums a field of /proc/PID/status in bytes.
func (p processes) resident(field string) (sum int64) {
	for _, pid := range p.pids {
		sum += statusField(pid, field)
	}
	return sum
}

// statusField returns a field of /proc/PID/status in bytes, or 0 where there is
// none.
func statusField(pid int, field string) int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
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

// forgetPeak makes the kernel count the peak from now on, and reports whether
// it did: it takes the right to write to the processes' folders.
func (p processes) forgetPeak() bool {
	for _, pid := range p.pids {
		if os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0) != nil {
			return false
		}
	}
	return len(p.pids) > 0
}

// ownCPU returns the processor time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
