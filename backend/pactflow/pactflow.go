// Package pactflow puts SCIM in front of PactFlow's admin API: users, system
// accounts and teams. PactFlow keeps everything; the caller's token is passed
// through, and what it may not do PactFlow refuses.
//
// A user's teams are read, never written: teams are changed by their members.
// Whoever is deleted is deactivated, unless [Options] say otherwise. What
// PactFlow's public documents leave open is assumed to be either way: whole
// records are sent back, no creation is repeated blindly, and members that are
// not shown are not removed.
package pactflow

import (
	"cmp"
	"context"
	"crypto/x509"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

// Options configures a Backend. URL is required.
type Options struct {
	URL                *url.URL      // normalized by ParseURL
	DeleteUsers        bool          // DELETE removes a user instead of deactivating (PACTFLOW_USER_DELETE=delete)
	DropSystemAccounts bool          // a replacement of members removes system accounts too (PACTFLOW_KEEP_SYSTEM_ACCOUNTS=false)
	UserNameFallback   string        // "none" or "", "email", "id": userName of users without one (SCIM_USERNAME_FALLBACK)
	IndexTime          time.Duration // facade.StoreOptions.IndexTime (SCIM_LIST_CACHE_SECONDS); 0: none
	Concurrent         int           // facade.Options.Concurrent
	CallTimeout        time.Duration // facade.Options.CallTimeout
	RootCAs            *x509.CertPool
	Logger             *slog.Logger
	Wire               bool // log the calls to PactFlow, tokens masked
	Now                func() time.Time

	// Watch is facade.Options.Watch.
	Watch func(ctx context.Context, c facade.Call, try int, h http.Header) (end func(*facade.Answer, *facade.Failure))
}

// Backend is PactFlow as a scim.Backend, scim.MemberUpdater, scim.Shaper,
// scim.Capable and scim.Pinger. The token of each request comes from its
// context: facade.WithCaller. Safe for concurrent use.
type Backend struct {
	*facade.Store
	client *client
	health health
}

var _ interface {
	scim.Backend
	scim.MemberUpdater
	scim.Shaper
	scim.Capable
	scim.Pinger
} = (*Backend)(nil)

// accept asks for problem details too: only who does is told the type of a
// problem.
const accept = "application/hal+json, application/json, application/problem+json"

// New returns a Backend. It makes no call.
func New(o Options) *Backend {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	up := facade.NewUpstream(facade.Options{
		Name: appName, Base: o.URL, Accept: accept, RootCAs: o.RootCAs,
		Concurrent: cmp.Or(o.Concurrent, 8), CallTimeout: o.CallTimeout, Watch: o.Watch, Logger: o.Logger, Wire: o.Wire,
	})
	c := &client{up: up, guard: &guard{base: normalize(up.Base()).String(), logger: o.Logger}, logger: o.Logger, now: o.Now}
	types := Types()
	people := &users{client: c, t: types[0], fallback: o.UserNameFallback, remove: o.DeleteUsers}
	groups := &teams{client: c, t: types[1], users: people, drop: o.DropSystemAccounts, seed: maphash.MakeSeed()}
	store := facade.NewStore(facade.StoreOptions{IndexTime: o.IndexTime, Logger: o.Logger, Now: o.Now}, people, groups)
	return &Backend{Store: store, client: c}
}
