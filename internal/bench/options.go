package bench

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Options say what a run does. Zero fields take their default, which is named
// where it is not "none".
type Options struct {
	Population // Name "": a random one. Users: 10,000, Memberships: 20,000, Largest: 1,000, GroupSize: 200

	Only     []string      // scenarios; none: all
	Sample   int           // of the people of a population that is there, so many at random are looked up in place of all; 0: all
	Workers  int           // clients that read; 8
	Writers  int           // clients that create; 32
	Fillers  int           // clients that build the population; 4
	Time     time.Duration // of one round; 2 s
	Requests int           // of one round at most; 1,000,000
	Rounds   int           // of each scenario; 3
	Warm     time.Duration // before the first round of each scenario
	Timeout  time.Duration // of one request; 1 minute
	Deadline time.Duration // of everything but the removal; 6 hours

	Keep   bool // the population stays
	Yes    bool // people who are there are no reason to refuse
	Remote bool // servers may be on other machines
	Remove bool // remove the population of that name, and measure nothing

	PIDs  []int  // processes that work for every server, beside those that listen
	Fsync string // folder on whose disk fsync, and raw group commit, are measured; "": neither

	Out      io.Writer // what is done, and the table; required
	Terminal io.Writer // progress; nil: none

	run      string // of this run
	named    bool   // the population has a name that was given
	progress *progress
}

// Target is a server to measure: URLs of its instances, each a SCIM base.
type Target struct {
	URLs      []string
	Token     string
	PIDs      []int
	Yardstick bool // it is the yardstick
}

var validName = regexp.MustCompile(`^[a-z0-9]{1,24}$`)

func (o *Options) defaults() error {
	o.named = o.Name != ""
	o.run = randomName()
	if !o.named {
		o.Name = o.run
	}
	if !validName.MatchString(o.Name) {
		return fmt.Errorf("the name %q must be 1 to 24 lower-case letters and digits", printable(o.Name))
	}
	if o.Users < 0 || o.Memberships < 0 || o.Largest < 0 || o.GroupSize < 0 || o.Workers < 0 || o.Writers < 0 || o.Requests < 0 || o.Sample < 0 ||
		o.Rounds < 0 || o.Time < 0 || o.Warm < 0 || o.Timeout < 0 || o.Deadline < 0 {
		return errors.New("a number is negative")
	}
	o.Population = o.Population.withDefaults()
	setDefault(&o.Workers, 8)
	setDefault(&o.Writers, 32)
	setDefault(&o.Fillers, 4)
	setDefault(&o.Rounds, 3)
	setDefault(&o.Requests, 1_000_000)
	setDefault(&o.Time, 2*time.Second)
	setDefault(&o.Timeout, time.Minute)
	setDefault(&o.Deadline, 6*time.Hour)
	if o.Workers > 1000 || o.Writers > 1000 || o.Fillers > 1000 {
		return errors.New("more than 1,000 clients are not offered")
	}
	o.progress = &progress{out: o.Terminal}
	_, err := choose(o.Only)
	return err
}

// withDefaults fills in what is 0.
func (p Population) withDefaults() Population {
	setDefault(&p.Users, 10_000)
	setDefault(&p.Memberships, 2*p.Users)
	setDefault(&p.Largest, max(p.Users/10, 1))
	setDefault(&p.GroupSize, 200)
	return p.normal()
}

func setDefault[T int | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}

func randomName() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// say prints what is done.
func (o *Options) say(format string, args ...any) {
	o.progress.clear()
	text := fmt.Sprintf(format, args...)
	_, _ = io.WriteString(o.Out, strings.ReplaceAll(text, "\x1b", "")) // who can't print, measures all the same
}
