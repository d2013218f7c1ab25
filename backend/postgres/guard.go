package postgres

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/scim"
)

var (
	_ guard.Directory = (*Store)(nil)
	_ guard.Leaser    = (*Store)(nil)
)

// aloneSQL waits until no other transaction of the tenant counts people, and
// keeps others out until this one has ended, or its savepoint is taken back.
// The first number is that of this purpose.
const aloneSQL = `SELECT pg_advisory_xact_lock(1919904876, $1)`

// alone queues aloneSQL for a transaction that may count people exactly: a change,
// or with nil a delete or a batch. It comes before every other lock, so that two
// can't wait for each other; in a batch its beginning has seen to that.
func (t *session) alone(ctx context.Context, c *scim.Change) {
	if w := guard.From(ctx); t.batch == nil && w.Exact() && (c == nil || w.Counts(*c)) {
		t.later(aloneSQL, t.tenant)
	}
}

// judge asks whoever watches a write whether it may happen.
func (t *session) judge(ctx context.Context, e guard.Effect, added, removed []member) error {
	w := guard.From(ctx)
	if w == nil {
		return nil
	}
	e.Added, e.Removed = t.effects(added), t.effects(removed)
	return w.Judge(ctx, judged{t}, e)
}

// judgeMembers is judge for a change of members. Of one that leaves the document
// alone that is as it is stored, not as it was when the request read it.
func (t *session) judgeMembers(ctx context.Context, c scim.Change, row *entry, document bool, added, removed []member) error {
	if guard.From(ctx) == nil {
		return nil
	}
	e := effectOf(c, row)
	if !document {
		doc := c.Before
		if load := t.db.o.Load; load != nil {
			now := *row.r
			now.Type = c.After.Type
			if err := load(&now); err != nil {
				return err
			}
			doc = &now
		}
		e.Before, e.After = doc, doc
	}
	return t.judge(ctx, e, added, removed)
}

// effectOf is what an update does, but for the members.
func effectOf(c scim.Change, row *entry) guard.Effect {
	return guard.Effect{Type: c.After.Type, PK: row.pk, Before: c.Before, After: c.After, Name: c.Method + " " + c.After.Ref().String()}
}

func (t *session) effects(list []member) []guard.Member {
	out := make([]guard.Member, len(list))
	for i, m := range list {
		out[i] = guard.Member{PK: m.pk, ID: m.id, Type: m.typ, Holds: m.typ != guard.People && t.holds(m)}
	}
	return out
}

// judged is the transaction of a write for who judges it.
type judged struct{ t *session }

// findSQL finds resources by type and id, or by type and the value of a path.
const findSQL = `SELECT x.pk, x.type, x.id FROM unnest($2::text[], $3::text[]) AS n (type, id) CROSS JOIN LATERAL (
		SELECT r.pk, r.type, r.id FROM resources r WHERE r.tenant = $1 AND r.id = n.id AND r.type = n.type ORDER BY r.id LIMIT 1) x
	UNION
	SELECT r.pk, r.type, r.id FROM unnest($2::text[], $4::text[], $5::text[], $6::text[]) AS n (type, path, text, long) CROSS JOIN LATERAL (
		SELECT a.res FROM attrs a WHERE a.tenant = $1 AND a.type = n.type AND a.path = n.path AND a.text = n.text
			AND coalesce(a.long, a.text) = n.long ORDER BY a.text, a.res LIMIT 1000) x
	JOIN resources r ON r.tenant = $1 AND r.pk = x.res AND r.type = n.type`

func (j judged) Find(ctx context.Context, named []guard.Named) (list []guard.Member, err error) {
	var types, ids, paths, cut, long []string
	for _, n := range named {
		types, ids, paths = append(types, n.Type), append(ids, n.ID), append(paths, n.Path)
		cut, long = append(cut, scim.SortText(n.Text)), append(long, n.Text)
	}
	err = j.t.each(ctx, findSQL, func(rows pgx.Rows) error {
		var m member
		err := rows.Scan(&m.pk, &m.typ, &m.id)
		m.id = unescape(m.id)
		list = append(list, j.t.effects([]member{m})...)
		return err
	}, j.t.tenant, types, escaped(ids), paths, escaped(cut), escaped(long))
	return list, err
}

