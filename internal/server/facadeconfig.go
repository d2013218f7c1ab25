package server

import (
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
)

// springLogs begins the names of the variables that set the levels of single
// loggers in the image that façade mode replaces.
const springLogs = "LOGGING_LEVEL_ORG_APACHE_"

// general are variables of façade mode that other programs have as well: they
// don't mean that the façade is wanted.
var general = []string{"SERVER_PORT", "SERVER_FORWARD_HEADERS_STRATEGY"}

// secret are the fields of the directory that hold secrets, or say where some
// are: somebody who sets one relies on it, so it is never ignored.
var secret = []string{"Token", "TokenFile", "DatabaseURL", "DatabasePass"}

// refuseFacade stops a start where something asks for the façade and nothing
// says in front of what: a façade must never become an open and empty directory
// by accident.
func (c *Config) refuseFacade(env map[string]string) error {
	var asks []string
	for _, f := range fields() {
		if f.mode == "facade" && c.sources[f.name] != "" {
			asks = append(asks, c.sources[f.name])
		}
	}
	for name := range env {
		if name == "PACTFLOW_URL" || name == "ROLLCALL_PACTFLOW_URL" || name == "SERVER_SERVLET_CONTEXT_PATH" || strings.HasPrefix(name, springLogs) {
			asks = append(asks, name)
		}
	}
	asks = slices.DeleteFunc(asks, func(name string) bool { return slices.Contains(general, name) })
	if len(asks) == 0 {
		return nil
	}
	first := slices.Min(asks)
	if strings.HasSuffix(first, "PACTFLOW_URL") {
		return errors.New("PACTFLOW_URL is required in façade mode, and " + first + " is empty; unset it to serve the directory")
	}
	return errors.New("PACTFLOW_URL is required in façade mode, and is empty or unset while " + printable(first) + " is set")
}

// idle returns warnings of settings that do nothing in the mode that is chosen.
func (c *Config) idle() []string {
	other, where := "facade", "façade mode only (PACTFLOW_URL)"
	if c.PactFlowURL != "" {
		other, where = "directory", "a directory, and PactFlow keeps the people here"
	}
	var names []string
	for _, f := range fields() {
		source := c.sources[f.name]
		// The image sets SCIM_DATA_DIR for the other mode.
		if f.mode == other && source != "" && source != "SCIM_DATA_DIR" && !slices.Contains(secret, f.name) {
			names = append(names, source)
		}
	}
	var warnings []string
	if len(names) > 0 {
		warnings = append(warnings, "of no effect, since meant for "+where+": "+strings.Join(names, ", "))
	}
	if c.PactFlowURL != "" && c.ForwardHeaders != "" && !strings.EqualFold(c.ForwardHeaders, "none") {
		warnings = append(warnings, c.source("ForwardHeaders")+" has no effect: forwarded headers count from the addresses of ROLLCALL_TRUSTED_PROXIES")
	}
	return warnings
}

// front checks the settings of façade mode. fault takes what is wrong.
func (c *Config) front(s *Settings, fault func(*problem)) {
	bad := func(name, value, allowed string) {
		fault(&problem{c.source(name), `="` + printable(value) + `": ` + allowed})
	}
	for _, name := range secret {
		if c.sources[name] != "" {
			fault(&problem{c.sources[name], " is for the directory: in façade mode the caller's token goes to PactFlow, which knows whether it is good; unset it"})
		}
	}
	o := &pactflow.Options{}
	s.PactFlow, s.UpstreamCA, s.Mount = o, c.UpstreamCA, "/scim"

	var err error
	if o.URL, err = pactflow.ParseURL(c.PactFlowURL); err != nil {
		bad("PactFlowURL", redactURL(c.PactFlowURL), err.Error())
	}
	if c.Listen == "" && c.ServerPort != "" {
		if port, ok := wholeNumber(c.ServerPort, 65535); ok {
			s.Listen = ":" + strconv.Itoa(port)
		} else {
			bad("ServerPort", c.ServerPort, "must be a port, from 0 to 65535")
		}
	}
	if mount, ok := mountPath("/" + strings.Trim(c.ContextPath, "/")); c.ContextPath != "" && ok && !collides(mount) {
		s.Mount = mount
	} else if c.ContextPath != "" {
		bad("ContextPath", c.ContextPath, `must be a path of letters, digits and "-._~" that is not one of SCIM's own, such as "/scim", or "/"`)
	}
	switch strings.ToLower(c.ForwardHeaders) {
	case "", "none", "native", "framework":
	default:
		bad("ForwardHeaders", c.ForwardHeaders, "must be none, native or framework")
	}
	switch strings.ToLower(c.DeleteUsers) {
	case "", "deactivate":
	case "delete":
		o.DeleteUsers = true
	default:
		bad("DeleteUsers", c.DeleteUsers, "must be deactivate or delete")
	}
	if c.KeepSystem != "" {
		keep, err := strconv.ParseBool(strings.ToLower(c.KeepSystem))
		if err != nil {
			bad("KeepSystem", c.KeepSystem, "must be true or false")
		}
		o.DropSystemAccounts = !keep
	}
	switch o.UserNameFallback = strings.ToLower(c.UserNameFrom); o.UserNameFallback {
	case "", "none", "email", "id":
	default:
		bad("UserNameFrom", c.UserNameFrom, "must be none, email or id")
	}
	seconds, calls, ok := 30, 8, true
	if c.ListCache != "" {
		if seconds, ok = wholeNumber(c.ListCache, 3600); !ok {
			bad("ListCache", c.ListCache, "must be a whole number of seconds from 0 (off) to 3600")
		}
	}
	if c.UpstreamCalls != "" {
		if calls, ok = wholeNumber(c.UpstreamCalls, 256); !ok || calls == 0 {
			bad("UpstreamCalls", c.UpstreamCalls, "must be a whole number from 1 to 256")
		}
	}
	o.IndexTime, o.Concurrent, o.CallTimeout = time.Duration(seconds)*time.Second, calls, 30*time.Second
	if c.UpstreamTime != "" {
		if o.CallTimeout, ok = duration(c.UpstreamTime); !ok || o.CallTimeout < time.Second || o.CallTimeout > requestTimeout {
			bad("UpstreamTime", c.UpstreamTime, "must be a duration from 1s to "+requestTimeout.String())
		}
	}
	wire := s.LogLevel
	if c.LogWire != "" {
		if wire, ok = logLevel(c.LogWire); !ok {
			bad("LogWire", c.LogWire, "must be TRACE, DEBUG, INFO, WARN, ERROR, FATAL or OFF")
		}
	}
	o.Wire = wire <= slog.LevelDebug
}

// collides reports whether the first segment of a mount is one that SCIM has at
// the root, where it is mounted too.
func collides(mount string) bool {
	first, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(mount, "/")), "/")
	return slices.Contains([]string{"users", "groups", "me", "bulk", "schemas", "resourcetypes", "serviceproviderconfig",
		"serviceproviderconfigs", "v2", "health", "actuator", "looking-glass", "metrics"}, first)
}

// duration reads "30s" and, as seconds, "30".
func duration(s string) (time.Duration, bool) {
	if n, ok := wholeNumber(s, 86_400); ok {
		return time.Duration(n) * time.Second, true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}
