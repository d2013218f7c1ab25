package lookingglass

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// each runs a query on the connection for reading.
func (j *fileJournal) each(ctx context.Context, query string, args []any, row func(*sqlite.Stmt) error) error {
	j.reads.Lock()
	defer j.reads.Unlock()
	if j.read == nil {
		return errClosed
	}
	j.read.SetInterrupt(ctx.Done())
	defer j.read.SetInterrupt(nil)
	err := sqlitex.Execute(j.read, query, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the journal of the Looking Glass: %w", err)
	}
	return nil
}

// errEnough ends a query that has found enough.
var errEnough = errors.New("enough")

// find is Recorder.Find for the journal alone.
func (j *fileJournal) find(ctx context.Context, q Query) ([]*Exchange, error) {
	q.After = max(q.After, j.floor.Load())
	m := newMatcher(q)
	query := `SELECT ids, deflated, body FROM blocks WHERE last > ? AND first < ? ORDER BY first`
	if !q.Oldest {
		query += " DESC"
	}
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	wanted := make([]uint32, 0, len(q.Touching))
	for _, id := range q.Touching {
		wanted = append(wanted, idHash(id))
	}
	slices.Sort(wanted)
	if len(wanted) == 0 {
		wanted = append(wanted, j.telling(q.Tenant)...)
	}
	var list []*Exchange
	err := j.each(ctx, query, []any{q.After, before}, func(st *sqlite.Stmt) error {
		if len(wanted) > 0 && !anyOf(columnBytes(st, 0), wanted) {
			return nil
		}
		text, err := blockText(st, 1)
		if err != nil {
			return err
		}
		if list, err = m.pick(list, text); err == nil && len(list) == q.Limit {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, err
}

// anyOf reports whether one of the hashes, which are in order, is one of those
// wanted, which are so as well.
func anyOf(hashes []byte, wanted []uint32) bool {
	for ; len(hashes) >= 4; hashes = hashes[4:] {
		h := binary.LittleEndian.Uint32(hashes)
		for len(wanted) > 0 && wanted[0] < h {
			wanted = wanted[1:]
		}
		if len(wanted) == 0 || wanted[0] == h {
			return len(wanted) > 0
		}
	}
	return false
}

// pick adds what matches of a block to list, in the order and number that the
// query wants.
func (m *matcher) pick(list []*Exchange, text string) ([]*Exchange, error) {
	starts, err := (&unpacker{s: text}).starts()
	if err != nil {
		return list, err
	}
	if !m.q.Oldest {
		slices.Reverse(starts)
	}
	x := new(Exchange)
	for _, at := range starts {
		u := unpacker{s: text, at: at}
		if err := u.head(x); err != nil {
			return list, err
		}
		if !m.matches(x) {
			continue
		}
		if err := u.rest(x); err != nil {
			return list, err
		}
		if !m.owns(x) {
			x = new(Exchange)
			continue
		}
		if list = append(list, x); len(list) == m.q.Limit {
			break
		}
		x = new(Exchange)
	}
	return list, nil
}

// get returns one exchange, or nil.
func (j *fileJournal) get(ctx context.Context, seq int64) (*Exchange, error) {
	if seq <= 0 {
		return nil, ctx.Err()
	}
	list, err := j.find(ctx, Query{Tenant: AllTenants, After: seq - 1, Before: seq + 1, Limit: 1})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// columnBytes returns a BLOB.
func columnBytes(st *sqlite.Stmt, column int) []byte {
	b := make([]byte, st.ColumnLen(column))
	return b[:st.ColumnBytes(column, b)]
}

// blockText returns a block, of which deflated and body are that column and the
// next.
func blockText(st *sqlite.Stmt, column int) (string, error) {
	body := columnBytes(st, column+1)
	if st.ColumnBool(column) {
		var err error
		if body, err = io.ReadAll(flate.NewReader(bytes.NewReader(body))); err != nil {
			return "", err
		}
	}
	return string(body), nil
}

func (j *fileJournal) soughtBy(ctx context.Context, tenant, folded string) ([]Sought, error) {
	return j.sought(ctx, `AND folded = ?2`, tenant, folded)
}

func (j *fileJournal) soughtAll(ctx context.Context, tenant string, limit int) ([]Sought, error) {
	return j.sought(ctx, `ORDER BY last DESC LIMIT ?2`, tenant, limit)
}

// sought returns lookups of a tenant, the latest first; the rest of the query has
// one more parameter.
func (j *fileJournal) sought(ctx context.Context, rest, tenant string, arg any) ([]Sought, error) {
	var list []Sought
	err := j.each(ctx, `SELECT attribute, value, found, client, how, first, last, times FROM lookups WHERE tenant = ?1 `+rest, []any{j.home(tenant), arg}, func(st *sqlite.Stmt) error {
		list = append(list, Sought{Lookup: Lookup{st.ColumnText(0), st.ColumnText(1), st.ColumnInt(2)}, Client: Client{st.ColumnText(3), st.ColumnText(4)},
			First: time.UnixMilli(st.ColumnInt64(5)).UTC(), Last: time.UnixMilli(st.ColumnInt64(6)).UTC(), Times: st.ColumnInt(7)})
		return nil
	})
	return latest(list), err
}
