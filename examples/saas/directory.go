package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/sqlfilter"
)

// Directory is the people and groups of one customer: a [scim.Backend].
type Directory struct {
	*App
	Org    int64
	Domain string // of the accounts from before SCIM that may be adopted; "": none
}

var errOnly = &scim.Error{Status: 501, Detail: "there are users and groups here, in the order of their creation"}

// work is a transaction. After its first error it does nothing more.
type work struct {
	*sql.Tx
	ctx context.Context
	err error
}

func (w *work) exec(text string, args ...any) {
	if w.err == nil {
		_, w.err = w.ExecContext(w.ctx, text, args...)
	}
}

func (w *work) scan(into []any, text string, args ...any) {
	if w.err == nil {
		w.err = w.QueryRowContext(w.ctx, text, args...).Scan(into...)
	}
}

func (w *work) refuse(when bool, err error) {
	if w.err == nil && when {
		w.err = err
	}
}

func (d Directory) transact(ctx context.Context, readOnly bool, f func(*work)) error {
	if !readOnly { // in turn: SQLite would let writers try again and again
		d.turn.Lock()
		defer d.turn.Unlock()
	}
	tx, err := d.DB.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
	if err == nil {
		defer func() { _ = tx.Rollback() }() // nothing, once it is committed
		w := &work{Tx: tx, ctx: ctx}
		if f(w); w.err == nil {
			w.err = tx.Commit()
		}
		err = w.err
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // whatever the driver calls it
	}
	return err
}

// record is a resource, and what the tables know it by.
type record struct {
	*scim.Resource
	seq  int64
	user sql.NullInt64 // the account of a person
}

// find returns the resources of a type that satisfy a condition, whole.
func (d Directory) find(w *work, t *scim.ResourceType, where sqlfilter.Clause) (list []record) {
	if w.refuse(d.tables[t.Name] == nil, scim.ErrNotFound); w.err != nil {
		return nil
	}
	const text = `SELECT r.seq, r.user_id, r.id, coalesce(r.external, ''), r.version, r.created, r.modified, r.text, r.hidden, r.login, r.name, r.active,
		(SELECT json_group_array(json_array(m.path, m.id, m.type, m.shown) ORDER BY m.other) FROM scim_related m WHERE m.seq = r.seq) FROM scim_`
	found, err := w.QueryContext(w.ctx, text+t.Name+" r WHERE r.org = ? AND "+where.SQL, where.Args...)
	if err != nil {
		w.err = err
		return nil
	}
	defer found.Close()
	for found.Next() {
		r := record{Resource: &scim.Resource{Type: t}}
		var created, modified int64
		var login, name any
		var active sql.NullBool
		var array []byte
		var related [][4]string
		err := found.Scan(&r.seq, &r.user, &r.ID, &r.ExternalID, &r.Meta.Version, &created, &modified, &r.Text, &r.Hidden, &login, &name, &active, &array)
		if w.err = errors.Join(err, json.Unmarshal(array, &related), schema.Load(r.Resource)); w.err != nil {
			return nil
		}
		r.Meta.Created, r.Meta.LastModified = time.UnixMicro(created).UTC(), time.UnixMicro(modified).UTC()
		if r.user.Valid { // the account is the application's, which may have changed it
			r.Attrs.Set("userName", login)
			r.Attrs.Set("displayName", name)
			r.Attrs.Set("active", map[sql.NullBool]any{{Bool: true, Valid: true}: true, {Valid: true}: false}[active])
		}
		schema.Encode(r.Resource) // makes Schemas and Links
		links, members := r.Links, []scim.MemberRef(nil)
		r.Text, r.Hidden, r.Links = nil, nil, nil // Attrs are the whole document
		for _, x := range related {
			switch ref := (scim.MemberRef{ID: x[1], Type: x[2], Display: x[3]}); x[0] {
			case "groups":
				r.Groups = append(r.Groups, ref)
			case "members":
				members = append(members, ref)
			case "manager":
				links[0].Ref, r.Links = ref, links
			}
		}
		r.Groups = r.Groups[:min(len(r.Groups), scim.MaxGroups)]
		if members != nil {
			r.Attrs.Set("members", members)
		}
		list = append(list, r)
	}
	w.err = found.Err()
	return list
}

