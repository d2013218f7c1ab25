package tenanttest_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant/tenanttest"
)

func TestMemory(t *testing.T) {
	tenanttest.Run(t, func(*testing.T) tenanttest.Rig { return tenanttest.Rig{Store: tenanttest.NewMemory()} })
}