const aboveSQL = `WITH RECURSIVE up (pk) AS (
		SELECT m.grp FROM unnest($2::bigint[]) AS p (pk) JOIN members m ON m.tenant = $1 AND m.member = p.pk
		UNION
		SELECT m.grp FROM up JOIN members m ON m.tenant = $1 AND m.member = up.pk
	) SELECT g.pk, g.id, g.display FROM up JOIN resources g ON g.tenant = $1 AND g.pk = up.pk WHERE g.type <> ''`

func (j judged) Above(ctx context.Context, pks []int64) (list []guard.Group, err error) {
	err = j.t.each(ctx, aboveSQL, func(rows pgx.Rows) error {
		var g guard.Group
		err := rows.Scan(&g.PK, &g.ID, &g.Name)
		g.ID, g.Name = unescape(g.ID), unescape(g.Name)
		list = append(list, g)
		return err
	}, j.t.tenant, pks)
	return list, err
}

const underSQL = `WITH RECURSIVE down (pk) AS (
		SELECT u.pk FROM unnest($2::bigint[]) AS u (pk)
		UNION
		SELECT m.member FROM down JOIN members m ON m.tenant = $1 AND m.grp = down.pk
	) SELECT d.pk FROM down d JOIN resources r ON r.tenant = $1 AND r.pk = d.pk WHERE r.type = '` + guard.People + `' LIMIT $3`

// nowSQL is the clock of the database, which all instances share, as milliseconds;
// $2 is NULL but in tests. It is that of the statement: later than a lock that was
// waited for before.
const nowSQL = `coalesce($2::bigint, (extract(epoch FROM statement_timestamp()) * 1000)::bigint)`

// clock is what the second argument of statements with nowSQL is.
func (db *DB) clock() *int64 {
	if db.o.DatabaseNow == nil {
		return nil
	}
	now := db.o.DatabaseNow().UnixMilli()
	return &now
}

// sinceSQL is guard.Since of a span of $3 milliseconds.
const sinceSQL = `greatest(` + nowSQL + ` - $3::bigint, (SELECT CASE WHEN g.until <= ` + nowSQL + ` THEN greatest(g.floor, g.until) ELSE g.floor END
	FROM guards g WHERE g.tenant = $1))`

// expireSQL removes some of what does not count any more. People are counted in
// the order of their numbers, so that the count can end at the most that matters:
// what does not count would be passed over each time. A change of one person adds less than that.
const expireSQL = `DELETE FROM guard_people WHERE tenant = $1 AND (person, cause) IN (
	SELECT p.person, p.cause FROM guard_people p WHERE p.tenant = $1 AND p.time <= ` + sinceSQL + ` ORDER BY p.time LIMIT $4
	FOR UPDATE SKIP LOCKED)`

const expireStep = 200

// earlierSQL is how many people were there before that span, if those are fewer
// than $4. Either those who came since are few, or those of before, or neither are:
// so many are looked at in vain.
const earlierSQL = `coalesce(` + totalSQL + ` - nullif(` + newerSQL + ` LIMIT 100) x), 100), nullif(` + olderSQL + ` LIMIT 100) x), 100),
	` + totalSQL + ` - nullif(` + newerSQL + ` LIMIT $4) x), $4::bigint), ` + olderSQL + ` LIMIT $4) x))`

const (
	totalSQL = `(SELECT coalesce(sum(c.n), 0)::bigint FROM counts c WHERE c.tenant = $1 AND c.type = '` + guard.People + `')`
	newerSQL = `(SELECT count(*) FROM (SELECT 1 FROM resources r WHERE r.tenant = $1 AND r.type = '` + guard.People + `' AND r.created > (` + nowSQL + ` - $3::bigint) * 1000`
	olderSQL = `(SELECT count(*) FROM (SELECT 1 FROM resources r WHERE r.tenant = $1 AND r.type = '` + guard.People + `' AND r.created <= (` + nowSQL + ` - $3::bigint) * 1000`
)

