package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/transfer"
)

// copyFlags are the arguments of "rollcall copy".
type copyFlags struct {
	From    string `name:"from" required:"" placeholder:"SOURCE" help:"sqlite:FILE, postgres://…, file:EXPORT, or scim:URL of any SCIM server"`
	To      string `name:"to" placeholder:"TARGET" help:"sqlite:FILE or postgres://… (default: what ROLLCALL_DATABASE_URL names)"`
	Tenant  string `name:"tenant" placeholder:"NAME" help:"copy one tenant; from a SCIM server: the tenant to copy into (default: all; \"default\")"`
	Verify  bool   `name:"verify" help:"copy nothing, and compare what is there"`
	Schemas string `name:"schemas" placeholder:"FOLDER" help:"folder of *.json files with further schemas, as serve has it [ROLLCALL_SCHEMAS]"`
	Profile string `name:"profile" placeholder:"NAME" help:"profile that the target will be served with [ROLLCALL_PROFILE]"`

	Token     string `name:"token" placeholder:"TOKEN" help:"bearer token for the SCIM server; other users of this machine can see it"`
	TokenFile string `name:"token-file" placeholder:"FILE" help:"file with that token in its first line"`
}

// run copies a directory and returns the exit code.
func (f copyFlags) run(ctx context.Context, environ []string, stdout, stderr io.Writer) int {
	err := f.copy(ctx, environ, stdout, stderr)
	var usage *usageError
	switch {
	case err == nil:
		return exitStopped
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Fprintln(stderr, "rollcall: stopped; the same command goes on from here")
		return exitFailed
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(stderr, "rollcall:", visible(line))
	}
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// settings are those of the environment that matter to a copy.
func (f copyFlags) settings(environ []string) (Settings, error) {
	c := Config{Schemas: f.Schemas, Profile: f.Profile}
	var own []string
	for _, v := range environ {
		for _, name := range []string{"SCHEMAS", "PROFILE", "DATABASE_URL", "DATABASE_PASSWORD_FILE"} {
			if strings.HasPrefix(v, "ROLLCALL_"+name+"=") {
				own = append(own, v)
			}
		}
	}
	if _, err := c.Load(own); err != nil {
		return Settings{}, err
	}
	return c.Settings()
}

func (f copyFlags) copy(ctx context.Context, environ []string, stdout, stderr io.Writer) error {
	s, err := f.settings(environ)
	if err != nil {
		return &usageError{err}
	}
	from, err := parseLocation(f.From)
	if err != nil {
		return &usageError{fmt.Errorf("--from %w", err)}
	}
	var to location
	switch {
	case f.To != "":
		if to, err = parseLocation(f.To); err != nil || to.kind == "file" || to.kind == "scim" {
			return &usageError{errors.New("--to must be sqlite:FILE or postgres://… (\"rollcall export\" writes files)")}
		}
	case s.Database == nil:
		return &usageError{errors.New("--to is missing, and ROLLCALL_DATABASE_URL is not set")}
	default:
		if to, err = s.locate(); err != nil {
			return err
		}
	}
	if from == to {
		return &usageError{errors.New("--from and --to are the same")}
	}
	schemas, types, err := s.schemas()
	if err != nil {
		return err
	}
	if from.kind == "scim" {
		return f.copyRemote(ctx, from, to, types, environ, stdout, stderr)
	}
	if f.Token != "" || f.TokenFile != "" {
		return &usageError{errors.New("a token is for scim: sources")}
	}
	return copyAll(ctx, from, to, f.Tenant, f.Verify, schemas, stdout, stderr)
}

// copyAll brings a directory into an empty database, and compares the two.
func copyAll(ctx context.Context, from, to location, tenant string, verify bool, schemas transfer.Schemas, stdout, stderr io.Writer) error {
	src, err := from.source(ctx, tenant, false, schemas)
	if err != nil {
		return err
	}
	defer src.Close()
	if !verify {
		if from.kind == "file" { // before anything is written
			m := newMeter(stderr, "reading")
			_, err := transfer.Sums(ctx, src, m.progress)
			if m.end(); err != nil {
				return err
			}
		}
		if err := intoTarget(ctx, src, to, schemas.Prepare, stderr); err != nil {
			return err
		}
	}
	made, err := to.source(ctx, tenant, false, schemas)
	if err != nil {
		return err
	}
	defer made.Close()
	return check(ctx, stdout, stderr, src, made)
}

func intoTarget(ctx context.Context, src transfer.Source, to location, prepare func(*transfer.Record) error, stderr io.Writer) (err error) {
	target, err := to.target(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	m := newMeter(stderr, "copying")
	defer m.end()
	if err := transfer.Copy(ctx, src, target, prepare, m.progress); err != nil {
		if errors.Is(err, transfer.ErrDone) {
			m.end()
			fmt.Fprintf(stderr, "rollcall: %s, and is only compared\n", err)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("copying into %s: %w", to, err)
	}
	return nil
}
