package sqlite

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

// record writes an entry of the change log and notes whom it touched.
func (t *session) record(ctx context.Context, r record) error {
	_, err := t.recorded(ctx, r)
	return err
}

func (t *session) recorded(ctx context.Context, r record) (seq int64, err error) {
	o := scim.OriginOf(ctx)
	err = t.exec(`INSERT INTO changes (tenant, time, type, res, id, op, version, actor, request, address, deltas)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, t.tenant, t.now().UnixMilli(), r.row.typ, r.row.pk, r.row.r.ID, r.op, r.version,
		o.Actor, o.RequestID, o.Address, string(changelog.Encode(r.deltas)))
	if err != nil {
		return 0, err
	}
	seq = t.LastInsertRowID()
	for _, p := range r.people {
		if err := t.exec(`INSERT OR IGNORE INTO changes_people (tenant, person, change) VALUES (?, ?, ?)`, t.tenant, p, seq); err != nil {
			return 0, err
		}
	}
	return seq, nil
}
