package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// Own says which program is started and where it keeps its people.
type Own struct {
	Binary    string    // to start; required
	Self      string    // this program, which can be the yardstick; required
	Data      string    // folder; "": a temporary one
	Database  string    // URL or key=value words; "": the folder
	Instances int       // of the server; 0: 1
	OverHTTP  bool      // fill it by Bulk, and not from inside
	Stderr    io.Writer // of the servers; nil: nothing

	// Open opens the tenant that the server serves in the folder or database,
	// for Build, and returns what closes it; required unless OverHTTP.
	Open func(ctx context.Context, data, database string) (Store, func() error, error)
}

// ownName is the population's, unless it is given.
const ownName = "self"

// RunOwn starts this program as a server on a folder or a database of its own,
// which it fills unless it is filled, measures it beside the yardstick, and
// holds what it measured against what is asked of it.
func RunOwn(ctx context.Context, o Options, own Own) (report *Report, err error) {
	o.Name = cmp.Or(o.Name, ownName)
	o.Keep = true // the folder goes, or stays, as a whole
	where := cmp.Or(own.Database, own.Data)
	if where == "" {
		if where, err = os.MkdirTemp("", "rollcall-bench-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(where)) }()
	}
	folder := ""
	if own.Database == "" {
		folder = where
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		o.Fsync = cmp.Or(o.Fsync, folder)
	}
	if !own.OverHTTP {
		if err := own.build(ctx, o, folder); err != nil {
			return nil, err
		}
	}
	var processes []*process
	defer func() {
		for _, p := range processes {
			err = errors.Join(err, p.stop())
		}
	}()
	// The servers end by stop, after the run has ended and tidied up.
	life := context.WithoutCancel(ctx)
	target := Target{Token: ownToken, PIDs: databaseProcesses(own.Database)}
	start := time.Duration(0)
	var environ []string
	for range max(own.Instances, 1) {
		p, err := spawnRollcall(life, own.Binary, own.storage(where), own.Stderr, environ...)
		if err != nil {
			return nil, err
		}
		processes = append(processes, p)
		target.URLs = append(target.URLs, p.base)
		environ = []string{"ROLLCALL_BASE_URL=" + target.URLs[0]} // instances of one server have one
		start = max(start, p.start)
	}
	yard, err := spawnYardstick(life, own.Self, own.Stderr)
	if err != nil {
		return nil, err
	}
	processes = append(processes, yard)
	y := yard.target()
	y.Yardstick = true
	report, err = Run(ctx, o, target, y)
	if report == nil || len(report.Servers) == 0 {
		return report, err
	}
	report.Servers[0].Start = ms(start)
	if info, statErr := os.Stat(own.Binary); statErr == nil {
		report.Servers[0].Binary = info.Size()
	}
	limits := onSQLite
	if own.Database != "" {
		limits = onPostgres
	}
	report.Checks = limits.checks(report)
	return report, err
}

// storage is the variable by which a server is told where its people are.
func (own Own) storage(where string) string {
	if own.Database != "" {
		return "ROLLCALL_DATABASE_URL=" + where
	}
	return "ROLLCALL_DATA_DIR=" + where
}

// build fills the folder or database, unless it is filled.
func (own Own) build(ctx context.Context, o Options, folder string) (err error) {
	store, closeStore, err := own.Open(ctx, folder, own.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	return Build(ctx, o, store)
}

// databaseProcesses returns the process of a database on this machine, whose
// children work for each request.
func databaseProcesses(database string) []int {
	u, err := url.Parse(database)
	if err != nil || database == "" {
		return nil
	}
	var pids []int
	for host := range strings.SplitSeq(u.Host, ",") {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = host, "5432"
		}
		if pid := listener(fmt.Sprintf("http://%s", net.JoinHostPort(name, port))); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
