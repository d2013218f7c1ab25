//go:build linux

package failover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// member is one of Patroni's list of the nodes.
type member struct {
	Name  string `json:"name"`
	Role  string `json:"role"`
	State string `json:"state"`
	Lag   any    `json:"lag"` // a number of bytes, or "unknown"
}

// members asks any Patroni that answers for the nodes.
func (c *Cluster) members(ctx context.Context) ([]member, error) {
	var errs []error
	for _, n := range c.Nodes {
		var list struct {
			Members []member `json:"members"`
		}
		err := c.ask(ctx, "GET", n, "/cluster", nil, &list)
		if err == nil {
			return list.Members, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// Leader is the node that has the leader's lock and takes writes.
func (c *Cluster) Leader(ctx context.Context) (*Node, error) {
	for _, n := range c.Nodes {
		var state struct {
			Role  string `json:"role"`
			State string `json:"state"`
		}
		if c.ask(ctx, "GET", n, "/patroni", nil, &state) == nil && (state.Role == "master" || state.Role == "primary") && state.State == "running" {
			return n, nil
		}
	}
	return nil, errors.New("no node is the leader")
}

// Standby is a node that follows the leader; the one whose acknowledgement it
// waits for, if synchronous.
func (c *Cluster) Standby(ctx context.Context, synchronous bool) (*Node, error) {
	list, err := c.members(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		if m.Role == "sync_standby" && synchronous || m.Role == "replica" && !synchronous {
			return c.Nodes[slices.IndexFunc(c.Nodes, func(n *Node) bool { return n.Name == m.Name })], nil
		}
	}
	return nil, fmt.Errorf("no such standby: %v", list)
}

// Healthy waits until a leader takes writes, all other nodes follow it closely
// and, unless the cluster is asynchronous, one of them is waited for.
func (c *Cluster) Healthy(ctx context.Context) error {
	return until(ctx, "the cluster is not healthy", func() error {
		if _, err := c.Leader(ctx); err != nil {
			return err
		}
		list, err := c.members(ctx)
		if err != nil {
			return err
		}
		following, waited := 0, 0
		for _, m := range list {
			if lag, ok := m.Lag.(float64); ok && m.Role != "leader" && (m.State == "running" || m.State == "streaming") && lag < 1<<20 {
				following++
				if m.Role == "sync_standby" {
					waited++
				}
			}
		}
		if following != len(c.Nodes)-1 || waited == 0 && !c.settings.Asynchronous {
			return fmt.Errorf("%+v", list)
		}
		return nil
	})
}

// until repeats try until it has no error or ctx ends, which is told as what.
func until(ctx context.Context, what string, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Switch hands the lead from one node to another, as planned.
func (c *Cluster) Switch(ctx context.Context, from, to *Node) error {
	slow := *c
	slow.http.Timeout = 30 * time.Second // answers when it is over
	return slow.ask(ctx, "POST", from, "/switchover", map[string]any{"leader": from.Name, "candidate": to.Name}, nil)
}

// Configure changes settings of the whole cluster while it runs.
func (c *Cluster) Configure(ctx context.Context, settings map[string]any) error {
	n, err := c.Leader(ctx)
	if err != nil {
		return err
	}
	if err := c.ask(ctx, "PATCH", n, "/config", settings, nil); err != nil {
		return err
	}
	if v, ok := settings["synchronous_mode"].(bool); ok {
		c.settings.Asynchronous = !v
	}
	return nil
}

// KillDatabase ends the PostgreSQL and the Patroni of a node at one moment.
// StartDatabase is the machine's return.
func (n *Node) KillDatabase() { n.patroni.kill() }

// KillPostgres ends the PostgreSQL of a node, and leaves its Patroni.
func (n *Node) KillPostgres() {
	if pid, ok := n.patroni.other(); ok {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// FreezeDatabase stops the PostgreSQL and the Patroni of a node where they are,
// until ThawDatabase: connections to it stay, and nobody answers.
func (n *Node) FreezeDatabase() { n.patroni.signal(syscall.SIGSTOP) }

// ThawDatabase lets them go on, who don't know that time has passed.
func (n *Node) ThawDatabase() { n.patroni.signal(syscall.SIGCONT) }

// FreezeEtcd stops the etcd of a node, until ThawEtcd.
func (n *Node) FreezeEtcd() { n.etcd.signal(syscall.SIGSTOP) }

// ThawEtcd lets it go on.
func (n *Node) ThawEtcd() { n.etcd.signal(syscall.SIGCONT) }

// KillProxy ends HAProxy. StartProxy starts it again.
func (c *Cluster) KillProxy() { c.proxy.kill() }

// FreezeReceivers stops what the standbys receive the leader's log with, until
// what it returns is called: the leader does not notice for some seconds, and
// they don't have its writes. What has reached their machines meanwhile, and
// waits there to be read, is dropped at the end.
func (c *Cluster) FreezeReceivers() (drop func()) {
	var frozen []int
	for _, n := range c.Nodes {
		for _, pid := range n.patroni.pids() {
			title, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if strings.Contains(string(title), "walreceiver") {
				_ = syscall.Kill(pid, syscall.SIGSTOP)
				frozen = append(frozen, pid)
			}
		}
	}
	return func() {
		for _, pid := range frozen {
			_ = syscall.Kill(pid, syscall.SIGTERM) // is the first thing they see
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}
}
