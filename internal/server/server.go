// Package server is the program: configuration, wiring and life cycle.
package server

import (
	_ "github.com/rollcall-scim/rollcall/backend/memory"
	_ "github.com/rollcall-scim/rollcall/backend/sqlite"
	_ "github.com/rollcall-scim/rollcall/scim/scimhttp"
)
