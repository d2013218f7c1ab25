package postgres

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

// A group of at most eagerMembers is read with its page, as long as the page's
// groups have no more than eagerPage together. The members of others are read
// while they are written out, chunkMembers at a time, so that neither memory
// nor a connection is held meanwhile.
const (
	eagerMembers = 1_000
	eagerPage    = 10_000
	chunkMembers = 1_000
)

const (
	membersOfAll = `SELECT m.grp, d.id, d.type, d.display FROM unnest($2::bigint[]) AS p (pk)
		JOIN members m ON m.tenant = $1 AND m.grp = p.pk JOIN resources d ON d.tenant = $1 AND d.pk = m.member AND d.type <> ''
		ORDER BY m.grp, m.member`
	membersOfOne = `SELECT m.grp, d.id, d.type, d.display FROM resources p JOIN members m ON m.tenant = $1 AND m.grp = p.pk
		JOIN resources d ON d.tenant = $1 AND d.pk = m.member AND d.type <> ''
		WHERE p.tenant = $1 AND p.id = $2 AND p.members <= $3 ORDER BY m.member`
	membersAfter = `SELECT m.member, d.id, d.type, d.display FROM members m
		JOIN resources d ON d.tenant = $1 AND d.pk = m.member AND d.type <> ''
		WHERE m.tenant = $1 AND m.grp = $2 AND m.member > $3 ORDER BY m.member LIMIT $4`
)

// members gives groups their members, in the order of the members' creation, or
// queues what does.
func (t *session) members(ctx context.Context, rows []*entry) {
	byPK := map[int64]*[]scim.MemberRef{}
	var eager []*entry
	room := int64(eagerPage)
	for _, row := range rows {
		switch {
		case row.members == 0:
			row.r.Members = each(new([]scim.MemberRef))
		case row.members <= eagerMembers && row.members <= room:
			eager, room = append(eager, row), room-row.members
			byPK[row.pk] = new([]scim.MemberRef)
			row.r.Members = each(byPK[row.pk])
		default:
			row.r.Members = t.stream(ctx, row.pk)
		}
	}
	if len(eager) > 0 {
		t.laterEach(membersOfAll, func(r pgx.Rows) error {
			pk, m, err := scanMember(r)
			if list := byPK[pk]; list != nil {
				*list = append(*list, m)
			}
			return err
		}, t.tenant, pks(eager))
	}
}

// membersOf is members for one group of which no more is known than its id. If
// it has too many, its Members stay nil.
func (t *session) membersOf(id string, row func() *entry) {
	list := new([]scim.MemberRef)
	t.queue = append(t.queue, statement{sql: membersOfOne, args: []any{t.tenant, escape(id), eagerMembers},
		row: func(r pgx.Rows) error {
			_, m, err := scanMember(r)
			*list = append(*list, m)
			return err
		},
		done: func(read int64) {
			// In a batch each statement sees its own moment: the group may have become too large.
			if e := row(); e != nil && (read > 0 || e.members == 0) {
				e.r.Members = each(list)
			}
		}})
}

func scanMember(rows pgx.Rows) (pk int64, m scim.MemberRef, err error) {
	err = rows.Scan(&pk, &m.ID, &m.Type, &m.Display)
	m.ID, m.Display = unescape(m.ID), unescape(m.Display)
	return pk, m, err
}

func each(list *[]scim.MemberRef) iter.Seq2[scim.MemberRef, error] {
	return func(yield func(scim.MemberRef, error) bool) {
		for _, m := range *list {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// stream reads the members of one group in chunks. Each chunk is of its own
// moment: members who come or go meanwhile may or may not be seen, all others
// are, once.
func (t *session) stream(ctx context.Context, grp int64) iter.Seq2[scim.MemberRef, error] {
	store, tenant, inBatch := t.store, t.tenant, t.batch
	return func(yield func(scim.MemberRef, error) bool) {
		after, chunk := int64(0), make([]scim.MemberRef, 0, chunkMembers)
		for {
			from := after
			read := func(t *session) error {
				chunk = chunk[:0]
				return t.each(ctx, membersAfter, func(r pgx.Rows) (err error) {
					var m scim.MemberRef
					after, m, err = scanMember(r)
					chunk = append(chunk, m)
					return err
				}, tenant, grp, from, chunkMembers)
			}
			var err error
			if inBatch != nil && inBatch.open {
				err = read(t)
			} else {
				err = store.peek(ctx, read)
			}
			if err != nil {
				yield(scim.MemberRef{}, err)
				return
			}
			for _, m := range chunk {
				if !yield(m, nil) {
					return
				}
			}
			if len(chunk) < chunkMembers {
				return
			}
		}
	}
}
