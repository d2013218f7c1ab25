package lookingglass

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
)

// shortValue is up to how many characters a value counts only where it stands
// between quotation marks, as in a filter or in JSON: else it would be found all over.
const shortValue = 5

// erasing is what is looked for in order to be erased: exchanges of a tenant that
// touched somebody, or in which a value of theirs is.
type erasing struct {
	tenant string
	id     string
	values []string // folded
	needs  []string // what a text must have one of
}

func erasingOf(tenant, id string, values []string) *erasing {
	e := &erasing{tenant: tenant, id: id, needs: []string{fold(id)}}
	for _, v := range values {
		if v == "" {
			continue
		}
		e.values = append(e.values, foldValue(v))
		inJSON, _ := json.Marshal(v) // a string can't fail
		for _, form := range []string{v, string(inJSON[1 : len(inJSON)-1])} {
			if form = fold(form); utf8.RuneCountInString(form) <= shortValue {
				form = `"` + form + `"`
			}
			if !slices.Contains(e.needs, form) {
				e.needs = append(e.needs, form)
			}
		}
	}
	return e
}

// gone reports whether an exchange is to be erased.
func (e *erasing) gone(x *Exchange) bool {
	if x.Tenant != e.tenant {
		return false
	}
	if slices.Contains(x.Touched, e.id) || x.Target == e.id {
		return true
	}
	var b strings.Builder
	note := func(list ...string) {
		for _, s := range list {
			b.WriteString(s)
			b.WriteByte('\n')
		}
	}
	note(x.Path, x.Query, x.Sent, x.Local, x.Name, x.Target, x.Request.Body, x.Response.Body)
	for _, c := range x.Changes {
		note(c.Path, c.Before, c.After)
	}
	for _, s := range x.Steps {
		note(s.Text, s.Failed)
	}
	x.Filter.each(func(n *Node) { note(n.Text, n.Words) })
	if x.Fault != nil {
		note(x.Fault.Detail)
		for _, a := range x.Fault.Advice {
			note(a.Text)
		}
	}
	if x.Lookup != nil {
		note(`"` + x.Lookup.Value + `"`)
	}
	text := fold(b.String())
	return slices.ContainsFunc(e.needs, func(n string) bool { return strings.Contains(text, n) })
}

// Erase removes what is kept about somebody, in memory and in the journal: each
// exchange that touched the resource, or in which one of the values is, and
// lookups for these. Of exchanges with several people nothing is left.
func (r *Recorder) Erase(ctx context.Context, tenant, id string, values []string) error {
	if r.shared == nil || !r.o.ReadOnly {
		if err := r.Flush(ctx); err != nil {
			return err
		}
	}
	e := erasingOf(tenant, id, values)
	r.ring.drop(e.gone)
	r.lookups.erase(e)
	if r.journal == nil {
		return nil
	}
	return r.journal.erase(ctx, e)
}

func (l *lookups) erase(e *erasing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.all, func(k lookupKey, _ *Sought) bool { return k.tenant == e.tenant && slices.Contains(e.values, k.folded) })
}

// erase implements journal.
func (j *fileJournal) erase(ctx context.Context, e *erasing) error {
	return j.ask(ctx, dropping{erase: e, done: make(chan error, 1)})
}

// eraseNow erases somebody, and then writes the file anew, so that nothing is left
// in parts of it that nothing uses.
func (j *fileJournal) eraseNow(e *erasing) (err error) {
	if j.write == nil {
		return errClosed
	}
	end, err := sqlitex.ImmediateTransaction(j.write)
	if err != nil {
		return err
	}
	if err = j.rewriteAll(nil, e.gone); err == nil {
		for _, v := range e.values {
			err = errors.Join(err, run(j.write.Prep(`DELETE FROM lookups WHERE tenant = ? AND folded = ?`), j.home(e.tenant), v))
		}
	}
	if end(&err); err != nil {
		return err
	}
	j.reads.Lock() // whoever reads keeps what was there
	defer j.reads.Unlock()
	for _, q := range []string{`VACUUM`, `PRAGMA wal_checkpoint(TRUNCATE)`} {
		if err := sqlitex.ExecuteTransient(j.write, q, nil); err != nil {
			return err
		}
	}
	return j.measure(j.write)
}

// rewriteAll writes blocks anew that have exchanges which are to go, of all blocks
// or those with one of the hashes wanted.
func (j *fileJournal) rewriteAll(wanted []uint32, gone func(*Exchange) bool) error {
	changed := map[int64]*block{}
	err := sqlitex.Execute(j.write, `SELECT ids, deflated, body, first FROM blocks`, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		if len(wanted) > 0 && !anyOf(columnBytes(st, 0), wanted) {
			return nil
		}
		text, err := blockText(st, 1)
		if err != nil {
			return err
		}
		b, err := without(text, gone)
		if b != nil {
			changed[st.ColumnInt64(3)] = b
		}
		return err
	}})
	for first, b := range changed {
		err = errors.Join(err, j.rewrite(first, b))
	}
	return err
}

// erase implements journal.
func (j *sharedJournal) erase(ctx context.Context, e *erasing) error {
	j.own(ctx)
	var keys [][]byte
	for _, v := range e.values {
		keys = append(keys, keyIn(j.home(e.tenant), v))
	}
	return j.without(ctx, nil, e.gone, func(blocks []shared.Block) error { return j.store.Erase(ctx, blocks, keys) })
}

// without takes what is to go out of the blocks with one of the hashes, or all.
func (j *sharedJournal) without(ctx context.Context, touching []int32, gone func(*Exchange) bool, store func([]shared.Block) error) error {
	const most = 64
	s := shared.Span{Before: 1<<63 - 1, Beyond: 1<<63 - 1, Touching: touching, Limit: most}
	for {
		blocks, err := j.store.Read(ctx, s)
		if err != nil {
			return err
		}
		var changed []shared.Block
		for i := range blocks {
			text, err := bodyOf(&blocks[i])
			if err != nil {
				return err
			}
			b, err := without(text, gone)
			if err != nil {
				return err
			}
			if b != nil {
				p := j.packed(b)
				p.First, p.Last = blocks[i].First, blocks[i].Last
				changed = append(changed, p)
			}
		}
		if err := store(changed); err != nil || len(blocks) < most {
			return err
		}
		s.Beyond = blocks[len(blocks)-1].Last
	}
}
