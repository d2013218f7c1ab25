package postgres

import "time"

// Load is how much the connections of the pool are used, at this moment.
type Load struct {
	InUse, Idle, Most int
	Waits             int64         // how often one had to be waited for
	Waited            time.Duration // for them, together
}

// Load returns how much the connections are used.
func (db *DB) Load() Load {
	s := db.pool.Stat()
	return Load{InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Most: int(s.MaxConns()), Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime()}
}
