package server

import (
	"context"
	"encoding/json"
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
func (d *directory) serveControl(self status) (stop func()) {
	path := controlPath(d.s.DataDir)
	_ = os.Remove(path)
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		// A path that is too long for a socket, a file system without them.
		d.log.Warn("no control socket: rollcall status will not find this process", "error", err)
		if l != nil {
			_ = l.Close()
		}
		return func() {}
	}
	h := &http.Server{ReadHeaderTimeout: headerTimeout, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/status":
			writeJSON(w, http.StatusOK, self)
		case r.URL.Path == "/order" && r.Method == http.MethodPost:
			var o order
			if err := json.NewDecoder(io.LimitReader(r.Body, mostOrder)).Decode(&o); err != nil {
				writeJSON(w, http.StatusOK, report{Error: "the order can't be read: " + err.Error()})
				return
			}
			writeJSON(w, http.StatusOK, d.carryOut(r.Context(), o))
		case r.URL.Path == "/audit" && r.Method == http.MethodPost:
			d.serveAudit(w, r)
		default:
			http.NotFound(w, r)
		}
	})}
	go func() { _ = h.Serve(l) }() // ends by Close
	return func() { _ = h.Close() }
}

// askStatus writes what the server of a data folder says of itself.
func askStatus(ctx context.Context, dir string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var s status
	if err := askControl(ctx, dir, "/status", nil, &s); err != nil {
		return err
	}
	access := "with a bearer token"
	if s.Open {
		access = "OPEN TO EVERYBODY"
	}
	_, err := fmt.Fprintf(out, "rollcall %s, process %d, since %s\nlistens on %s, %s\n%s\n",
		s.Version, s.PID, s.Started.Format(time.RFC3339), s.Listen, access, s.Base)
	return err
}
