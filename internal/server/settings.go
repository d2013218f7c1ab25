package server

import (
	"cmp"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/metrics"
	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/outbound"
	"github.com/rollcall-scim/rollcall/scim/compat"
)

// Settings is a Config that was checked. The zero value of each field that is
// not listed with another means "none".
type Settings struct {
	Listen          string   // host:port
	BaseURL         string   // origin and optional path; "": by Listen
	Mount           string   // "/scim"; "": the root
	Origins         []string // of CORS
	Proxies         []netip.Prefix
	Tokens          []string
	TokenFile       string
	TLSCert, TLSKey string
	RunAs           *Owner

	DataDir       string
	Database      *Database     // PostgreSQL; nil: SQLite in the data folder
	NoMigrate     bool          // an older schema is refused
	Drain         time.Duration // between being not ready and stopping
	RateLimit     *guard.Rate   // of the tokens in the settings; nil: none
	HistoryDays   int           // 0: for ever
	UndeleteDays  int           // 0: not at all
	HashPasswords bool
	Profile       compat.Profile
	Schemas       string // folder

	LogLevel    slog.Level
	LogFormat   string // "text", "json" or "": by the terminal
	MemoryLimit int64  // bytes; 0: none

	LookingGlass bool
	GlassKeep    int // exchanges
	GlassDays    int
	GlassRate    int    // exchanges a second
	ConsoleToken string // "": none

	MetricsToken  string // "": none
	MetricsListen string // "": with SCIM
	TraceTo       string // URL of the collector; "": none

	Outbound   outbound.Policy // whom issuers may be
	OutboundCA string          // file
	Issuer     *oidc.Trust     // whose access tokens are accepted; nil: nobody's
	SignIn     *SignIn         // to the console; nil: by tokens alone

	PactFlow   *pactflow.Options // façade mode; nil: the directory
	UpstreamCA string            // file

	committed         func(writes int, took time.Duration) // told of SQLite's commits; nil: nobody
	unsafeSynchronous string                               // of SQLite, for the tests of durability
	migrations        fs.FS                                // of PostgreSQL, for the tests of rolling upgrades
	beat              time.Duration
	refusals          int  // of credentials, that an address may have at once; 0: the default
	unserved          bool // for a command that needs no tenant to be served
}

// Owner is a user and a group of the system.
type Owner struct{ UID, GID int }

// problem is a value that can't be used. Its text names the variable or flag,
// the value and what is allowed.
type problem struct {
	source, text string
}

func (p *problem) Error() string { return p.source + p.text }

// Settings checks the configuration. Every fault is reported, each in a line of
// its own.
func (c *Config) Settings() (Settings, error) {
	s := Settings{TLSCert: c.TLSCert, TLSKey: c.TLSKey, LogFormat: strings.ToLower(c.LogFormat)}
	var faults []error
	bad := func(name, value, allowed string) {
		faults = append(faults, &problem{c.source(name), `="` + printable(value) + `": ` + allowed})
	}
	var ok bool

	s.Listen = cmp.Or(c.Listen, ":8080")
	if !validAddress(s.Listen) {
		bad("Listen", s.Listen, `must be an address to listen on, such as ":8080" or "127.0.0.1:8080"`)
	}
	if s.BaseURL, ok = baseURL(c.BaseURL); !ok {
		bad("BaseURL", redactURL(c.BaseURL), `must be an http or https URL without user, query or fragment, such as "https://id.example.com"`)
	}
	for _, origin := range commaList(cmp.Or(c.CORSOrigins, "http://localhost:3000,http://localhost:5173")) {
		if strings.EqualFold(origin, "none") {
			continue
		}
		if o, ok := corsOrigin(origin); ok {
			s.Origins = append(s.Origins, o)
		} else {
			bad("CORSOrigins", origin, `must be origins such as "https://console.example.com", comma-separated, or "none"`)
		}
	}
	for _, proxy := range commaList(c.Proxies) {
		if p, ok := network(proxy); ok {
			s.Proxies = append(s.Proxies, p)
		} else {
			bad("Proxies", proxy, `must be addresses or networks such as "10.0.0.5" or "10.0.0.0/8", comma-separated`)
		}
	}

	if (s.TLSCert == "") != (s.TLSKey == "") {
		faults = append(faults, &problem{c.source("TLSCert") + " and " + c.source("TLSKey"), ": both or none must be given"})
	}
	if s.RunAs, ok = owner(c.RunAs); !ok {
		bad("RunAs", c.RunAs, `must be a numeric user and group other than root, such as "65532:65532"`)
	}

	var err error
	if s.Profile, err = compat.Parse(c.Profile); err != nil {
		bad("Profile", c.Profile, err.Error())
	}

	if s.LogLevel, ok = logLevel(cmp.Or(c.LogLevel, "INFO")); !ok {
		bad("LogLevel", c.LogLevel, "must be TRACE, DEBUG, INFO, WARN, ERROR, FATAL or OFF")
	}
	if s.LogFormat != "" && s.LogFormat != "text" && s.LogFormat != "json" {
		bad("LogFormat", c.LogFormat, "must be text or json")
	}
	c.oidc(&s, func(p *problem) { faults = append(faults, p) })
	c.lookingGlass(&s, func(p *problem) { faults = append(faults, p) })
	c.observability(&s, func(p *problem) { faults = append(faults, p) })
	if s.MemoryLimit, ok = byteSize(cmp.Or(c.MemoryLimit, "96MiB")); !ok {
		bad("MemoryLimit", c.MemoryLimit, `must be a size of at least 16MiB such as "96MiB" or "1GiB", or "off"`)
	}
	if s.RateLimit, ok = rateLimit(c.RateLimit); !ok {
		bad("RateLimit", c.RateLimit, `must be requests a second, and at once, from 1 to 1000000, such as "50" or "50:200"`)
	}
	if s.Drain, ok = duration(cmp.Or(c.Drain, "0s")); !ok || s.Drain < 0 || s.Drain > mostDrain {
		bad("Drain", c.Drain, "must be a duration from 0s to "+mostDrain.String())
	}
	check := c.directory
	if c.PactFlowURL != "" {
		check = c.front
	}
	check(&s, func(p *problem) { faults = append(faults, p) })
	return s, errors.Join(faults...)
}

