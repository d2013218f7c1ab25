package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/oidc"
	"github.com/rollcall-scim/rollcall/internal/password"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// directory is the mode that keeps people and groups itself, in a folder or in
// PostgreSQL.
type directory struct {
	s       Settings
	log     *slog.Logger
	lock    *folderLock // of the folder, where the people are in it
	db      database
	store   store
	tokens  []string                     // of the configuration
	bearer  *auth.Bearer                 // for them; nil: there are none
	hash    func(string) (string, error) // nil: passwords are discarded
	keys    atomic.Pointer[[][]byte]     // of cursors
	vitals  vitals
	opened  atomic.Bool                           // and served from then on
	records atomic.Pointer[lookingglass.Recorder] // what clients asked for; nil: not known
	fleet   *fleet                                // with PostgreSQL
	seals   bool                                  // what is committed in the audit log

	verifier *oidc.Verifier
	guard    *guard.Guard
	noticed  func(guard.Event) // nil: nobody is told what the guard does
	registry *tenant.Registry
	methods  []method
	houses   atomic.Pointer[houses]
	current  atomic.Pointer[engine.Engine] // the default tenant's, for the program itself
	learn    func([]*scim.ResourceType)    // told of types before they are served; nil: nobody
	rest     func()                        // ends what goes on beside the requests; nil: nothing does
}

// claim makes the data folder and locks it, if the people are in it. Any number
// of instances may serve one PostgreSQL, and none writes to a folder.
func (d *directory) claim() (err error) {
	if d.s.Database != nil {
		if _, err := os.Stat(sqlitePath(d.s.DataDir)); err == nil {
			d.log.Warn("the data folder holds a directory in SQLite, which is not served: ROLLCALL_DATABASE_URL names another", "folder", d.s.DataDir)
		}
		return nil
	}
	if err := prepareFolder(d.s.DataDir); err != nil {
		return err
	}
	d.lock, err = lockFolder(d.s.DataDir)
	return err
}

// folder is the one that this mode keeps things in, "" if there is none.
func (d *directory) folder() string {
	if d.s.Database != nil {
		return ""
	}
	return d.s.DataDir
}

// open opens the database, after what another program left in the folder has
// been taken over. It may be called again after errNotYet.
func (d *directory) open(ctx context.Context) error {
	if d.s.Database == nil {
		if err := d.takeOver(ctx, sqlitePath(d.s.DataDir)); err != nil {
			return err
		}
	}
	d.seals = true
	if err := d.openStore(ctx); err != nil {
		return err
	}
	if d.s.HashPasswords {
		h := password.NewHasher()
		d.hash = func(clear string) (string, error) { return h.Hash(context.Background(), clear) }
	}
	if db, ok := d.db.(postgresDB); ok {
		d.fleet = newFleet(db.DB, d.log, d.s.beat, func(keys [][]byte) { d.keys.Store(&keys) })
	}
	d.vitals = vitals{parts: map[string]func(context.Context) error{"database": d.store.Ping}, log: d.log}
	return nil
}

// openStore opens the database and the one tenant in it.
func (d *directory) openStore(ctx context.Context) error {
	db, err := d.openDatabase(ctx)
	if err != nil {
		return err
	}
	keys, err := db.CursorKeys(ctx)
	if err != nil {
		return errors.Join(d.s.explain(err), db.Close())
	}
	d.keys.Store(&keys)
	d.db, d.store = db, db.tenant(tenant.Default)
	d.registry = tenant.NewRegistry(db, tenant.Options{Logger: d.log})
	d.guard = guard.New(guard.Options{Logger: d.log, Observe: d.noticed})
	if d.bearer != nil {
		d.methods = append(d.methods[:0], configured{d.bearer})
	}
	d.methods = append(d.methods, managed{d.registry, d.isOpen()}, accessTokens{d.verifier, d.registry, d.s.Issuer, d.isOpen()})
	return nil
}

// tendEvery is how often what is served is compared with the tenants there are.
const tendEvery = time.Second

// attend keeps up with what changes in the database until close.
func (d *directory) attend() {
	ctx, cancel := context.WithCancel(context.Background())
	var tasks sync.WaitGroup
	tasks.Go(func() { d.registry.Run(ctx) })
	tasks.Go(func() { d.guard.Run(ctx, d.breakers) })
	tasks.Go(func() {
		tick := time.NewTicker(tendEvery)
		defer tick.Stop()
		warned, issuers := false, believed{}
		for {
			d.prepare(ctx, &issuers)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				limited, done := context.WithTimeout(ctx, credentialTime)
				d.tend(limited)
				warned = d.warnOpen(limited, warned)
				done()
			}
		}
	})
	d.rest = func() { cancel(); tasks.Wait() }
}