// Tally is exact where the transaction has the tenant to itself, see alone. The
// people are counted by statements that begin after that.
func (j judged) Tally(ctx context.Context, y guard.Tally) (c guard.Count, err error) {
	t := j.t
	t.giveBack(y)
	if len(y.Lost)+len(y.Under) == 0 {
		return c, nil
	}
	t.decisions(&c.State)
	people, most := slices.Clone(y.Lost), y.Most
	if len(y.Under) > 0 || len(y.Lost) > y.Most { // how many may be counted matters
		if err := t.flush(ctx); err != nil {
			return c, err
		}
		most += c.Approval.People
	}
	if len(y.Under) > 0 {
		err := t.each(ctx, underSQL, func(rows pgx.Rows) error {
			var pk int64
			err := rows.Scan(&pk)
			people = append(people, pk)
			return err
		}, t.tenant, y.Under, most+1)
		if err != nil {
			return c, err
		}
	}
	slices.Sort(people) // the order in which all lock them
	people = slices.Compact(people)
	more := len(people) > most // those who are left are too many, whoever they are
	people = people[:min(len(people), most)]
	t.laterEach(`SELECT count(*) FROM unnest($4::bigint[]) AS u (pk) WHERE NOT EXISTS (
		SELECT 1 FROM guard_people p WHERE p.tenant = $1 AND p.person = u.pk AND p.time > `+sinceSQL+`)`,
		func(rows pgx.Rows) error { return rows.Scan(&c.New) }, t.tenant, t.db.clock(), y.Span.Milliseconds(), people)
	t.later(`INSERT INTO guard_people (tenant, person, cause, time) SELECT $1, u.pk, $3, `+nowSQL+` FROM unnest($4::bigint[]) AS u (pk)
		ON CONFLICT (tenant, person, cause) DO UPDATE SET time = excluded.time`, t.tenant, t.db.clock(), y.Cause, people)
	t.later(expireSQL, t.tenant, t.db.clock(), y.Span.Milliseconds(), expireStep)
	t.counted(&c.State, y.Span, most, y.Enough)
	err = t.flush(ctx)
	if more {
		c.New++
	}
	return c, err
}

// giveBack queues what forgets what is undone.
func (t *session) giveBack(y guard.Tally) {
	if len(y.Back) > 0 {
		t.later(`DELETE FROM guard_people WHERE tenant = $1 AND cause = $2 AND person = ANY($3::bigint[])`, t.tenant, y.Cause, y.Back)
	}
}

// decisions queues what reads what operators decided, and what was held since.
func (t *session) decisions(s *guard.State) {
	t.laterEach(`SELECT floor, until, people, approver, held_first, held_last, held_requests, held_people, held_actor, held_what
		FROM guards WHERE tenant = $1`, func(rows pgx.Rows) error {
		var floor, until, first, last int64
		err := rows.Scan(&floor, &until, &s.Approval.People, &s.Approval.By, &first, &last, &s.Held.Requests, &s.Held.People, &s.Held.Actor, &s.Held.What)
		s.Floor, s.Approval.Until, s.Held.First, s.Held.Last = fromMillis(floor), fromMillis(until), fromMillis(first), fromMillis(last)
		s.Approval.By, s.Held.Actor, s.Held.What = unescape(s.Approval.By), unescape(s.Held.Actor), unescape(s.Held.What)
		return err
	}, t.tenant)
}

// counted queues what counts people up to most and what an approval lets pass, and
// those who were there before the span up to enough.
func (t *session) counted(s *guard.State, span time.Duration, most, enough int) {
	now, ms := t.db.clock(), span.Milliseconds()
	t.laterEach(`SELECT count(*) FROM (SELECT DISTINCT p.person FROM guard_people p WHERE p.tenant = $1 AND p.time > `+sinceSQL+`
		LIMIT $4 + coalesce((SELECT g.people FROM guards g WHERE g.tenant = $1), 0)) x`,
		func(rows pgx.Rows) error { return rows.Scan(&s.People) }, t.tenant, now, ms, most)
	t.laterEach(`SELECT p.time FROM guard_people p WHERE p.tenant = $1 AND p.time > `+sinceSQL+` ORDER BY p.time LIMIT 1`, func(rows pgx.Rows) error {
		var oldest int64
		err := rows.Scan(&oldest)
		s.Oldest = fromMillis(oldest)
		return err
	}, t.tenant, now, ms)
	t.laterEach(`SELECT `+nowSQL+`, `+totalSQL+`, `+earlierSQL, func(rows pgx.Rows) error {
		var now int64
		err := rows.Scan(&now, &s.Total, &s.Settled)
		s.Now = fromMillis(now)
		return err
	}, t.tenant, now, ms, enough)
}

