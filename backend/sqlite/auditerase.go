package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// Erase implements audit.Log. Copies of the values may be left in parts of the
// file that nothing uses: [DB.Scrub] removes them.
func (a AuditLog) Erase(ctx context.Context, e audit.Erasure) (out audit.Outcome, err error) {
	err = a.s.write(ctx, func(t *session) error {
		out, err = t.erase(e)
		return err
	})
	return out, err
}

func (t *session) erase(e audit.Erasure) (out audit.Outcome, err error) {
	_, there, err := t.one(`SELECT 1 FROM resources WHERE tenant = ?1 AND id = ?2 UNION ALL SELECT 1 FROM doomed WHERE tenant = ?1 AND id = ?2`, t.tenant, e.ID)
	if err != nil || there {
		return out, errors.Join(err, errThere(there))
	}
	h, sealed := audit.Head{}, int64(0)
	for more := true; more; {
		if h, more, err = t.seal(); err != nil {
			return out, err
		}
	}
	var rows []int64
	err = t.each(`SELECT c.seq FROM changes c CROSS JOIN audit a ON a.tenant = c.tenant AND a.kind = 0 AND a.change = c.seq
		WHERE c.tenant = ? AND c.id = ? AND a.salt IS NOT NULL ORDER BY c.seq`, func(st *sqlite.Stmt) error {
		rows = append(rows, st.ColumnInt64(0))
		return nil
	}, t.tenant, e.ID)
	if err != nil {
		return out, err
	}
	for _, seq := range rows {
		if err := t.exec(`UPDATE changes SET deltas = ? WHERE seq = ?`, audit.Forgotten, seq); err != nil {
			return out, err
		}
		if err := t.exec(`UPDATE audit SET salt = NULL WHERE tenant = ? AND kind = 0 AND change = ?`, t.tenant, seq); err != nil {
			return out, err
		}
	}
	pk, stored, err := t.one(`SELECT pk FROM deleted WHERE tenant = ? AND id = ?`, t.tenant, e.ID)
	if err == nil && stored {
		err = t.forget(pk)
	}
	if err != nil {
		return out, err
	}
	if out.Rows, out.Stored = int64(len(rows)), stored; out.Rows == 0 && !stored {
		err = t.each(`SELECT n, time FROM audit WHERE tenant = ? AND kind = 1 AND note ->> '$.id' = ? ORDER BY n DESC LIMIT 1`, func(st *sqlite.Stmt) error {
			out.N, out.Time = st.ColumnInt64(0), time.UnixMilli(st.ColumnInt64(1)).UTC()
			return nil
		}, t.tenant, e.ID)
		return out, err
	}
	n, err := audit.NoteErased(&h, t.db.o.Now(), e, out.Rows)
	if err != nil {
		return out, err
	}
	if _, sealed, err = t.head(); err != nil {
		return out, err
	}
	out.N, out.Time = n.N, n.Time
	return out, errors.Join(t.addEntry(&n, sealed), t.setHead(h, sealed))
}

func errThere(there bool) error {
	if there {
		return audit.ErrThere
	}
	return nil
}

// Scrub writes the file anew, without what was deleted or erased but is still in
// parts of it that nothing uses. Writers wait meanwhile; it takes as long as to
// read and write the whole file, and for that time as much room again.
func (db *DB) Scrub(ctx context.Context) error {
	return db.writer.apart(ctx, func() (err error) {
		// The substring index keeps what was deleted until its parts are merged.
		if err := db.writer.conn.exec(`INSERT INTO grams (grams) VALUES ('optimize')`); err != nil {
			return err
		}
		c, err := openConn(db.path, sqlite.OpenReadWrite, "temp_store = FILE", "synchronous = "+db.o.UnsafeSynchronousForTests)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
		c.SetBusyTimeout(busyTimeout)
		if err = c.once("VACUUM"); sqlite.ErrCode(err).ToPrimary() == sqlite.ResultIOErr || sqlite.ErrCode(err).ToPrimary() == sqlite.ResultCantOpen {
			// There is no folder for temporary files.
			if err = c.once("PRAGMA temp_store = MEMORY"); err == nil {
				err = c.once("VACUUM")
			}
		}
		if err != nil {
			return fmt.Errorf("the file can't be written anew: %w", err)
		}
		return truncateWAL(ctx, c)
	})
}

// scrubWait is how long those who read may keep the old content in use.
const scrubWait = 30 * time.Second

// truncateWAL empties the write-ahead log, which has what was there before.
func truncateWAL(ctx context.Context, c *conn) error {
	for end := time.Now().Add(scrubWait); ; {
		busy := int64(0)
		err := c.each(`PRAGMA wal_checkpoint(TRUNCATE)`, func(st *sqlite.Stmt) error {
			busy = st.ColumnInt64(0)
			return nil
		})
		switch {
		case err != nil || busy == 0:
			return err
		case time.Now().After(end):
			return errors.New("the write-ahead log of the database can't be emptied: somebody has been reading for too long; do it again")
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
