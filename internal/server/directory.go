package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/rollcall-scim/rollcall/auth"
	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/internal/password"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// tenant is the one tenant that is served.
const tenant = "default"

// directory is the mode that keeps people and groups itself, in a folder.
type directory struct {
	s          Settings
	log        *slog.Logger
	lock       *folderLock
	db         *sqlite.DB
	store      *sqlite.Store
	hash       func(string) (string, error) // nil: passwords are discarded
	cursorKeys func() [][]byte
	types      atomic.Pointer[[]*scim.ResourceType]
	current    atomic.Pointer[engine.Engine]
	vitals     vitals
	desk       *people.Desk
}

// claim makes the data folder and locks it.
func (d *directory) claim() (err error) {
	if err := prepareFolder(d.s.DataDir); err != nil {
		return err
	}
	d.lock, err = lockFolder(d.s.DataDir)
	return err
}

// open opens the database, after what another program left in the folder has
// been taken over.
func (d *directory) open(ctx context.Context) error {
	path := filepath.Join(d.s.DataDir, "rollcall.db")
	if err := d.takeOver(ctx, path); err != nil {
		return err
	}
	if err := d.openStore(ctx, path); err != nil {
		return err
	}
	if d.s.HashPasswords {
		h := password.NewHasher()
		d.hash = func(clear string) (string, error) { return h.Hash(context.Background(), clear) }
	}
	d.vitals.parts = map[string]func(context.Context) error{"database": d.store.Ping}
	return nil
}

func (d *directory) openStore(ctx context.Context, path string) error {
	db, err := d.openDB(ctx, path)
	if err != nil {
		return err
	}
	d.db, d.store = db, db.Tenant(tenant)
	keys, err := db.CursorKeys(ctx)
	d.cursorKeys = func() [][]byte { return keys }
	return err
}

func (d *directory) openDB(ctx context.Context, path string) (*sqlite.DB, error) {
	return sqlite.Open(ctx, path, sqlite.Options{
		Load:                      schema.Load,
		Encode:                    schema.Encode,
		Type:                      d.typeNamed,
		HistoryDays:               d.s.HistoryDays,
		UndeleteDays:              d.s.UndeleteDays,
		Logger:                    d.log,
		UnsafeSynchronousForTests: d.s.unsafeSynchronous,
	})
}

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
	if len(tokens) == 0 {
		d.log.Warn("NO TOKEN IS SET: everybody who can reach this address can read and change the directory; set SCIM_API_TOKEN",
			"listen", listen)
		return auth.Open{Tenant: tenant}, nil
	}
	for i, t := range tokens {
		if len(t) < 16 {
			d.log.Warn("a bearer token is shorter than 16 characters and can be guessed", "token", i+1, "of", len(tokens))
		}
	}
	return auth.NewBearer("rollcall", tenant, tokens...)
}

// engine makes an engine that serves the core schemas and those of the folder.
func (d *directory) engine(schemes []scim.AuthenticationScheme) (*engine.Engine, error) {
	types := schema.Core()
	if dir := d.s.Schemas; dir != "" {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			err = errors.New("not a folder")
		}
		if err != nil {
			return nil, fmt.Errorf("ROLLCALL_SCHEMAS=%q: %w", printable(dir), bare(err))
		}
		if types, err = schema.Read(types, os.DirFS(dir)); err != nil {
			return nil, err
		}
	}
	e, err := engine.New(d.store, engine.Config{
		Types:    types,
		Profile:  d.s.Profile,
		Schemes:  schemes,
		Password: d.hash,
		Tenant:   tenant,

		CursorKeys: d.cursorKeys,
	})
	if err != nil {
		return nil, err
	}
	types = e.Types()
	d.types.Store(&types)
	d.current.Store(e)
	return e, nil
}

// typeNamed returns the resource type of that name that is served, or nil.
func (d *directory) typeNamed(_, name string) *scim.ResourceType {
	if types := d.types.Load(); types != nil {
		for _, t := range *types {
			if t.Name == name {
				return t
			}
		}
	}
	return nil
}

// health answers with the state of the process and of the database.
func (d *directory) health(of vital, stopping bool) (int, any) {
	answer := struct {
		Status  string            `json:"status"`
		Version string            `json:"version"`
		Parts   map[string]string `json:"parts"`
	}{"healthy", Version(), map[string]string{"process": "healthy"}}
	if of == isLive {
		return http.StatusOK, answer
	}
	var well bool
	answer.Parts, well = d.vitals.check()
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
		mounts: []string{d.s.Mount},
		public: map[string]int{"serviceproviderconfig": 1, "serviceproviderconfigs": 1},
		health: map[string]vital{"/health": isWell, "/health/ready": isReady, "/health/live": isLive},
	}
}

// close closes the database and unlocks the folder.
func (d *directory) close() {
	if d.db != nil {
		if err := d.db.Close(); err != nil {
			d.log.Error("closing the database", "error", err)
		}
	}
	if d.lock != nil {
		d.lock.release()
	}
}
