package postgres

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// errAlone is the error of a commit that no standby has, as it should.
var errAlone = errors.New("postgres: the wait for a standby was broken off; the change may be lost if the server is")

const aloneKey = "rollcall: committed without its standby"

// noticed takes what the server says beside its answers. With synchronous
// replication, a statement that is cancelled while its commit waits for the
// standby (because the request's time is up, or somebody on the server says so)
// is answered like any other commit, and told by a warning alone: whoever took
// that for an acknowledgement would lose the change with the server. The
// warning's text depends on the server's language; where it comes from does not.
func noticed(c *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		c.CustomData()[aloneKey] = true
	}
}

// alone reports whether the commit that was just answered went without its
// standby.
func alone(c *pgconn.PgConn) bool {
	data := c.CustomData()
	was := data[aloneKey] != nil
	delete(data, aloneKey)
	return was
}
