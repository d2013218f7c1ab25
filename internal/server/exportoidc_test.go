package server

import "github.com/rollcall-scim/rollcall/internal/tenant"

// Registry returns the tenants and tokens of a directory.
func (srv *Server) Registry() *tenant.Registry { return srv.mode.(*directory).registry }
