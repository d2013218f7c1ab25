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

// Field is what the help says of one setting.
type Field struct {
	Flag, Default string
	Variables     []string
}

// Fields returns all settings.
func Fields() (list []Field) {
	for _, f := range fields() {
		list = append(list, Field{f.flag, f.std, f.env})
	}
	return list
}

// SetMigrations makes the program know other migrations of PostgreSQL, as a
// newer one does.
func (s *Settings) SetMigrations(files fs.FS) { s.migrations = files }

// SetBeat changes how often an instance tells the others that it is there.
func (s *Settings) SetBeat(d time.Duration) { s.beat = d }
