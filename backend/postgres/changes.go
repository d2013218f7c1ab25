package postgres

import (
	"context"

	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/scim"
)

// record is an entry of the change log in the making.
type record struct {
	op      string
	row     *entry
	version string // after the change
	deltas  []scim.RecordDelta
	people  []int64 // resources that became or ceased to be members
}

// members adds what changed in a membership.
func (r *record) members(a *scim.Attribute, added, removed []member) {
	if len(added)+len(removed) == 0 {
		return
	}
	r.deltas = append(r.deltas, changelog.Members(a, ids(added), ids(removed)))
	for _, m := range added {
		r.people = append(r.people, m.pk)
	}
	for _, m := range removed {
		r.people = append(r.people, m.pk)
	}
}

// record queues an entry of the change log, and whom it touched.
func (t *session) record(ctx context.Context, r record) {
	o := scim.OriginOf(ctx)
	t.later(`INSERT INTO changes (tenant, time, type, res, id, op, version, actor, request, address, deltas)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		t.tenant, t.db.now().UnixMilli(), r.row.typ, r.row.pk, escape(r.row.r.ID), r.op, escape(r.version), escape(o.Actor), escape(o.RequestID),
		escape(o.Address), string(changelog.Encode(r.deltas)))
	if len(r.people) > 0 {
		t.later(`INSERT INTO changes_people (tenant, person, change) SELECT $1, p, currval('changes_seq') FROM unnest($2::bigint[]) AS u (p)
			ON CONFLICT DO NOTHING`, t.tenant, r.people)
	}
}

// came notes in the trace who really became or ceased to be a member.
func (t *session) came(added, removed []member) {
	if t.batch == nil {
		t.moved.Join(ids(added), ids(removed))
		return
	}
	t.trace.Note(func(n *scim.TraceNotes) { n.Members.Join(ids(added), ids(removed)) })
}

func ids(list []member) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.id
	}
	return out
}
