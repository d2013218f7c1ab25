package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
)

// errPostgresBackup says how PostgreSQL is backed up.
var errPostgresBackup = errors.New("the people are in PostgreSQL, which has tools of its own for this: pg_dump and pg_restore, or archived " +
	"write-ahead logs for any point in time; docs/operations.md shows both. This command is for SQLite")

// backupFlags are the arguments of "rollcall backup".
type backupFlags struct {
	Config

	File string `arg:"" name:"file" help:"file to write, which must not exist"`
}

// run writes a whole and consistent copy of the database, also while it is
// served.
func (f *backupFlags) run(ctx context.Context, s Settings, stdout io.Writer) error {
	if s.Database != nil {
		return errPostgresBackup
	}
	path := sqlitePath(s.DataDir)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no directory in the data folder %s: %w", printable(s.DataDir), bare(err))
	}
	if err := sqlite.Backup(ctx, path, f.File); err != nil {
		return err
	}
	info, err := os.Stat(f.File)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: %s bytes, checked\n", visible(f.File), grouped(info.Size()))
	return err
}

// restoreFlags are the arguments of "rollcall restore".
type restoreFlags struct {
	Config

	File  string `arg:"" name:"file" help:"backup to bring back"`
	Force bool   `name:"force" help:"set aside a directory that is in the data folder"`
}

// run makes the directory of the data folder that of a backup.
func (f *restoreFlags) run(ctx context.Context, s Settings, stdout io.Writer) (err error) {
	if s.Database != nil {
		return errPostgresBackup
	}
	if _, err := os.Stat(f.File); err != nil {
		return fmt.Errorf("can't read %s: %w", printable(f.File), bare(err))
	}
	if err := prepareFolder(s.DataDir); err != nil {
		return err
	}
	lock, err := lockFolder(s.DataDir)
	if err != nil {
		return err
	}
	defer lock.release()
	path, work := sqlitePath(s.DataDir), filepath.Join(s.DataDir, "restore.tmp")
	_, err = os.Lstat(path)
	there := err == nil
	if there && !f.Force {
		return fmt.Errorf("the data folder %s holds a directory already; --force sets it aside", printable(s.DataDir))
	}
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	fresh := filepath.Join(work, "rollcall.db")
	if err := f.checked(ctx, fresh); err != nil {
		return fmt.Errorf("%s was not restored: %w", printable(f.File), err)
	}
	if there {
		aside, err := swap(ctx, fresh, path, time.Now())
		if err != nil {
			return fmt.Errorf("%s was not restored: %w", printable(f.File), err)
		}
		fmt.Fprintf(stdout, "set aside: %s\n", visible(aside))
	} else if err := os.Rename(fresh, path); err != nil {
		return err
	}
	if err := syncFolder(s.DataDir); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "restored %s\n", visible(path))
	return dropPrivileges(s.DataDir, s.RunAs, newDirectory(s).log)
}

// checked copies the backup to a file of ours, and makes sure that it is whole
// and that this program can serve it.
func (f *restoreFlags) checked(ctx context.Context, fresh string) error {
	if err := copyFile(f.File, fresh); err != nil {
		return bare(err)
	}
	// A copy of a database that was in use has what is not yet in the file beside it.
	if err := copyFile(f.File+"-wal", fresh+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return bare(err)
	}
	if err := sqlite.Verify(ctx, fresh); err != nil {
		return err
	}
	if _, err := os.Stat(fresh + "-wal"); err == nil {
		return errors.New("the file and its log do not fit together")
	}
	status, err := sqlite.SchemaStatus(ctx, fresh)
	switch {
	case err != nil:
		return err
	case status.Have == 0:
		return errors.New("it is no database of rollcall")
	case status.Have > status.Want:
		return fmt.Errorf("schema %d, this program knows %d: %w", status.Have, status.Want, sqlite.ErrNewer)
	}
	file, err := os.OpenFile(fresh, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// swap puts a database in the place of another, which keeps a second name
// until it has lost the first: at no time is there none. What a crash has left in
// the log beside the old one is brought into it, or, if it is too damaged for
// that, set aside with it.
func swap(ctx context.Context, fresh, path string, now time.Time) (kept string, err error) {
	aside := path + ".before-restore-" + now.UTC().Format("20060102-150405")
	if err := second(path, aside); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(aside)
		}
	}()
	if filled(path + "-wal") {
		if err := second(path+"-wal", aside+"-wal"); err != nil {
			return "", err
		}
		defer func() {
			if err != nil && filled(aside+"-wal") { // the old one is of no use without it
				if e := second(aside+"-wal", path+"-wal"); e != nil && !errors.Is(e, fs.ErrExist) {
					err = errors.Join(err, e)
					return
				}
			}
			if err != nil || !filled(aside+"-wal") {
				_ = os.Remove(aside + "-wal")
			}
		}()
	}
	_ = sqlite.Fold(ctx, path) // the log is empty then, by both names
	// The log of one database must never be beside another.
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", bare(err)
		}
	}
	return aside, bare(os.Rename(fresh, path))
}

// filled reports whether there is a file with something in it.
func filled(name string) bool {
	info, err := os.Lstat(name)
	return err == nil && info.Size() > 0
}

// second gives a file a second name, which must be free: a copy of it where the
// file system has no links.
func second(file, name string) error {
	err := os.Link(file, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if err = copyFile(file, name); err != nil && !errors.Is(err, fs.ErrExist) {
			_ = os.Remove(name)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w", printable(name), bare(err))
	}
	return bare(err)
}
