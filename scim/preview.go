package scim

import "context"

type previewKey struct{}

// WithPreview returns a context for writes that are only tried out: the batch that
// they are in is taken back, whatever becomes of them. They are judged as others
// are, but nobody is told of what nobody has asked for.
func WithPreview(ctx context.Context) context.Context {
	return context.WithValue(ctx, previewKey{}, true)
}

// IsPreview reports whether ctx is one of [WithPreview].
func IsPreview(ctx context.Context) bool {
	preview, _ := ctx.Value(previewKey{}).(bool)
	return preview
}
