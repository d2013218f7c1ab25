package lookingglass

import (
	"context"
	"encoding/binary"
	"errors"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
)

// dropping asks the writer of a journal to remove a tenant, or to erase somebody.
type dropping struct {
	tenant string
	erase  *erasing // nil: a tenant
	done   chan error
}

// drop implements journal.
func (j *fileJournal) drop(ctx context.Context, tenant string) error {
	return j.ask(ctx, dropping{tenant: tenant, done: make(chan error, 1)})
}

// ask lets the writer do something, and waits for it.
func (j *fileJournal) ask(ctx context.Context, d dropping) error {
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
	err = j.rewriteAll(j.telling(tenant), func(x *Exchange) bool { return x.Tenant == tenant })
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
	return j.without(ctx, []int32{int32(tenantHash(tenant))}, func(x *Exchange) bool { return x.Tenant == tenant }, //nolint:gosec // any bits do
		func(blocks []shared.Block) error { return j.store.Forget(ctx, blocks, j.home(tenant)) })
}
