package server

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// health asks the parts of the program how they are, at most once a second:
// its endpoint is open to everybody.
type health struct {
	parts map[string]func(context.Context) error

	mu    sync.Mutex
	at    time.Time
	state map[string]string
	well  bool
}

func (h *health) check() (state map[string]string, well bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.at) < time.Second && h.state != nil {
		return h.state, h.well
	}
	// Not the request's: who asks and leaves must not make the part look ill.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	h.state, h.well = map[string]string{"process": "healthy"}, true
	for name, ping := range h.parts {
		h.state[name] = "healthy"
		if ping(ctx) != nil {
			h.state[name], h.well = "unhealthy", false
		}
	}
	h.at = time.Now()
	return h.state, h.well
}

// serveHealth answers /health and /health/ready with the state of the parts,
// and /health/live with that of the process.
func (srv *Server) serveHealth(w http.ResponseWriter, r *http.Request, path string) {
	if !readOnly(w, r) {
		return
	}
	answer := struct {
		Status  string            `json:"status"`
		Version string            `json:"version"`
		Parts   map[string]string `json:"parts"`
	}{"healthy", Version(), map[string]string{"process": "healthy"}}
	status := http.StatusOK
	switch path {
	case "/health/live":
	case "/health", "/health/ready":
		var well bool
		answer.Parts, well = srv.health.check()
		switch {
		case srv.draining.Load():
			answer.Status, status = "stopping", http.StatusServiceUnavailable
		case !well:
			answer.Status, status = "unhealthy", http.StatusServiceUnavailable
		}
	default:
		scimhttp.Error(w, &scim.Error{Status: http.StatusNotFound, Detail: "there is nothing at this path; health is at /health"})
		return
	}
	writeJSON(w, status, answer)
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
