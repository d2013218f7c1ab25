//go:build ha && linux

package failover_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/failover"
)

var (
	rounds = flag.Int("rounds", 1, "how often each fault happens")
	report = flag.String("report", "", "write the table of results to this `file`")
	logs   = flag.String("logs", "", "keep the logs of a cluster whose test failed in this `folder`")
)

const testToken = "test-token-0123456789"

// rig is a cluster with two instances of Rollcall over it, one that reaches it
// through HAProxy and one that knows all its hosts.
type rig struct {
	cluster   *failover.Cluster
	instances []*failover.Instance
	loads     []*failover.Load
	rows      []string
}

// program is Rollcall as it is shipped.
var program string

// build builds it and returns the folder it is in.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "rollcall-ha-program"); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "rollcall")
	cmd := exec.Command("go", "build", "-trimpath", "-o", program, "github.com/rollcall-scim/rollcall/cmd/rollcall") //nolint:noctx // bounded by the test's time
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return dir, nil
}

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func newRig(t *testing.T, s failover.Settings) *rig {
	t.Helper()
	r := &rig{}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	began := time.Now()
	var err error
	if r.cluster, err = failover.NewCluster(ctx, s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.cluster.Logs())
			if *logs != "" {
				if err := r.cluster.KeepLogs(*logs); err != nil {
					t.Error(err)
				}
			}
		}
		r.cluster.Close()
	})
	for _, url := range []string{r.cluster.ProxyURL(), r.cluster.HostsURL()} {
		r.instances = append(r.instances, r.serve(ctx, t, url))
	}
	t.Logf("three etcds, three PostgreSQLs, HAProxy and two instances were ready after %v", time.Since(began).Round(time.Second))
	return r
}

// serve starts an instance, which ends with the test.
func (r *rig) serve(ctx context.Context, t *testing.T, url string, settings ...string) *failover.Instance {
	t.Helper()
	i, err := failover.NewInstance(ctx, program, t.TempDir(), url, testToken, settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(i.URL, i.Log())
		}
		i.Kill()
	})
	return i
}

// fault does something to the cluster while a load writes, and puts it right
// again.
type fault func(ctx context.Context, t *testing.T, r *rig, l *failover.Load)

// suffer lets a load write, has the fault happen, waits until all is well and
// then looks for what was lost.
func (r *rig) suffer(t *testing.T, name string, f fault) {
	ok := t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		l := &failover.Load{Name: fmt.Sprintf("f%d", len(r.loads)), Token: testToken, Limit: 28 * time.Second}
		for _, i := range r.instances {
			l.Instances = append(l.Instances, i.URL)
		}
		if err := l.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Stop)
		r.loads = append(r.loads, l)
		r.write(ctx, t, l, 300)
		calm := l.Record.Acknowledged()
		f(ctx, t, r, l)
		r.settle(ctx, t, l)
		if l.Record.Acknowledged() < calm+300 {
			t.Errorf("%d writes before the fault, %d in all: too few to show anything", calm, l.Record.Acknowledged())
		}
		l.Stop()
		faults := r.check(ctx, t, l)
		requests, users, doubts := l.History.Len()
		t.Logf("%d people, %d conditional requests of %d users, of which %d in doubt", l.Ledger.Len(), requests, users, doubts)
		for _, f := range faults {
			t.Error(f)
		}
		rec := l.Record
		r.rows = append(r.rows, fmt.Sprintf("| %s | %d | %d | %s | %s | %s | %s | %s |", name, rec.Acknowledged(), len(faults),
			seconds(rec.Gap("")), seconds(rec.Gap(l.Instances[0])), seconds(rec.Gap(l.Instances[1])), seconds(rec.Slowest()), rec.Troubles()))
		t.Log(r.rows[len(r.rows)-1])
	})
	if !ok {
		t.FailNow() // what comes after a fault that was not survived says nothing
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// write waits until so many more writes were acknowledged.
func (r *rig) write(ctx context.Context, t *testing.T, l *failover.Load, more int) {
	t.Helper()
	for want := l.Record.Acknowledged() + more; l.Record.Acknowledged() < want; {
		pause(ctx, t, 20*time.Millisecond)
	}
}

// settle waits until both instances have taken writes for two seconds and the
// cluster is whole.
func (r *rig) settle(ctx context.Context, t *testing.T, l *failover.Load) {
	t.Helper()
	for well := time.Now(); time.Since(well) < 2*time.Second; pause(ctx, t, 50*time.Millisecond) {
		for _, i := range l.Instances {
			if l.Record.Since(i) > time.Second {
				well = time.Now()
			}
		}
	}
	if err := r.cluster.Healthy(ctx); err != nil {
		t.Fatal(err)
	}
}

func pause(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-ctx.Done():
		t.Fatal("the time is up")
	case <-time.After(d):
	}
}

