package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Command is "rollcall bench" as kong reads it.
type Command struct {
	Run       runCommand       `cmd:"" default:"withargs" help:"Measure a SCIM server, of whatever make: fill it with people, measure, remove them. Exit 1 if a request went wrong."`
	Self      selfCommand      `cmd:"" help:"Start this program on a folder or database of its own, fill that, and measure it beside the yardstick."`
	Populate  populateCommand  `cmd:"" help:"Fill a data folder or database that nobody serves, several times as fast as over HTTP."`
	Compare   compareCommand   `cmd:"" help:"Compare two reports of --json: what has grown with the population, or since. Exit 1 if what an index answers has."`
	Yardstick yardstickCommand `cmd:"" help:"Serve the yardstick: a bare server that checks a token and answers everything with 1.5 KB."`
	Facade    rigCommand       `cmd:"" help:"Measure what the façade adds to a PactFlow, over the emulator."`
	Glass     rigCommand       `cmd:"" help:"Measure what the Looking Glass costs."`
	Neighbour turnCommand      `cmd:"" help:"Measure what a tenant at ten times its limit costs another tenant."`
}

// System is what Command uses of the program around it.
type System struct {
	Environ        []string
	Stdout, Stderr io.Writer

	// Open is [Own].Open.
	Open func(ctx context.Context, data, database string) (Store, func() error, error)
}

type populationFlags struct {
	Users       int    `name:"users" placeholder:"N" help:"people (default: 10000; of self 100000)"`
	Memberships int    `name:"memberships" placeholder:"N" help:"memberships in groups (default: 2 for each)"`
	Largest     int    `name:"largest" placeholder:"N" help:"members of the largest group (default: a tenth of the people; of self all)"`
	GroupSize   int    `name:"group-size" placeholder:"N" help:"members of each other group (default: 200)"`
	Small       bool   `name:"small" help:"documents of 300 bytes in place of 1.5 KB"`
	Name        string `name:"name" placeholder:"NAME" help:"name of the population: one of that name and these parameters that is there is used, or completed"`
}

func (f populationFlags) population() Population {
	return Population{Name: f.Name, Users: f.Users, Memberships: f.Memberships, Largest: f.Largest, GroupSize: f.GroupSize, Small: f.Small}
}

type loadFlags struct {
	populationFlags
	Only     []string      `name:"only" placeholder:"NAME,…" help:"scenarios, comma-separated, * for anything (default: all): get, username-eq, externalid-eq, email-co, list-first, list-deep, list-cursor, group-get, group-members, create, create-one, patch-active, put, bulk, delete, group-add, member-race, replace-members, noise"`
	Sample   int           `name:"sample" placeholder:"N" help:"look up so many people of a population that is there, and not all, which takes long with millions"`
	Workers  int           `name:"workers" placeholder:"N" help:"clients that read (default: 8)"`
	Writers  int           `name:"writers" placeholder:"N" help:"clients that create (default: 32)"`
	Fillers  int           `name:"fillers" placeholder:"N" help:"clients that build the population (default: 4)"`
	Time     time.Duration `name:"time" placeholder:"DURATION" help:"length of one round of a scenario (default: 2s)"`
	Requests int           `name:"requests" placeholder:"N" help:"requests of one round, at most"`
	Rounds   int           `name:"rounds" placeholder:"N" help:"rounds of each scenario; the median of their rates counts (default: 3)"`
	Warm     time.Duration `name:"warm-up" placeholder:"DURATION" help:"time before the first round of each scenario (default: none)"`
	Timeout  time.Duration `name:"timeout" placeholder:"DURATION" help:"of one request (default: 1m)"`
	Deadline time.Duration `name:"deadline" placeholder:"DURATION" help:"of the whole run (default: 6h); what was created is removed afterwards"`
	Fsync    string        `name:"fsync" placeholder:"FOLDER" help:"also measure fsync, and raw group commit beside create, on the disk of this folder"`
	PIDs     []int         `name:"pid" placeholder:"PID,…" help:"further processes of the server, such as its database: their and their children's processor time counts"`
	JSON     string        `name:"json" placeholder:"FILE" help:"also write the report to this file"`
}

