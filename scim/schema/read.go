package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/scim"
)

// Read returns types with the schemas and resource types in the *.json files
// of fsys added; types itself is left as it is. A file holds one object or an
// array of them, each a Schema (RFC 7643 §7) or a ResourceType (§6) by its
// "schemas". Files are read in the order of their names.
//
// Characteristics that a schema leaves out have the defaults of §2.2. Beside
// them an attribute may say "precis": "username" or "opaque" ([scim.Precis]).
//
// A ResourceType with the name of one that is there already adds extensions to
// it: those it has stay, and one that is listed again takes the new "required".
// A new one has its endpoint at its name and "s" (RFC 7644 §3.2) unless it says
// otherwise.
//
// The error joins all faults, each naming file and attribute.
func Read(types []*scim.ResourceType, fsys fs.FS) ([]*scim.ResourceType, error) {
	c := adopt(types)
	c.read(fsys)
	return c.finish()
}

// Extend is [Read] of one file that is called name in errors (RFC 7643 §7).
func Extend(types []*scim.ResourceType, name string, data []byte) ([]*scim.ResourceType, error) {
	c := adopt(types)
	if err := c.file(name, data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return c.finish()
}

// finish returns the resource types, or all faults.
func (c *catalogue) finish() ([]*scim.ResourceType, error) {
	c.bind()
	for _, e := range c.schemas {
		if !e.used {
			c.fault(e.file, e.ID, "no resource type uses this schema")
		}
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return c.types, nil
}

// catalogue is what has been read so far.
type catalogue struct {
	schemas  []*entry
	types    []*scim.ResourceType
	declared []declaration
	faults   []error
}

// entry is a schema and where it comes from.
type entry struct {
	*scim.Schema
	file string
	used bool
}

// declaration is a ResourceType object, bound once all schemas are read.
type declaration struct {
	file string
	obj  scim.Object
}

func (c *catalogue) fault(file, where, format string, args ...any) {
	if file != "" {
		file += ": "
	}
	c.faults = append(c.faults, fmt.Errorf("%s%q: %s", file, where, fmt.Sprintf(format, args...)))
}

// schema returns the entry of urn, without regard to case, or nil.
func (c *catalogue) schema(urn string) *entry {
	for _, e := range c.schemas {
		if strings.EqualFold(e.ID, urn) {
			return e
		}
	}
	return nil
}

// adopt copies types, since what they refer to is shared and will change.
func adopt(types []*scim.ResourceType) *catalogue {
	c := new(catalogue)
	share := func(s *scim.Schema) *scim.Schema {
		if e := c.schema(s.ID); e != nil {
			return e.Schema
		}
		copied := *s
		copied.Attributes = copyAttributes(s.Attributes)
		c.schemas = append(c.schemas, &entry{Schema: &copied, used: true})
		return &copied
	}
	for _, t := range types {
		copied := *t
		copied.Schema = share(t.Schema)
		copied.Extensions = slices.Clone(t.Extensions)
		for i, x := range t.Extensions {
			copied.Extensions[i].Schema = share(x.Schema)
		}
		c.types = append(c.types, &copied)
	}
	return c
}

func copyAttributes(list []*scim.Attribute) []*scim.Attribute {
	copies := make([]*scim.Attribute, len(list))
	for i, a := range list {
		copied := *a
		if a.SubAttributes != nil {
			copied.SubAttributes = copyAttributes(a.SubAttributes)
		}
		copies[i] = &copied
	}
	return copies
}

// read reads the files of fsys.
func (c *catalogue) read(fsys fs.FS) {
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		c.faults = append(c.faults, err)
		return
	}
	slices.Sort(names)
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			c.faults = append(c.faults, err)
			continue
		}
		if err := c.file(name, data); err != nil {
			c.faults = append(c.faults, fmt.Errorf("%s: %w", name, err))
		}
	}
}

// file reads one object, or an array of objects.
func (c *catalogue) file(name string, data []byte) error {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '[' {
		return c.object(name, data)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := c.object(name, v); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the file goes on after its array, at byte %d", dec.InputOffset())
	}
	return nil
}

func (c *catalogue) object(name string, data []byte) error {
	obj, err := scim.ParseObject(data, 0, 0)
	if err != nil {
		var e *scim.Error
		if errors.As(err, &e) {
			return errors.New(strings.Replace(e.Detail, "the body", "the file", 1))
		}
		return err
	}
	urns, _ := obj.Lookup("schemas")
	switch list, _ := urns.([]any); {
	case slices.Contains(list, any(scim.SchemaURN)):
		c.define(name, obj)
	case slices.Contains(list, any(scim.ResourceTypeURN)):
		c.declared = append(c.declared, declaration{name, obj})
	default:
		return fmt.Errorf("\"schemas\" must hold %s or %s (RFC 7643 §6, §7)", scim.SchemaURN, scim.ResourceTypeURN)
	}
	return nil
}
