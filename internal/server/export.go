package server

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	out, part := stdout, ""
	if f.File != "-" {
		if _, err := os.Lstat(f.File); err == nil {
			return fmt.Errorf("%s exists already, and an export overwrites nothing", printable(f.File))
		}
		part = f.File + ".part"
		file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("can't write %s: %w", printable(part), bare(err))
		}
		out = file
		defer func() {
			if err == nil {
				err = file.Sync()
			}
			if err = errors.Join(err, file.Close()); err != nil {
				_ = os.Remove(part)
				return
			}
			err = errors.Join(os.Rename(part, f.File), syncFolder(filepath.Dir(f.File)))
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
