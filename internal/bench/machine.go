package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is where the client ran.
type Machine struct {
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Memory int64   `json:"memory"` // bytes
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Load   float64 `json:"load"` // of the minute before
}

// thisMachine describes this machine as far as /proc does.
func thisMachine() Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.NumCPU(), Go: runtime.Version()}
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if data, err := os.ReadFile("/proc/meminfo"); err == nil {
		if f := strings.Fields(string(data)); len(f) > 1 {
			kb, _ := strconv.ParseInt(f[1], 10, 64)
			m.Memory = kb << 10
		}
	}
	if data, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(data))
	}
	if data, err := os.ReadFile("/proc/loadavg"); err == nil {
		if f := strings.Fields(string(data)); len(f) > 0 {
			m.Load, _ = strconv.ParseFloat(f[0], 64)
		}
	}
	return m
}

// String describes the machine in one line.
func (m Machine) String() string {
	return fmt.Sprintf("%d × %s, %.0f GB, Linux %s, %s, load %.1f", m.Cores, m.CPU, float64(m.Memory)/1e9, m.Kernel, m.Go, m.Load)
}

// Fsync is how long one page takes to the disk.
type Fsync struct {
	Folder string  `json:"folder"`
	P50MS  float64 `json:"p50Ms"`
	P99MS  float64 `json:"p99Ms"`
}

// measureFsync appends pages to a file in the folder and waits for the disk
// after each: 300 of them, or as many as two seconds suffice for.
func measureFsync(folder string) (f Fsync, err error) {
	path := filepath.Join(folder, "rollcall-bench-fsync-"+randomName())
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return f, err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(path)
	}()
	var h Histogram
	data := make([]byte, 4096)
	for begin := time.Now(); h.Count() < 300 && time.Since(begin) < 2*time.Second; {
		if _, err := file.Write(data); err != nil {
			return f, err
		}
		t := time.Now()
		if err := file.Sync(); err != nil {
			return f, err
		}
		h.Add(time.Since(t))
	}
	return Fsync{folder, ms(h.Quantile(.5)), ms(h.Quantile(.99))}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
