package pactflow

import (
	"context"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// Shape brings c.After to what PactFlow would make of it (scim.Shaper).
func (s *users) Shape(_ context.Context, c *scim.Change) error {
	e := edit{Change: c, after: slices.Clone(c.After.Attrs), fallback: s.fallback}
	if c.Before != nil {
		e.before = c.Before.Attrs
	}
	if err := e.kind(); err != nil {
		return err
	}
	if e.after.Get("active") == nil {
		e.after.Set("active", e.before.Get("active"))
		if e.Before == nil {
			e.after.Set("active", true)
		}
	}
	e.named()
	steps := []func() error{e.identity, e.address, e.roles}
	if e.system {
		// The identity provider has no part in these.
		e.after.Set("userName", e.before.Get("userName"))
		e.after.Set("emails", e.before.Get("emails"))
		c.After.ExternalID = ""
		if c.Before != nil {
			c.After.ExternalID = c.Before.ExternalID
		}
		steps = []func() error{e.account, e.roles}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	c.After.Attrs = make(scim.Object, 0, len(e.after))
	for _, a := range c.After.Type.Schema.Attributes {
		if v := e.after.Get(a.Name); v != nil {
			c.After.Attrs = append(c.After.Attrs, scim.Member{Name: a.Name, Value: v})
		}
	}
	return nil
}

// Shape brings c.After to what PactFlow would make of it (scim.Shaper): a team
// has a name and no external id.
func (s *teams) Shape(_ context.Context, c *scim.Change) error {
	c.After.ExternalID = ""
	if strings.TrimSpace(text(c.After.Attrs, "displayName")) == "" {
		return required("displayName", "a team needs a name")
	}
	members, _ := c.After.Attrs.Get("members").([]scim.MemberRef)
	for _, m := range members {
		if !validID(m.ID) {
			return scim.InvalidReference("members", m.ID)
		}
	}
	return nil
}

// edit is the shaping of one change of a user.
type edit struct {
	*scim.Change
	before, after scim.Object
	system        bool   // it is, or becomes, a system account
	fallback      string // Options.UserNameFallback
}

// touched reports whether the client named the attribute or sub-attribute.
func (e *edit) touched(path string) bool { return slices.Contains(e.Touched, path) }

// kind decides what the user is. What a client says of it is often a text of
// its own directory, such as "Contractor": that is no opinion.
func (e *edit) kind() error {
	said, known := parseKind(text(e.after, "userType"))
	if e.Before == nil {
		e.system = said == kindSystem
		e.after.Set("userType", said)
		return nil
	}
	was := text(e.before, "userType")
	e.system = was == kindSystem
	if is, _ := parseKind(was); known && e.touched("userType") && is != said {
		return scim.Errorf(scim.TypeMutability, `"userType": a user can't become a system account, nor the other way round (RFC 7643 §7)`)
	}
	e.after.Set("userType", e.before.Get("userType"))
	return nil
}

// parseKind returns what a userType means, and whether it says anything.
func parseKind(s string) (kind string, known bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "user", "0":
		return kindUser, true
	case "system account", "systemaccount", "system_account", "system", "1":
		return kindSystem, true
	}
	return kindUser, false
}

// named decides PactFlow's one name, which is name.formatted and displayName.
func (e *edit) named() {
	formatted, display := sub(e.after, "name", "formatted"), text(e.after, "displayName")
	given, family := sub(e.after, "name", "givenName"), sub(e.after, "name", "familyName")
	name := text(e.before, "displayName")
	if name == "" {
		name = sub(e.before, "name", "formatted")
	}
	switch {
	case e.Before == nil:
		name = first(formatted, display, strings.TrimSpace(given+" "+family), text(e.after, "userName"))
	case formatted != "" && e.touched("name.formatted"):
		name = formatted
	case display != "" && e.touched("displayName"):
		name = display
	}
	e.after.Set("name", fullName(name, given, family))
	e.after.Set("displayName", nil)
	if name != "" {
		e.after.Set("displayName", name)
	}
}

// account decides the name of a system account: it is all that its POST takes.
func (e *edit) account() error {
	if e.Before != nil {
		return nil
	}
	e.after.Set("name", fullName(text(e.after, "displayName"), "", ""))
	if text(e.after, "displayName") == "" {
		return required("displayName", "a system account needs a name")
	}
	return nil
}

// identity checks userName: an identity provider gives one, but who came by
// another way has none.
func (e *edit) identity() error {
	name := strings.TrimSpace(text(e.after, "userName"))
	was := text(e.before, "userName")
	if e.Before != nil && was == fallback(e.fallback, e.Before.ID, address(e.before)) {
		if name == "" {
			e.after.Set("userName", e.before.Get("userName"))
		}
		return nil // PactFlow has none, or the same
	}
	switch {
	case name != "" && (e.Method != "PUT" || e.touched("userName")):
	case e.Before == nil, e.Method == "PUT":
		return required("userName", "a value is required")
	case name == "":
		return scim.Errorf(scim.TypeMutability, `"userName": a value is required, it can't be removed (RFC 7644 §3.5.2.2)`)
	}
	return nil
}

// address decides the one e-mail address.
func (e *edit) address() error {
	was := address(e.before)
	if e.Before != nil && !e.touched("emails") && e.Method != "PUT" {
		e.after.Set("emails", e.before.Get("emails"))
		return nil
	}
	list, _ := e.after.Get("emails").([]any)
	primaries := 0
	for _, v := range list {
		if o, _ := v.(scim.Object); o.Get("primary") == true {
			primaries++
		}
	}
	if primaries > 1 && e.Method != "PATCH" {
		return scim.Errorf(scim.TypeInvalidValue, `"emails.primary": at most one value can be primary (RFC 7643 §2.4)`)
	}
	if e.Method == "PATCH" {
		if e.touched("emails.type") && len(list) > 0 && chosen(list) == was {
			list = nil // the one, which shows no type, is what was to be taken away
		}
		// "emails[type eq \"work\"].value" of a user whose address shows no type
		// adds a second one: it is what the client wants.
		added := slices.DeleteFunc(slices.Clone(list), func(v any) bool { return value(v) == was })
		if chosen(added) != "" {
			list = added
		}
	}
	is := chosen(list)
	if e.Method == "PUT" && !e.touched("emails") {
		is = ""
	}
	if is == "" {
		return required("emails", "a value is required")
	}
	e.after.Set("emails", emailsOf(is))
	return nil
}

// chosen returns the address that counts: the primary one, else the first.
func chosen(list []any) string {
	address := ""
	for _, v := range list {
		o, _ := v.(scim.Object)
		switch mail := value(v); {
		case mail == "":
		case o.Get("primary") == true:
			return mail
		case address == "":
			address = mail
		}
	}
	return address
}

// address returns the one e-mail address of a resource of ours, or "".
func address(attrs scim.Object) string {
	list, _ := attrs.Get("emails").([]any)
	return chosen(list)
}

// value returns the "value" of an element, or "".
func value(v any) string {
	o, _ := v.(scim.Object)
	s, _ := o.Get("value").(string)
	return s
}

func text(attrs scim.Object, name string) string {
	s, _ := attrs.Get(name).(string)
	return s
}

func sub(attrs scim.Object, name, sub string) string {
	o, _ := attrs.Get(name).(scim.Object)
	return text(o, sub)
}

func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

func required(path, why string) error {
	return scim.Errorf(scim.TypeInvalidValue, "%q: %s (RFC 7643 §7)", path, why)
}
