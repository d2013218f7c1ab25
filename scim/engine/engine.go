// Package engine is the SCIM protocol without a transport: [Engine.Do] takes a
// [Request] and gives a [Response]. Package scimhttp feeds it from HTTP, and a
// Bulk message feeds it from within.
//
// It routes, decodes, checks and projects, and leaves the resources themselves
// to a [scim.Backend]. What a schema means is in package schema, what a filter
// means in filter, what a PATCH does in patch, what a client gets wrong in
// compat; this package puts them in order.
//
// [New] makes an engine of a backend and a [Config], whose zero value is
// complete; [Engine.For] one like it for each further tenant. An application
// hands it to scimhttp and never calls Do itself, unless it has another
// transport, or tests without one. Who calls is not asked here: a request that
// arrives is allowed.
package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Engine serves the resources of one backend: one tenant. It is safe for
// concurrent use. [New] makes the first one and [Engine.For] those of further
// tenants.
type Engine struct {
	c         Config // defaults filled in, and what the backend's traits leave of it
	types     []*scim.ResourceType
	published []*scim.ResourceType // types without what is kept nowhere
	paths     [][]string           // the segments of the endpoint of each type

	own    struct{ NoETag, NoBulk bool } // as the Config said
	traits scim.Traits                   // of the backend; zero: it is a directory
	facade bool                          // the backend has traits
	shaper scim.Shaper                   // nil: the backend keeps what it is given

	backend  scim.Backend
	members  scim.MemberUpdater                  // nil: the backend keeps members in the group
	batcher  scim.Batcher                        // nil: each write is committed by itself
	dry      *attempt                            // nil: what is written stays
	allow    func(context.Context, Access) error // nil: everything is allowed
	trace    *scim.Trace                         // of the one request that the engine is for; nil: none
	previews turn                                // of Bulk messages
	locks    *locks                              // nil inside a batch, which nothing can interrupt
	docs     map[string]*document
	refs     map[string]bool // folded names of the attributes that hold ids, for bulkId
	secrets  map[string]bool // folded names of the attributes that are hashed
}

// New returns an Engine for b, and obeys its traits ([scim.Capable]), or an error if the resource types of c do not
// agree (RFC 7643 §6): two of one name or endpoint, or one that takes the name
// of an endpoint of RFC 7644 §3.2.
func New(b scim.Backend, c Config) (*Engine, error) {
	c = c.withDefaults()
	if c.CursorKeys == nil {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails: crypto/rand
		c.CursorKeys = func() [][]byte { return [][]byte{key} }
	}
	e := &Engine{c: c, types: slices.Clone(c.Types), locks: newLocks(), previews: newTurn(), refs: map[string]bool{}, secrets: map[string]bool{}}
	e.own.NoETag, e.own.NoBulk = c.NoETag, c.NoBulk
	if err := agree(e.types); err != nil {
		return nil, err
	}
	if c.Profile.Switches.UniqueGroupNames {
		for i, t := range e.types {
			if t.Schema.ID == scim.GroupURN {
				e.types[i] = withUniqueName(t)
			}
		}
	}
	for _, t := range e.types {
		e.paths = append(e.paths, strings.Split(strings.Trim(t.Endpoint, "/"), "/"))
		eachAttribute(t, func(a *scim.Attribute) {
			if len(a.Links) > 0 || a.Membership || a.Type == scim.TypeReference {
				e.refs[strings.ToLower(a.Name)] = true
			}
			if a.Precis == scim.PrecisOpaque {
				e.secrets[strings.ToLower(a.Name)] = true
			}
		})
	}
	e.published = e.types
	e.over(b)
	e.obey(b)
	return e, nil
}

// Profile returns the profile the engine obeys, for the part of it that is the
// transport's: the media types of RFC 7644 §3.8.
func (e *Engine) Profile() compat.Profile { return e.c.Profile }

// For returns an Engine that serves the resources of another backend, those of
// the tenant of that name, and shares everything else with e: types, profile,
// limits, cursor keys (RFC 7644 §6). It costs a few hundred bytes where [New]
// costs some milliseconds and hundreds of kilobytes, so an application with many
// customers calls New once and For with each request; there is nothing to keep
// and nothing to evict. Only if b has other traits ([scim.Capable]) than the
// first one costs what New does. The name is sealed into cursors in place of
// Config.Tenant: each tenant must have its own, lest a cursor of one be taken
// for one of another.
func (e *Engine) For(b scim.Backend, tenant string) *Engine {
	other := *e
	other.c.Tenant = tenant
	other.over(b)
	other.obey(b)
	return &other
}

