package schema

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// types are the URNs of RFC 7643's own resource types. A body that names one
// which is not its endpoint's was sent to the wrong place.
var types = []string{scim.UserURN, scim.GroupURN, scim.ServiceProviderConfigURN, scim.ResourceTypeURN, scim.SchemaURN}

// schemas checks the body's schemas attribute (RFC 7643 §3): the base URN and
// declared extensions, each once. The resource's own schemas follow from its
// attributes, so nothing is kept of it.
func (d *decoder) schemas(t *scim.ResourceType, s slot) {
	fault := func(format string, args ...any) {
		d.faults.add(scim.TypeInvalidSyntax, "schemas", format, args...)
	}
	list, ok := s.value.([]any)
	if text, single := s.value.(string); single && d.WrapSingles {
		d.report("BODY-07")
		list, ok = []any{text}, true
	}
	switch {
	case s.value == nil || ok && len(list) == 0:
		if d.AnySchemas {
			d.report("BODY-03")
			return
		}
		fault("a list with %q is required (RFC 7643 §3)", t.Schema.ID)
		return
	case !ok:
		fault("a list of URNs is expected (RFC 7643 §3)")
		return
	}
	base, foreign := false, false
	seen := make([]string, 0, len(list))
	for _, v := range list {
		urn, ok := v.(string)
		if !ok {
			fault("a list of URNs is expected (RFC 7643 §3)")
			return
		}
		folded := strings.ToLower(urn)
		if slices.Contains(seen, folded) {
			fault("no URN may be listed twice (RFC 7643 §3)")
			return
		}
		if seen = append(seen, folded); len(seen) > 100 {
			fault("too many URNs")
			return
		}
		switch {
		case strings.EqualFold(urn, t.Schema.ID):
			base = true
		case t.Extension(urn) != nil:
		case d.AnySchemas && !d.served(urn):
			foreign = true
		default:
			fault("only %q and the extensions of %s may be listed (RFC 7643 §3)", t.Schema.ID, t.Name)
			return
		}
	}
	switch {
	case foreign:
		d.report("BODY-03")
	case !base:
		fault("%q must be listed (RFC 7643 §3.3)", t.Schema.ID)
	}
}

// served reports whether urn is that of another resource type or of a message.
func (d *decoder) served(urn string) bool {
	if len(urn) >= len(scim.MessageURNPrefix) && strings.EqualFold(urn[:len(scim.MessageURNPrefix)], scim.MessageURNPrefix) {
		return true
	}
	if slices.ContainsFunc(types, func(t string) bool { return strings.EqualFold(t, urn) }) {
		return true
	}
	return d.Served != nil && d.Served(urn)
}
