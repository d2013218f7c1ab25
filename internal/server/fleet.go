package server

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// defaultBeat is how often an instance says that it is there, and learns what the
// others did: a logout at one is known to all after that time at the latest.
const defaultBeat = 5 * time.Second

// fleet is this instance among those that serve one database. A nil fleet is
// that of a program that serves its data alone.
type fleet struct {
	db    *postgres.DB
	log   *slog.Logger
	id    string
	name  string // process and machine, for people
	beat  time.Duration
	facts func() facts
	keys  func([][]byte) // told the keys of cursors, which may have been replaced

	mu     sync.Mutex
	loaded bool                 // ended is known
	ended  map[string]bool      // sessions of the console, as the database has them
	own    map[string]time.Time // those that ended here, and until when they were good
	unsent map[string]bool      // those of own that the database has not been told
	warned map[string]string    // instance → what was last warned of
	stop   func()
}

// facts are what an instance says of itself to the others, as JSON.
type facts struct {
	Version string    `json:"version"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Listen  string    `json:"listen"`
	Base    string    `json:"base"`
	Open    bool      `json:"open"`
	Profile string    `json:"profile"`
	Types   string    `json:"types"`  // digest of what is served
	Tokens  string    `json:"tokens"` // digest, keyed: it tells equal from different and no more
	Key     string    `json:"key"`    // which key that was
}

// join makes this instance known to the others, and goes on doing so until
// leave.
func (d *directory) join(ctx context.Context, self status) {
	host, _ := os.Hostname()
	f := d.fleet
	f.facts = func() facts {
		tokens, key := d.tokensDigest()
		return facts{self.Version, host, self.PID, self.Started, self.Listen, self.Base, self.Open, d.s.Profile.Name, d.typesDigest(), tokens, key}
	}
	// Before the first request: nobody is let in by a login that has ended.
	f.learnEnded(ctx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var task sync.WaitGroup
	f.stop = func() { cancel(); task.Wait() }
	task.Go(func() {
		tick := time.NewTicker(f.beat)
		defer tick.Stop()
		for {
			f.round(ctx)
			d.vitals.check()
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// newFleet returns the fleet of an instance that has not joined it yet.
func newFleet(db *postgres.DB, log *slog.Logger, beat time.Duration, keys func([][]byte)) *fleet {
	host, _ := os.Hostname()
	return &fleet{db: db, name: strconv.Itoa(os.Getpid()) + "@" + cmp.Or(host, "?"), log: log, beat: cmp.Or(beat, defaultBeat), id: rand.Text(), keys: keys,
		own: map[string]time.Time{}, unsent: map[string]bool{}, warned: map[string]string{}}
}

// leave takes this instance out of the fleet.
func (f *fleet) leave() {
	f.stop()
	ctx, cancel := context.WithTimeout(context.Background(), defaultBeat)
	defer cancel()
	_ = f.db.Leave(ctx, f.id) // it is forgotten by itself, minutes later
}

// round says that this instance is there and learns of the others. What fails
// is done in the next round: health checks are what tells of a lost database.
func (f *fleet) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, defaultBeat)
	defer cancel()
	self := f.facts()
	text, err := json.Marshal(self)
	if err != nil {
		f.log.Error("what this instance says of itself", "error", err)
		return
	}
	if others, err := f.db.Announce(ctx, f.id, string(text)); err == nil {
		f.compare(self, others)
	}
	_ = f.tellEnded(ctx) // again in the next round
	f.learnEnded(ctx)
	if keys, err := f.db.CursorKeys(ctx); err == nil && len(keys) > 0 {
		f.keys(keys)
	}
}

// compare warns of instances that are set up differently, once for each
// difference: clients would get other answers from one than from the other.
func (f *fleet) compare(self facts, others []postgres.Instance) {
	for _, o := range others {
		var other facts
		if o.Seen > 3*f.beat || json.Unmarshal([]byte(o.Facts), &other) != nil {
			continue
		}
		if other.Key != self.Key { // one of both has yet to learn of a new key
			other.Tokens = self.Tokens
		}
		var differ []string
		for _, d := range []struct{ what, here, there string }{
			{"the schemas (ROLLCALL_SCHEMAS; what one does not know is lost when it writes)", self.Types, other.Types},
			{"the profile (ROLLCALL_PROFILE)", self.Profile, other.Profile},
			{"the base URL (ROLLCALL_BASE_URL)", self.Base, other.Base},
			{"the bearer tokens (ROLLCALL_TOKEN, ROLLCALL_TOKEN_FILE)", self.Tokens, other.Tokens},
		} {
			if d.here != d.there {
				differ = append(differ, d.what)
			}
		}
		now := strings.Join(differ, ", ")
		before := f.warned[o.ID]
		if now == before {
			continue
		}
		f.warned[o.ID] = now
		who := slog.Group("other", "host", other.Host, "pid", other.PID, "version", other.Version, "listen", other.Listen)
		if now == "" {
			f.log.Info("the instances of this database agree again", who)
		} else {
			f.log.Warn("another instance of this database is set up differently: "+now+"; give all the same", who)
		}
	}
}

// sessions makes a login at the console of one instance good at all.
func (f *fleet) sessions(keys func() [][]byte) *console.SharedSessions {
	return &console.SharedSessions{
		Keys: keys,
		End: func(id string, until time.Time) {
			f.mu.Lock()
			f.own[id], f.unsent[id] = until, true
			f.mu.Unlock()
			ctx, cancel := context.WithTimeout(context.Background(), defaultBeat)
			defer cancel()
			if err := f.tellEnded(ctx); err != nil {
				f.log.Error("a logout could not be made known to the other instances yet", "error", err)
			}
		},
		Ended: func(id string) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			_, here := f.own[id]
			return here || f.ended[id] || !f.loaded
		},
	}
}

// tellEnded tells the database of the logouts here that it does not know.
func (f *fleet) tellEnded(ctx context.Context) error {
	f.mu.Lock()
	unsent := slices.Collect(maps.Keys(f.unsent))
	f.mu.Unlock()
	for _, id := range unsent {
		f.mu.Lock()
		until := f.own[id]
		f.mu.Unlock()
		if err := f.db.EndSession(ctx, id, until); err != nil {
			return err
		}
		f.mu.Lock()
		delete(f.unsent, id)
		f.mu.Unlock()
	}
	return nil
}

// endedKept is how long after its end a session is remembered, for clocks that
// are behind.
const endedKept = time.Hour

// learnEnded learns from the database which sessions have ended, and forgets
// those whose time has come. Until it has succeeded once, none is good.
func (f *fleet) learnEnded(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, defaultBeat)
	defer cancel()
	ids, err := f.db.EndedSessions(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.own, func(id string, until time.Time) bool {
		over := time.Since(until) > endedKept
		if over {
			delete(f.unsent, id)
		}
		return over
	})
	if err != nil {
		return
	}
	f.loaded, f.ended = true, make(map[string]bool, len(ids))
	for _, id := range ids {
		f.ended[id] = true
	}
}

// typesDigest identifies what is served: the types and their schemas.
func (d *directory) typesDigest() string {
	var list []string
	for _, t := range d.current.Load().Types() {
		list = append(list, t.Name+" "+t.Endpoint+" "+t.Digest)
	}
	slices.Sort(list)
	sum := sha256.Sum256([]byte(strings.Join(list, "\n")))
	return hex.EncodeToString(sum[:8])
}

// tokensDigest identifies the tokens to who has the keys of the database, and
// the key that it was made with.
func (d *directory) tokensDigest() (tokens, key string) {
	under := d.cursorKeys()[0]
	digest := func(text string) string {
		mac := hmac.New(sha256.New, under)
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil)[:8])
	}
	list := slices.Sorted(slices.Values(d.tokens))
	return digest("tokens of the instances\n" + strings.Join(list, "\n")), digest("this key")
}

// fleetStatus writes which instances serve the database.
func fleetStatus(ctx context.Context, s Settings, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	d, err := openDirect(ctx, s)
	if err != nil {
		return err
	}
	defer d.close()
	list, err := d.db.(postgresDB).Instances(ctx)
	if err != nil {
		return s.explain(err)
	}
	if len(list) == 0 {
		return fmt.Errorf("no rollcall serves %s", s.Database)
	}
	type instance struct {
		facts
		seen time.Duration
	}
	var all []instance
	for _, i := range list {
		at := instance{seen: i.Seen}
		if err := json.Unmarshal([]byte(i.Facts), &at.facts); err != nil {
			return fmt.Errorf("what an instance says of itself can't be read: %w", err)
		}
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b instance) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Listen, b.Listen)) })
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", s.Database)
	for _, i := range all {
		access := "with a bearer token"
		if i.Open {
			access = "OPEN TO EVERYBODY"
		}
		fmt.Fprintf(&b, "\nrollcall %s, process %d on %s, since %s, seen %s ago\nlistens on %s, %s, profile %s, schemas %s\n%s\n",
			visible(i.Version), i.PID, visible(cmp.Or(i.Host, "?")), i.Started.Format(time.RFC3339), i.seen.Round(time.Second),
			visible(i.Listen), access, visible(i.Profile), visible(i.Types), visible(i.Base))
	}
	_, err = io.WriteString(out, b.String())
	return err
}
