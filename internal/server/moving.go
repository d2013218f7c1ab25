package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// location is a database or a file that a directory is moved from or to.
type location struct {
	kind string // "sqlite", "postgres", "file" or "scim"
	at   string // path or URL, which may hold a password
}

// parseLocation reads what --from and --to name.
func parseLocation(s string) (location, error) {
	scheme, rest, ok := strings.Cut(s, ":")
	switch {
	case !ok || rest == "":
	case scheme == "sqlite":
		if info, err := os.Stat(rest); err == nil && info.IsDir() {
			rest = sqlitePath(rest)
		}
		return location{scheme, rest}, nil
	case scheme == "file", scheme == "scim":
		return location{scheme, rest}, nil
	case scheme == "postgres", scheme == "postgresql":
		return location{"postgres", s}, nil
	}
	return location{}, errors.New("must be sqlite:FILE, postgres://…, scim:URL or file:EXPORT")
}

// locate returns where the people of the settings are.
func (s *Settings) locate() (location, error) {
	if s.Database == nil {
		return location{"sqlite", sqlitePath(s.DataDir)}, nil
	}
	url, err := s.Database.secretURL()
	return location{"postgres", url}, err
}

// String returns what may be shown of it.
func (l location) String() string {
	switch l.kind {
	case "postgres":
		if shown, err := postgres.Address(l.at); err == nil {
			return shown
		}
		return "postgres"
	case "scim":
		return printable(redactURL(l.at))
	}
	return printable(l.at)
}

// source opens a database or an export to read all of it, or one tenant.
func (l location) source(ctx context.Context, tenant string, ids bool, schemas transfer.Schemas) (transfer.Source, error) {
	switch l.kind {
	case "sqlite":
		return sqlite.OpenSource(ctx, l.at, sqlite.SourceOptions{Tenant: tenant, IDs: ids})
	case "postgres":
		return postgres.OpenSource(ctx, l.at, postgres.SourceOptions{Tenant: tenant, IDs: ids})
	case "file":
		f, err := os.Open(l.at)
		if err != nil {
			return nil, bare(err)
		}
		if tenant != "" {
			return nil, errors.Join(errors.New("an export is moved whole: --tenant is for databases"), f.Close())
		}
		return transfer.Changed(transfer.NewFile(f), schemas.Renew), nil
	}
	return nil, fmt.Errorf("%s can't be read so", l)
}

// target opens a database to bring a directory into it. A file is locked, as
// its folder is by whoever serves it.
func (l location) target(ctx context.Context) (transfer.Target, error) {
	switch l.kind {
	case "postgres":
		return postgres.OpenTarget(ctx, l.at, postgres.Options{Load: schema.Load, Encode: schema.Encode})
	case "sqlite":
		lock, err := lockFolder(filepath.Dir(l.at))
		if err != nil {
			return nil, err
		}
		t, err := sqlite.OpenTarget(ctx, l.at, sqlite.Options{Load: schema.Load, Encode: schema.Encode})
		if err != nil {
			lock.release()
			return nil, err
		}
		return &lockedTarget{t, lock}, nil
	}
	return nil, errors.New("a directory can be brought into sqlite:FILE or postgres://…")
}

type lockedTarget struct {
	transfer.Target
	lock *folderLock
}

// Close implements transfer.Target.
func (t *lockedTarget) Close() error {
	defer t.lock.release()
	return t.Target.Close()
}

// schemas are the resource types that settings name, for what moves resources.
func (s *Settings) schemas() (transfer.Schemas, []*scim.ResourceType, error) {
	types, err := s.resourceTypes()
	if err != nil {
		return transfer.Schemas{}, nil, err
	}
	e, err := engine.New(struct{ scim.Backend }{}, engine.Config{Types: types, Profile: s.Profile})
	if err != nil {
		return transfer.Schemas{}, nil, err
	}
	types = e.Types() // as the profile wants them
	return transfer.Schemas{Load: schema.Load, Encode: schema.Encode, Type: func(_, name string) *scim.ResourceType {
		for _, t := range types {
			if t.Name == name {
				return t
			}
		}
		return nil
	}}, types, nil
}

var errDiffers = errors.New("the target does not hold what the source does")

// check compares two directories and says what came of it.
func check(ctx context.Context, out, stderr io.Writer, src, made transfer.Source) error {
	m := newMeter(stderr, "verifying")
	sums, differ, err := transfer.Verify(ctx, src, made, m.progress)
	m.end()
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	writeSums(out, sums, differ)
	if since, err := src.Since(ctx); err == nil && since > 0 {
		fmt.Fprintf(stderr, "rollcall: ATTENTION: the source was changed %d times since this began; what was read is of the moment before. "+
			"Stop what serves it before you copy for good.\n", since)
	}
	if len(differ) > 0 {
		return errDiffers
	}
	return nil
}

// writeSums writes a table of what there is.
func writeSums(out io.Writer, sums []transfer.Sum, differ []transfer.Difference) {
	bad := map[[2]string]transfer.Difference{}
	for _, d := range differ {
		bad[[2]string{d.Tenant, d.What}] = d
	}
	for _, s := range sums {
		verdict := "the same"
		if d, ok := bad[[2]string{s.Tenant, s.What}]; ok {
			verdict = "NOT THE SAME: " + d.String()
			delete(bad, [2]string{s.Tenant, s.What})
		}
		fmt.Fprintf(out, "%-12s %-10s %12s  %s  %s\n", visible(s.Tenant), visible(s.What), grouped(s.Count), s.Digest[:16], verdict)
	}
	for _, d := range differ {
		if _, left := bad[[2]string{d.Tenant, d.What}]; left {
			fmt.Fprintf(out, "%-12s %-10s %12s  NOT THE SAME: %s\n", visible(d.Tenant), visible(d.What), "", d)
		}
	}
}
