package sqlite

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
)

// A group of at most eagerMembers is read with its page, as long as the page's
// groups have no more than eagerPage together. The members of others are read
// while they are written out, chunkMembers at a time, so that neither memory
// nor a snapshot is held meanwhile.
const (
	eagerMembers = 1_000
	eagerPage    = 10_000
	chunkMembers = 1_000
)

// members gives groups their members, in the order of the members' creation.
func (t *session) members(ctx context.Context, rows []*entry) error {
	byPK := map[int64][]scim.MemberRef{}
	var eager []*entry
	room := int64(eagerPage)
	for _, row := range rows {
		switch {
		case row.members == 0:
			row.r.Members = each(nil)
		case row.members <= eagerMembers && row.members <= room:
			eager, room = append(eager, row), room-row.members
		default:
			row.r.Members = t.stream(ctx, row.pk)
		}
	}
	if len(eager) == 0 {
		return nil
	}
	err := t.each(`SELECT m.grp, d.id, d.type, d.display FROM json_each(?) j
		CROSS JOIN members m ON m.grp = j.value AND m.tenant = (?+0) CROSS JOIN resources d ON d.pk = m.member AND d.type > 0`,
		func(st *sqlite.Stmt) error {
			m, err := t.member(st, 1)
			byPK[st.ColumnInt64(0)] = append(byPK[st.ColumnInt64(0)], m)
			return err
		}, numbers(pks(eager)), t.tenant)
	for _, row := range eager {
		row.r.Members = each(byPK[row.pk])
	}
	return err
}

// member reads id, type and display from three columns.
func (t *session) member(st *sqlite.Stmt, col int) (scim.MemberRef, error) {
	typ, err := t.typeName(st.ColumnInt64(col + 1))
	return scim.MemberRef{ID: st.ColumnText(col), Type: typ, Display: st.ColumnText(col + 2)}, err
}

func each(list []scim.MemberRef) iter.Seq2[scim.MemberRef, error] {
	return func(yield func(scim.MemberRef, error) bool) {
		for _, m := range list {
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
	db, store, inBatch := t.db, t.store, t.batch
	return func(yield func(scim.MemberRef, error) bool) {
		after, chunk := int64(0), make([]scim.MemberRef, 0, chunkMembers)
		for {
			chunk = chunk[:0]
			read := func(t *session) error {
				return t.each(`SELECT m.member, d.id, d.type, d.display FROM members m CROSS JOIN resources d ON d.pk = m.member
					WHERE m.grp = (?+0) AND m.member > (?+0) AND m.tenant = (?+0) AND d.type > 0 ORDER BY m.member LIMIT (?+0)`,
					func(st *sqlite.Stmt) error {
						m, err := t.member(st, 1)
						after, chunk = st.ColumnInt64(0), append(chunk, m)
						return err
					}, grp, after, t.tenant, chunkMembers)
			}
			var err error
			if inBatch != nil && inBatch.open {
				err = read(t)
			} else {
				err = (&Store{db, store.tenant, store.pk}).peek(ctx, read)
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
