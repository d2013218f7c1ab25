package engine

import (
	"context"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/patch"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Config configures an Engine. The zero value serves the core resource types
// in the profile "auto" with the default limits.
type Config struct {
	Types   []*scim.ResourceType // nil: schema.Core()
	Profile compat.Profile       // zero: compat.Auto()
	Limits  Limits

	Schemes          []scim.AuthenticationScheme // of ServiceProviderConfig; nil: none
	DocumentationURI string                      // of ServiceProviderConfig; "": none

	// Password hashes a password to keep it (RFC 7643 §9.2). It may be slow;
	// it is never called inside a batch. nil: passwords are accepted and
	// discarded.
	Password func(clear string) (string, error)

	// Me returns the id of the User who calls (RFC 7644 §3.11), or
	// scim.ErrNotFound if the caller is no User. nil: /Me answers 501.
	Me func(context.Context) (id string, err error)

	// CursorKeys returns keys of 32 bytes: the first seals cursors, all open
	// them. nil: a random key of this process.
	CursorKeys    func() [][]byte
	CursorTimeout time.Duration // how long a cursor is good for; 0: 1 hour
	CursorOnly    bool          // every list is paged by cursor (RFC 9865 §2.3)
	NoTotals      bool          // totalResults is left out of cursor pages
	MultiTypeMax  int           // root searches that match more are refused as tooMany; 0: no bound

	// Features switched off: 501, or ignored (RFC 7644 §3.12).
	NoBulk, NoPatch, NoSort, NoETag bool

	Tenant string                       // sealed into cursors
	Scope  func(context.Context) string // what more they are bound to, such as who calls; nil: nothing
	Now    func() time.Time             // nil: time.Now
}

// Limits bound what one request may ask. Zero fields take their default.
type Limits struct {
	DefaultPage, MaxPage                   int           // resources: 100, 1,000
	Body, LargeBody                        int64         // bytes: 2 MiB; of groups and Bulk 32 MiB
	BulkOperations                         int           // 1,000
	PatchOperations                        int           // 1,000
	FilterLength, FilterNodes, FilterDepth int           // 8 KiB, 200, 20
	JSONDepth                              int           // 64
	JSONValues                             int           // of one message: 1,000,000; more are 413
	Values                                 int           // of one multi-valued attribute but members: 10,000
	Deadline                               time.Duration // 25 s; afterwards 503
}

func (c Config) withDefaults() Config {
	if c.Types == nil {
		c.Types = schema.Core()
	}
	if c.Profile.Name == "" {
		c.Profile = compat.Auto()
	}
	if c.CursorTimeout <= 0 {
		c.CursorTimeout = time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	l := &c.Limits
	setDefault(&l.MaxPage, 1000)
	setDefault(&l.DefaultPage, 100)
	l.DefaultPage = min(l.DefaultPage, l.MaxPage)
	setDefault(&l.Body, 2<<20)
	setDefault(&l.LargeBody, 32<<20)
	setDefault(&l.BulkOperations, 1000)
	setDefault(&l.PatchOperations, 1000)
	setDefault(&l.FilterLength, 8<<10)
	setDefault(&l.FilterNodes, 200)
	setDefault(&l.FilterDepth, 20)
	setDefault(&l.JSONDepth, scim.DefaultDepth)
	setDefault(&l.JSONValues, 1_000_000)
	setDefault(&l.Values, 10_000)
	setDefault(&l.Deadline, 25*time.Second)
	return c
}

func setDefault[T int | int64 | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// The switches of the profile, as the packages below take them. Each call has
// its own, since they report to it.

func (c *call) schemaOptions() schema.Options {
	s := c.e.c.Profile.Switches
	return schema.Options{
		StringBooleans: s.StringBooleans,
		EmptyUnassigns: s.EmptyUnassigns,
		AnySchemas:     s.AnySchemas,
		IgnoreUnknown:  s.IgnoreUnknown,
		WrapSingles:    s.WrapSingles,
		UnwrapSingles:  s.UnwrapSingles,
		BareReferences: s.BareReferences,
		FreeFormats:    s.FreeFormats,
		OwnRequired:    c.e.traits.OwnRequired,
		MaxValues:      c.e.c.Limits.Values,
		Served:         c.e.serves,
		Report:         c.report,
	}
}

func (c *call) filterOptions() filter.Options {
	l := c.e.c.Limits
	return filter.Options{
		MaxLength:       l.FilterLength,
		MaxNodes:        l.FilterNodes,
		MaxDepth:        l.FilterDepth,
		UnquotedStrings: c.e.c.Profile.Switches.UnquotedStrings,
		Report:          c.report,
	}
}

func (c *call) patchOptions() patch.Options {
	s := c.e.c.Profile.Switches
	return patch.Options{
		MaxOperations:    c.e.c.Limits.PatchOperations,
		CreateOnNoMatch:  s.CreateOnNoMatch,
		OwnReadOnly:      c.e.shaper != nil,
		LateImmutable:    c.e.shaper != nil,
		RemoveByValue:    s.RemoveByValue,
		EmptyOperations:  s.EmptyOperations,
		DottedKeys:       s.DottedKeys,
		IgnoreReadOnly:   s.IgnoreReadOnly,
		SkipUnknownPaths: s.SkipUnknownPaths,
		Values:           c.schemaOptions(),
		Filters:          c.filterOptions(),
		Report:           c.report,
	}
}
