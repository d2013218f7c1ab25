package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rollcall-scim/rollcall/internal/transfer"
)

// importFlags are the arguments of "rollcall import".
type importFlags struct {
	Config

	File  string `arg:"" name:"file" help:"export to read; \"-\" is the standard input"`
	Merge bool   `name:"merge" help:"add to a directory that holds people already what it lacks, and list what it can't take"`
}

// run brings an export into the directory.
func (f *importFlags) run(ctx context.Context, s Settings, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	schemas, _, err := s.schemas()
	if err != nil {
		return err
	}
	in := stdin
	if f.File != "-" {
		file, err := os.Open(f.File) // while it can be read: it may be root's
		if err != nil {
			return fmt.Errorf("can't read %s: %w", printable(f.File), bare(err))
		}
		in = file
	}
	src := transfer.Changed(transfer.NewFile(in), schemas.Renew)
	defer src.Close()
	again := false // whether it can be read again
	if file, ok := in.(*os.File); ok {
		info, err := file.Stat()
		again = err == nil && info.Mode().IsRegular()
	}
	if again { // before anything is written
		m := newMeter(stderr, "reading")
		_, err := transfer.Sums(ctx, src, m.progress)
		if m.end(); err != nil {
			return err
		}
	}
	if f.Merge {
		return f.merge(ctx, s, src, stdout, stderr)
	}
	to, err := s.locate()
	if err != nil {
		return err
	}
	if s.Database == nil {
		if err := f.ownFolder(s); err != nil {
			return err
		}
	}
	err = intoTarget(ctx, src, to, schemas.Prepare, stderr)
	switch {
	case errors.Is(err, transfer.ErrNotEmpty):
		return fmt.Errorf("%w; --merge adds to it what it lacks", err)
	case err != nil:
		return err
	case !again:
		_, err = fmt.Fprintln(stdout, "imported")
		return err
	}
	made, err := to.source(ctx, "", false, schemas)
	if err != nil {
		return err
	}
	defer made.Close()
	return check(ctx, stdout, stderr, src, made)
}

// ownFolder makes the data folder, and becomes the user it is for.
func (f *importFlags) ownFolder(s Settings) error {
	if err := prepareFolder(s.DataDir); err != nil {
		return err
	}
	lock, err := lockFolder(s.DataDir)
	if err != nil {
		return err
	}
	defer lock.release()
	return dropPrivileges(s.DataDir, s.RunAs, newDirectory(s).log)
}

func (f *importFlags) merge(ctx context.Context, s Settings, src transfer.Source, stdout, stderr io.Writer) error {
	open := openFolder
	if s.Database != nil {
		open = openDirect
	} else if err := prepareFolder(s.DataDir); err != nil {
		return err
	}
	d, err := open(ctx, s)
	if errors.Is(err, errServed) {
		return fmt.Errorf("%w; stop it first", err)
	}
	if err != nil {
		return err
	}
	defer d.close()
	m := newMeter(stderr, "merging")
	counts, err := transfer.Merge(ctx, src, func(tenant string) transfer.Store { return d.db.tenant(tenant) }, m.progress, func(tenant, conflict string) {
		m.end()
		fmt.Fprintf(stdout, "conflict: %s: %s\n", visible(tenant), visible(conflict))
	})
	m.end()
	fmt.Fprintf(stdout, "created %s, there already %s, conflicts %s; memberships added %s\n",
		grouped(counts.Created), grouped(counts.There), grouped(counts.Conflicts), grouped(counts.Members))
	if err == nil && counts.Conflicts > 0 {
		err = errors.New("not everything could be added: see the conflicts")
	}
	return err
}