// check looks for what was lost, at every instance and in every copy of the
// database.
func (r *rig) check(ctx context.Context, t *testing.T, l *failover.Load) []string {
	t.Helper()
	var faults []string
	for _, i := range r.instances {
		found, err := l.Ledger.Audit(ctx, i.URL, testToken, l.Name+"-")
		if err != nil {
			t.Fatal(err)
		}
		faults = append(faults, found...)
	}
	faults = append(faults, l.History.Check(20*time.Second)...)
	faults = append(faults, l.Record.Offences()...)
	return append(faults, r.agree(ctx, t)...)
}

// contradictions are queries that give a row for each thing in the database
// that can't be so, and what it is.
var contradictions = map[string]string{
	"counts differ from what there is": `SELECT type, sum(n) FROM (SELECT type, n FROM counts UNION ALL SELECT type, -1 FROM resources WHERE type <> '') c GROUP BY type HAVING sum(n) <> 0`,
	"values of nobody":                 `SELECT DISTINCT a.res FROM attrs a LEFT JOIN resources r ON r.tenant = a.tenant AND r.pk = a.res WHERE r.pk IS NULL`,
	"unique values of nobody":          `SELECT DISTINCT u.res FROM uniq u LEFT JOIN resources r ON r.tenant = u.tenant AND r.pk = u.res WHERE r.pk IS NULL OR r.type = ''`,
	"users without a unique name":      `SELECT r.pk FROM resources r WHERE r.type = 'User' AND NOT EXISTS (SELECT FROM uniq u WHERE u.tenant = r.tenant AND u.res = r.pk AND u.path = 'userName')`,
	"users without values":             `SELECT r.pk FROM resources r WHERE r.type = 'User' AND NOT EXISTS (SELECT FROM attrs a WHERE a.tenant = r.tenant AND a.res = r.pk AND a.path = 'emails.value')`,
	"members counted wrong":            `SELECT g.pk FROM resources g WHERE g.type = 'Group' AND g.members <> (SELECT count(*) FROM members m WHERE m.tenant = g.tenant AND m.grp = g.pk)`,
	"changes of nobody":                `SELECT r.pk FROM resources r WHERE r.type <> '' AND NOT EXISTS (SELECT FROM changes c WHERE c.tenant = r.tenant AND c.res = r.pk)`,
}

// agree looks whether the database contradicts itself, and whether its copies
// are the same.
func (r *rig) agree(ctx context.Context, t *testing.T) (faults []string) {
	t.Helper()
	leader, err := r.cluster.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	query := func(n *failover.Node, sql string) string {
		s, err := r.cluster.Query(ctx, n, "rollcall", sql)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for what, sql := range contradictions {
		if s := query(leader, sql); s != "" {
			faults = append(faults, fmt.Sprintf("%s: %.300s", what, s))
		}
	}
	const digest = `SELECT count(*), md5(string_agg(concat_ws(' ', tenant, pk, type, id, version, md5(text)), ',' ORDER BY tenant, pk)) FROM resources`
	position := query(leader, "SELECT pg_current_wal_lsn()")
	want := query(leader, digest)
	for _, n := range r.cluster.Nodes {
		if n == leader {
			continue
		}
		for query(n, "SELECT pg_last_wal_replay_lsn() >= '"+position+"'") != "t" {
			pause(ctx, t, 50*time.Millisecond)
		}
		if got := query(n, digest); got != want {
			faults = append(faults, fmt.Sprintf("%s has %s, and the leader %s", n.Name, got, want))
		}
	}
	return faults
}

// TestFailover: whatever fails, nothing that was acknowledged is lost, and the
// instances go on by themselves. The short run has the two faults that matter
// most.
func TestFailover(t *testing.T) {
	t.Parallel()
	r := newRig(t, failover.Settings{})
	if testing.Short() {
		r.suffer(t, "the leader is killed", killLeader)
		r.suffer(t, "an instance is killed", killInstance)
	} else {
		for range *rounds {
			for _, f := range faults {
				r.suffer(t, f.name, f.fault)
			}
		}
		r.frozen(t)
	}
	// What was found after each fault must be there after all others.
	for _, l := range r.loads {
		found, err := l.Ledger.Audit(t.Context(), r.instances[0].URL, testToken, l.Name+"-")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			t.Error(f)
		}
	}
	table := "| fault | writes acknowledged | lost or wrong | longest gap | through HAProxy | with all hosts | slowest answer | troubled answers |\n|---|---|---|---|---|---|---|---|\n" +
		strings.Join(r.rows, "\n") + "\n"
	t.Log("\n" + table)
	if *report != "" {
		if err := os.WriteFile(*report, []byte(table), 0o600); err != nil {
			t.Error(err)
		}
	}
}