// one returns a resource that has the version, or any if that is empty.
func (d Directory) one(w *work, ref scim.Ref, version string) record {
	list := d.find(w, ref.Type, sqlfilter.Clause{SQL: "r.id = ?", Args: []any{d.Org, ref.ID}})
	switch {
	case w.err != nil:
	case len(list) == 0:
		w.err = scim.ErrNotFound
	case version != "" && version != list[0].Meta.Version:
		w.err = scim.ErrVersionMismatch
	default:
		return list[0]
	}
	return record{}
}

// Get implements [scim.Backend].
func (d Directory) Get(ctx context.Context, ref scim.Ref, _ scim.Selection) (r *scim.Resource, err error) {
	err = d.transact(ctx, true, func(w *work) { r = d.one(w, ref, "").Resource })
	return r, err
}

// List implements [scim.Backend].
func (d Directory) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	c := d.tables[q.Type.Name]
	if c == nil || q.SortBy != nil {
		return nil, errOnly
	}
	l, err := c.List(q, d.Org)
	if err != nil {
		return nil, err
	}
	page := &scim.Page{}
	return page, d.transact(ctx, true, func(w *work) {
		w.scan([]any{&page.Total}, "SELECT count(*) FROM scim_"+q.Type.Name+" r WHERE r.org = ? AND "+l.Total.SQL, l.Total.Args...)
		list := d.find(w, q.Type, l.Page)
		if n := q.Count; n > 0 && len(list) > n {
			page.Last = l.Keyset(nil, list[n-1].seq)
		}
		for _, r := range list[:min(len(list), q.Count)] {
			page.Resources = append(page.Resources, r.Resource)
		}
	})
}

// Create implements [scim.Backend].
func (d Directory) Create(ctx context.Context, r *scim.Resource) (created *scim.Resource, err error) {
	if d.tables[r.Type.Name] == nil {
		return nil, errOnly
	}
	next := *r
	next.ID = uuid.NewString()
	err = d.transact(ctx, false, func(w *work) { created = d.put(w, &next, record{}) })
	return created, err
}

// Update implements [scim.Backend].
func (d Directory) Update(ctx context.Context, c scim.Change) (updated *scim.Resource, err error) {
	err = d.transact(ctx, false, func(w *work) { updated = d.put(w, c.After, d.one(w, c.Before.Ref(), c.Before.Meta.Version)) })
	return updated, err
}

// Delete implements [scim.Backend]. The account stays, since much may refer to
// it; but it lets nobody in, and its login is free.
func (d Directory) Delete(ctx context.Context, ref scim.Ref, version string) error {
	return d.transact(ctx, false, func(w *work) {
		r := d.one(w, ref, version)
		for _, p := range d.find(w, types[0], sqlfilter.Clause{SQL: "r.manager = ?", Args: []any{d.Org, ref.ID}}) {
			x, _ := p.Attrs.Get(scim.EnterpriseUserURN).(scim.Object)
			x.Set("manager", nil)
			p.Attrs.Set(scim.EnterpriseUserURN, x)
			schema.Encode(p.Resource) // an extension left empty is left out
			d.put(w, p.Resource, p)
		}
		w.exec("UPDATE scim_resources SET version = version + 1, modified = max(modified + 1000, ?) WHERE seq IN (SELECT grp FROM scim_members WHERE member = ?)", now(), r.seq)
		w.exec("DELETE FROM scim_resources WHERE seq = ?", r.seq)
		w.exec("UPDATE users SET active = FALSE, login = 'deleted:' || id WHERE id = ?", r.user)
		d.deactivate(w, r.user)
	})
}

func (d Directory) deactivate(w *work, user sql.NullInt64) {
	if w.err == nil && user.Valid && d.Deactivated != nil {
		w.err = d.Deactivated(w.ctx, w.Tx, user.Int64)
	}
}

