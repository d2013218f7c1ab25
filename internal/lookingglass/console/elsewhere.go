package console

import (
	"crypto/rand"
	"strings"
	"unicode"
)

// What somebody has open in the memory of this program has an id that names the
// instance, so that another one, to which a load balancer may send the next
// request, can say where it is.

// newID returns an id, for an instance of that name ("" for one that serves alone).
func newID(instance string) string {
	if instance == "" {
		return rand.Text()
	}
	return rand.Text() + "~" + instance
}

// elsewhere returns the name of the instance that gave an id, if that is
// another one than this, or "".
func (c *Console) elsewhere(id string) string {
	_, instance, _ := strings.Cut(id, "~")
	odd := func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("@.-_?", r)
	}
	if instance == c.o.Instance || len(instance) > 300 || strings.ContainsFunc(instance, odd) {
		return ""
	}
	return instance
}
