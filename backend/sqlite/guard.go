package sqlite

import (
	"context"
	"math"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/scim"
)

var _ guard.Directory = (*Store)(nil)

// judge asks whoever watches a write whether it may happen.
func (t *session) judge(ctx context.Context, e guard.Effect, added, removed []member) error {
	w := guard.From(ctx)
	if w == nil {
		return nil
	}
	e.Added, e.Removed = t.effects(added), t.effects(removed)
	return w.Judge(ctx, judged{t}, e)
}

// judgeMembers is judge for a change of members alone: the document is as it is
// stored, not as it was when the request read it.
func (t *session) judgeMembers(ctx context.Context, c scim.Change, row *entry, added, removed []member) error {
	if guard.From(ctx) == nil {
		return nil
	}
	doc := c.Before
	if load := t.db.o.Load; load != nil {
		now := *row.r
		now.Type = c.After.Type
		if err := load(&now); err != nil {
			return err
		}
		doc = &now
	}
	e := effectOf(c, row)
	e.Before, e.After = doc, doc
	return t.judge(ctx, e, added, removed)
}

// judgeNew is judge for a resource that is to be created. Without members that is
// done already.
func (t *session) judgeNew(ctx context.Context, r *scim.Resource) error {
	a := r.Type.Membership()
	if a == nil || guard.From(ctx) == nil {
		return nil
	}
	refs, _ := r.Attrs.Get(a.Name).([]scim.MemberRef)
	if len(refs) == 0 {
		return nil
	}
	members, err := t.resolveAll(a, refs)
	if err != nil {
		return err
	}
	return t.judge(ctx, guard.Effect{Type: r.Type, After: r, Name: "POST " + r.Type.Name}, members, nil)
}

// effectOf is what an update does, but for the members.
func effectOf(c scim.Change, row *entry) guard.Effect {
	return guard.Effect{Type: c.After.Type, PK: row.pk, Before: c.Before, After: c.After, Name: c.Method + " " + c.After.Ref().String()}
}

func (t *session) effects(list []member) []guard.Member {
	out := make([]guard.Member, len(list))
	for i, m := range list {
		out[i] = guard.Member{PK: m.pk, ID: m.id, Type: t.names.typeOf[m.typ], Holds: m.nest > 0}
	}
	return out
}

// judged is the transaction of a write for who judges it.
type judged struct{ t *session }

