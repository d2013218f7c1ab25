package engine

import (
	"github.com/rollcall-scim/rollcall/scim/patch"
)

// PatchOptions returns what a PATCH in the profile of e is decoded, applied and
// checked with. The options report to rules, which gives those told so far.
func (e *Engine) PatchOptions() (o patch.Options, rules func() []string) {
	c := &call{e: e}
	return c.patchOptions(), func() []string { return c.rules }
}