// over sets the backend and the optional interfaces that it has.
func (e *Engine) over(b scim.Backend) {
	e.backend = b
	e.members, _ = b.(scim.MemberUpdater)
	e.batcher, _ = b.(scim.Batcher)
	e.shaper, _ = b.(scim.Shaper)
}

// Types returns the resource types the engine serves (RFC 7643 §6), as it
// publishes them. They must not be modified.
func (e *Engine) Types() []*scim.ResourceType { return e.published }

// inside returns the engine over the backend of a batch, which is what the
// store is.
func (e *Engine) inside(b scim.Backend) *Engine {
	in := *e
	in.over(b)
	in.batcher, in.locks, in.shaper, in.trace = nil, nil, e.shaper, nil
	return &in
}

// typeNamed returns the resource type of that name, or nil.
func (e *Engine) typeNamed(name string) *scim.ResourceType {
	for _, t := range e.types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// serves reports whether urn is the base schema of a resource type.
func (e *Engine) serves(urn string) bool {
	return slices.ContainsFunc(e.types, func(t *scim.ResourceType) bool { return strings.EqualFold(t.Schema.ID, urn) })
}

// endpoint returns the endpoint of the resource type of that name, or "".
func (e *Engine) endpoint(typeName string) string {
	if t := e.typeNamed(typeName); t != nil {
		return t.Endpoint
	}
	return ""
}

// reserved are the first segments that RFC 7644 §3.2 gives to the protocol.
var reserved = []string{"me", "bulk", ".search", "schemas", "resourcetypes", "serviceproviderconfig", "serviceproviderconfigs"}

func agree(types []*scim.ResourceType) error {
	names, endpoints := map[string]bool{}, map[string]bool{}
	for _, t := range types {
		name, endpoint := strings.ToLower(t.Name), strings.ToLower(t.Endpoint)
		first, _, _ := strings.Cut(strings.Trim(endpoint, "/"), "/")
		switch {
		case t.Name == "" || t.Schema == nil:
			return fmt.Errorf("engine: a resource type has no name or no schema (RFC 7643 §6)")
		case names[name]:
			return fmt.Errorf("engine: two resource types are called %q", t.Name)
		case first == "":
			return fmt.Errorf("engine: resource type %q has no endpoint (RFC 7643 §6)", t.Name)
		case slices.Contains(reserved, first):
			return fmt.Errorf("engine: resource type %q: endpoint %q is one of the protocol's own (RFC 7644 §3.2)", t.Name, t.Endpoint)
		case endpoints[endpoint]:
			return fmt.Errorf("engine: two resource types are served at %q", t.Endpoint)
		}
		names[name], endpoints[endpoint] = true, true
	}
	return nil
}

// withUniqueName returns a copy of the group type whose displayName is unique
// (GRP-09). Its Digest stays: the documents it describes are the same.
func withUniqueName(t *scim.ResourceType) *scim.ResourceType {
	clone, s := *t, *t.Schema
	s.Attributes = slices.Clone(s.Attributes)
	for i, a := range s.Attributes {
		if a.Name == "displayName" && a.Uniqueness == scim.UniquenessNone {
			name := *a
			name.Uniqueness = scim.UniquenessServer
			s.Attributes[i] = &name
		}
	}
	clone.Schema = &s
	return &clone
}

// eachAttribute calls f for the attributes and sub-attributes of t.
func eachAttribute(t *scim.ResourceType, f func(*scim.Attribute)) {
	schemas := []*scim.Schema{t.Schema}
	for _, x := range t.Extensions {
		schemas = append(schemas, x.Schema)
	}
	for _, s := range schemas {
		for _, a := range s.Attributes {
			f(a)
			for _, sub := range a.SubAttributes {
				f(sub)
			}
		}
	}
}

// allSchemas returns the schemas of the types, each once, then those of the
// service itself (RFC 7643 §5–7).
func allSchemas(types []*scim.ResourceType) []*scim.Schema {
	var list []*scim.Schema
	add := func(s *scim.Schema) {
		if !slices.ContainsFunc(list, func(o *scim.Schema) bool { return strings.EqualFold(o.ID, s.ID) }) {
			list = append(list, s)
		}
	}
	for _, t := range types {
		add(t.Schema)
		for _, x := range t.Extensions {
			add(x.Schema)
		}
	}
	for _, s := range schema.Service() {
		add(s)
	}
	return list
}
