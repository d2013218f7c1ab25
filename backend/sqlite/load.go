package sqlite

import "time"

// Load is how much the connections that read are used, at this moment.
type Load struct {
	InUse, Idle, Most int
	Waits             int64         // how often one had to be waited for
	Waited            time.Duration // for them, together
}

// Load returns how much the connections that read are used.
func (db *DB) Load() Load {
	p := db.readers
	idle := len(p.places)
	return Load{InUse: cap(p.places) - idle, Idle: idle, Most: cap(p.places), Waits: p.waits.Load(), Waited: time.Duration(p.waited.Load())}
}
