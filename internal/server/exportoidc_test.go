package server

import (
	"log/slog"
	"net/http"

	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// Registry returns the tenants and tokens of a directory.
func (srv *Server) Registry() *tenant.Registry { return srv.mode.(*directory).registry }

// Identify returns who sends a request to a directory without a token of the
// configuration, for the tenant in its path.
func Identify(registry *tenant.Registry, r *http.Request, path string) (subject string, err error) {
	v := oidc.NewVerifier(oidc.Options{Client: http.DefaultClient, Logger: slog.New(slog.DiscardHandler)})
	defer v.Close()
	d := &directory{registry: registry}
	d.methods = []method{managed{registry, true}, accessTokens{v, registry, nil, true}}
	c, err := d.identify(r, path)
	if err != nil {
		return "", err
	}
	return c.Subject, nil
}
