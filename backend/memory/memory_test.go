package memory_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

func TestContract(t *testing.T) {
	scimtest.Run(t, scimtest.Harness{Open: func(*testing.T) (a, b scim.Backend) { return new(memory.Store), new(memory.Store) }})
}
