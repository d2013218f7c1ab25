package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// status is what a running server says of itself through its control socket.
type status struct {
	Version string    `json:"version"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Listen  string    `json:"listen"`
	Base    string    `json:"base"`
	Open    bool      `json:"open"`
}

func controlPath(dir string) string { return filepath.Join(dir, "control.sock") }

// serveControl answers the program's other subcommands through a socket that
// only the owner of the data folder can open, and returns what ends that. The
// folder is locked, so a socket that is there is a dead one.
func (srv *Server) serveControl() (stop func()) {
	path := controlPath(srv.s.DataDir)
	_ = os.Remove(path)
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		// A path that is too long for a socket, a file system without them.
		srv.log.Warn("no control socket: rollcall status will not find this process", "error", err)
		if l != nil {
			_ = l.Close()
		}
		return func() {}
	}
	h := &http.Server{ReadHeaderTimeout: headerTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/status" {
			http.NotFound(w, r)
			return
		}
		writeJSON(w, http.StatusOK, status{Version(), os.Getpid(), srv.started.UTC().Truncate(time.Second),
			srv.listener.Addr().String(), srv.base, srv.isOpen()})
	})}
	go func() { _ = h.Serve(l) }() // ends by Close
	return func() { _ = h.Close() }
}

// askStatus writes what the server of a data folder says of itself.
func askStatus(ctx context.Context, dir string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", controlPath(dir))
		}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://control/status", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("no rollcall serves the data folder %s", printable(dir))
	}
	defer resp.Body.Close()
	var s status
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&s); err != nil || resp.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("the server of %s gave no status", printable(dir)), err)
	}
	access := "with a bearer token"
	if s.Open {
		access = "OPEN TO EVERYBODY"
	}
	_, err = fmt.Fprintf(out, "rollcall %s, process %d, since %s\nlistens on %s, %s\n%s\n",
		s.Version, s.PID, s.Started.Format(time.RFC3339), s.Listen, access, s.Base)
	return err
}
