package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
)

// Exit codes of "rollcall migrate": scripts tell by them what is to be done.
const (
	exitCurrent = 0 // the database has this program's schema, or one that it may serve
	exitPending = 1 // status: "up" has something to do; up: it failed
	exitTooOld  = 4 // the database is a newer program's: this one can't serve it
)

// migrateFlags are the arguments of "rollcall migrate …".
type migrateFlags struct {
	Config

	Up     struct{} `cmd:"" help:"Bring the database to this program's schema; exit 1 if that fails, 4 if it is a newer program's."`
	Status struct{} `cmd:"" help:"Say what up would do; exit 1 if there is something to do, 3 if it can't be found out, 4 if the database is a newer program's."`
}

// schema is how far a database has been migrated.
type schemaStatus struct {
	where      string
	have, want int64
	servesFrom int64 // the oldest schema whose program may serve it
	pending    []string
}

// run carries out "rollcall migrate verb" and returns the exit code.
func (f *migrateFlags) run(ctx context.Context, verb string, s Settings, stdout, stderr io.Writer) int {
	before, err := schemaOf(ctx, s)
	failed := exitNoAnswer
	if verb == "up" {
		failed = exitFailed
	}
	if err == nil {
		fmt.Fprintf(stdout, "%s\n%s\n", before.where, before)
		switch {
		case before.servesFrom > before.want:
			return exitTooOld
		case len(before.pending) == 0:
			return exitCurrent
		case verb == "status":
			return exitPending
		}
		err = migrateUp(ctx, s)
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(stderr, "rollcall:", visible(line))
		}
		return failed
	}
	fmt.Fprintf(stdout, "done: schema %d\n", before.want)
	return exitCurrent
}

func (s schemaStatus) String() string {
	text := fmt.Sprintf("schema %d; this program's is %d: ", s.have, s.want)
	switch {
	case s.servesFrom > s.want:
		return text + fmt.Sprintf("it can only be served by programs that know schema %d", s.servesFrom)
	case s.have > s.want:
		return text + "a newer program's, which this one may serve too"
	case len(s.pending) == 0:
		return text + "nothing to do"
	}
	return text + "to do:\n  " + strings.Join(s.pending, "\n  ")
}

// schemaOf looks at the database that the settings name. It changes nothing.
func schemaOf(ctx context.Context, s Settings) (schemaStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	if s.Database == nil {
		path := sqlitePath(s.DataDir)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return schemaStatus{}, fmt.Errorf("there is no directory in the data folder %s", printable(s.DataDir))
		}
		have, err := sqlite.SchemaStatus(ctx, path)
		if err != nil {
			return schemaStatus{}, err
		}
		of := schemaStatus{where: path, have: have.Have, want: have.Want, pending: have.Pending}
		if of.have > of.want { // no two programs share a file: none needs to be let in
			of.servesFrom = of.have
		}
		return of, nil
	}
	url, err := s.Database.secretURL()
	if err != nil {
		return schemaStatus{}, err
	}
	have, err := postgres.SchemaStatus(ctx, url)
	if err != nil {
		return schemaStatus{}, s.explain(err)
	}
	return schemaStatus{s.Database.Address, have.Have, have.Want, have.ServesFrom, have.Pending}, nil
}

// migrateUp migrates: the file of a data folder that nothing serves, or the
// PostgreSQL that instances may be serving.
func migrateUp(ctx context.Context, s Settings) error {
	if s.Database == nil {
		d := newDirectory(s)
		lock, err := lockFolder(s.DataDir)
		if err != nil {
			return err
		}
		defer lock.release()
		if err := dropPrivileges(s.DataDir, s.RunAs, d.log); err != nil {
			return err
		}
		_, _, err = sqlite.Migrate(ctx, sqlitePath(s.DataDir))
		return err
	}
	url, err := s.Database.secretURL()
	if err != nil {
		return err
	}
	if _, _, err := postgres.Migrate(ctx, url, postgres.Options{}); err != nil {
		return s.explain(err)
	}
	return nil
}