func (f loadFlags) options(sys System) Options {
	o := Options{Population: f.population(), Only: f.Only, Sample: f.Sample, Workers: f.Workers, Writers: f.Writers, Fillers: f.Fillers, Time: f.Time, Requests: f.Requests,
		Rounds: f.Rounds, Warm: f.Warm, Timeout: f.Timeout, Deadline: f.Deadline, Fsync: f.Fsync, PIDs: f.PIDs, Out: sys.Stdout}
	if t, ok := sys.Stderr.(*os.File); ok {
		if info, err := t.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			o.Terminal = t
		}
	}
	return o
}

type runCommand struct {
	URLs []string `arg:"" name:"url" help:"SCIM base URL, such as http://localhost:8080/scim/v2; several are instances of one server"`
	loadFlags
	TokenFile   string   `name:"token-file" placeholder:"FILE" help:"file whose first line is the bearer token (default: the first one of ROLLCALL_TOKEN)"`
	Vs          []string `name:"vs" placeholder:"URL,…" help:"another server to measure in turn, or yardstick"`
	VsTokenFile string   `name:"vs-token-file" placeholder:"FILE" help:"its token (default: the first one of ROLLCALL_VS_TOKEN, else that of the first server)"`
	Keep        bool     `name:"keep" help:"leave the population there"`
	Remove      bool     `name:"remove" help:"remove the population of that --name, and measure nothing"`
	Yes         bool     `name:"yes" help:"measure a server that has people already"`
	Remote      bool     `name:"remote" help:"allow servers on other machines"`
}

type selfCommand struct {
	loadFlags
	Data      string `name:"data" placeholder:"FOLDER" help:"folder to fill, or to use if it is filled (default: a temporary one)"`
	Database  string `name:"database" placeholder:"URL" help:"database to fill, or to use if it is filled, in place of a folder"`
	Instances int    `name:"instances" placeholder:"N" help:"servers on that database (default: 1)"`
	Binary    string `name:"binary" placeholder:"FILE" help:"program to measure (default: this one)"`
	OverHTTP  bool   `name:"over-http" help:"fill it over HTTP, by Bulk"`
	Yes       bool   `name:"yes" help:"use a folder or database that holds others too"`
}

type populateCommand struct {
	populationFlags
	Data     string `name:"data" placeholder:"FOLDER" help:"data folder that no server uses" xor:"where" required:""`
	Database string `name:"database" placeholder:"URL" help:"database" xor:"where" required:""`
	Fillers  int    `name:"fillers" placeholder:"N" help:"transactions at once (default: 4)"`
	Yes      bool   `name:"yes" help:"fill a folder or database that holds others too"`
}

type compareCommand struct {
	Before string  `arg:"" help:"report of the smaller population, or of before"`
	After  string  `arg:"" help:"report of the larger one, or of after"`
	Limit  float64 `name:"limit" default:"1.3" help:"how many times the median may be what it was"`
}

type yardstickCommand struct {
	Listen string `name:"listen" default:"127.0.0.1:0" placeholder:"ADDRESS" help:"listen address; the token is the first one of ROLLCALL_TOKEN"`
}

type rigCommand struct {
	Workers int `name:"workers" placeholder:"N" help:"clients (default: 8)"`
	turnCommand
}

type turnCommand struct {
	Time   time.Duration `name:"time" placeholder:"DURATION" help:"length of one round (default: 2s)"`
	Rounds int           `name:"rounds" placeholder:"N" help:"rounds of each scenario (default: 3)"`
	Binary string        `name:"binary" placeholder:"FILE" help:"program to measure (default: this one)"`
}

// errWrong is the end of a run that measured what it should, in which some
// requests went wrong.
var errWrong = errors.New("requests went wrong, see above")

// Do carries out one of the commands, "run" or another.
func (c *Command) Do(ctx context.Context, name string, sys System) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	switch name {
	case "self":
		return c.Self.run(ctx, sys, self)
	case "populate":
		return c.Populate.run(ctx, sys)
	case "compare":
		return c.Compare.run(sys)
	case "yardstick":
		token := firstToken(sys.Environ, "ROLLCALL_TOKEN")
		if token == "" {
			return errors.New("ROLLCALL_TOKEN must hold the token that the yardstick checks")
		}
		return ServeYardstick(ctx, c.Yardstick.Listen, token, sys.Stdout)
	case "facade":
		_, err := c.Facade.rig(sys, self).Facade(ctx)
		return err
	case "glass":
		_, err := c.Glass.rig(sys, self).Glass(ctx)
		return err
	case "neighbour":
		_, err := c.Neighbour.rig(sys, self).Neighbour(ctx)
		return err
	}
	return c.Run.run(ctx, sys, self)
}

