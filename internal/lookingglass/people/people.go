// Package people answers what became of a person: whether she is in the
// directory, and if not, why not. It joins what the directory holds, what its
// change log says and what the recorder saw.
//
// No answer costs more because the directory is large: people are looked up by
// indexed values, changes by person, and searches by the value that was sought.
package people

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// Log is what is known of exchanges; a lookingglass.Recorder is one.
type Log interface {
	Find(ctx context.Context, q lookingglass.Query) ([]*lookingglass.Exchange, error)
	Sought(ctx context.Context, value string) ([]lookingglass.Sought, error)
	AllSought(ctx context.Context, limit int) ([]lookingglass.Sought, error)
	Stats() lookingglass.Stats
	Settled() int64 // Seq up to which there will be no exchange that Find does not know yet
}

// Sources is where a Desk looks. Engine is required.
type Sources struct {
	Engine  func() *engine.Engine // the directory's, or the façade's
	Changes scim.ChangeFeed       // nil: there is no change log
	Deleted scim.Undeleter        // nil: nothing deleted is kept
	Log     Log                   // nil: what clients asked for is not known
	Facade  string                // name of the application behind, or "" for a directory
	Now     func() time.Time      // nil: time.Now
	Logger  *slog.Logger          // nil: slog.Default()
}

// Desk answers questions about people. Safe for concurrent use.
type Desk struct {
	s Sources

	mu       sync.Mutex
	evidence evidence
	searches searches
}

// NewDesk returns a Desk.
func NewDesk(s Sources) *Desk {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	return &Desk{s: s}
}

// since returns from when on exchanges are known, or the zero time.
func (d *Desk) since() time.Time {
	if d.s.Log == nil {
		return time.Time{}
	}
	return d.s.Log.Stats().Oldest
}

// Moment writes a time as the texts of this package do: to the minute, in UTC.
func Moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
