package lookingglass

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// store writes blocks in one transaction.
func (j *fileJournal) store(list []*block) (err error) {
	if j.write == nil {
		return errClosed
	}
	end, err := sqlitex.ImmediateTransaction(j.write)
	if err != nil {
		return err
	}
	defer end(&err)
	look := j.write.Prep(`INSERT INTO lookups VALUES (?8, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, 1)
		ON CONFLICT DO UPDATE SET value = ?3, found = ?4, client = ?5, how = ?6, last = ?7, times = times + 1`)
	count := int64(0)
	for _, b := range list {
		if err := j.insert(b); err != nil {
			return err
		}
		count += int64(b.count)
		for _, l := range b.lookups {
			j.looked++
			if err := run(look, foldValue(l.Value), l.Attribute, l.Value, l.Found, l.Client.Kind, l.Client.How, l.Last.UnixMilli(), j.home(l.tenant)); err != nil {
				return err
			}
		}
	}
	j.count.Add(count)
	earliest(&j.oldest, list)
	return nil
}

// home is a tenant in the journal: "" is the program's own.
func (j *fileJournal) home(tenant string) string {
	if tenant == j.tenant {
		return ""
	}
	return tenant
}

// telling returns the hash that all blocks have which hold an exchange of a
// tenant, if they have one.
func (j *fileJournal) telling(tenant string) []uint32 {
	if tenant == AllTenants || tenant == j.tenant {
		return nil
	}
	return []uint32{tenantHash(tenant)}
}

func (j *fileJournal) insert(b *block) (err error) {
	body := b.b
	if b.large() {
		if body, err = deflate(body); err != nil {
			return err
		}
	}
	hashes := b.touched()
	ids := make([]byte, 0, 4*len(hashes))
	for _, h := range hashes {
		ids = binary.LittleEndian.AppendUint32(ids, h)
	}
	return run(j.write.Prep(`INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)`), b.first, b.last, b.oldest, b.newest, ids, b.large(), body)
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
