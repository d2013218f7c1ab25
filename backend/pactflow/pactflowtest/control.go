package pactflowtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// control answers /__emu/…, without a token and by default to this machine only.
func (e *Emulator) control(w http.ResponseWriter, r *http.Request, path string) {
	switch e.cfg.Load().Control {
	case "off":
		http.NotFound(w, r)
		return
	case "any":
	default:
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			http.Error(w, "the control endpoints answer this machine only (EMU_CONTROL=any opens them)", http.StatusForbidden)
			return
		}
	}
	r.Body = http.MaxBytesReader(w, r.Body, 256<<20)
	result, err := e.steer(r.Method+" "+strings.TrimPrefix(path, "/__emu/"), r)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case errors.Is(err, errNoControl):
		w.WriteHeader(http.StatusNotFound)
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case result == nil:
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err != nil {
		result = map[string]string{"error": err.Error()}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(result) // a client that went away
}

var errNoControl = errors.New("no such control endpoint")

// steer does what a control endpoint is for; a nil result is no content.
func (e *Emulator) steer(what string, r *http.Request) (any, error) {
	read := func(into any) error {
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		return d.Decode(into)
	}
	switch what {
	case "POST reset":
		var body struct{ Seed string }
		if r.ContentLength != 0 {
			if err := read(&body); err != nil {
				return nil, err
			}
		}
		return nil, e.Reset(body.Seed)
	case "GET state":
		return e.State(), nil
	case "PUT state":
		var s State
		if err := read(&s); err != nil {
			return nil, err
		}
		return nil, e.SetState(s)
	case "GET log":
		return e.Log(), nil
	case "DELETE log":
		e.ClearLog()
		return nil, nil
	case "PUT settings":
		var values map[string]any
		if err := read(&values); err != nil {
			return nil, err
		}
		return nil, e.configure(func(o *Options) error { return o.applyAll(values) })
	case "POST tokens":
		var t Token
		if err := read(&t); err != nil {
			return nil, err
		}
		return nil, e.AddToken(t)
	case "GET faults":
		return e.Faults(), nil
	case "POST faults":
		var raw json.RawMessage
		if err := read(&raw); err != nil {
			return nil, err
		}
		rules, err := parseRules(raw)
		if err != nil {
			return nil, err
		}
		return nil, e.Inject(rules...)
	case "DELETE faults":
		e.ClearFaults()
		return nil, nil
	}
	return nil, errNoControl
}

// parseRules reads one rule or a list of them.
func parseRules(raw json.RawMessage) (rules []Rule, err error) {
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "{") {
		raw = slices.Concat([]byte{'['}, raw, []byte{']'})
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	return rules, d.Decode(&rules)
}

// applyAll takes over settings by their names; numbers and booleans may be JSON's own.
func (o *Options) applyAll(values map[string]any) error {
	var bad []error
	for name, v := range values {
		bad = append(bad, o.apply(name, fmt.Sprint(v)))
	}
	return errors.Join(bad...)
}

// AddToken adds a token, or replaces the one with its value. Without a name it
// is called by its number.
func (e *Emulator) AddToken(t Token) error {
	return e.Change(func(s *State) {
		if t.Name == "" {
			t.Name = fmt.Sprintf("token-%d", len(s.Tokens)+1)
		}
		s.Tokens = append(slices.DeleteFunc(s.Tokens, func(x Token) bool { return x.Value == t.Value }), t)
	})
}
