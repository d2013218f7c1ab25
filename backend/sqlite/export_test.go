package sqlite

import (
	"context"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

// Commits returns how many transactions were committed.
func (db *DB) Commits() int64 { return db.writer.commits.Load() }

// Prune runs what the program runs every hour.
func (db *DB) Prune(ctx context.Context) error { return db.prune(ctx) }

// Int runs a query for one number on a reading connection.
func (db *DB) Int(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		n, _, err = t.one(query, args...)
		return err
	})
	return n, err
}

// Exec runs a statement on the writer.
func (db *DB) Exec(ctx context.Context, query string) error {
	return db.writer.do(ctx, func() error { return db.writer.conn.once(query) })
}

// Panic makes the writer's goroutine run into a bug.
func (db *DB) Panic(ctx context.Context) error {
	return db.writer.do(ctx, func() error { panic("bug") })
}

// HoldWriter keeps the writer busy until release is called.
func (db *DB) HoldWriter() (held <-chan struct{}, release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	go func() {
		_ = db.writer.do(context.Background(), func() error {
			close(in)
			<-out
			return nil
		})
	}()
	return in, func() { close(out) }
}

// Waiting returns how many writes wait for the writer.
func (db *DB) Waiting() int { return len(db.writer.queue) }

// Plan returns the query plan of a statement, a step a line.
func (db *DB) Plan(ctx context.Context, query string) (steps []string, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		st, _, err := t.PrepareTransient("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			return err
		}
		defer st.Finalize()
		return drain(st, func(st *sqlite.Stmt) error {
			steps = append(steps, st.ColumnText(3))
			return nil
		})
	})
	return steps, err
}

// Spy notes the text of every statement that a tenant's reads and writes run.
func (db *DB) Spy(note func(query string)) {
	for range db.o.Readers {
		c, err := db.readers.take(context.Background(), db.life)
		if err != nil {
			return
		}
		c.note = note
		defer db.readers.put(c)
	}
	_ = db.writer.do(context.Background(), func() error {
		db.writer.conn.note = note
		return nil
	})
}

// Bury runs the first transaction of a delete, but not the slices that follow.
func (db *DB) Bury(ctx context.Context, tenant string, ref scim.Ref) error {
	return db.Tenant(tenant).write(ctx, func(t *session) error {
		_, err := t.delete(ctx, ref, "")
		return err
	})
}

// RowsWritten returns how many rows the writer has changed so far.
func (db *DB) RowsWritten(ctx context.Context) (n int64, err error) {
	err = db.writer.do(ctx, func() error {
		n, _, err = db.writer.conn.one(`SELECT total_changes()`)
		return err
	})
	return n, err
}

// BuryTenant runs the first transaction of a tenant's removal, but not the
// slices that follow.
func (db *DB) BuryTenant(ctx context.Context, name string) error { return db.bury(ctx, name) }

// BuryDelete is Bury for a tenant that was found.
func (db *DB) BuryDelete(ctx context.Context, of tenant.Tenant, ref scim.Ref) error {
	return db.For(of).write(ctx, func(t *session) error {
		t.db.o.SliceRows = 1
		_, err := t.delete(ctx, ref, "")
		return err
	})
}

// RemoveSlice removes one slice of what removed tenants have left.
func (db *DB) RemoveSlice(ctx context.Context, rows int) (more bool, err error) {
	err = db.writer.do(ctx, func() error {
		more, err = db.writer.removeSlice(rows)
		return err
	})
	return more, err
}

// Removals returns all statements that remove a tenant's rows.
func Removals() []string {
	all := slices.Clone(removals)
	for _, of := range rowsOf {
		all = append(append(append(all, of.list), of.many...), of.rest...)
	}
	return all
}

// Texts runs a query for one column of texts.
func (db *DB) Texts(ctx context.Context, query string) (list []string, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		st, _, err := t.PrepareTransient(query)
		if err != nil {
			return err
		}
		defer st.Finalize()
		return drain(st, func(st *sqlite.Stmt) error {
			list = append(list, st.ColumnText(0))
			return nil
		})
	})
	return list, err
}
