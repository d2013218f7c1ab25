package people

import (
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// Cause is what became of a person.
type Cause string

// The causes.
const (
	Present  Cause = "present"
	Inactive Cause = "inactive"
	Deleted  Cause = "deleted"
	Refused  Cause = "refused" // a client tried to create the person, in vain
	Sought   Cause = "sought"  // a client looked for the person, and did not create one
	Never    Cause = "never"   // no client ever mentioned the person
	Unknown  Cause = "unknown" // not there, or not to be seen; what clients asked is not known
)

// Causes lists all causes, those first for which there is nothing to do.
func Causes() []Cause {
	return []Cause{Present, Inactive, Deleted, Refused, Sought, Never, Unknown}
}

// Label returns the cause in words.
func (c Cause) Label() string {
	switch c {
	case Sought:
		return "looked for, never created"
	case Never:
		return "never mentioned"
	}
	return string(c)
}

// Verdict says why somebody is there or is not.
type Verdict struct {
	Asked  string                `json:"asked"` // as it was asked for
	Cause  Cause                 `json:"cause"`
	Words  string                `json:"words"` // the cause as a sentence or two
	Person *Person               `json:"person,omitempty"`
	By     string                `json:"by,omitempty"` // path of the attribute that the value was found in
	When   time.Time             `json:"when,omitzero"`
	Until  time.Time             `json:"until,omitzero"`   // Deleted: from when on it can't be restored
	Client string                `json:"client,omitempty"` // who did it, as people say it
	Seq    int64                 `json:"exchange,omitempty"`
	Next   []lookingglass.Advice `json:"next,omitempty"` // what to do
	Near   []Near                `json:"near,omitempty"`
	Notes  []string              `json:"notes,omitempty"` // what else is worth knowing
}

// There reports whether the person can work: is there and active.
func (v *Verdict) There() bool { return v.Cause == Present }
