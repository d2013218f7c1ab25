package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// vitals asks the parts of the program how they are, at most once a second:
// the endpoint is open to everybody.
type vitals struct {
	parts map[string]func(context.Context) error
	log   *slog.Logger

	mu    sync.Mutex
	at    time.Time
	state map[string]string
	well  bool
	newer atomic.Pointer[scim.Error]
}

// unfit returns the error that the last check met if no request can be answered
// before the program is replaced by a newer one.
func (v *vitals) unfit() error {
	if e := v.newer.Load(); e != nil {
		return e
	}
	return nil
}

func (v *vitals) check() (state map[string]string, well bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Since(v.at) < time.Second && v.state != nil {
		return v.state, v.well
	}
	// Not the request's: who asks and leaves must not make the part look ill.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	before := v.state
	v.state, v.well = map[string]string{"process": "healthy"}, true
	var newer *scim.Error
	for name, ping := range v.parts {
		err := ping(ctx)
		v.state[name] = "healthy"
		if err != nil {
			v.state[name], v.well = "unhealthy", false
		}
		if errors.Is(err, postgres.ErrNewer) {
			newer = scim.AsError(err)
		}
		switch {
		case err != nil && before[name] != "unhealthy":
			v.log.Error("not ready: the "+name+" does not answer as it should", "error", err)
		case err == nil && before[name] == "unhealthy":
			v.log.Info("ready again: the " + name + " answers")
		}
	}
	v.newer.Store(newer)
	v.at = time.Now()
	return v.state, v.well
}

// serveHealth answers a health check.
func (srv *Server) serveHealth(w http.ResponseWriter, r *http.Request, path string) {
	if !readOnly(w, r) {
		return
	}
	of, known := srv.where.health[path]
	if !known {
		scimhttp.Error(w, &scim.Error{Status: http.StatusNotFound, Detail: "there is nothing at this path; health is at /health"})
		return
	}
	status, body := srv.mode.health(of, srv.leaving.Load())
	writeJSON(w, status, body)
}

// protocol is an entry of /api/protocols, by which a gateway learns what this
// service speaks.
type protocol struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description"`
	Path        string `json:"path"`
}

func serveProtocols(w http.ResponseWriter, r *http.Request, mount string) {
	if !readOnly(w, r) {
		return
	}
	writeJSON(w, http.StatusOK, map[string][]protocol{"protocols": {
		{"scim", "SCIM", "2.0", "System for Cross-domain Identity Management", mount + "/v2"},
	}})
}

// readOnly answers requests that want to change what can only be read.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		scimhttp.Error(w, &scim.Error{Status: http.StatusMethodNotAllowed, Detail: "this can only be read; allowed: GET, HEAD, OPTIONS"})
	}
	return false
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		scimhttp.Error(w, scim.AsError(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client is gone: nobody is left to tell
}
