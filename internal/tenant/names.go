package tenant

import (
	"context"
	"strings"
)

// Names returns the names of the first tenants, in order, that have a text in
// their names, limit at most. They come from memory.
func (r *Registry) Names(ctx context.Context, text string, limit int) (names []string, err error) {
	for {
		r.mu.Lock()
		current, index := r.current(), r.index
		r.mu.Unlock()
		if current && index != nil {
			for _, name := range index.Tenants {
				if len(names) == limit {
					break
				}
				if strings.Contains(name, strings.ToLower(text)) {
					names = append(names, name)
				}
			}
			return names, nil
		}
		if err := r.catchUp(ctx); err != nil {
			return nil, err
		}
	}
}
