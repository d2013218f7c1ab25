package console

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/internal/guard"
	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// tenantPath is before the name of a tenant in addresses. Those of the default
// tenant have neither.
const tenantPath = Path + "/t/"

// Tenants are the directories of a console that shows several, each by itself.
type Tenants struct {
	// Open returns a tenant as it is served now. It is asked with each request,
	// and must be quick. The error is tenant.ErrNoTenant if there is none.
	Open func(ctx context.Context, name string) (Realm, error)

	// Names returns the first names of tenants, in order, that hold a text.
	Names func(ctx context.Context, text string, limit int) ([]string, error)

	// Guest returns the tenant that a token lets somebody look at, or false. It is
	// asked with each request. Nil: there are no such tokens.
	Guest func(token string) (tenant string, ok bool)

	// Tokens are the credentials of all tenants.
	Tokens Tokens
}

// Tokens makes and ends the tokens of tenants; a tenant.Registry does.
type Tokens interface {
	Tokens(ctx context.Context, tenant string) ([]tenant.Token, error)
	AddToken(ctx context.Context, tenant string, s tenant.Spec) (tenant.Issued, error)
	RotateToken(ctx context.Context, tenant, which string, o tenant.Rotation) (tenant.Issued, []tenant.Token, error)
	RevokeToken(ctx context.Context, tenant, which string) ([]tenant.Token, error)
}

// Realm is one tenant as it is served.
type Realm struct {
	Tenant *tenant.Tenant
	Engine *engine.Engine
	Base   func(*http.Request) string
	Store  Store

	// Audit is its audit log, and Export writes all of it, an entry each time. Nil:
	// there is none.
	Audit  audit.Log
	Export func(ctx context.Context, line func([]byte) error) error
}

// Store is what a tenant's pages need beside its engine.
type Store interface {
	scim.ChangeFeed
	scim.Undeleter
	guard.Store
}

// locate returns the tenant that an address names, "" for none, and the request
// as the pages of a tenant see it: without that.
func locate(r *http.Request) (name string, inner *http.Request) {
	rest, ok := strings.CutPrefix(r.URL.Path, tenantPath)
	if !ok {
		return "", r
	}
	if name, _, _ = strings.Cut(rest, "/"); name == "" {
		return "", r
	}
	prefix := tenantPath + name
	at := *r.URL
	at.Path = Path + strings.TrimPrefix(r.URL.Path, prefix)
	if at.RawPath != "" {
		if rest, ok = strings.CutPrefix(at.RawPath, prefix); !ok {
			return "", r // no name is written so
		}
		at.RawPath = Path + rest
	}
	inner = r.WithContext(r.Context())
	inner.URL = &at
	return name, inner
}

// ofNobody reports whether an address is none of a tenant's pages, but the same
// for all.
func ofNobody(path string) bool {
	rest := strings.TrimPrefix(path, Path)
	return slices.ContainsFunc([]string{"/login", "/logout", "/static", "/t", "/tenants"}, func(s string) bool {
		return rest == s || strings.HasPrefix(rest, s+"/")
	})
}

// enter shows a page of a tenant, "" being the default one, to those who may see
// it. A tenant that there is not and one that is not theirs look the same.
func (c *Console) enter(w http.ResponseWriter, r *http.Request, name string, inner *http.Request) {
	who := c.who(r)
	if name == "" {
		if name = tenant.Default; who.Tenant != "" && who.Tenant != name && inner.URL.Path == Path && safe(r.Method) {
			c.redirect(w, r, mountOf(who.Tenant))
			return
		}
	}
	if who.Tenant != "" && who.Tenant != name || tenant.CheckName(name) != nil {
		c.noTenant(w, r)
		return
	}
	realm, err := c.o.Tenants.Open(r.Context(), name)
	switch {
	case errors.Is(err, tenant.ErrNoTenant):
		c.noTenant(w, r)
		return
	case err != nil:
		c.o.Logger.Error("the console can't show a tenant", "tenant", name, "error", err)
		c.fail(w, r, http.StatusServiceUnavailable, "The tenant "+name+" can't be shown", capital(scim.AsError(err).Detail)+".")
		return
	}
	c.hall(realm).mux.ServeHTTP(w, inner)
}

func (c *Console) noTenant(w http.ResponseWriter, r *http.Request) {
	c.fail(w, r, http.StatusNotFound, "There is no such tenant here", "There is none of that name, or it is not yours to see.")
}

// mountOf is what the addresses of a tenant's pages begin with.
func mountOf(name string) string {
	if name == tenant.Default {
		return Path
	}
	return tenantPath + name
}

// mostHalls bounds the tenants whose pages are kept ready.
const mostHalls = 64

// halls are the Consoles of single tenants.
type halls struct {
	mu sync.Mutex
	by map[string]*hall
}

type hall struct {
	*Console
	used time.Time
}