// put stores r in the place of old, which is zero for what is new.
func (d Directory) put(w *work, r *scim.Resource, old record) *scim.Resource {
	var title, manager any
	user := old.user
	if r.Type.Name == "User" {
		user = d.account(w, r, old.user)
	} else if title = r.Attrs.Get("displayName"); r.Type.Schema.Attribute("displayName").Uniqueness != scim.UniquenessNone {
		var holder sql.NullInt64 // itself first: the name it has it may keep
		w.scan([]any{&holder}, "SELECT (SELECT seq FROM scim_group WHERE org = ? AND name_key = scim_fold('displayName', CAST(? AS BLOB)) ORDER BY seq = ? DESC)",
			d.Org, title, old.seq)
		w.refuse(holder.Valid && holder.Int64 != old.seq, scim.NotUnique("displayName"))
	}
	for _, l := range r.Links {
		manager = l.Ref.ID
	}
	schemas, _ := json.Marshal(r.Schemas)
	w.exec(`INSERT INTO scim_resources (org, type, id, user_id, title, external, manager, created, modified, schemas, text, hidden)
		VALUES (?1, ?2, ?3, ?4, ?5, nullif(?6, ''), ?7, ?8, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO UPDATE SET version = version + 1, title = ?5,
		external = nullif(?6, ''), manager = ?7, modified = max(modified + 1000, ?8), schemas = ?9, text = ?10, hidden = ?11`,
		d.Org, r.Type.Name, r.ID, user, title, r.ExternalID, manager, now(), string(schemas), r.Text, r.Hidden)
	w.exec("DELETE FROM scim_members WHERE grp = (SELECT seq FROM scim_resources WHERE id = ?)", r.ID)
	members := string(scim.AppendValue(nil, r.Attrs.Get("members"))) // "null", or objects with a "value"
	var unknown sql.NullString
	w.scan([]any{&unknown}, `SELECT (SELECT value ->> 'value' FROM json_each(?) WHERE type = 'object'
		AND NOT EXISTS (SELECT 1 FROM scim_resources m WHERE m.id = value ->> 'value' AND m.org = ? AND m.type = 'User') LIMIT 1)`, members, d.Org)
	w.refuse(unknown.Valid, scim.InvalidReference("members", unknown.String))
	w.exec("INSERT OR IGNORE INTO scim_members SELECT g.seq, m.seq FROM scim_resources g, json_each(?) e JOIN scim_resources m ON m.id = e.value ->> 'value' WHERE g.id = ?", members, r.ID)
	if r.Attrs.Get("active") == false {
		d.deactivate(w, user)
	}
	return d.one(w, r.Ref(), "").Resource
}

// account stores what the application keeps of a person. A new person gets a
// new account, or adopts one from before SCIM by this rule: its login is the
// userName, whatever the case, no identity provider has it, and the customer's
// answers for the login's domain. It keeps its login, and its name if none is
// sent.
func (d Directory) account(w *work, r *scim.Resource, user sql.NullInt64) sql.NullInt64 {
	var holder sql.NullInt64
	var adoptable bool
	login, name := r.Attrs.Get("userName"), r.Attrs.Get("displayName")
	w.scan([]any{&holder, &adoptable}, `SELECT max(h.id), coalesce(max(?4 <> '' AND substr(lower(h.login), -length(?4) - 1) = '@' || ?4
		AND NOT EXISTS (SELECT 1 FROM scim_resources WHERE user_id = h.id)), FALSE)
		FROM (SELECT id, login FROM users WHERE org = ?1 AND scim_fold('userName', CAST(login AS BLOB)) = scim_fold('userName', CAST(?2 AS BLOB)) ORDER BY id IS ?3 DESC LIMIT 1) h`,
		d.Org, login, user, d.Domain)
	w.refuse(holder.Valid && holder != user && (user.Valid || !adoptable), scim.NotUnique("userName"))
	switch {
	case holder.Valid && !user.Valid:
		w.exec("UPDATE users SET name = coalesce(?, name), active = ? WHERE id = ?", name, r.Attrs.Get("active"), holder)
		return holder
	case !user.Valid:
		w.scan([]any{&user}, "INSERT INTO users (org, login) VALUES (?, ?) RETURNING id", d.Org, login)
	}
	w.exec("UPDATE users SET login = ?, name = ?, active = ? WHERE id = ?", login, name, r.Attrs.Get("active"), user)
	return user
}

func now() int64 { return time.Now().UnixMilli() * 1000 }
