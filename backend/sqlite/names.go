package sqlite

import (
	"maps"

	"zombiezen.com/go/sqlite"
)

// names are the numbers that stand for names in rows, and the few facts kept
// with them. A published value is never modified.
type names struct {
	tenants map[string]int64
	types   map[string]int64
	paths   map[string]int64
	typeOf  map[int64]string
	pathOf  map[int64]string
	holds   map[int64]bool   // types whose resources can have members
	nested  map[int64]int64  // tenant → memberships whose member can have members
	uniq    map[uniqKey]bool // of which table uniq is complete
}

func (n *names) clone() *names {
	return &names{maps.Clone(n.tenants), maps.Clone(n.types), maps.Clone(n.paths), maps.Clone(n.typeOf),
		maps.Clone(n.pathOf), maps.Clone(n.holds), maps.Clone(n.nested), maps.Clone(n.uniq)}
}

func loadNames(c *conn) (*names, error) {
	n := &names{map[string]int64{}, map[string]int64{}, map[string]int64{}, map[int64]string{},
		map[int64]string{}, map[int64]bool{}, map[int64]int64{}, map[uniqKey]bool{}}
	err := c.each(`SELECT pk, name, nested FROM tenants`, func(st *sqlite.Stmt) error {
		n.tenants[st.ColumnText(1)] = st.ColumnInt64(0)
		n.nested[st.ColumnInt64(0)] = st.ColumnInt64(2)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.each(`SELECT pk, name, holds FROM types`, func(st *sqlite.Stmt) error {
		n.types[st.ColumnText(1)] = st.ColumnInt64(0)
		n.typeOf[st.ColumnInt64(0)] = st.ColumnText(1)
		n.holds[st.ColumnInt64(0)] = st.ColumnBool(2)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.each(`SELECT pk, path FROM paths`, func(st *sqlite.Stmt) error {
		n.paths[st.ColumnText(1)] = st.ColumnInt64(0)
		n.pathOf[st.ColumnInt64(0)] = st.ColumnText(1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = c.each(`SELECT tenant, type, path FROM uniqs`, func(st *sqlite.Stmt) error {
		n.uniq[uniqKey{st.ColumnInt64(0), st.ColumnInt64(1), st.ColumnInt64(2)}] = true
		return nil
	})
	return n, err
}