func (j judged) Find(_ context.Context, named []guard.Named) (list []guard.Member, err error) {
	t := j.t
	seen := map[int64]bool{}
	for _, n := range named {
		typ, path := t.names.types[n.Type], t.names.paths[n.Path]
		if typ == 0 {
			continue
		}
		add := func(st *sqlite.Stmt) error {
			if pk := st.ColumnInt64(0); !seen[pk] {
				seen[pk] = true
				list = append(list, guard.Member{PK: pk, ID: st.ColumnText(1), Type: n.Type, Holds: t.names.holds[typ]})
			}
			return nil
		}
		if err := t.each(`SELECT pk, id FROM resources WHERE tenant = ? AND id = ? AND type = ?`, add, t.tenant, n.ID, typ); err != nil {
			return nil, err
		}
		err := t.each(`SELECT r.pk, r.id FROM attrs a CROSS JOIN resources r ON r.pk = a.res
			WHERE a.tenant = ? AND a.type = ? AND a.path = ? AND a.text = ? AND coalesce(a.long, a.text) = ?`,
			add, t.tenant, typ, path, scim.SortText(n.Text), n.Text)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (j judged) Above(_ context.Context, pks []int64) (list []guard.Group, err error) {
	err = j.t.each(`WITH RECURSIVE up (pk) AS (
			SELECT m.grp FROM json_each(?1) j CROSS JOIN members m ON m.member = j.value AND m.tenant = (?2+0)
			UNION
			SELECT m.grp FROM up CROSS JOIN members m ON m.member = up.pk AND m.tenant = (?2+0)
		) SELECT g.pk, g.id, g.display FROM up CROSS JOIN resources g ON g.pk = up.pk WHERE g.type > 0`, func(st *sqlite.Stmt) error {
		list = append(list, guard.Group{PK: st.ColumnInt64(0), ID: st.ColumnText(1), Name: st.ColumnText(2)})
		return nil
	}, numbers(pks), j.t.tenant)
	return list, err
}

// Tally is exact in every case: one connection writes.
func (j judged) Tally(_ context.Context, y guard.Tally) (c guard.Count, err error) {
	t := j.t
	if err := t.giveBack(y); err != nil {
		return c, err
	}
	if len(y.Lost)+len(y.Under) == 0 {
		return c, nil
	}
	if err := t.decisions(&c.State); err != nil {
		return c, err
	}
	c.Now = t.now()
	since := guard.Since(c.Now, y.Span, c.Floor, c.Approval).UnixMilli()
	people, most := slices.Clone(y.Lost), y.Most+c.Approval.People
	if len(y.Under) > 0 {
		err := t.each(`WITH RECURSIVE down (pk) AS (
				SELECT value FROM json_each(?1)
				UNION
				SELECT m.member FROM down CROSS JOIN members m ON m.grp = down.pk AND m.tenant = (?2+0)
			) SELECT d.pk FROM down d CROSS JOIN resources r ON r.pk = d.pk WHERE r.type = ?3 LIMIT (?4+0)`, func(st *sqlite.Stmt) error {
			people = append(people, st.ColumnInt64(0))
			return nil
		}, numbers(y.Under), t.tenant, t.names.types[guard.People], most+1)
		if err != nil {
			return c, err
		}
	}
	seen := map[int64]bool{}
	for _, pk := range people {
		if seen[pk] {
			continue
		}
		if len(seen) == most { // those who are left are too many, whoever they are
			c.New++
			break
		}
		seen[pk] = true
		// The sum keeps SQLite from going through all who count, by the index of times.
		_, counted, err := t.one(`SELECT 1 FROM guard_people WHERE tenant = ? AND person = ? AND time+0 > ? LIMIT 1`, t.tenant, pk, since)
		if err != nil {
			return c, err
		}
		if !counted {
			c.New++
		}
		err = t.exec(`INSERT INTO guard_people (tenant, person, cause, time) VALUES (?, ?, ?, ?)
			ON CONFLICT (tenant, person, cause) DO UPDATE SET time = excluded.time`, t.tenant, pk, y.Cause, c.Now.UnixMilli())
		if err != nil {
			return c, err
		}
	}
	return c, t.counted(&c.State, since, y.Span, most, y.Enough)
}

// giveBack forgets what is undone.
func (t *session) giveBack(y guard.Tally) error {
	if len(y.Back) == 0 {
		return nil
	}
	if _, any, err := t.one(`SELECT 1 FROM guard_people WHERE tenant = ? LIMIT 1`, t.tenant); !any || err != nil {
		return err
	}
	for _, pk := range y.Back {
		if err := t.exec(`DELETE FROM guard_people WHERE tenant = ? AND person = ? AND cause = ?`, t.tenant, pk, y.Cause); err != nil {
			return err
		}
	}
	return nil
}

// decisions reads what operators decided, and what was held since.
func (t *session) decisions(s *guard.State) error {
	return t.each(`SELECT floor, until, people, approver, held_first, held_last, held_requests, held_people, held_actor, held_what
		FROM guards WHERE tenant = ?`, func(st *sqlite.Stmt) error {
		s.Floor = fromMillis(st.ColumnInt64(0))
		s.Approval = guard.Approval{Until: fromMillis(st.ColumnInt64(1)), People: st.ColumnInt(2), By: st.ColumnText(3)}
		s.Held = guard.Hold{First: fromMillis(st.ColumnInt64(4)), Last: fromMillis(st.ColumnInt64(5)), Requests: st.ColumnInt(6),
			People: st.ColumnInt(7), Actor: st.ColumnText(8), What: st.ColumnText(9)}
		return nil
	}, t.tenant)
}

// earlierSQL is how many people were there before ?3, of ?4 in all, if those are
// fewer than ?5. Either those who came since are few, or those of before, or
// neither are: so many are looked at in vain.
const earlierSQL = `SELECT coalesce((?4+0) - nullif((SELECT count(*) FROM (SELECT 1 ` + newerSQL + ` LIMIT 100)), 100),
	nullif((SELECT count(*) FROM (SELECT 1 ` + olderSQL + ` LIMIT 100)), 100),
	(?4+0) - nullif((SELECT count(*) FROM (SELECT 1 ` + newerSQL + ` LIMIT (?5+0))), (?5+0)),
	(SELECT count(*) FROM (SELECT 1 ` + olderSQL + ` LIMIT (?5+0))))`

const (
	newerSQL = `FROM resources WHERE tenant = ?1 AND type = ?2 AND created > ?3`
	olderSQL = `FROM resources WHERE tenant = ?1 AND type = ?2 AND created <= ?3`
)

// counted counts people up to most, and those who were there before the span up to
// enough.
func (t *session) counted(s *guard.State, since int64, span time.Duration, most, enough int) error {
	// By the other index what does not count any more would be passed over each time.
	n, _, err := t.one(`SELECT count(*) FROM (SELECT DISTINCT person FROM guard_people INDEXED BY guard_people_time
		WHERE tenant = ? AND time > ? LIMIT (?+0))`,
		t.tenant, since, most)
	if err != nil {
		return err
	}
	s.People = int(n)
	oldest, some, err := t.one(`SELECT time FROM guard_people WHERE tenant = ? AND time > ? ORDER BY time LIMIT 1`, t.tenant, since)
	if some {
		s.Oldest = time.UnixMilli(oldest).UTC()
	}
	if err != nil {
		return err
	}
	typ := t.names.types[guard.People]
	total, _, err := t.one(`SELECT n FROM counts WHERE tenant = ? AND type = ?`, t.tenant, typ)
	if err != nil {
		return err
	}
	settled, err := t.settled(typ, scim.Instant(s.Now.Add(-span)), total, int64(enough))
	s.Total, s.Settled = int(total), int(settled)
	return err
}

// settled is what the writer knows of the people of a tenant: so many were there
// before a moment, and are, but for those who left since.
type settled struct{ before, people, left int64 }

// settled counts who was there before a moment, of total, up to enough. Where many
// were there and many came since, that takes as many rows. So the writer counts
// twice as many as it needs, and again once half of them may have left.
func (t *session) settled(typ, before, total, enough int64) (int64, error) {
	if t.w == nil {
		n, _, err := t.one(earlierSQL, t.tenant, typ, before, total, enough)
		return n, err
	}
	if known, ok := t.w.settled[t.tenant]; ok && known.before <= before && known.people-known.left >= enough {
		return enough, nil
	}
	n, _, err := t.one(earlierSQL, t.tenant, typ, before, total, 2*enough)
	if err == nil {
		t.w.settled[t.tenant] = settled{before: before, people: n}
	}
	return n, err
}

// BreakerState implements guard.Store.
func (s *Store) BreakerState(ctx context.Context, span time.Duration, most int) (st guard.State, err error) {
	err = s.read(ctx, func(t *session) error {
		if err := t.decisions(&st); err != nil {
			return err
		}
		st.Now = t.now()
		since := guard.Since(st.Now, span, st.Floor, st.Approval)
		return t.counted(&st, since.UnixMilli(), span, most+st.Approval.People, math.MaxInt32)
	})
	return st, err
}

// ApproveBreaker implements guard.Store.
func (s *Store) ApproveBreaker(ctx context.Context, lasts time.Duration, a guard.Approval) (until time.Time, err error) {
	err = s.write(ctx, func(t *session) error {
		until = t.now().Add(lasts).Truncate(time.Millisecond)
		return t.exec(`INSERT INTO guards (tenant, until, people, approver) VALUES (?, ?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET
			until = excluded.until, people = excluded.people, approver = excluded.approver,
			held_first = 0, held_last = 0, held_requests = 0, held_people = 0, held_actor = '', held_what = ''`,
			t.tenant, toMillis(until), a.People, a.By)
	})
	return until, err
}

// ResetBreaker implements guard.Store.
func (s *Store) ResetBreaker(ctx context.Context) error {
	return s.write(ctx, func(t *session) error {
		if err := t.exec(`DELETE FROM guards WHERE tenant = ?`, t.tenant); err != nil {
			return err
		}
		return t.exec(`INSERT INTO guards (tenant, floor) VALUES (?, ?)`, t.tenant, toMillis(t.now()))
	})
}

// NoteHeld implements guard.Store.
func (s *Store) NoteHeld(ctx context.Context, h guard.Hold) error {
	return s.write(ctx, func(t *session) error {
		return t.exec(`INSERT INTO guards (tenant, floor, until, held_first, held_last, held_requests, held_people, held_actor, held_what)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant) DO UPDATE SET
			held_first = CASE WHEN held_requests > 0 THEN held_first ELSE excluded.held_first END, held_last = excluded.held_last,
			held_requests = held_requests + excluded.held_requests, held_people = excluded.held_people,
			held_actor = excluded.held_actor, held_what = excluded.held_what
			WHERE floor = excluded.floor AND until = excluded.until`,
			t.tenant, toMillis(h.Floor), toMillis(h.Until), toMillis(h.First), toMillis(h.Last), h.Requests, h.People, h.Actor, h.What)
	})
}

// PruneBreaker implements guard.Store.
func (s *Store) PruneBreaker(ctx context.Context, before time.Time) error {
	_, old, err := s.has(ctx, `SELECT 1 FROM guard_people WHERE tenant = ? AND time < ? LIMIT 1`, toMillis(before))
	for old && err == nil { // in small steps between which others write
		n := 0
		err = s.write(ctx, func(t *session) error {
			err := t.exec(`DELETE FROM guard_people WHERE (tenant, person, cause) IN (
				SELECT tenant, person, cause FROM guard_people WHERE tenant = ? AND time < ? LIMIT (?+0))`, t.tenant, toMillis(before), pruneStep)
			n = t.Changes()
			return err
		})
		old = n == pruneStep
	}
	return err
}

// has asks one thing of the tenant's rows.
func (s *Store) has(ctx context.Context, query string, arg int64) (n int64, ok bool, err error) {
	err = s.peek(ctx, func(t *session) error {
		n, ok, err = t.one(query, t.tenant, arg)
		return err
	})
	return n, ok, err
}
