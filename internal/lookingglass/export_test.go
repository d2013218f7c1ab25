package lookingglass

import (
	"sync"

	"github.com/rollcall-scim/rollcall/scim/schema"
)

var coreNames = sync.OnceValue(func() names { return secretNames(schema.Core()) })

// RedactForTests returns a body as it would be kept, and its hash.
func RedactForTests(body []byte, size int64) (text, hash string, cut bool) {
	r := &redaction{names: coreNames()}
	m, _ := r.message(body, size)
	return r.cleanJSON(m.Body), m.Hash, m.Cut
}

// RedactQueryForTests returns a query as it would be kept.
func RedactQueryForTests(raw string) (reading, sent string) {
	r := &redaction{names: coreNames()}
	reading, sent = r.query(raw)
	return r.clean(reading), r.cleanSent(sent)
}
