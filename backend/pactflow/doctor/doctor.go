// Package doctor examines a PactFlow and the token for it: whether what package
// pactflow takes for granted holds there, and what follows where it does not.
//
// [Examine] reads only, unless it is told to write; then it makes a user and a
// team of its own, tries on them what can't be seen otherwise, and removes them.
package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

// Options configures Examine. URL and Token are required.
type Options struct {
	URL         *url.URL // normalized by pactflow.ParseURL
	Token       string
	RootCAs     *x509.CertPool // nil: the system's
	CallTimeout time.Duration  // 0: 30 s
	Write       bool           // make a user and a team, and remove them
}

// Verdict is what became of an assumption.
type Verdict string

// The verdicts.
const (
	Holds   Verdict = "holds"
	Fails   Verdict = "does not"
	Unknown Verdict = "unknown"
)

// Finding is one assumption, examined.
type Finding struct {
	Name       string // short, such as "base-url"; it does not change
	Assumption string
	Verdict    Verdict
	Seen       string // what was seen; may be empty
	Means      string // the consequence; empty where nothing follows
	Fatal      bool   // nothing good can come of going on like this
}

// Examine tries everything and reports each finding as soon as it is made. It
// returns false if one of them is fatal.
func Examine(ctx context.Context, o Options, report func(Finding)) bool {
	x := &examination{ctx: facade.WithCaller(ctx, o.Token), base: o.URL.String(), well: true, report: report,
		up: facade.NewUpstream(facade.Options{
			Name:        "PactFlow",
			Base:        o.URL,
			Accept:      "application/hal+json, application/json, application/problem+json",
			RootCAs:     o.RootCAs,
			CallTimeout: o.CallTimeout,
			Logger:      slog.New(slog.DiscardHandler),
		})}
	if !x.reach() || !x.identify() {
		return false
	}
	x.errors()
	users := x.users()
	x.teams()
	x.roles()
	x.index()
	if o.Write && x.well && ctx.Err() == nil {
		x.write(users)
	} else {
		x.notTried(o.Write)
	}
	x.permissions()
	x.untried()
	return x.well
}

// examination is one run of Examine.
type examination struct {
	ctx    context.Context //nolint:containedctx // lives as long as Examine
	up     *facade.Upstream
	base   string
	well   bool
	token  evidence
	report func(Finding)
}

func (x *examination) found(f Finding) {
	if f.Fatal {
		x.well = false
	}
	x.report(f)
}

// holds reports an assumption by whether it does.
func (x *examination) holds(ok bool, f Finding) {
	f.Verdict = Fails
	if ok {
		f.Verdict, f.Fatal, f.Means = Holds, false, ""
	}
	x.found(f)
}

// get reads a path into v and returns what went wrong, or nil.
func (x *examination) get(path string, query url.Values, v any) (*facade.Answer, *facade.Failure) {
	return x.call(facade.Call{Method: http.MethodGet, Path: path, Query: query}, v)
}

func (x *examination) call(c facade.Call, v any) (*facade.Answer, *facade.Failure) {
	return x.callAs(x.ctx, c, v)
}

func (x *examination) callAs(ctx context.Context, c facade.Call, v any) (*facade.Answer, *facade.Failure) {
	answer, err := x.up.Do(ctx, c, v)
	if err == nil {
		return answer, nil
	}
	var f *facade.Failure
	if !errors.As(err, &f) {
		f = &facade.Failure{Reason: facade.Nonsense, Name: "PactFlow", Call: c.String(), Err: err}
	}
	return nil, f
}

// user and team are what is looked at of them.
type user struct {
	UUID                string `json:"uuid"`
	Name                string `json:"name,omitempty"`
	FirstName           string `json:"firstName"`
	LastName            string `json:"lastName"`
	Email               string `json:"email"`
	Active              bool   `json:"active"`
	Type                int    `json:"type"`
	ExternalIdpUsername string `json:"externalIdpUsername"`
	ExternalIdpID       string `json:"externalIdpId"`
	Embedded            struct {
		Roles []struct {
			UUID, Name  string
			Permissions []struct{ Name, Scope string }
		}
	} `json:"_embedded"`
	Links links `json:"_links"`
}

type team struct {
	UUID            string `json:"uuid"`
	Name            string `json:"name"`
	NumberOfMembers *int   `json:"numberOfMembers"`
	Embedded        struct {
		Members, Administrators []user
	} `json:"_embedded"`
	Links links `json:"_links"`
}

type links struct {
	Self struct {
		Href string `json:"href"`
	} `json:"self"`
}

// list is a list of users or teams, and its page object, if it has one.
type list struct {
	Users *[]user `json:"users"`
	Teams *[]team `json:"teams"`
	Page  *struct {
		Number, Size, TotalElements int
	} `json:"page"`
	Links links `json:"_links"`
}
