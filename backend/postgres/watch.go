package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/scim"
)

// How often the server is asked whether it answers, how long it may take, and
// how often in a row it must fail to be taken as away.
const (
	watchEvery  = time.Second
	watchWait   = 3 * time.Second
	watchFaults = 2
)

// errAway is the error of calls while the server does not answer: without it
// each of them would wait for it anew, as long as its request may take.
var errAway = scim.Unavailable(errors.New("postgres: the server does not answer"))

// watch asks the server, on a connection of its own, whether it answers. A pool
// whose connections are all busy thus never looks like a server that is away.
func (db *DB) watch(config *pgx.ConnConfig) {
	var c *pgx.Conn
	closing := func() {
		if c != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = c.Close(ctx)
			c = nil
		}
	}
	defer closing()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for faults := 0; ; {
		select {
		case <-db.life.Done():
			return
		case <-tick.C:
		}
		var err error
		if c == nil { // as long as it takes to try all hosts
			c, err = pgx.ConnectConfig(db.life, config)
		} else {
			ctx, cancel := context.WithTimeout(db.life, watchWait)
			err = c.Ping(ctx)
			cancel()
		}
		switch {
		case err == nil:
			faults = 0
		default:
			faults++
			closing()
		}
		// One that takes no more connections may serve those that it has.
		away := faults >= watchFaults && (gone(err) || errors.Is(err, context.DeadlineExceeded))
		if was := db.away.Swap(away); was != away && db.life.Err() == nil {
			db.o.Logger.Debug("postgres: the server", "answers", !away, "error", err)
		}
	}
}
