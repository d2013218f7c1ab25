package lookingglass

import (
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// each runs a query on the connection for reading.
func (j *journal) each(ctx context.Context, query string, args []any, row func(*sqlite.Stmt) error) error {
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

// find is Recorder.Find for the journal alone.
func (j *journal) find(ctx context.Context, q Query) ([]*Exchange, error) {
	var where []string
	var args []any
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if q.Before > 0 {
		and("seq < ?", q.Before)
	}
	if q.After > 0 {
		and("seq > ?", q.After)
	}
	for _, c := range [][2]string{{"client", q.Client}, {"op", q.Op}, {"type", q.Type}} {
		if c[1] != "" {
			and(c[0]+" = ?", c[1])
		}
	}
	if q.Status != "" {
		low, top := statusRange(q.Status)
		and("status BETWEEN ? AND ?", low, top)
	}
	if q.Text != "" {
		and("instr(text, ?) > 0", fold(q.Text))
	}
	if len(q.Touching) > 0 {
		ids, err := json.Marshal(q.Touching)
		if err != nil {
			return nil, err
		}
		and("seq IN (SELECT t.seq FROM json_each(?) w JOIN touched t ON t.id = w.value)", string(ids))
	}
	query := "SELECT body, deflated FROM exchanges"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY seq"
	if !q.Oldest {
		query += " DESC"
	}
	var list []*Exchange
	err := j.each(ctx, query+" LIMIT ?", append(args, q.Limit), func(st *sqlite.Stmt) error {
		x, err := unpack(st)
		list = append(list, x)
		return err
	})
	return list, err
}

// get returns one exchange, or nil.
func (j *journal) get(ctx context.Context, seq int64) (x *Exchange, err error) {
	err = j.each(ctx, `SELECT body, deflated FROM exchanges WHERE seq = ?`, []any{seq}, func(st *sqlite.Stmt) (err error) {
		x, err = unpack(st)
		return err
	})
	return x, err
}

// unpack reads an exchange from the columns body and deflated.
func unpack(st *sqlite.Stmt) (*Exchange, error) {
	var in io.Reader = st.ColumnReader(0)
	if st.ColumnBool(1) {
		in = flate.NewReader(in)
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	x := new(Exchange)
	return x, json.Unmarshal(text, x)
}

// sought returns lookups, the latest first; the rest of the query has one
// parameter.
func (j *journal) sought(ctx context.Context, rest string, arg any) ([]Sought, error) {
	var list []Sought
	err := j.each(ctx, `SELECT attribute, value, found, client, how, first, last, times FROM lookups `+rest, []any{arg}, func(st *sqlite.Stmt) error {
		list = append(list, Sought{Lookup: Lookup{st.ColumnText(0), st.ColumnText(1), st.ColumnInt(2)}, Client: Client{st.ColumnText(3), st.ColumnText(4)},
			First: time.UnixMilli(st.ColumnInt64(5)).UTC(), Last: time.UnixMilli(st.ColumnInt64(6)).UTC(), Times: st.ColumnInt(7)})
		return nil
	})
	return latest(list), err
}