func (d *directory) cursorKeys() [][]byte { return *d.keys.Load() }

// authenticator accepts the tokens of the settings, or everybody if there are none.
func (d *directory) authenticator(listen string) (auth.Authenticator, error) {
	tokens := d.s.Tokens
	if d.s.TokenFile != "" {
		more, err := tokensOf(d.s.TokenFile, d.log)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens[:len(tokens):len(tokens)], more...)
	}
	d.tokens = tokens
	if len(tokens) == 0 && d.s.Issuer != nil {
		return closed{}, nil
	}
	if len(tokens) == 0 {
		d.log.Warn("NO TOKEN IS SET: everybody who can reach this address can read and change the directory; set SCIM_API_TOKEN",
			"listen", listen)
		return auth.Open{Tenant: tenant.Default}, nil
	}
	for i, t := range tokens {
		if len(t) < 16 {
			d.log.Warn("a bearer token is shorter than 16 characters and can be guessed", "token", i+1, "of", len(tokens))
		}
	}
	var err error
	d.bearer, err = auth.NewBearer(realm, tenant.Default, tokens...)
	return d.bearer, err
}

// isOpen reports whether the default tenant needs no credentials: the
// configuration knows no way to have any.
func (d *directory) isOpen() bool { return d.bearer == nil && d.s.Issuer == nil }

// resourceTypes are the core types with those of the folder of schemas.
func (s *Settings) resourceTypes() ([]*scim.ResourceType, error) {
	types := schema.Core()
	if s.Schemas == "" {
		return types, nil
	}
	info, err := os.Stat(s.Schemas)
	if err == nil && !info.IsDir() {
		err = errors.New("not a folder")
	}
	if err != nil {
		return nil, fmt.Errorf("ROLLCALL_SCHEMAS=%q: %w", printable(s.Schemas), bare(err))
	}
	return schema.Read(types, os.DirFS(s.Schemas))
}

// typeNamed returns the resource type of that name of a tenant that is being
// served, or nil.
func (d *directory) typeNamed(of, name string) *scim.ResourceType {
	if hs := d.houses.Load(); hs != nil {
		return hs.typeNamed(of, name)
	}
	return nil
}

// unfit returns why no request can be answered, as long as that is so: the
// database was changed so that only a newer program can serve it.
func (d *directory) unfit() error { return d.vitals.unfit() }

// health answers with the state of the process and of the database.
func (d *directory) health(of vital, stopping bool) (int, any) {
	answer := struct {
		Status  string            `json:"status"`
		Version string            `json:"version"`
		Parts   map[string]string `json:"parts"`
		Detail  string            `json:"detail,omitempty"`
	}{"healthy", Version(), map[string]string{"process": "healthy"}, ""}
	switch {
	case of == isLive:
		return http.StatusOK, answer
	case !d.opened.Load():
		answer.Status, answer.Parts["database"] = "starting", "unhealthy"
		return http.StatusServiceUnavailable, answer
	}
	var well bool
	answer.Parts, well = d.vitals.check()
	if err := d.vitals.unfit(); err != nil {
		answer.Detail = scim.AsError(err).Detail
	}
	switch {
	case stopping:
		answer.Status = "stopping"
	case !well:
		answer.Status = "unhealthy"
	default:
		return http.StatusOK, answer
	}
	return http.StatusServiceUnavailable, answer
}

// layout has SCIM under the mount alone, and only the document public that RFC
// 7643 §5 wants readable without credentials.
func (d *directory) layout() layout {
	return layout{
		mounts:  []string{d.s.Mount},
		tenants: true,
		public:  map[string]int{"serviceproviderconfig": 1, "serviceproviderconfigs": 1},
		health:  map[string]vital{"/health": isWell, "/health/ready": isReady, "/health/live": isLive},
	}
}

// close closes the database and unlocks the folder.
func (d *directory) close() {
	if d.rest != nil {
		d.rest()
	}
	if d.db != nil {
		if err := d.db.Close(); err != nil {
			d.log.Error("closing the database", "error", err)
		}
	}
	if d.lock != nil {
		d.lock.release()
	}
}
