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

	"github.com/rollcall-scim/rollcall/internal/transfer"
)

// exportFlags are the arguments of "rollcall export".
type exportFlags struct {
	Config

	File   string `arg:"" name:"file" help:"file to write, which must not exist; \"-\" is the standard output"`
	Tenant string `name:"tenant" placeholder:"NAME" help:"export one tenant (default: all)"`
}

var errExported = errors.New("exists already, and an export overwrites nothing")

// run writes all that the directory holds, but what is never returned.
func (f *exportFlags) run(ctx context.Context, s Settings, stdout, stderr io.Writer) (err error) {
	from, err := s.locate()
	if err != nil {
		return err
	}
	schemas, _, err := s.schemas()
	if err != nil {
		return err
	}
	src, err := from.source(ctx, f.Tenant, true, schemas)
	if err != nil {
		return err
	}
	defer src.Close()
	out := stdout
	if f.File != "-" {
		if _, err := os.Lstat(f.File); err == nil {
			return fmt.Errorf("%s %w", printable(f.File), errExported)
		}
		// A new file of ours alone, whatever is there by such a name already.
		file, err := os.CreateTemp(filepath.Dir(f.File), filepath.Base(f.File)+".*.part")
		if err != nil {
			return fmt.Errorf("can't write %s: %w", printable(f.File), bare(err))
		}
		out = file
		defer func() {
			if err == nil {
				err = file.Sync()
			}
			if err = errors.Join(err, file.Close()); err == nil {
				err = settle(file.Name(), f.File)
			}
			if err != nil {
				_ = os.Remove(file.Name())
			}
		}()
	}
	secrets := 0
	redacted := transfer.Changed(src, func(r *transfer.Record) error {
		before := 0
		if r.Resource != nil {
			before = len(r.Resource.Hidden)
		}
		err := schemas.Redact(r)
		if r.Resource != nil && len(r.Resource.Hidden) != before {
			secrets++
		}
		return err
	})
	m := newMeter(stderr, "exporting")
	sums, err := transfer.Export(ctx, redacted, out, "rollcall "+Version(), time.Now(), m.progress)
	m.end()
	if err != nil {
		return err
	}
	for _, sum := range sums {
		fmt.Fprintf(stderr, "%-12s %-10s %12s\n", visible(sum.Tenant), visible(sum.What), grouped(sum.Count))
	}
	if secrets > 0 {
		fmt.Fprintf(stderr, "left out: what is never returned, such as hashes of passwords, of %s resources (\"rollcall copy\" and \"rollcall backup\" keep it)\n",
			grouped(int64(secrets)))
	}
	return nil
}

// settle gives a file its name, unless there is another of that name by now.
func settle(part, name string) error {
	err := os.Link(part, name)
	if err != nil && !errors.Is(err, fs.ErrExist) { // not every file system has links
		var taken *os.File
		if taken, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			err = errors.Join(taken.Close(), os.Rename(part, name))
		}
	} else if err == nil {
		err = os.Remove(part)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s %w", printable(name), errExported)
	}
	if err != nil {
		return fmt.Errorf("can't write %s: %w", printable(name), bare(err))
	}
	return syncFolder(filepath.Dir(name))
}
