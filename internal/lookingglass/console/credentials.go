package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
)

func (c *Console) credentialRoutes(mux *http.ServeMux) {
	if c.realm == nil {
		return
	}
	mux.HandleFunc("GET "+Path+"/credentials", func(w http.ResponseWriter, r *http.Request) {
		if !c.who(r).Admin {
			c.refuse(w, r, "The credentials of a tenant are for operators. Log in with the API token, or as an operator.")
			return
		}
		c.credentials(w, r, http.StatusOK, credentialsPage{})
	})
	mux.HandleFunc("POST "+Path+"/credentials", c.addToken)
	mux.HandleFunc("POST "+Path+"/credentials/{id}/rotate", c.rotateToken)
	mux.HandleFunc("POST "+Path+"/credentials/{id}/revoke", c.revokeToken)
}

// credentialsPage is what credentials.html shows.
type credentialsPage struct {
	Live, Ended []credential
	Issued      *tenant.Issued // that was just made; its text is shown this once
	Before      []tenant.Token // that it replaces
	Wrong       string
	Name        string // as it was asked for
	Scopes      string
	Lives       []option
	Default     bool // the tenant that has tokens of the configuration too
}

// credential is a token as it is shown.
type credential struct {
	tenant.Token
	State, Mood string
	Used        string
	Left        string // until it expires, if that is soon
	Scopes      string
	Successor   bool // it has one
}

// lives are how long a token may be good.
var lives = []string{"2160h", "90 days", "8760h", "a year", "720h", "30 days", "24h", "a day"}

// credentials shows the tokens of the tenant.
func (c *Console) credentials(w http.ResponseWriter, r *http.Request, status int, p credentialsPage) {
	tokens, err := c.o.Tenants.Tokens.Tokens(r.Context(), c.tenant())
	if err != nil {
		c.o.Logger.Error("the console can't list tokens", "tenant", c.tenant(), "error", err)
		c.fail(w, r, http.StatusInternalServerError, "The credentials can't be read", "The log says why.")
		return
	}
	now := c.o.Now()
	for i := range tokens {
		t := credential{Token: tokens[i], State: tokens[i].State(now).String(), Mood: "good", Scopes: tokens[i].Scopes.String()}
		t.Successor = slices.ContainsFunc(tokens, func(o tenant.Token) bool { return o.Replaces == t.ID && o.Revoked.IsZero() })
		if !t.LastUsed.IsZero() {
			t.Used = ago(now.Sub(t.LastUsed))
		}
		if tokens[i].State(now) != tenant.Live {
			t.Mood = "bad"
			p.Ended = append(p.Ended, t)
			continue
		}
		if !t.Expires.IsZero() && t.Expires.Sub(now) < 30*24*time.Hour {
			t.Left, t.Mood = tenant.Age(t.Expires.Sub(now)), "warn"
		}
		p.Live = append(p.Live, t)
	}
	slices.Reverse(p.Live)
	slices.Reverse(p.Ended)
	if p.Scopes == "" {
		p.Scopes = tenant.DefaultScopes().String()
	}
	p.Lives = options("", append([]string{"for ever"}, lives...)...)
	p.Default = c.tenant() == tenant.Default
	c.render(w, r, status, "credentials.html", p)
}

// addToken makes a token. The page that answers has its text: it is not kept, so
// there is nothing to go to afterwards.
func (c *Console) addToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	p := credentialsPage{Name: strings.TrimSpace(r.PostFormValue("name")), Scopes: r.PostFormValue("scopes")}
	spec := tenant.Spec{Name: p.Name, Scopes: tenant.Scopes{}}
	scopes, err := tenant.ParseScopes(p.Scopes)
	if err == nil && len(scopes) > 0 {
		spec.Scopes = scopes
	}
	if text := r.PostFormValue("expires"); text != "" && err == nil {
		var life time.Duration
		if life, err = time.ParseDuration(text); err == nil && life <= 0 {
			err = errors.New("a token must live for some time")
		}
		spec.Expires = c.o.Now().Add(life).UTC().Truncate(time.Millisecond)
	}
	if err == nil {
		var made tenant.Issued
		if made, err = c.o.Tenants.Tokens.AddToken(r.Context(), c.tenant(), spec); err == nil {
			c.o.Logger.Info("a token was made", "tenant", c.tenant(), "token", made.Token.Name, "id", made.Token.ID, "by", c.actor(r))
			c.credentials(w, r, http.StatusOK, credentialsPage{Issued: &made})
			return
		}
	}
	c.noToken(w, r, p, err)
}

// noToken says why a token is not as it was asked for.
func (c *Console) noToken(w http.ResponseWriter, r *http.Request, p credentialsPage, err error) {
	var failed *scim.Error
	status := http.StatusBadRequest
	switch {
	case errors.As(err, &failed) && failed.Status >= 500:
		c.o.Logger.Error("the console can't change a token", "tenant", c.tenant(), "error", err)
		status, p.Wrong = http.StatusServiceUnavailable, capital(failed.Detail)+"."
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		status, p.Wrong = http.StatusServiceUnavailable, "The database took too long; try again."
	default:
		p.Wrong = capital(err.Error()) + "."
	}
	c.credentials(w, r, status, p)
}

// rotateToken makes the successor of a token; both are good for a while.
func (c *Console) rotateToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	o := tenant.Rotation{}
	switch text := r.PostFormValue("grace"); text {
	case "":
	case "now":
		o.Now = true
	default:
		var err error
		if o.Grace, err = time.ParseDuration(text); err != nil || o.Grace <= 0 {
			c.credentials(w, r, http.StatusBadRequest, credentialsPage{Wrong: "That is no time for which the old token stays good."})
			return
		}
	}
	made, before, err := c.o.Tenants.Tokens.RotateToken(r.Context(), c.tenant(), r.PathValue("id"), o)
	if err != nil {
		c.noToken(w, r, credentialsPage{}, err)
		return
	}
	c.o.Logger.Info("a token was rotated", "tenant", c.tenant(), "token", made.Token.Name, "id", made.Token.ID, "by", c.actor(r))
	c.credentials(w, r, http.StatusOK, credentialsPage{Issued: &made, Before: before})
}

// revokeToken ends a token at once.
func (c *Console) revokeToken(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	if r.PostFormValue("sure") != "yes" {
		c.credentials(w, r, http.StatusBadRequest, credentialsPage{Wrong: "Nothing was revoked: tick the box to confirm it."})
		return
	}
	gone, err := c.o.Tenants.Tokens.RevokeToken(r.Context(), c.tenant(), r.PathValue("id"))
	if err != nil {
		c.noToken(w, r, credentialsPage{}, err)
		return
	}
	for _, t := range gone {
		c.o.Logger.Info("a token was revoked", "tenant", c.tenant(), "token", t.Name, "id", t.ID, "by", c.actor(r))
	}
	c.redirect(w, r, Path+"/credentials")
}
