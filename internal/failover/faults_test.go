//go:build ha && linux

package failover_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/failover"
)

// faults are what the long run does, in this order.
var faults = []struct {
	name  string
	fault fault
}{
	{"nothing", func(ctx context.Context, t *testing.T, r *rig, l *failover.Load) { r.write(ctx, t, l, 1000) }},
	{"planned switch-over", switchOver},
	{"the leader is killed", killLeader},
	{"the leader's PostgreSQL is killed", killPostgres},
	{"the leader is paused for 32 s", pauseLeader(32 * time.Second)},
	{"the leader is paused for 8 s", pauseLeader(8 * time.Second)},
	{"the synchronous standby is killed", killStandby},
	{"two of three etcds are paused for 25 s", pauseEtcd},
	{"the same without failsafe_mode", unsafely(pauseEtcd)},
	{"HAProxy is killed for 5 s", killProxy},
	{"an instance is killed", killInstance},
}

func leader(ctx context.Context, t *testing.T, r *rig) *failover.Node {
	t.Helper()
	n, err := r.cluster.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// killLeader ends the leader's PostgreSQL and Patroni at one moment, and starts
// them again once another one leads.
func killLeader(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
	n := leader(ctx, t, r)
	n.KillDatabase()
	r.write(ctx, t, l, 300)
	if leader(ctx, t, r) == n {
		t.Error("a dead node leads")
	}
	if err := r.cluster.StartDatabase(n); err != nil {
		t.Fatal(err)
	}
}

// killPostgres ends the leader's PostgreSQL alone. Its Patroni decides.
func killPostgres(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
	leader(ctx, t, r).KillPostgres()
	r.write(ctx, t, l, 300)
}

// pauseLeader stops the leader where it is. When it goes on it does not know
// that time has passed, and that another one may lead.
func pauseLeader(d time.Duration) fault {
	return func(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
		n := leader(ctx, t, r)
		n.FreezeDatabase()
		defer n.ThawDatabase()
		pause(ctx, t, d)
		n.ThawDatabase()
		r.write(ctx, t, l, 300)
	}
}

func switchOver(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
	to, err := r.cluster.Standby(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cluster.Switch(ctx, leader(ctx, t, r), to); err != nil {
		t.Fatal(err)
	}
	r.write(ctx, t, l, 300)
	if leader(ctx, t, r) != to {
		t.Error("the lead was not handed over")
	}
}

// killStandby ends the standby that writes wait for.
func killStandby(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
	n, err := r.cluster.Standby(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	n.KillDatabase()
	r.write(ctx, t, l, 600)
	if err := r.cluster.StartDatabase(n); err != nil {
		t.Fatal(err)
	}
}

// pauseEtcd takes the majority of the etcds away.
func pauseEtcd(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
	for _, n := range r.cluster.Nodes[:2] {
		n.FreezeEtcd()
		defer n.ThawEtcd()
	}
	pause(ctx, t, 25*time.Second)
	for _, n := range r.cluster.Nodes[:2] {
		n.ThawEtcd()
	}
	r.write(ctx, t, l, 300)
}

// unsafely has a fault happen without Patroni's failsafe_mode.
func unsafely(f fault) fault {
	return func(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
		set := func(on bool) {
			if err := r.cluster.Configure(ctx, map[string]any{"failsafe_mode": on}); err != nil {
				t.Fatal(err)
			}
			pause(ctx, t, 6*time.Second) // until all have seen it
		}
		set(false)
		f(ctx, t, r, l)
		if err := r.cluster.Healthy(ctx); err != nil {
			t.Fatal(err)
		}
		set(true)
	}
}

// killProxy takes the database away from the instance that reaches it through
// HAProxy.
func killProxy(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
	r.cluster.KillProxy()
	pause(ctx, t, 5*time.Second)
	if err := r.instances[0].Ready(ctx); err == nil {
		t.Error("an instance without its database is ready")
	}
	if err := r.instances[1].Ready(ctx); err != nil {
		t.Errorf("an instance with its database: %v", err)
	}
	if err := r.cluster.StartProxy(); err != nil {
		t.Fatal(err)
	}
	r.write(ctx, t, l, 300)
}

// killInstance ends one of the instances amid writes, and starts it again.
func killInstance(ctx context.Context, t *testing.T, r *rig, l *failover.Load) {
	r.instances[0].Kill()
	r.write(ctx, t, l, 300)
	if err := r.instances[0].Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// frozen has the leader fail at a moment when no standby has its latest writes.
// With synchronous replication it has acknowledged none of them. Without, they
// are lost, and must be found to be: that is what shows that the other runs
// would have noticed.
func (r *rig) frozen(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// It gives up on a statement after 2 s: its commits are broken off while
	// they wait for the standby.
	hasty := r.serve(ctx, t, r.cluster.HostsURL(), "ROLLCALL_DATABASE_TIMEOUT=1s")
	for _, synchronous := range []bool{true, false} {
		name := map[bool]string{true: "the standbys lag, and the leader is killed", false: "the same with asynchronous replication"}[synchronous]
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			if err := r.cluster.Configure(ctx, map[string]any{"synchronous_mode": synchronous}); err != nil {
				t.Fatal(err)
			}
			pause(ctx, t, 6*time.Second)
			l := &failover.Load{Name: map[bool]string{true: "sync", false: "async"}[synchronous], Token: testToken, Limit: 28 * time.Second,
				Instances: []string{r.instances[0].URL, hasty.URL}}
			if err := l.Start(ctx); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Stop)
			r.write(ctx, t, l, 300)
			n := leader(ctx, t, r)
			drop := r.cluster.FreezeReceivers()
			before := l.Record.Acknowledged()
			pause(ctx, t, 6*time.Second)
			after := l.Record.Acknowledged()
			n.KillDatabase()
			drop()
			r.write(ctx, t, l, 300)
			if err := r.cluster.StartDatabase(n); err != nil {
				t.Fatal(err)
			}
			r.settle(ctx, t, l)
			l.Stop()
			found := r.check(ctx, t, l)
			t.Logf("%d writes were acknowledged while the standbys lagged; %d faults found", after-before, len(found))
			if synchronous {
				for _, f := range found {
					t.Error(f)
				}
				return
			}
			if all := strings.Join(found, "\n"); after-before < 100 || !strings.Contains(all, "was acknowledged and is lost") {
				t.Errorf("%d writes that only the dead leader had were acknowledged, and no loss is found in %q", after-before, found)
			}
		})
	}
}