// directory checks the settings of directory mode. fault takes what is wrong.
func (c *Config) directory(s *Settings, fault func(*problem)) {
	bad := func(name, value, allowed string) {
		fault(&problem{c.source(name), `="` + printable(value) + `": ` + allowed})
	}
	s.TokenFile, s.Schemas, s.DataDir = c.TokenFile, c.Schemas, cmp.Or(c.DataDir, "./data")
	var ok bool
	if s.Mount, ok = mountPath(cmp.Or(c.ContextPath, "/scim")); !ok {
		bad("ContextPath", c.ContextPath, `must be a path of letters, digits and "-._~", such as "/scim", or "/"`)
	}
	s.Tokens = commaList(c.Token)
	if c.Token != "" && len(s.Tokens) == 0 {
		fault(&problem{c.source("Token"), ": is given but holds no token; unset it to serve without"})
	}
	if !sendable(s.Tokens) {
		fault(&problem{c.source("Token"), " (value not shown): tokens must be printable ASCII without blanks, of at most 8192 bytes, comma-separated"})
	}
	c.database(s, fault)
	if s.HistoryDays, ok = wholeNumber(cmp.Or(c.HistoryDays, "400"), 36_500); !ok {
		bad("HistoryDays", c.HistoryDays, "must be a whole number of days from 0 (for ever) to 36500")
	}
	if s.UndeleteDays, ok = wholeNumber(cmp.Or(c.UndeleteDays, "30"), 3_650); !ok {
		bad("UndeleteDays", c.UndeleteDays, "must be a whole number of days from 0 (deleted is gone) to 3650")
	}
	switch strings.ToLower(cmp.Or(c.Passwords, "discard")) {
	case "discard":
	case "hash":
		s.HashPasswords = true
	default:
		bad("Passwords", c.Passwords, "must be discard or hash")
	}
}

func commaList(s string) []string {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func validAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 0 && n <= 65535
}

func baseURL(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(u.Path, "//") {
		return "", false
	}
	return u.String(), true
}

// redactURL takes the user and password out of a URL that is to be printed.
func redactURL(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if i := strings.LastIndexByte(rest, '@'); ok && i >= 0 {
		return scheme + "://***@" + rest[i+1:]
	}
	return s
}

func mountPath(s string) (string, bool) {
	s = strings.TrimRight(s, "/")
	if s == "" {
		return "", true
	}
	if s[0] != '/' || strings.Contains(s, "//") || strings.Contains(s, "/.") || s == "/health" || s == "/api" || s+"/" == tenantPath || strings.HasPrefix(s, tenantPath) || s == metrics.Path || s == console.Path || strings.HasPrefix(s, console.Path+"/") {
		return "", false
	}
	for _, c := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/", c) {
			return "", false
		}
	}
	return s, true
}

func corsOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		strings.TrimSuffix(s, "/") != u.Scheme+"://"+u.Host {
		return "", false
	}
	return strings.ToLower(u.Scheme + "://" + u.Host), true
}

func network(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen()), true
}

func sendable(tokens []string) bool {
	for _, t := range tokens {
		if len(t) > 8192 || strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return false
		}
	}
	return true
}

func owner(s string) (*Owner, bool) {
	if s == "" {
		return nil, true
	}
	user, group, _ := strings.Cut(s, ":")
	uid, ok1 := wholeNumber(user, 1<<31-2)
	gid, ok2 := wholeNumber(group, 1<<31-2)
	return &Owner{uid, gid}, ok1 && ok2 && uid > 0 && gid > 0
}

func wholeNumber(s string, most int) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0 && n <= most
}

func byteSize(s string) (int64, bool) {
	if strings.EqualFold(s, "off") {
		return 0, true
	}
	for unit, factor := range map[string]int64{"MiB": 1 << 20, "GiB": 1 << 30} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
			return n * factor, err == nil && n*factor >= 16<<20
		}
	}
	return 0, false
}

// baseFor returns the base URI of the SCIM endpoints. A BaseURL that already
// ends in the mount is taken as it is. In façade mode there is no version in it.
func (s Settings) baseFor(port int) string {
	base := s.BaseURL
	if base == "" {
		scheme := "http"
		if s.TLSCert != "" {
			scheme = "https"
		}
		base = scheme + "://localhost:" + strconv.Itoa(port)
	}
	switch {
	case s.Mount != "" && strings.HasSuffix(base, s.Mount+"/v2"):
		return base
	case s.PactFlow != nil && s.Mount != "" && strings.HasSuffix(base, s.Mount):
		return base
	case s.PactFlow != nil:
		return base + s.Mount
	case s.Mount != "" && strings.HasSuffix(base, s.Mount):
		return base + "/v2"
	}
	return base + s.Mount + "/v2"
}
