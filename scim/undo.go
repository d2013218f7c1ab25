package scim

import "context"

type undoKey struct{}

// WithUndo returns a context for a write that takes back what the same request has
// stored, such as the resources of a circle of bulkIds that can't be resolved (RFC
// 7644 §3.7.1). What limits the harm that clients do must let it pass.
func WithUndo(ctx context.Context) context.Context { return context.WithValue(ctx, undoKey{}, true) }

// IsUndo reports whether ctx is one of [WithUndo].
func IsUndo(ctx context.Context) bool {
	undo, _ := ctx.Value(undoKey{}).(bool)
	return undo
}
