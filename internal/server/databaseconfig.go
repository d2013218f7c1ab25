package server

import (
	"cmp"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
)

// Database says how PostgreSQL is reached.
type Database struct {
	url          string // with a password in it, perhaps: never shown
	Address      string // what may be shown of it
	PasswordFile string // "": the password is in the URL, or none is needed
	Connections  int
	Timeout      time.Duration // of a statement
}

// String returns what may be shown of the database's URL.
func (d *Database) String() string { return d.Address }

// mostDrain is the longest time that a server that was told to stop goes on
// answering.
const mostDrain = 5 * time.Minute

// database checks the settings of the database. fault takes what is wrong.
func (c *Config) database(s *Settings, fault func(*problem)) {
	bad := func(name, value, allowed string) {
		fault(&problem{c.source(name), `="` + printable(value) + `": ` + allowed})
	}
	switch strings.ToLower(cmp.Or(c.Migrate, "auto")) {
	case "auto":
	case "off":
		s.NoMigrate = true
	default:
		bad("Migrate", c.Migrate, "must be auto or off")
	}
	var ok bool
	d := &Database{url: c.DatabaseURL, PasswordFile: c.DatabasePass}
	if d.Connections, ok = wholeNumber(cmp.Or(c.DatabaseMost, "16"), 1000); !ok || d.Connections < leastConnections {
		bad("DatabaseMost", c.DatabaseMost, "must be a whole number from 4 to 1000")
	}
	if d.Timeout, ok = duration(cmp.Or(c.DatabaseTime, "20s")); !ok || d.Timeout < time.Second || d.Timeout > time.Minute {
		bad("DatabaseTime", c.DatabaseTime, "must be a duration from 1s to 1m0s")
	}
	if c.DatabaseURL == "" {
		for _, name := range []string{"DatabasePass", "DatabaseMost", "DatabaseTime"} {
			if c.sources[name] != "" {
				fault(&problem{c.source(name), " is for PostgreSQL, and ROLLCALL_DATABASE_URL is not set"})
			}
		}
		return
	}
	var err error
	if d.Address, err = postgres.Address(c.DatabaseURL); err != nil {
		fault(&problem{c.source("DatabaseURL"), " (value not shown) " + err.Error()})
	}
	s.Database = d
}

// leastConnections is what a request, its nested reads and the background need
// not to wait for each other.
const leastConnections = 4
