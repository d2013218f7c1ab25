package schema

import (
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// members decodes the values of a Membership attribute: ids, each once, in the
// order of the first mention. All else about a member is derived. A body whose
// values all say nothing is no way to say that there are no members: what
// clients leave empty by mistake must not empty a group.
func (d *decoder) members(a *scim.Attribute, path string, list []any) any {
	refs := make([]scim.MemberRef, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, v := range list {
		if v == nil {
			continue
		}
		raw, ok := v.(scim.Object)
		if !ok {
			if raw, ok = d.bare(a, v); !ok {
				d.faults.add(scim.TypeInvalidValue, path, "each value must be an object with the member's id as \"value\" (RFC 7643 §4.2)")
				return nil
			}
		}
		id, ok := d.member(a, path, raw)
		switch {
		case nested(a, raw):
			d.faults.add(scim.TypeInvalidValue, path+".type", "groups hold no groups here: a member must be of type %s (RFC 7643 §4.2)", strings.Join(a.Links, " or "))
			return nil
		case !ok:
			d.faults.add(scim.TypeInvalidValue, path+".value", "the id of a resource is expected (RFC 7643 §4.2)")
			return nil
		case id != "" && !seen[id]:
			seen[id] = true
			refs = append(refs, scim.MemberRef{ID: id})
		}
	}
	if len(refs) == 0 {
		if len(list) > 0 && !d.patch {
			d.faults.add(scim.TypeInvalidValue, path+".value", "the id of a resource is expected; no members are [] (RFC 7643 §4.2)")
		}
		return nil
	}
	return refs
}

// member returns the id in one value, "" if it says nothing, and false if the
// value is none.
func (d *decoder) member(a *scim.Attribute, path string, raw scim.Object) (string, bool) {
	var id string
	var ref any
	given := false
	for _, m := range raw {
		switch s := a.Sub(m.Name); {
		case s == nil:
			d.unknown(path + "." + m.Name)
		case s.Name == "value" && m.Value != nil:
			given = true
			id, _ = m.Value.(string)
		case s.Name == "$ref":
			ref = m.Value
		}
	}
	switch {
	case id == "" && !given:
		id = target(ref)
		return id, id != "" || len(raw) == 0
	case id == "" && d.EmptyUnassigns && given:
		v, _ := raw.Lookup("value")
		if v != "" {
			return "", false
		}
		d.report("BODY-02")
		return "", true
	}
	return id, id != ""
}

// nested reports whether a value says that it is a group, where a group can be no
// member: the rest of what "type" may say is derived.
func nested(a *scim.Attribute, raw scim.Object) bool {
	const group = "Group"
	for _, m := range raw {
		if typ, _ := m.Value.(string); strings.EqualFold(m.Name, "type") && strings.EqualFold(typ, group) {
			return len(a.Links) > 0 && !slices.Contains(a.Links, group)
		}
	}
	return false
}

// target returns the id at the end of a resource's URI, or "". A client may
// give the "$ref" of a resource in the place of its id (RFC 7643 §2.4).
func target(ref any) string {
	uri, _ := ref.(string)
	i := strings.LastIndexByte(uri, '/')
	if i < 0 || strings.ContainsAny(uri, "?#%") {
		return ""
	}
	return uri[i+1:]
}
