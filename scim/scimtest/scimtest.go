// Package scimtest is the contract of scim.Backend as a test suite.
package scimtest

import (
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// Harness says how to open the backend under test.
type Harness struct {
	// Open returns empty backends of two tenants of one store, closed when the test ends.
	Open func(t *testing.T) (a, b scim.Backend)
	// Short leaves out the expensive cases.
	Short bool
}

// Run runs the contract.
func Run(t *testing.T, h Harness) {}
