package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/internal/transfer/remote"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// bearer returns the token for a SCIM server: of the file, the flag or
// ROLLCALL_TOKEN.
func (f copyFlags) bearer(environ []string) (string, error) {
	token := replayFlags{Token: f.Token}.token(environ)
	if f.TokenFile != "" {
		text, err := os.ReadFile(f.TokenFile)
		if err != nil {
			return "", fmt.Errorf("can't read %s: %w", printable(f.TokenFile), bare(err))
		}
		first, _, _ := strings.Cut(string(text), "\n")
		token = strings.TrimSpace(first)
	}
	if !sendable([]string{token}) {
		return "", &usageError{errors.New("the token can't be sent in a header")}
	}
	return token, nil
}

// copyRemote brings the directory of a SCIM server into an empty database.
func (f copyFlags) copyRemote(ctx context.Context, from, to location, types []*scim.ResourceType, environ []string, stdout, stderr io.Writer) error {
	token, err := f.bearer(environ)
	if err != nil {
		return err
	}
	client, err := remote.NewClient(from.at, remote.Options{Token: token})
	if err != nil {
		return &usageError{err}
	}
	name := cmp.Or(f.Tenant, tenant.Default)
	verify := func(s store) error {
		m := newMeter(stderr, "verifying")
		r, err := remote.Verify(ctx, remote.Job{Client: client, Types: types, Store: s, Progress: m.progress})
		m.end()
		if err != nil {
			return err
		}
		writeReport(stdout, r, true)
		if r.Faulty > 0 {
			return fmt.Errorf("%w: %d differences", errDiffers, r.Faulty)
		}
		return nil
	}
	verified := false
	if !f.Verify {
		err := whileUnfinished(ctx, from, to, name, types, func(s store) error {
			resumed, err := inUse(ctx, s, types)
			if err != nil {
				return err
			}
			m := newMeter(stderr, "copying")
			r, err := remote.Copy(ctx, remote.Job{Client: client, Types: types, Store: s, Progress: m.progress})
			m.end()
			writeReport(stdout, r, false)
			if err == nil && r.Faulty > 0 {
				err = fmt.Errorf("%d faults; put them right in the source, and run the same command again", r.Faulty)
			}
			if err != nil || !resumed {
				return err
			}
			if err := verify(s); errors.Is(err, errDiffers) {
				return fmt.Errorf("%w; the source was changed since an earlier run began this copy, which stays unfinished: empty the target and copy again", err)
			} else if err != nil {
				return err
			}
			verified = true
			return nil
		})
		if err != nil || verified {
			return err
		}
	}
	db, close, err := to.open(ctx, types, false)
	if err != nil {
		return err
	}
	defer close()
	return verify(db.tenant(name))
}

// inUse reports whether a store has resources of one of the types.
func inUse(ctx context.Context, s store, types []*scim.ResourceType) (bool, error) {
	for _, t := range types {
		page, err := s.List(ctx, scim.Query{Type: t, StartIndex: 1, Count: 1, NoTotal: true})
		if err != nil || len(page.Resources) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// whileUnfinished runs f with a tenant of a target that nobody serves until f
// has succeeded.
func whileUnfinished(ctx context.Context, from, to location, name string, types []*scim.ResourceType, f func(store) error) (err error) {
	target, err := to.target(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	id := sha256.Sum256([]byte(from.at + " " + name))
	h := transfer.Header{ID: "server " + hex.EncodeToString(id[:16]), Tenants: []transfer.Tenant{{Name: name}}}
	if _, err := target.Begin(ctx, h); errors.Is(err, transfer.ErrDone) {
		return nil
	} else if err != nil {
		return fmt.Errorf("copying into %s: %w", to, err)
	}
	db, close, err := to.open(ctx, types, true)
	if err != nil {
		return err
	}
	err = f(db.tenant(name))
	close()
	if err != nil {
		return err
	}
	return target.Finish(ctx)
}

// open opens the database as stores, perhaps one that is a copy under way. A
// file that is no target of ours is locked.
func (l location) open(ctx context.Context, types []*scim.ResourceType, unfinished bool) (database, func(), error) {
	typ := func(_, name string) *scim.ResourceType {
		i := slices.IndexFunc(types, func(t *scim.ResourceType) bool { return t.Name == name })
		if i < 0 {
			return nil
		}
		return types[i]
	}
	if l.kind == "postgres" {
		db, err := postgres.Open(ctx, l.at, postgres.Options{Load: schema.Load, Encode: schema.Encode, Type: typ, Unfinished: unfinished, NoMigrate: true,
			UndeleteDays: keepAll})
		if err != nil {
			return nil, nil, err
		}
		return postgresDB{db}, func() { _ = db.Close() }, nil
	}
	unlock := func() {}
	if !unfinished {
		lock, err := lockFolder(filepath.Dir(l.at))
		if err != nil {
			return nil, nil, err
		}
		unlock = lock.release
	}
	db, err := sqlite.Open(ctx, l.at, sqlite.Options{Load: schema.Load, Encode: schema.Encode, Type: typ, Unfinished: unfinished, UndeleteDays: keepAll})
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return sqliteDB{db}, func() { _ = db.Close(); unlock() }, nil
}

// keepAll are days enough that nothing is purged by who only looks.
const keepAll = 36_500

// writeReport says what was copied or compared, and what could not be had.
func writeReport(out io.Writer, r *remote.Report, verified bool) {
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(out, "%-12s %12s\n", visible(name), grouped(int64(r.Counts[name])))
	}
	fmt.Fprintf(out, "%-12s %12s\n", "memberships", grouped(int64(r.Memberships)))
	if !verified {
		fmt.Fprintln(out, "not to be had from a SCIM server: passwords, the history, what is deleted")
		for _, name := range slices.Sorted(maps.Keys(r.Missing)) {
			fmt.Fprintf(out, "not given by this one: %s, in %s resources\n", visible(name), grouped(int64(r.Missing[name])))
		}
		for _, name := range slices.Sorted(maps.Keys(r.Unknown)) {
			fmt.Fprintf(out, "left out, since no schema here defines it: %s, in %s resources\n", visible(name), grouped(int64(r.Unknown[name])))
		}
		for _, name := range r.Others {
			fmt.Fprintf(out, "left out, since it is not known here: resources of the type %s\n", visible(name))
		}
		if r.Dangling > 0 {
			fmt.Fprintf(out, "left out: %s memberships of who does not exist\n", grouped(int64(r.Dangling)))
		}
	} else if r.Faulty == 0 {
		fmt.Fprintln(out, "compared attribute by attribute: the same")
	}
	for _, fault := range r.Faults {
		fmt.Fprintln(out, "-", visible(fault))
	}
	if more := r.Faulty - len(r.Faults); more > 0 {
		fmt.Fprintf(out, "- and %d more\n", more)
	}
}
