//go:build linux

package failover

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// Settings are how a cluster differs from the one that docs/operations.md
// recommends, which is the zero value.
type Settings struct {
	Asynchronous bool // writes are acknowledged before a second machine has them
	NoFailsafe   bool // a leader that can't reach etcd gives up at once
	OneEtcd      bool // instead of three
}

// Node is one of the machines: an etcd, and a PostgreSQL with its Patroni.
type Node struct {
	Name string

	dir, peer, client, rest, sql string
	etcd, patroni                *program
}

// Cluster is a PostgreSQL on three machines, which are addresses of this one,
// kept alive by Patroni and etcd, with an HAProxy in front of it. Everything it
// has is in a temporary folder, and everything it runs ends with this process.
type Cluster struct {
	Nodes []*Node

	dir, password, proxyAt, initdb string
	as                             *syscall.Credential
	guard                          *os.File
	proxy                          *program
	settings                       Settings
	http                           http.Client
}

// NewCluster starts one and returns when it takes writes and has as many
// standbys as it should. On error nothing is left.
func NewCluster(ctx context.Context, s Settings) (_ *Cluster, err error) {
	c := &Cluster{settings: s, password: rand.Text(), http: http.Client{Timeout: 5 * time.Second}}
	if c.as, err = nobody(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "rollcall-ha"); err != nil {
		return nil, err
	}
	if c.guard, err = guard(c.dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.dir))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, c.Logs())
			c.Close()
		}
	}()
	if c.initdb, err = tool("initdb"); err != nil {
		return nil, err
	}
	if err := c.addresses(); err != nil {
		return nil, err
	}
	if err := c.own(c.dir); err != nil {
		return nil, err
	}
	for _, n := range c.Nodes {
		if err := c.startEtcd(n, "new"); err != nil {
			return nil, err
		}
	}
	for _, n := range c.Nodes {
		if err := c.StartDatabase(n); err != nil {
			return nil, err
		}
	}
	if err := c.StartProxy(); err != nil {
		return nil, err
	}
	if err := c.Healthy(ctx); err != nil {
		return nil, err
	}
	return c, c.makeDatabase(ctx)
}

func (c *Cluster) addresses() error {
	for i, host := range []string{"127.0.0.11", "127.0.0.12", "127.0.0.13"} {
		n := &Node{Name: fmt.Sprintf("n%d", i+1)}
		n.dir = filepath.Join(c.dir, n.Name)
		at, err := freeport.Addresses(host, 4)
		if err != nil {
			return err
		}
		n.peer, n.client, n.rest, n.sql = at[0], at[1], at[2], at[3]
		if err := os.Mkdir(n.dir, 0o700); err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	at, err := freeport.Addresses("127.0.0.1", 1)
	if err != nil {
		return err
	}
	c.proxyAt = at[0]
	return nil
}

// own gives what is in a folder to whom the servers run as.
func (c *Cluster) own(dir string) error {
	if c.as == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(c.as.Uid), int(c.as.Gid))
	})
}

// electors are the nodes that have an etcd.
func (c *Cluster) electors() []*Node {
	if c.settings.OneEtcd {
		return c.Nodes[:1]
	}
	return c.Nodes
}

func (c *Cluster) startEtcd(n *Node, state string) error {
	if !slices.Contains(c.electors(), n) {
		return nil
	}
	path, err := tool("etcd")
	if err != nil {
		return err
	}
	var all []string
	for _, e := range c.electors() {
		all = append(all, e.Name+"=http://"+e.peer)
	}
	n.etcd, err = launch(c.as, n.dir, filepath.Join(n.dir, "etcd.log"), nil, path,
		"--name", n.Name, "--data-dir", filepath.Join(n.dir, "etcd"), "--initial-cluster-state", state,
		"--listen-peer-urls", "http://"+n.peer, "--initial-advertise-peer-urls", "http://"+n.peer,
		"--listen-client-urls", "http://"+n.client, "--advertise-client-urls", "http://"+n.client,
		"--initial-cluster", strings.Join(all, ","), "--initial-cluster-token", "rollcall", "--enable-v2")
	return err
}