// hall returns the Console of a tenant as it is now.
func (c *Console) hall(realm Realm) *Console {
	hs, name, now := &c.halls, realm.Tenant.Name, c.o.Now()
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h := hs.by[name]; h != nil && h.realm.Engine == realm.Engine && h.realm.Tenant.ID == realm.Tenant.ID && h.realm.Tenant.Revision == realm.Tenant.Revision {
		h.used = now
		return h.Console
	}
	if hs.by == nil {
		hs.by = map[string]*hall{}
	}
	if _, there := hs.by[name]; !there && len(hs.by) >= mostHalls {
		oldest := ""
		for other, h := range hs.by {
			if oldest == "" || h.used.Before(hs.by[oldest].used) {
				oldest = other
			}
		}
		delete(hs.by, oldest)
	}
	h := &Console{common: c.common, o: c.o, mux: http.NewServeMux(), records: c.o.Recorder.Of(name), realm: &realm, mount: mountOf(name)}
	h.o.Engine, h.o.Base = func() *engine.Engine { return realm.Engine }, realm.Base
	h.o.Changes, h.o.Deleted = realm.Store, realm.Store
	h.desk = newDesk(h.o, h.records)
	h.routes(h.mux)
	hs.by[name] = &hall{h, now}
	return h
}

// tenant is the name of the one that is shown, or "".
func (c *Console) tenant() string {
	if c.realm == nil {
		return ""
	}
	return c.realm.Tenant.Name
}

// key tells a tenant from all others, also from one that had its name before.
func (c *Console) key() string {
	if c.realm == nil {
		return ""
	}
	return c.realm.Tenant.Name + "#" + strconv.FormatInt(c.realm.Tenant.ID, 10)
}

// at is the address of a page, which the code and the templates write as that of
// the default tenant, at the tenant that is shown.
func (c *Console) at(to string) string {
	rest, ok := strings.CutPrefix(to, Path)
	if path, _, _ := strings.Cut(to, "?"); !ok || c.mount == Path || rest != "" && !strings.ContainsRune("/?#", rune(rest[0])) || ofNobody(path) {
		return to
	}
	return c.mount + rest
}

// addresses are the attributes that hold some.
var addresses = []string{" href", " action", " hx-get", " sse-connect"}

// placed does the same with all addresses in a text that a template made. In it a
// quotation mark is always the template's own: those of values are escaped.
func (c *Console) placed(text []byte) []byte {
	if c.mount == Path {
		return text
	}
	const before = `="`
	var b bytes.Buffer
	for {
		i := bytes.Index(text, []byte(before+Path))
		if i < 0 {
			b.Write(text)
			return b.Bytes()
		}
		address := slices.ContainsFunc(addresses, func(name string) bool { return bytes.HasSuffix(text[:i], []byte(name)) })
		i += len(before)
		b.Write(text[:i])
		text = text[i:]
		if end := bytes.IndexByte(text, '"'); address && end > 0 {
			b.WriteString(c.at(string(text[:end])))
			text = text[end:]
		}
	}
}

// redirect sends the browser to another page.
func (c *Console) redirect(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, c.at(to), http.StatusSeeOther)
}

// mostNames bounds the tenants on a page.
const mostNames = 100

func (c *Console) tenantRoutes(mux *http.ServeMux) {
	if c.o.Tenants == nil || c.realm != nil {
		return
	}
	mux.HandleFunc("GET "+Path+"/tenants", c.choose)
}

// tenantsPage is what tenants.html shows.
type tenantsPage struct {
	Query string
	Page  string // to show of the chosen one, below Path
	Names []tenantName
	More  bool
	Fault string
}

type tenantName struct{ Name, URL string }

// choose lists the tenants to choose from.
func (c *Console) choose(w http.ResponseWriter, r *http.Request) {
	p := tenantsPage{Query: strings.TrimSpace(r.URL.Query().Get("q")), Page: destination(Path + r.URL.Query().Get("page"))[len(Path):]}
	if only := c.who(r).Tenant; only != "" {
		p.Names = []tenantName{{only, mountOf(only) + p.Page}}
		c.render(w, r, http.StatusOK, "tenants.html", p)
		return
	}
	names, err := c.o.Tenants.Names(r.Context(), p.Query, mostNames+1)
	if err != nil {
		c.o.Logger.Error("the console can't list the tenants", "error", err)
		p.Fault = "The tenants can't be read; the log says why."
	}
	if len(names) > mostNames {
		names, p.More = names[:mostNames], true
	}
	for _, name := range names {
		p.Names = append(p.Names, tenantName{name, mountOf(name) + p.Page})
	}
	c.render(w, r, http.StatusOK, "tenants.html", p)
}

// switchURL is where another tenant can be chosen, from a page: the same page is
// shown of it, if that is not one of something that only this one has.
func switchURL(path string) string {
	page := strings.TrimPrefix(path, Path)
	if strings.Count(page, "/") > 1 {
		page = page[:strings.IndexByte(page[1:], '/')+1]
	}
	if page == "/exchanges" || page == "/tenants" {
		page = ""
	}
	if page == "" {
		return Path + "/tenants"
	}
	return Path + "/tenants?" + url.Values{"page": {page}}.Encode()
}
