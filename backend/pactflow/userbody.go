package pactflow

// writable is what PUT of a user can change, beside its roles.
type writable struct {
	Name, FirstName, LastName, Email, UserName, ExternalID string
	Active                                                 *bool
}

func (u *user) writable() writable {
	return writable{u.Name, u.FirstName, u.LastName, u.Email, u.UserName, u.ExternalID, u.Active}
}

// texts returns the names and values of the texts.
func (w writable) texts() []struct{ name, value string } {
	return []struct{ name, value string }{
		{"name", w.Name}, {"firstName", w.FirstName}, {"lastName", w.LastName}, {"email", w.Email},
		{"externalIdpUsername", w.UserName}, {"externalIdpId", w.ExternalID},
	}
}

// equal reports whether a PUT would change nothing.
func (w writable) equal(other writable) bool {
	same := (w.Active == nil) == (other.Active == nil) && (w.Active == nil || *w.Active == *other.Active)
	w.Active, other.Active = nil, nil
	return same && w == other
}

// as reports whether a user is as active as was wanted.
func (w writable) as(wanted writable) bool {
	return wanted.Active == nil || w.Active != nil && *w.Active == *wanted.Active
}

// unchanged returns the name of something that was to become another than before
// and has not, or "".
func (w writable) unchanged(before, wanted writable) string {
	if !w.as(wanted) {
		return "active"
	}
	was, is := before.texts(), w.texts()
	for i, t := range wanted.texts() {
		if !same(t.value, was[i].value) && is[i].value == was[i].value {
			return t.name
		}
	}
	return ""
}

// put returns the body of a PUT that makes w of before: all of it, since
// whether PactFlow keeps or clears what is left out is not known. What is
// absent before and after is left out, what is cleared is empty, nothing null.
func (w writable) put(before writable) map[string]any {
	body := w.post()
	for _, t := range before.texts() {
		if _, has := body[t.name]; !has && t.value != "" {
			body[t.name] = ""
		}
	}
	if w.Active != nil {
		body["active"] = *w.Active
	}
	return body
}

// post returns the body of a POST, which takes no "active".
func (w writable) post() map[string]any {
	body := map[string]any{}
	for _, t := range w.texts() {
		if t.value != "" {
			body[t.name] = t.value
		}
	}
	return body
}
