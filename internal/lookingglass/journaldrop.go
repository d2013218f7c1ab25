package lookingglass

import (
	"context"
	"encoding/binary"
	"errors"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
)

// dropping asks the writer of a journal to remove a tenant.
type dropping struct {
	tenant string
	done   chan error
}

// drop implements journal.
func (j *fileJournal) drop(ctx context.Context, tenant string) error {
	d := dropping{tenant, make(chan error, 1)}
	select {
	case j.drops <- d:
	case <-ctx.Done():
		return ctx.Err()
	case <-j.done:
		return errClosed
	}
	select {
	case err := <-d.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dropNow removes a tenant, in one transaction. Blocks that have exchanges of
// others as well are written anew without those of the tenant.
func (j *fileJournal) dropNow(tenant string) (err error) {
	if j.write == nil {
		return errClosed
	}
	end, err := sqlitex.ImmediateTransaction(j.write)
	if err != nil {
		return err
	}
	wanted := j.telling(tenant)
	changed := map[int64]*block{}
	err = sqlitex.Execute(j.write, `SELECT ids, deflated, body, first FROM blocks`, &sqlitex.ExecOptions{ResultFunc: func(st *sqlite.Stmt) error {
		if len(wanted) > 0 && !anyOf(columnBytes(st, 0), wanted) {
			return nil
		}
		text, err := blockText(st, 1)
		if err != nil {
			return err
		}
		b, err := without(text, tenant)
		if b != nil {
			changed[st.ColumnInt64(3)] = b
		}
		return err
	}})
	for first, b := range changed {
		err = errors.Join(err, j.rewrite(first, b))
	}
	err = errors.Join(err, run(j.write.Prep(`DELETE FROM lookups WHERE tenant = ?`), j.home(tenant)))
	if end(&err); err != nil {
		return err
	}
	return j.measure(j.write)
}

// rewrite replaces what is in a block, which keeps its numbers.
func (j *fileJournal) rewrite(first int64, b *block) (err error) {
	if b.count == 0 {
		err = run(j.write.Prep(`UPDATE state SET seq = max(seq, (SELECT coalesce(max(last), 0) FROM blocks))`))
		return errors.Join(err, run(j.write.Prep(`DELETE FROM blocks WHERE first = ?`), first))
	}
	body := b.b
	if b.large() {
		if body, err = deflate(body); err != nil {
			return err
		}
	}
	var ids []byte
	for _, h := range b.touched() {
		ids = binary.LittleEndian.AppendUint32(ids, h)
	}
	return run(j.write.Prep(`UPDATE blocks SET ids = ?, deflated = ?, body = ? WHERE first = ?`), ids, b.large(), body, first)
}

// drop implements journal.
func (j *sharedJournal) drop(ctx context.Context, tenant string) error {
	j.own(ctx)
	const most = 64
	s := shared.Span{Before: 1<<63 - 1, Beyond: 1<<63 - 1, Touching: []int32{int32(tenantHash(tenant))}, Limit: most}
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
			b, err := without(text, tenant)
			if err != nil {
				return err
			}
			if b != nil {
				p := j.packed(b)
				p.First, p.Last = blocks[i].First, blocks[i].Last
				changed = append(changed, p)
			}
		}
		if err := j.store.Forget(ctx, changed, j.home(tenant)); err != nil || len(blocks) < most {
			return err
		}
		s.Beyond = blocks[len(blocks)-1].Last
	}
}