// BreakerState implements guard.Store.
func (s *Store) BreakerState(ctx context.Context, span time.Duration, most int) (st guard.State, err error) {
	err = s.read(ctx, func(t *session) error {
		st = guard.State{}
		t.decisions(&st)
		t.counted(&st, span, most, math.MaxInt32)
		return t.flush(ctx)
	})
	return st, err
}

// ApproveBreaker implements guard.Store.
func (s *Store) ApproveBreaker(ctx context.Context, lasts time.Duration, a guard.Approval) (until time.Time, err error) {
	err = s.write(ctx, func(t *session) error {
		return t.each(ctx, `INSERT INTO guards (tenant, until, people, approver) VALUES ($1, `+nowSQL+` + $3, $4, $5) ON CONFLICT (tenant) DO UPDATE SET
			until = excluded.until, people = excluded.people, approver = excluded.approver,
			held_first = 0, held_last = 0, held_requests = 0, held_people = 0, held_actor = '', held_what = '' RETURNING until`, func(rows pgx.Rows) error {
			var ms int64
			err := rows.Scan(&ms)
			until = fromMillis(ms)
			return err
		}, t.tenant, t.db.clock(), lasts.Milliseconds(), a.People, escape(a.By))
	})
	return until, err
}

// ResetBreaker implements guard.Store.
func (s *Store) ResetBreaker(ctx context.Context) error {
	return s.write(ctx, func(t *session) error {
		t.later(`INSERT INTO guards (tenant, floor) VALUES ($1, `+nowSQL+`) ON CONFLICT (tenant) DO UPDATE SET floor = excluded.floor,
			until = 0, people = 0, approver = '',
			held_first = 0, held_last = 0, held_requests = 0, held_people = 0, held_actor = '', held_what = ''`, t.tenant, t.db.clock())
		return nil
	})
}

// NoteHeld implements guard.Store.
func (s *Store) NoteHeld(ctx context.Context, h guard.Hold) error {
	return s.write(ctx, func(t *session) error {
		t.later(`INSERT INTO guards AS g (tenant, floor, until, held_first, held_last, held_requests, held_people, held_actor, held_what)
			VALUES ($1, $8, $9, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant) DO UPDATE SET
			held_first = CASE WHEN g.held_requests > 0 THEN g.held_first ELSE excluded.held_first END, held_last = excluded.held_last,
			held_requests = g.held_requests + excluded.held_requests, held_people = excluded.held_people,
			held_actor = excluded.held_actor, held_what = excluded.held_what
			WHERE g.floor = excluded.floor AND g.until = excluded.until`,
			t.tenant, toMillis(h.First), toMillis(h.Last), h.Requests, h.People, escape(h.Actor), escape(h.What), toMillis(h.Floor), toMillis(h.Until))
		return nil
	})
}

// PruneBreaker implements guard.Store. Buckets that were not used since are full,
// as are those that are not there.
func (s *Store) PruneBreaker(ctx context.Context, before time.Time) error {
	err := s.write(ctx, func(t *session) error {
		t.later(`DELETE FROM rates WHERE tenant = $1 AND at < $2`, t.tenant, before.UnixMicro())
		return nil
	})
	if err != nil {
		return err
	}
	return s.inSteps(ctx, func(t *session) (int64, error) {
		return t.exec(ctx, `DELETE FROM guard_people WHERE tenant = $1 AND (person, cause) IN (
			SELECT p.person, p.cause FROM guard_people p WHERE p.tenant = $1 AND p.time < $2 ORDER BY p.time LIMIT $3
			FOR UPDATE SKIP LOCKED)`, t.tenant, toMillis(before), pruneStep)
	})
}
