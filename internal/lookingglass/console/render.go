package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// view is what layout.html gets; each page's template "main" gets it too, with
// its own data in Data. A page defines "title" and "main".
type view struct {
	Path    string // of the request
	Who     *Who   // nil: nobody has logged in
	Tenant  string // that is shown; "": none, or there are none
	Tenants bool   // there are several, to switch between
	Pages   bool   // there are pages to go to
	Facade  string
	Notice  string // who may see this console, where that is worth saying
	Version string
	Data    any
}

// Active is the attribute that marks the present page in the navigation. Page is
// what follows Path, "" for the live page.
func (v view) Active(page string) template.HTMLAttr {
	rest := strings.TrimPrefix(strings.TrimPrefix(v.Path, Path), "/")
	first, _, _ := strings.Cut(rest, "/")
	if first == "exchanges" {
		first = ""
	}
	if first == page {
		return `aria-current="page"`
	}
	return ""
}

// Switch is where another tenant can be chosen.
func (v view) Switch() string { return switchURL(v.Path) }

// parsePages parses each template with the layout and those whose names begin
// with "_", which all pages share.
func parsePages() map[string]*template.Template {
	shared := template.Must(template.New("layout.html").Funcs(funcs).ParseFS(templateFiles, "templates/layout.html", "templates/_*.html"))
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		panic(err) // the pattern is well-formed
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		base := strings.TrimPrefix(name, "templates/")
		if base == "layout.html" {
			continue
		}
		pages[base] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, name))
	}
	return pages
}

// funcs are what templates may call besides what html/template has.
var funcs = template.FuncMap{
	"asset":    func(name string) string { return Path + "/static/" + stamp + "/" + name },
	"clock":    func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
	"day":      func(t time.Time) string { return t.UTC().Format("2006-01-02") },
	"minute":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" },
	"instant":  func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
	"duration": duration,
	"bytes":    byteSize,
	"pretty":   pretty,
	"join":     strings.Join,
	"plural":   plural,
	"args":     func(list ...any) []any { return list },
	"client":   clientName,
	"deed":     deed,
	"subject":  subject,
	"sentence": sentence,
	"touches":  touches,
	"mood":     moodOf,
}

// render answers with a page.
func (c *Console) render(w http.ResponseWriter, r *http.Request, status int, page string, data any) {
	c.write(w, r, status, page, "layout.html", view{
		Path:    r.URL.Path,
		Tenant:  c.tenant(),
		Tenants: c.o.Tenants != nil,
		Pages:   c.realm != nil || c.o.Tenants == nil,
		Who:     c.who(r),
		Facade:  c.o.Facade,
		Notice:  c.notice(r),
		Version: c.o.Version,
		Data:    data,
	})
}

// fragment answers with one template of a page's, for htmx to put in place. Its
// dot is data.
func (c *Console) fragment(w http.ResponseWriter, r *http.Request, status int, page, name string, data any) {
	w.Header().Add("Vary", "HX-Request")
	c.write(w, r, status, page, name, data)
}

// wantsFragment reports whether htmx asks, for a part of a page only.
func wantsFragment(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-History-Restore-Request") != "true"
}

func (c *Console) write(w http.ResponseWriter, r *http.Request, status int, page, name string, data any) {
	text, err := c.execute(page, name, data)
	if err != nil {
		c.o.Logger.Error("the console can't render a page", "page", page, "path", r.URL.Path, "error", err)
		http.Error(w, "Something went wrong here; the log says more.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client is gone: nobody is left to tell
}

// execute renders a template of a page's.
func (c *Console) execute(page, name string, data any) ([]byte, error) {
	t, ok := c.pages[page]
	if !ok {
		return nil, fmt.Errorf("no template %q", page)
	}
	var b bytes.Buffer
	err := t.ExecuteTemplate(&b, name, data)
	return c.placed(b.Bytes()), err
}

// fail answers with a page that says what is wrong and what to do.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, status int, what, advice string) {
	c.render(w, r, status, "fault.html", struct{ What, Advice string }{what, advice})
}
