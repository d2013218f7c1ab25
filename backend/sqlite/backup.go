package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

// Backup writes the database file at from, as it is at one moment, to a new
// file, mode 0600, and checks that one. Another process may serve the first
// meanwhile. What is left behind by a backup that fails is no whole file.
func Backup(ctx context.Context, from, to string) (err error) {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s exists already, and a backup overwrites nothing", to)
	}
	part := to + ".part"
	_ = os.Remove(part) // of a backup that was interrupted
	if err := Inspect(ctx, from); err != nil {
		return fmt.Errorf("sqlite: %s: %w", from, explain(err))
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // SQLite would let others read it
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(part)
			return
		}
		err = errors.Join(os.Rename(part, to), syncFolder(filepath.Dir(to)))
	}()
	if err := vacuumInto(ctx, from, part); err != nil {
		return fmt.Errorf("sqlite: %s: %w", from, explain(err))
	}
	if err := Verify(ctx, part); err != nil {
		return fmt.Errorf("the backup is not whole: %w", err)
	}
	return f.Sync()
}

func vacuumInto(ctx context.Context, from, to string) (err error) {
	c, err := openConn(from, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetBusyTimeout(busyTimeout)
	c.SetInterrupt(ctx.Done())
	return c.exec("VACUUM INTO ?", to)
}

// Verify reads the whole database file at path and returns an error if it is
// damaged. No other process may have it open.
func Verify(ctx context.Context, path string) (err error) {
	c, err := openConn(path, sqlite.OpenReadWrite, "query_only = ON")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetInterrupt(ctx.Done())
	found := ""
	err = c.each("PRAGMA integrity_check(1)", func(st *sqlite.Stmt) error {
		found = st.ColumnText(0)
		return nil
	})
	if err == nil && found != "ok" {
		err = errors.New(found)
	}
	if err != nil {
		return fmt.Errorf("sqlite: %s: %w", path, explain(err))
	}
	return nil
}

// Fold brings what is in the log beside the database file at path into the file
// itself, so that the file is whole without it. No other process may have it open.
func Fold(ctx context.Context, path string) (err error) {
	c, err := openConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetInterrupt(ctx.Done())
	err = c.each("PRAGMA wal_checkpoint(TRUNCATE)", func(st *sqlite.Stmt) error {
		if st.ColumnInt64(0) != 0 {
			return errors.New("somebody else has it open")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sqlite: %s: %w", path, explain(err))
	}
	return nil
}

// syncFolder makes a rename in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
