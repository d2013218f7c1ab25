package scim

import (
	"context"
	"slices"
	"time"
)

// Undeleter is an optional interface of backends that keep for a while what was
// deleted, out of every client's reach: no request finds it, and its unique
// values are free (RFC 7644 §3.6). Kept are resources of types that can have no
// members themselves, such as User; how long is the backend's setting, and when
// it has passed they are removed for good.
type Undeleter interface {
	// Deleted returns what can be restored, the last deleted first.
	Deleted(ctx context.Context, q DeletedQuery) ([]Deleted, error)

	// Restore gives a deleted resource back: its id, its document, its place in
	// the order of creation, and its membership in those groups that still
	// exist. The version goes on and LastModified is now; to the change log it
	// is a create, and an update of each group. References that other documents
	// held do not come back.
	//
	// prepare is given the resource as it was stored, and must leave it with
	// Attrs and encoded, perhaps changed. Restore returns its error, ErrNotFound
	// if there is no such deleted resource, and ErrUniqueness as Create does.
	Restore(ctx context.Context, ref Ref, prepare func(*Resource) error) (*Resource, error)
}

// DeletedQuery selects deleted resources. Type is required.
type DeletedQuery struct {
	Type  *ResourceType
	Name  string // those whose ID it is, or whose Name, compared by [Fold]; "": all
	Limit int    // 0: 100
}

// Deleted is a resource that can be restored.
type Deleted struct {
	ID    string
	Name  string    // as by [UniqueName], when it was deleted
	Time  time.Time // when that was; UTC, ms
	Until time.Time // from when on it can't be restored
}

// UniqueName returns what tells a resource from others in the eyes of people:
// the first value of a unique text attribute, such as userName, or else what
// [DisplayName] returns. r must have Attrs.
func UniqueName(r *Resource) string {
	for _, a := range r.Type.Schema.Attributes {
		if !a.tellsApart() {
			continue
		}
		if s, _ := r.Attrs.Get(a.Name).(string); s != "" {
			return s
		}
	}
	return DisplayName(r.Attrs)
}

// NamedBy returns the attributes whose values [UniqueName] may return, in the
// order in which it looks at them (RFC 7643 §2.2).
func NamedBy(t *ResourceType) (list []*Attribute) {
	for _, a := range t.Schema.Attributes {
		if a.tellsApart() {
			list = append(list, a)
			if a.Required { // each resource has one
				return list
			}
		}
	}
	for _, name := range []string{"displayName", "userName"} {
		if a := t.Schema.Attribute(name); a != nil && a.Type == TypeString && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// tellsApart reports whether each resource has a text of its own in an attribute.
func (a *Attribute) tellsApart() bool {
	return a.Type == TypeString && !a.MultiValued && a.Uniqueness != UniquenessNone && a.Uniqueness != ""
}
