package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Instance is a program that serves the database.
type Instance struct {
	ID    string
	Facts string        // what it says of itself
	Seen  time.Duration // since it last did so, by the clock of the database
}

// forgetInstance is how long an instance that says nothing more is still named.
const forgetInstance = 10 * time.Minute

// Announce notes that an instance serves the database, with what it says of
// itself, and returns the others.
func (db *DB) Announce(ctx context.Context, id, facts string) (others []Instance, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		_, err := t.exec(ctx, `INSERT INTO instances (tenant, id, seen, facts) VALUES (0, $1, now(), $2)
			ON CONFLICT (tenant, id) DO UPDATE SET seen = now(), facts = excluded.facts`, escape(id), escape(facts))
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `DELETE FROM instances WHERE tenant = 0 AND seen < now() - $1::float8 * interval '1 second'`, forgetInstance.Seconds()); err != nil {
			return err
		}
		others, err = t.instances(ctx, id)
		return err
	})
	return others, err
}

// Instances returns the instances that serve the database, and those that did
// some minutes ago and did not take their leave.
func (db *DB) Instances(ctx context.Context) (all []Instance, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) (err error) {
		all, err = t.instances(ctx, "")
		return err
	})
	return all, err
}

func (t *session) instances(ctx context.Context, but string) (list []Instance, err error) {
	err = t.each(ctx, `SELECT id, facts, extract(epoch FROM now() - seen)::float8 FROM instances WHERE tenant = 0 AND id <> $1 ORDER BY id`,
		func(r pgx.Rows) error {
			var i Instance
			var seconds float64
			err := r.Scan(&i.ID, &i.Facts, &seconds)
			i.ID, i.Facts, i.Seen = unescape(i.ID), unescape(i.Facts), time.Duration(seconds*float64(time.Second))
			list = append(list, i)
			return err
		}, escape(but))
	return list, err
}

// Leave notes that an instance serves the database no more.
func (db *DB) Leave(ctx context.Context, id string) error {
	return db.Tenant("").peek(ctx, func(t *session) error {
		_, err := t.exec(ctx, `DELETE FROM instances WHERE tenant = 0 AND id = $1`, escape(id))
		return err
	})
}

// EndSession notes for all instances that something which is good until a time,
// such as a login, has ended before it.
func (db *DB) EndSession(ctx context.Context, id string, until time.Time) error {
	return db.decide(ctx, func(t *session) (refused, err error) {
		_, err = t.exec(ctx, `INSERT INTO ended (tenant, id, until) VALUES (0, $1, $2) ON CONFLICT DO NOTHING`, escape(id), until.Unix())
		return nil, err
	})
}

// EndedSessions returns what has ended before its time, and forgets that of
// which the time has come.
func (db *DB) EndedSessions(ctx context.Context) (ids []string, err error) {
	err = db.Tenant("").peek(ctx, func(t *session) error {
		ids = nil
		// An hour, so that an instance whose clock is behind does not take it for good.
		if _, err := t.exec(ctx, `DELETE FROM ended WHERE tenant = 0 AND until < extract(epoch FROM now()) - 3600`); err != nil {
			return err
		}
		return t.each(ctx, `SELECT id FROM ended WHERE tenant = 0`, func(r pgx.Rows) error {
			id := ""
			err := r.Scan(&id)
			ids = append(ids, unescape(id))
			return err
		})
	})
	return ids, err
}

// Unreachable reports whether an error of Open says that the database can't be
// reached, or takes no connections, at the moment: it may be there later.
func Unreachable(err error) bool {
	return gone(err) || strings.HasPrefix(code(err), "53") || errors.Is(err, errBusy) || errors.Is(err, context.DeadlineExceeded)
}
