package server

import (
	"io/fs"
	"time"
)

// SetUnsafeSynchronous opens the databases of s with synchronous=OFF, to show
// that the test of durability notices.
func (s *Settings) SetUnsafeSynchronous() { s.unsafeSynchronous = "OFF" }

// BaseFor returns the base URI that s makes for a port.
func (s Settings) BaseFor(port int) string { return s.baseFor(port) }

// SetMigrations makes the program know other migrations of PostgreSQL, as a
// newer one does.
func (s *Settings) SetMigrations(files fs.FS) { s.migrations = files }

// SetBeat changes how often an instance tells the others that it is there.
func (s *Settings) SetBeat(d time.Duration) { s.beat = d }

// SetRefusals changes how many refused credentials an address may send at once; 0
// is the program's own number.
func (s *Settings) SetRefusals(n int) { s.refusals = n }

// Swap is how restore puts a database in the place of another.
var Swap = swap

// Settle is how an export gets its name.
var Settle = settle
