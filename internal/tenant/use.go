package tenant

import (
	"context"
	"strings"
	"time"
)

// noteEvery is how often it is written down, at most, that a token is used.
const noteEvery = time.Minute

// usage is what is known of the use of tokens and not yet in the store.
type usage struct {
	pending map[string]Use
	noted   *lru[string, time.Time] // token ID → the use that was written down last, or will be
}

func newUsage(tokens int) usage {
	return usage{map[string]Use{}, newLRU[string](tokens, tokens, func(time.Time) int { return 1 })}
}

// Used notes that a request came with a token, by a client of that kind or, if
// it is "", one that is not known. It costs no look-up in the store.
func (r *Registry) Used(t *Token, client string) {
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	last, ok := r.usage.noted.get(t.ID)
	if !ok {
		last = t.LastUsed
	}
	if since := now.Sub(last); since >= 0 && since < noteEvery {
		return
	}
	r.usage.noted.put(t.ID, now)
	r.usage.pending[t.ID] = Use{t.Tenant, t.ID, moment(now), printed(client)}
}

// writeUses hands what was noted to the store.
func (r *Registry) writeUses(ctx context.Context) error {
	r.mu.Lock()
	uses := make([]Use, 0, len(r.usage.pending))
	for _, u := range r.usage.pending {
		uses = append(uses, u)
	}
	clear(r.usage.pending)
	r.mu.Unlock()
	if len(uses) == 0 {
		return nil
	}
	err := r.store.NoteUse(ctx, uses)
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range uses {
		if len(r.usage.pending) >= r.o.Tokens {
			break
		}
		if later, ok := r.usage.pending[u.Token]; !ok || later.At.Before(u.At) {
			r.usage.pending[u.Token] = u
		}
	}
	return err
}

// printed is the name of a client as it may be kept and shown: one line, not
// long.
func printed(client string) string {
	client = strings.ToValidUTF8(client, "")
	client = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return -1
		}
		return c
	}, client)
	if len(client) > 100 {
		client = strings.ToValidUTF8(client[:100], "")
	}
	return client
}
