package postgres

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// With synchronous replication a commit waits for a standby. A statement that is
// cancelled meanwhile is answered like any other commit, with no more than a
// warning: the change is there and seen by all, and lost if the server is. So
// nothing may be cancelled that has a COMMIT in it, and where somebody else
// cancels it, that is no acknowledgement.

// errAlone is the error of a commit that no standby has, as it should.
var errAlone = errors.New("postgres: the wait for a standby was broken off; the change may be lost if the server is")

// pledge is what a connection knows of its commits.
type pledge struct {
	sent  atomic.Bool // COMMIT was sent, and not answered: nothing may be cancelled
	alone bool        // the commit did not wait for its standby
}

const pledgeKey = "rollcall: pledge"

// pledged gives a connection to be made its pledge. Cancelling takes another
// connection to the same server, which is not made while a commit waits; the
// connection itself is closed then, which its server does not notice.
func pledged(_ context.Context, c *pgx.ConnConfig) error {
	p := new(pledge)
	dial, then := c.DialFunc, c.AfterConnect
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if p.sent.Load() {
			return nil, errors.New("a commit waits, and is not cancelled")
		}
		return dial(ctx, network, addr)
	}
	c.AfterConnect = func(ctx context.Context, pc *pgconn.PgConn) error {
		pc.CustomData()[pledgeKey] = p
		if then == nil {
			return nil
		}
		return then(ctx, pc)
	}
	return nil
}

// pledgeOf returns the pledge of a connection.
func pledgeOf(pc *pgconn.PgConn) *pledge {
	if p, ok := pc.CustomData()[pledgeKey].(*pledge); ok {
		return p
	}
	return new(pledge) // it is still being made
}

// noticed takes what the server says beside its answers. The warning's text
// depends on the server's language; where it comes from does not.
func noticed(pc *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine == "SyncRepWaitForLSN" {
		pledgeOf(pc).alone = true
	}
}
