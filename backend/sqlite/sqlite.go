// Package sqlite is the embedded backend: every tenant in one SQLite file.
package sqlite

import (
	"github.com/rollcall-scim/rollcall/scim"
)

var _ scim.Backend
