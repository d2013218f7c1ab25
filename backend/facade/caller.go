package facade

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"
)

// Caller is who asks: the token that is passed through, and what one request
// knows already. It lives as long as the request. Safe for concurrent use.
type Caller struct {
	token  string
	calls  atomic.Int64
	writes atomic.Int64 // calls other than GET that may have been carried out

	mu   sync.Mutex
	memo map[string]any
}

type callerKey struct{}

// WithCaller returns a context that carries a new Caller with this token.
func WithCaller(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, callerKey{}, &Caller{token: token})
}

// CallerOf returns the context's Caller, or one without a token.
func CallerOf(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return &Caller{}
}

// Token returns the token to pass through, or "".
func (c *Caller) Token() string { return c.token }

// Fingerprint returns eight hexadecimal digits that tell tokens apart and from
// which none can be recovered; "" without a token.
func (c *Caller) Fingerprint() string {
	if c.token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(c.token))
	return hex.EncodeToString(sum[:4])
}

// Calls returns how many calls the request has made so far, retries included.
func (c *Caller) Calls() int64 { return c.calls.Load() }

// Remember keeps what the request has read, nil to forget it: a write that
// follows need not read it again.
func (c *Caller) Remember(key string, v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.memo == nil {
		c.memo = map[string]any{}
	}
	c.memo[key] = v
}

// Recall returns what the request has read under this key, or nil.
func (c *Caller) Recall(key string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memo[key]
}

// forget empties the memo: somebody has written what it holds.
func (c *Caller) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.memo)
}
