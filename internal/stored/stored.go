// Package stored is what the SQL backends work out of a resource before they
// store it: columns, versions, unique texts, and what a change does to
// references and members.
package stored

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

// Columns are what a row of resources holds of a document beside its text.
type Columns struct {
	External     string // normalized, as it is compared; "" for none, as in the next two
	ExternalSort string // cut to the length that takes part in sorting
	ExternalSent string // as the client wrote it, where that differs
	Display      string
	DisplayFold  string
	Schemas      string // URNs, separated by blanks
}

// ColumnsOf returns the columns of r, which must have Attrs.
func ColumnsOf(r *scim.Resource) Columns {
	c := Columns{Display: scim.DisplayName(r.Attrs), Schemas: strings.Join(r.Schemas, " ")}
	c.DisplayFold = FoldName(c.Display)
	if r.ExternalID != "" {
		c.External = scim.KeyOf(external, r.ExternalID).Text
		c.ExternalSort = scim.SortText(c.External)
		if c.External != r.ExternalID {
			c.ExternalSent = r.ExternalID
		}
	}
	return c
}

var external = &scim.Attribute{Name: "externalId", Type: scim.TypeString, CaseExact: true}

// FoldName folds a display name, or another name that people know.
func FoldName(s string) string { return scim.Fold(&scim.Attribute{Type: scim.TypeString}, s) }

// Number returns the version as a number, where it is one, since that is what
// versions are but for those imported.
func Number(version string) (n int64, ok bool) {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != version {
		return 0, false
	}
	return n, true
}

// NextVersion counts up. An imported version that is no number starts anew.
func NextVersion(version string) string {
	n, _ := Number(version)
	return strconv.FormatInt(n+1, 10)
}

// Later returns now, or the next millisecond after before: lastModified moves
// forward even where a clock was set back.
func Later(before, now time.Time) time.Time {
	if least := before.Truncate(time.Millisecond).Add(time.Millisecond); now.Before(least) {
		return least
	}
	return now
}

// UniqueText is a unique value, folded, as it is stored: a hash where it is
// long. No value begins with the byte that marks a hash but one that is itself
// hashed.
func UniqueText(text string) string {
	const mark = "\x01"
	if len(text) <= scim.SortLength && !strings.HasPrefix(text, mark) {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return mark + hex.EncodeToString(sum[:])
}
