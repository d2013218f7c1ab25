// Package takeover brings a directory that another program kept in SQLite into
// a store of ours: the tables scim_users, scim_groups and scim_group_members.
// It only reads the other program's file, and that from a copy.
package takeover

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rollcall-scim/rollcall/scim"
)

// Target is where the directory goes: an empty store.
type Target interface {
	scim.Batcher
	scim.Importer
	scim.MemberUpdater
}

// Counts say what was taken over.
type Counts struct {
	Users, Groups, Memberships int
	Dangling                   int // memberships left out: their member does not exist
	Trimmed                    int // users and groups with an attribute that no schema of ours defines, which was left out
}

// ErrForeign is returned for a file that is not a database with those tables.
var ErrForeign = errors.New("not a database with the tables scim_users, scim_groups and scim_group_members")

// maxFaults is how many faulty rows an error lists.
const maxFaults = 20

// Run reads the database file at path and stores what it holds in target. It
// may write to the file's folder, so it wants a copy. types must have User and
// Group. It returns ErrForeign, or an error that names each row that can't be
// taken over; the target is then of no use.
func Run(ctx context.Context, path string, types []*scim.ResourceType, target Target) (Counts, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return Counts{}, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	r := &run{ctx: scim.WithOrigin(ctx, scim.Origin{Actor: "takeover"}), conn: conn, target: target}
	for _, t := range types {
		switch t.Name {
		case "User":
			r.user = t
		case "Group":
			r.group = t
		}
	}
	if r.user == nil || r.group == nil {
		return Counts{}, errors.New("takeover: the types User and Group are needed")
	}
	for _, step := range []func() error{r.inspect, r.users, r.groups, r.circles} {
		if err := step(); err != nil {
			return Counts{}, err
		}
	}
	return r.Counts, nil
}

// run is one take-over.
type run struct {
	Counts
	ctx         context.Context
	conn        *sqlite.Conn
	target      Target
	user, group *scim.ResourceType
	typed       bool // scim_group_members has a type: it holds groups as well
	known       map[string]bool
	faults      []error
	unseen      int // faults beyond maxFaults

	late map[string][]scim.MemberRef // memberships that close a circle of groups
}

// inspect checks that the tables are there.
func (r *run) inspect() error {
	for table, columns := range map[string]string{
		"scim_users":         "id external_id user_name data version created_at updated_at",
		"scim_groups":        "id external_id display_name data version created_at updated_at",
		"scim_group_members": "group_id user_id",
	} {
		have := map[string]bool{}
		err := r.query(`SELECT name FROM pragma_table_info(?)`, func(s *sqlite.Stmt) error {
			have[strings.ToLower(s.ColumnText(0))] = true
			return nil
		}, table)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrForeign, err)
		}
		for column := range strings.FieldsSeq(columns) {
			if !have[column] {
				return fmt.Errorf("%w: there is no %s.%s", ErrForeign, table, column)
			}
		}
		if table == "scim_group_members" {
			r.typed = have["type"]
		}
	}
	r.known, r.late = map[string]bool{}, map[string][]scim.MemberRef{}
	return nil
}

// users takes over the users, in the order of their creation.
func (r *run) users() error {
	var chunk []*scim.Resource
	err := r.query(`SELECT id, external_id, data, version, created_at, updated_at FROM scim_users ORDER BY created_at, rowid`,
		func(s *sqlite.Stmt) error {
			if res := r.resource(r.user, "scim_users", s); res != nil {
				chunk = append(chunk, res)
			}
			if len(chunk) < 500 {
				return nil
			}
			err := r.store("scim_users", chunk)
			chunk = chunk[:0]
			return err
		})
	if err == nil {
		err = r.store("scim_users", chunk)
	}
	if err != nil {
		return err
	}
	r.Users = len(r.known)
	return r.fault()
}

// store imports resources in one transaction.
func (r *run) store(table string, list []*scim.Resource) error {
	if len(list) == 0 {
		return nil
	}
	return r.target.Batch(r.ctx, func(b scim.Backend) error {
		var in scim.Importer = r.target
		if i, ok := b.(scim.Importer); ok {
			in = i
		}
		for _, res := range list {
			err := in.Import(r.ctx, res)
			var e *scim.Error
			switch {
			case err == nil:
				r.known[res.ID] = true
			case errors.As(err, &e) && e.Status < 500:
				r.note(table, res.ID, e)
			default:
				return err
			}
		}
		return nil
	})
}

// note keeps the fault of a row, so that one start tells of many.
func (r *run) note(table, id string, err error) {
	var e *scim.Error
	if errors.As(err, &e) && e.Status < 500 {
		err = errors.New(e.Detail)
	}
	if len(r.faults) == maxFaults {
		r.unseen++
		return
	}
	r.faults = append(r.faults, fmt.Errorf("%s, row with id %q: %w", table, id, err))
}

func (r *run) fault() error {
	if r.unseen > 0 {
		r.faults = append(r.faults, fmt.Errorf("and %d rows more", r.unseen))
	}
	return errors.Join(r.faults...)
}

func (r *run) query(sql string, row func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(r.conn, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
}
