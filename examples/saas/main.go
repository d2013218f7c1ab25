// Command saas is an application that had users, sessions and thousands of
// customers before it had SCIM. Each customer's identity provider sends a token
// of its own to one URL, and the token decides whose directory it sees. See
// docs/embedding.md, which walks through it.
package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
	"github.com/rollcall-scim/rollcall/scim/sqlfilter"
)

//go:embed app.sql
var appSQL string

//go:embed scim.sql
var scimSQL string

// App is the application.
type App struct {
	DB *sql.DB

	// Deactivated runs in the transaction after which an account lets nobody
	// in; its error undoes that. nil: nothing runs.
	Deactivated func(ctx context.Context, tx *sql.Tx, user int64) error

	first  *engine.Engine // of nobody: each request gets one like it, for its customer
	tables map[string]*sqlfilter.Compiler
	turn   sync.Mutex // of writers
}

// Open opens the application's database and adds to it what SCIM needs.
func Open(ctx context.Context, file string) (*App, error) {
	compilers, err := tables()
	first, err2 := engine.New(nil, engine.Config{Types: types, NoSort: true})
	if err = errors.Join(err, err2, register()); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8) // to open one costs more than most queries
	_, err = db.ExecContext(ctx, appSQL+scimSQL)
	return &App{DB: db, Deactivated: EndSessions, first: first, tables: compilers}, err
}

// EndSessions is what the application does when somebody is to be let in no
// more.
func EndSessions(ctx context.Context, tx *sql.Tx, user int64) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE user_id = ?", user)
	return err
}

// Resolve returns the engine of the customer whose token the request bears.
func (a *App) Resolve(r *http.Request) (*engine.Engine, error) {
	hash := sha256.Sum256([]byte(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
	d := Directory{App: a}
	err := a.DB.QueryRowContext(r.Context(), "SELECT org, domain FROM scim_orgs WHERE token = ?", hash[:]).Scan(&d.Org, &d.Domain)
	if errors.Is(err, sql.ErrNoRows) {
		err = &scim.Error{Status: http.StatusUnauthorized, Detail: "the token is not one of ours"}
	}
	return a.first.For(d, fmt.Sprint(d.Org)), err
}

var types = schema.Core() // User and Group

// register gives the database scim_fold(path, text): [scim.Fold] for the
// attributes of which it keeps the text as it was written.
var register = sync.OnceValue(func() error {
	user := types[0].Schema
	folded := map[driver.Value]*scim.Attribute{"externalId": scim.Common[2], "userName": user.Attribute("userName"), "displayName": user.Attribute("displayName")}
	return sqlite.RegisterDeterministicScalarFunction("scim_fold", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		if text, ok := args[1].([]byte); ok && folded[args[0]] != nil {
			return scim.Fold(folded[args[0]], string(text)), nil
		}
		return nil, nil
	})
})

// tables says where filters find the attributes of each type. What it does not
// say, no filter may ask.
func tables() (map[string]*sqlfilter.Compiler, error) {
	type columns = map[string]sqlfilter.Column
	table := func(t *scim.ResourceType, own columns, membership, kind string) (*sqlfilter.Compiler, error) {
		maps.Copy(own, columns{"id": sqlfilter.Text("r.id"), "externalId": sqlfilter.Text("r.external_key"), "displayName": sqlfilter.Text("r.name_key"),
			"meta.created": sqlfilter.Time("r.created"), "meta.lastModified": sqlfilter.Time("r.modified"), "meta.version": sqlfilter.Text("CAST(r.version AS TEXT)")})
		return sqlfilter.New(sqlfilter.Table{Type: t, Seq: "r.seq", Columns: own, Rows: map[string]sqlfilter.Rows{
			"schemas": {From: "json_each(r.schemas) s", Where: "TRUE", Columns: columns{"value": sqlfilter.Text("lower(s.value)")}},
			membership: {From: "scim_related m", Where: "m.seq = r.seq AND m.path = '" + membership + "'", Columns: columns{"value": sqlfilter.Text("m.id"),
				"type": sqlfilter.Text(kind), "display": sqlfilter.Text("scim_fold('displayName', CAST(nullif(m.shown, '') AS BLOB))")}}}})
	}
	user, err := table(types[0], columns{"userName": sqlfilter.Text("r.login_key"), "active": sqlfilter.Bool("r.active"),
		scim.EnterpriseUserURN + ":manager.value": sqlfilter.Text("r.manager")}, "groups", "'direct'")
	group, err2 := table(types[1], columns{}, "members", "'user'")
	return map[string]*sqlfilter.Compiler{"User": user, "Group": group}, errors.Join(err, err2)
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: saas DATABASE ADDRESS")
	}
	a, err := Open(context.Background(), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/scim/v2/", http.StripPrefix("/scim/v2", scimhttp.NewResolver(a.Resolve, scimhttp.Options{})))
	log.Fatal((&http.Server{Addr: os.Args[2], ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
