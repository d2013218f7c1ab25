package tenant

import "context"

// HashOf, NewSecret and Checksum are for tests of the form of tokens.
var (
	HashOf      = hashOf
	NewSecret   = newSecret
	Checksum    = checksum
	ErrForm     = errForm
	ErrChecksum = errChecksum
)

// Bounds that tests must know.
const (
	MostKept = mostKept
	KeepDead = keepDead
)

// WriteUses is what Run does every ten seconds.
func (r *Registry) WriteUses(ctx context.Context) error { return r.writeUses(ctx) }

// Cached returns how many tokens and tenants are in memory.
func (r *Registry) Cached() (tokens, tenants int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tokens.len(), r.tenants.len()
}

// Reminded counts what a program says in its log of reminders, call by call.
func Reminded(calls ...[]Reminder) (said []int) {
	r := reminded{}
	for _, list := range calls {
		said = append(said, len(r.due(list)))
	}
	return said
}