// firstToken returns the first token of a variable.
func firstToken(environ []string, name string) (token string) {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			token, _, _ = strings.Cut(value, ",")
		}
	}
	return strings.TrimSpace(token)
}

// tokenIn returns the first line of a file, or the first token of a variable.
func tokenIn(file string, environ []string, variable string) (string, error) {
	if file == "" {
		return firstToken(environ, variable), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if token := strings.TrimSpace(lines.Text()); token != "" && !strings.HasPrefix(token, "#") {
			return token, nil
		}
	}
	return "", errors.Join(fmt.Errorf("%s holds no token", printable(file)), lines.Err())
}

func (f *runCommand) run(ctx context.Context, sys System, self string) (err error) {
	o := f.options(sys)
	o.Keep, o.Yes, o.Remote, o.Remove = f.Keep, f.Yes, f.Remote, f.Remove
	token, err := tokenIn(f.TokenFile, sys.Environ, "ROLLCALL_TOKEN")
	if err != nil {
		return err
	}
	targets := []Target{{URLs: f.URLs, Token: token}}
	switch {
	case len(f.Vs) == 1 && f.Vs[0] == "yardstick":
		yard, err := spawnYardstick(context.WithoutCancel(ctx), self, sys.Stderr)
		if err != nil {
			return err
		}
		defer func() { _ = yard.stop() }()
		t := yard.target()
		t.Yardstick = true
		targets = append(targets, t)
	case len(f.Vs) > 0:
		other, err := tokenIn(f.VsTokenFile, sys.Environ, "ROLLCALL_VS_TOKEN")
		if err != nil {
			return err
		}
		targets = append(targets, Target{URLs: f.Vs, Token: cmp.Or(other, token)})
	}
	report, err := Run(ctx, o, targets...)
	return finish(report, err, f.JSON, sys.Stdout)
}

// finish prints and writes a report, also one of a run that did not come to its
// end.
func finish(report *Report, err error, file string, out io.Writer) error {
	if report == nil || len(report.Scenarios) == 0 {
		return err
	}
	report.Print(out)
	if file != "" {
		err = errors.Join(err, report.WriteFile(file))
	}
	if faults, lost := report.Faulty(); err == nil && faults+lost > 0 {
		return errWrong
	}
	return err
}

func (f *selfCommand) run(ctx context.Context, sys System, self string) error {
	o := f.options(sys)
	o.Yes = f.Yes
	setDefault(&o.Users, 100_000)
	setDefault(&o.Memberships, 3*o.Users)
	setDefault(&o.Largest, o.Users)
	if f.Data != "" && f.Database != "" {
		return errors.New("--data and --database exclude each other")
	}
	if f.Instances > 1 && f.Database == "" {
		return errors.New("several instances need a --database: one server has the folder to itself")
	}
	report, err := RunOwn(ctx, o, Own{Binary: cmp.Or(f.Binary, self), Self: self, Data: f.Data, Database: f.Database, Instances: f.Instances,
		OverHTTP: f.OverHTTP, Stderr: sys.Stderr, Open: sys.Open})
	return finish(report, err, f.JSON, sys.Stdout)
}

func (f *populateCommand) run(ctx context.Context, sys System) (err error) {
	o := loadFlags{populationFlags: f.populationFlags, Fillers: f.Fillers}.options(sys)
	o.Name, o.Yes = cmp.Or(o.Name, ownName), f.Yes
	store, closeStore, err := sys.Open(ctx, f.Data, f.Database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	return Build(ctx, o, store)
}

func (f *compareCommand) run(sys System) error {
	before, err := ReadReport(f.Before)
	if err != nil {
		return err
	}
	after, err := ReadReport(f.After)
	if err != nil {
		return err
	}
	if n := PrintGrowth(sys.Stdout, before, after, f.Limit); n > 0 {
		return fmt.Errorf("%d scenarios that an index answers take more than %g times as long", n, f.Limit)
	}
	return nil
}

func (f *rigCommand) rig(sys System, self string) *Rig {
	r := f.turnCommand.rig(sys, self)
	r.Workers = f.Workers
	return r
}

func (f *turnCommand) rig(sys System, self string) *Rig {
	return &Rig{Binary: cmp.Or(f.Binary, self), Time: f.Time, Rounds: f.Rounds, Out: sys.Stdout, Stderr: sys.Stderr}
}
