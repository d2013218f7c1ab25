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
		aside, err := setAside(path, time.Now())
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "set aside: %s\n", visible(aside))
	}
	if err := errors.Join(os.Rename(fresh, path), syncFolder(s.DataDir)); err != nil {
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

// setAside gives a database, with what belongs to it, another name.
func setAside(path string, now time.Time) (aside string, err error) {
	aside = path + ".before-restore-" + now.UTC().Format("20060102-150405")
	if _, err := os.Lstat(aside); err == nil {
		return "", fmt.Errorf("%s exists already", printable(aside))
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Rename(path+suffix, aside+suffix); e != nil && (suffix == "" || !errors.Is(e, fs.ErrNotExist)) {
			err = errors.Join(err, e)
		}
	}
	return aside, err
}
