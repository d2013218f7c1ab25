package server

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// requestTimeout is how long one request may take in façade mode: many calls to
// PactFlow may be needed for it.
const requestTimeout = 55 * time.Second

// front is the mode that stands before a PactFlow: it keeps nothing, and passes
// the caller's token on.
type front struct {
	s       Settings
	log     *slog.Logger
	backend *pactflow.Backend
	current atomic.Pointer[engine.Engine]
}

// claim prepares the backend, while the file of certificates can be read: it may
// be root's. Several may stand before one PactFlow.
func (f *front) claim() error {
	o := *f.s.PactFlow
	o.Logger = f.log
	if o.Wire {
		// The wire log has a level of its own, and may be on where others are off.
		o.Logger = slog.New(levelled{f.log.Handler(), min(f.s.LogLevel, slog.LevelDebug)})
		f.log.Warn("the calls to PactFlow are logged: tokens are masked, names and e-mail addresses are not; LOGGING_LEVEL_ORG_APACHE_HC_CLIENT5_HTTP_WIRE=INFO (or ROLLCALL_LOG_WIRE=INFO) ends that")
	}
	if f.s.UpstreamCA != "" {
		var err error
		if o.RootCAs, err = authorities("ROLLCALL_UPSTREAM_CA", f.s.UpstreamCA); err != nil {
			return err
		}
	}
	f.backend = pactflow.New(o)
	return nil
}

func (f *front) folder() string { return f.s.DataDir }

func (f *front) open(context.Context) error { return nil }

func (f *front) unfit() error { return nil }

// passed takes every token: PactFlow knows which are good.
var passed = auth.Passed{Realm: realm, Tenant: tenant.Default, Published: scim.AuthenticationScheme{
	Type:        "oauthbearertoken",
	Name:        "PactFlow API token",
	Description: "Bearer token of a PactFlow system account with the SCIM role; passed through",
	SpecURI:     "https://www.rfc-editor.org/info/rfc6750",
	Primary:     true,
}}

func (f *front) authenticator(string) (auth.Authenticator, error) { return passed, nil }

func (f *front) identify(r *http.Request, _ string) (*caller, error) {
	p, err := passed.Authenticate(r)
	if err != nil {
		return nil, scim.AsError(err)
	}
	return &caller{Subject: p.Subject, Passed: p.Token}, nil
}

func (f *front) reload() error {
	_, err := f.engine([]scim.AuthenticationScheme{passed.Scheme()})
	return err
}

func (f *front) house(context.Context, *caller) (*house, error) {
	e := f.current.Load()
	return &house{plain: e, engine: e}, nil
}

func (f *front) engine(schemes []scim.AuthenticationScheme) (*engine.Engine, error) {
	e, err := engine.New(f.backend, engine.Config{
		Types:   pactflow.Types(),
		Profile: f.s.Profile,
		Schemes: schemes,
		Limits:  engine.Limits{Deadline: requestTimeout},
		Tenant:  tenant.Default,
		Scope:   func(ctx context.Context) string { return facade.CallerOf(ctx).Fingerprint() },
	})
	f.current.Store(e)
	return e, err
}

// health answers in the words of the image that is replaced. A wrong base URL is
// a warning: what needs no list still works.
func (f *front) health(of vital, stopping bool) (int, any) {
	answer := struct {
		Status   string   `json:"status"`
		PactFlow string   `json:"pactflow,omitempty"`
		Detail   string   `json:"detail,omitempty"`
		Warnings []string `json:"warnings,omitempty"`
	}{Status: "UP"}
	switch {
	case of == isLive:
		return http.StatusOK, answer
	case stopping:
		answer.Status = "OUT_OF_SERVICE"
		return http.StatusServiceUnavailable, answer
	case of == isWell:
		return http.StatusOK, answer
	}
	// Not the request's context: who asks and leaves must not make PactFlow look ill.
	ready := f.backend.Ready(context.Background())
	answer.PactFlow, answer.Warnings = "UP", ready.Warnings
	if !ready.Up {
		answer.Status, answer.PactFlow, answer.Detail = "DOWN", "DOWN", ready.Detail
		return http.StatusServiceUnavailable, answer
	}
	return http.StatusOK, answer
}

// layout has SCIM under the mount and at the root, since clients of the image
// that is replaced use both, and all documents about the service public.
func (f *front) layout() layout {
	l := layout{
		mounts: []string{f.s.Mount, ""},
		public: map[string]int{"serviceproviderconfig": 1, "serviceproviderconfigs": 1, "schemas": 2, "resourcetypes": 2},
		health: map[string]vital{"/health": isWell, "/health/ready": isReady, "/health/live": isLive},
	}
	for _, mount := range l.mounts {
		l.health[mount+"/actuator/health"] = isReady
		l.health[mount+"/actuator/health/readiness"] = isReady
		l.health[mount+"/actuator/health/liveness"] = isLive
	}
	return l
}

func (f *front) close() {}

// authorities returns the system's certificate authorities and those of a file.
func authorities(variable, path string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil { // there are none
		pool = x509.NewCertPool()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("can't read %s=%q: %w", variable, printable(path), bare(err))
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s=%q holds no certificate in PEM form", variable, printable(path))
	}
	return pool, nil
}

// levelled is a log handler with another level than that of the handler it hands
// records to.
type levelled struct {
	slog.Handler
	level slog.Level
}

func (h levelled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h levelled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelled{h.Handler.WithAttrs(attrs), h.level}
}

func (h levelled) WithGroup(name string) slog.Handler {
	return levelled{h.Handler.WithGroup(name), h.level}
}
