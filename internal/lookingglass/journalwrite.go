package lookingglass

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// store writes exchanges in one transaction.
func (j *journal) store(list []*Exchange) (err error) {
	if j.write == nil {
		return errClosed
	}
	end, err := sqlitex.ImmediateTransaction(j.write)
	if err != nil {
		return err
	}
	defer end(&err)
	if err := j.blocks(list); err != nil {
		return err
	}
	look := j.write.Prep(`INSERT INTO lookups VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 1)
		ON CONFLICT DO UPDATE SET value = ?3, found = ?4, client = ?5, how = ?6, last = ?7, times = times + 1`)
	for _, x := range list {
		if l := x.Lookup; l != nil {
			j.looked++
			if err := run(look, foldValue(l.Value), l.Attribute, l.Value, l.Found, x.Client.Kind, x.Client.How, x.Time.UnixMilli()); err != nil {
				return err
			}
		}
	}
	if j.count.Add(int64(len(list))) == int64(len(list)) {
		j.oldest.Store(list[0].Time.UnixMilli())
	}
	return nil
}

// blocks writes exchanges as blocks: a large one is one by itself, and where a
// number is missing another begins.
func (j *journal) blocks(list []*Exchange) error {
	defer j.block.reset()
	for from := 0; from < len(list); {
		j.block.reset()
		upTo := from
		for ; upTo < len(list) && len(j.block.b) < blockMost && list[upTo].Seq-list[from].Seq == int64(upTo-from); upTo++ {
			before := len(j.block.b)
			j.block.add(list[upTo])
			if len(j.block.b)-before >= deflateFrom {
				if upTo > from {
					j.block.b = j.block.b[:before]
				} else {
					upTo++
				}
				break
			}
		}
		if err := j.insert(list[from:upTo]); err != nil {
			return err
		}
		from = upTo
	}
	return nil
}

// insert writes the block that was made of list.
func (j *journal) insert(list []*Exchange) (err error) {
	body, deflated := j.block.b, len(list) == 1 && len(j.block.b) >= deflateFrom
	if deflated {
		if body, err = deflate(body); err != nil {
			return err
		}
	}
	oldest, newest := list[0].Time, list[0].Time
	j.ids = j.ids[:0]
	for _, x := range list {
		if x.Time.Before(oldest) {
			oldest = x.Time
		}
		if x.Time.After(newest) {
			newest = x.Time
		}
		for _, id := range x.Touched {
			j.ids = append(j.ids, idHash(id))
		}
	}
	slices.Sort(j.ids)
	j.ids = slices.Compact(j.ids)
	ids := make([]byte, 0, 4*len(j.ids))
	for _, h := range j.ids {
		ids = binary.LittleEndian.AppendUint32(ids, h)
	}
	return run(j.write.Prep(`INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)`),
		list[0].Seq, list[len(list)-1].Seq, oldest.UnixMilli(), newest.UnixMilli(), ids, deflated, body)
}

// idHash is what a block has of an id (FNV-1a).
func idHash(id string) uint32 {
	h := uint32(2166136261)
	for i := range len(id) {
		h = (h ^ uint32(id[i])) * 16777619
	}
	return h
}

// run executes a statement that returns nothing.
func run(st *sqlite.Stmt, args ...any) error {
	for i, a := range args {
		switch a := a.(type) {
		case int64:
			st.BindInt64(i+1, a)
		case int:
			st.BindInt64(i+1, int64(a))
		case bool:
			st.BindBool(i+1, a)
		case string:
			st.BindText(i+1, a)
		case []byte:
			st.BindBytes(i+1, a)
		}
	}
	_, err := st.Step()
	return errors.Join(err, st.Reset())
}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // the level is one there is
	return w
}}

func deflate(text []byte) ([]byte, error) {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var b bytes.Buffer
	b.Grow(len(text) / 3)
	w.Reset(&b)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err := w.Close() // which writes the rest
	return b.Bytes(), err
}
