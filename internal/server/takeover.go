package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rollcall-scim/rollcall/internal/takeover"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// takeOver brings the directory that another program left in the data folder,
// as scim.db, into our own file at path, if that does not exist yet. It works
// in a folder of its own and renames the finished file into its place at the
// end, so that an interrupted take-over begins anew; scim.db is never written.
func (d *directory) takeOver(ctx context.Context, path string) error {
	old := filepath.Join(d.s.DataDir, "scim.db")
	work := filepath.Join(d.s.DataDir, "takeover.tmp")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err // ours is there
	}
	if _, err := os.Stat(old); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	fail := func(err error) error { return fmt.Errorf("can't take over %s: %w", printable(old), err) }
	if err := os.RemoveAll(work); err != nil {
		return fail(err)
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		return fail(err)
	}
	counts, err := d.importFrom(ctx, old, work)
	if err == nil {
		err = os.Rename(filepath.Join(work, "rollcall.db"), path)
	}
	if err == nil {
		err = syncFolder(d.s.DataDir)
	}
	if err := errors.Join(err, os.RemoveAll(work)); err != nil {
		return fail(err)
	}
	d.log.Info("took over "+old, "users", counts.Users, "groups", counts.Groups, "memberships", counts.Memberships,
		"membershipsOfNobody", counts.Dangling, "withUnknownAttributes", counts.Trimmed)
	return nil
}

// importFrom makes work/rollcall.db of a copy of the database old. The copy
// takes the log of what is not yet in the file with it, which could otherwise
// be read only by changing the folder of the original.
func (d *directory) importFrom(ctx context.Context, old, work string) (counts takeover.Counts, err error) {
	copied := filepath.Join(work, "scim.db")
	for _, suffix := range []string{"", "-wal"} {
		if err := copyFile(old+suffix, copied+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return counts, err
		}
	}
	path := filepath.Join(work, "rollcall.db")
	db, err := d.openSQLite(ctx, path)
	if err != nil {
		return counts, err
	}
	counts, err = takeover.Run(ctx, copied, schema.Core(), db.tenant(tenant.Default))
	if err := errors.Join(err, db.Close()); err != nil {
		return counts, err
	}
	// A log that is left would hold a part of what was stored.
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return counts, errors.New("the new database could not be closed cleanly")
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return counts, err
	}
	return counts, errors.Join(f.Sync(), f.Close())
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// syncFolder makes a rename in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