// StartDatabase starts the Patroni of a node, which starts its PostgreSQL.
func (c *Cluster) StartDatabase(n *Node) error {
	path, err := tool("patroni")
	if err != nil {
		return err
	}
	var etcds []string
	for _, e := range c.electors() {
		etcds = append(etcds, e.client)
	}
	// JSON is YAML as well.
	type object = map[string]any
	role := func(name string) object { return object{"username": name, "password": c.password} }
	config, err := json.Marshal(object{
		"scope": "rollcall", "name": n.Name,
		"restapi": object{"listen": n.rest, "connect_address": n.rest},
		// Not etcd3: up to Patroni 3.0.2, which Debian 12 has, a former leader
		// overwrites its successor's lock there, and for a second both lead.
		"etcd": object{"hosts": etcds},
		"bootstrap": object{
			"dcs": object{
				"ttl": 20, "loop_wait": 5, "retry_timeout": 5,
				"synchronous_mode": !c.settings.Asynchronous, "synchronous_mode_strict": true, "failsafe_mode": !c.settings.NoFailsafe,
				"maximum_lag_on_failover": 100 << 20,
				"postgresql": object{"use_pg_rewind": true, "use_slots": true, "parameters": object{
					"max_connections": 100, "wal_level": "replica", "hot_standby": "on", "wal_keep_size": "256MB",
					"shared_buffers": "64MB", "max_wal_size": "512MB", "wal_sender_timeout": "10s", "wal_retrieve_retry_interval": "1s",
				}},
			},
			"initdb": []any{object{"encoding": "UTF8"}, object{"locale": "C"}, "data-checksums"},
		},
		"postgresql": object{
			"listen": n.sql, "connect_address": n.sql, "data_dir": filepath.Join(n.dir, "data"), "bin_dir": filepath.Dir(c.initdb),
			"pgpass":         filepath.Join(n.dir, "pgpass"),
			"authentication": object{"superuser": role("postgres"), "replication": role("replicator"), "rewind": role("rewinder")},
			"parameters":     object{"unix_socket_directories": n.dir, "logging_collector": "off"},
			"pg_hba":         []string{"host all all 127.0.0.0/8 scram-sha-256", "host replication replicator 127.0.0.0/8 scram-sha-256"},
		},
		"watchdog": object{"mode": "off"},
	})
	if err != nil {
		return err
	}
	file := filepath.Join(n.dir, "patroni.yml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return err
	}
	if err := c.own(file); err != nil {
		return err
	}
	n.patroni, err = launch(c.as, n.dir, filepath.Join(n.dir, "patroni.log"), nil, path, file)
	if err == nil {
		n.patroni.file = filepath.Join(n.dir, "data", "postmaster.pid")
	}
	return err
}

// StartProxy starts HAProxy, which sends connections to the leader: it asks
// each Patroni once a second, and cuts the connections to one that no longer is.
func (c *Cluster) StartProxy() error {
	path, err := tool("haproxy")
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout check 2s
listen leader
    bind %s
    option httpchk GET /primary
    http-check expect status 200
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
`, c.proxyAt)
	for _, n := range c.Nodes {
		fmt.Fprintf(&b, "    server %s %s check port %s\n", n.Name, n.sql, n.rest[strings.LastIndexByte(n.rest, ':')+1:])
	}
	file := filepath.Join(c.dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return err
	}
	if err := c.own(file); err != nil {
		return err
	}
	c.proxy, err = launch(c.as, c.dir, filepath.Join(c.dir, "haproxy.log"), nil, path, "-db", "-f", file)
	return err
}

// makeDatabase makes the database that instances use, and its owner.
func (c *Cluster) makeDatabase(ctx context.Context) error {
	leader, err := c.Leader(ctx)
	if err != nil {
		return err
	}
	for _, s := range []string{"CREATE ROLE rollcall LOGIN PASSWORD '" + c.password + "'", "CREATE DATABASE rollcall OWNER rollcall"} {
		if _, err := c.Query(ctx, leader, "postgres", s); err != nil {
			return err
		}
	}
	return nil
}

// Query runs SQL at a node, as the superuser, and returns what psql prints of
// it without any decoration.
func (c *Cluster) Query(ctx context.Context, n *Node, database, sql string) (string, error) {
	path, err := tool("psql")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql, "postgres://postgres@"+n.sql+"/"+database+"?connect_timeout=5") //nolint:gosec // our own words
	cmd.Env = append(os.Environ(), "PGPASSWORD="+c.password)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", sql, err, fault.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// ProxyURL is the database's URL through HAProxy.
func (c *Cluster) ProxyURL() string {
	return "postgres://rollcall:" + c.password + "@" + c.proxyAt + "/rollcall?connect_timeout=3"
}

// HostsURL is the database's URL with all nodes, of which the client finds the
// one that takes writes.
func (c *Cluster) HostsURL() string {
	var hosts []string
	for _, n := range c.Nodes {
		hosts = append(hosts, n.sql)
	}
	return "postgres://rollcall:" + c.password + "@" + strings.Join(hosts, ",") + "/rollcall?target_session_attrs=read-write&connect_timeout=3"
}

// logs are the names of all log files.
func (c *Cluster) logs() []string {
	files, _ := filepath.Glob(filepath.Join(c.dir, "*", "*.log"))
	more, _ := filepath.Glob(filepath.Join(c.dir, "*.log"))
	return append(files, more...)
}

// KeepLogs copies the log files to a folder.
func (c *Cluster) KeepLogs(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, file := range c.logs() {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name := strings.ReplaceAll(strings.TrimPrefix(file, c.dir+"/"), "/", "-")
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Logs are the ends of all log files.
func (c *Cluster) Logs() string {
	var b strings.Builder
	for _, file := range c.logs() {
		data, _ := os.ReadFile(file)
		fmt.Fprintf(&b, "== %s\n%s\n", file, data[max(0, len(data)-3000):])
	}
	return b.String()
}

// Close ends everything the cluster runs and removes its files.
func (c *Cluster) Close() {
	if c.proxy != nil {
		c.proxy.kill()
	}
	for _, n := range c.Nodes {
		for _, p := range []*program{n.patroni, n.etcd} {
			if p != nil {
				p.signal(syscall.SIGCONT)
				p.kill()
			}
		}
	}
	_ = c.guard.Close()
	_ = os.RemoveAll(c.dir)
}

// ask sends a request to a Patroni and reads its answer into v, if v is not nil.
func (c *Cluster) ask(ctx context.Context, method string, n *Node, path string, body, v any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+n.rest+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 && resp.StatusCode != 503 {
		return errors.Join(err, fmt.Errorf("%s %s of %s: %d %s", method, path, n.Name, resp.StatusCode, text))
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(text, v)
}
