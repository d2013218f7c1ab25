package postgres

import "context"

// Exec runs a statement as a write of the store.
func Exec(ctx context.Context, s *Store, sql string) error {
	return s.write(ctx, func(t *session) error {
		_, err := t.exec(ctx, sql)
		return err
	})
}
