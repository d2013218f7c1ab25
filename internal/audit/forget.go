package audit

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-scim/rollcall/internal/changelog"
)

// Forgotten is what is left of the values of a row when they are erased: nothing,
// since nothing could prove it.
var Forgotten = string(changelog.Encode(nil))

// NoteErased returns the entry that says that rows of the resource were erased,
// and moves h behind it.
func NoteErased(h *Head, now time.Time, e Erasure, rows int64) (Entry, error) {
	return note(h, Erased, now, Note{ID: e.ID, Rows: rows, Actor: e.Actor, Address: e.Address})
}

// NoteExpired returns the entry that says that the entries up to last have
// expired, and moves h behind it.
func NoteExpired(h *Head, now time.Time, last Head) (Entry, error) {
	return note(h, Expired, now, Note{Through: last.N, Link: hex.EncodeToString(last.Link[:])})
}

func note(h *Head, kind Kind, now time.Time, n Note) (Entry, error) {
	text, err := json.Marshal(n)
	if err != nil {
		return Entry{}, fmt.Errorf("audit: %w", err)
	}
	e := Entry{Kind: kind, Time: now.UTC().Truncate(time.Millisecond), Note: text}
	h.add(&e)
	return e, nil
}

// Says returns what a note says.
func (e *Entry) Says() (n Note, err error) {
	if err = json.Unmarshal(e.Note, &n); err != nil {
		err = fmt.Errorf("audit: the note of entry %d can't be read: %w", e.N, err)
	}
	return n, err
}
