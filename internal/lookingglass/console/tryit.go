package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// mostTried is how much of an answer this page shows, in bytes.
const mostTried = 256 << 10

func (c *Console) tryitRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Path+"/try-it", c.showTry)
	mux.HandleFunc("POST "+Path+"/try-it", c.try)
	mux.HandleFunc("GET "+Path+"/try", func(w http.ResponseWriter, r *http.Request) {
		c.redirect(w, r, Path+"/try-it?"+r.URL.RawQuery)
	})
}

// tried is a request as it stands in the form.
type tried struct {
	Method, Path, Body           string
	IfMatch, IfNoneMatch, Prefer string
}

// Read reports whether the request changes nothing.
func (t tried) Read() bool {
	path, _, _ := strings.Cut(t.Path, "?")
	return safe(t.Method) || t.Method == http.MethodPost && strings.HasSuffix(strings.ToLower(path), "/.search")
}

// Deletes reports whether the request removes a resource, or may.
func (t tried) Deletes() bool {
	path, _, _ := strings.Cut(t.Path, "?")
	return t.Method == http.MethodDelete || strings.EqualFold(strings.Trim(path, "/"), "bulk") && strings.Contains(strings.ToUpper(t.Body), `"DELETE"`)
}

// Digest identifies the request, so that what is sent is what was previewed.
func (t tried) Digest() string {
	h := sha256.New()
	for _, s := range []string{t.Method, t.Path, t.Body, t.IfMatch, t.IfNoneMatch, t.Prefer} {
		_, _ = h.Write([]byte(strconv.Quote(s))) // it never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// tryPage is what tryit.html shows.
type tryPage struct {
	tried
	Methods   []option
	Templates []tryTemplate
	Rows      int
	Admin     bool
	Notes     []string // about where the request comes from
	Fault     string
	From      int64 // the exchange it was taken from; 0: none
	Preview   *preview
	Answer    *tryAnswer
}

// tryAnswer is what came of a request.
type tryAnswer struct {
	Status         int
	Location, ETag string
	Body           string
	Cut            bool
	Fault          *scim.Error
	Rules          []lookingglass.Rule
	Filter         *lookingglass.Node
	Micros         int64
	Steps          int
	Exchange       int64 // where it was recorded; 0: not
}

// showTry shows the form: empty, from a template or from an exchange. It sends
// reads, and nothing else, since anybody may bring a browser to follow a link.
func (c *Console) showTry(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page := &tryPage{tried: triedOf(q)}
	switch {
	case q.Has("from"):
		c.fromExchange(r, page, q.Get("from"))
	case q.Has("template"):
		for _, t := range tryTemplates {
			if t.ID == q.Get("template") {
				page.tried = t.tried
				c.complete(page)
			}
		}
	case q.Get("do") == "paste":
		page.paste(q.Get("paste"))
	case q.Get("do") == "go" && safe(page.Method):
		c.send(r, page)
	}
	c.renderTry(w, r, http.StatusOK, page)
}

// try previews a write, or sends a request.
func (c *Console) try(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, http.StatusRequestEntityTooLarge, "This form is too large", "This page takes requests of up to 256 KiB; use curl for larger ones.")
		return
	}
	page := &tryPage{tried: triedOf(r.PostForm)}
	switch do := r.PostForm.Get("do"); {
	case do == "paste":
		page.paste(r.PostForm.Get("paste"))
	case page.Read():
		c.send(r, page)
	case do != "send":
		c.preview(r, page)
	case r.PostForm.Get("seen") != page.Digest():
		page.Notes = append(page.Notes, "The request is another one than was previewed, so here is its preview; nothing was sent.")
		c.preview(r, page)
	case page.Deletes() && r.PostForm.Get("sure") != "yes":
		page.Notes = append(page.Notes, "Nothing was sent: tick the box to confirm that this may delete.")
		c.preview(r, page)
	case strings.Contains(page.Body, `"***"`):
		page.Notes = append(page.Notes, `Nothing was sent: the body has "***" in it, which stands for a secret in records. Write the real value.`)
	default:
		c.send(r, page)
	}
	c.renderTry(w, r, http.StatusOK, page)
}

func (c *Console) renderTry(w http.ResponseWriter, r *http.Request, status int, page *tryPage) {
	page.Admin = c.who(r).Admin
	page.Templates = tryTemplates
	methods := []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	if !page.Admin {
		methods = methods[:1]
	}
	for _, m := range methods {
		page.Methods = append(page.Methods, option{m, m, m == page.Method})
	}
	page.Rows = min(max(strings.Count(page.Body, "\n")+1, 8), 24)
	c.render(w, r, status, "tryit.html", page)
}

func triedOf(v url.Values) tried {
	t := tried{Method: strings.ToUpper(v.Get("method")), Path: strings.TrimSpace(v.Get("path")), Body: strings.ReplaceAll(v.Get("body"), "\r\n", "\n"),
		IfMatch: line(v.Get("ifmatch")), IfNoneMatch: line(v.Get("ifnonematch")), Prefer: line(v.Get("prefer"))}
	switch t.Method {
	case "GET", "POST", "PUT", "PATCH", "DELETE":
	default:
		t.Method = "GET"
	}
	return t
}

// line is what a header may hold.
func line(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(s)
}

// request returns the request for the engine, or says why it is none.
func (c *Console) request(r *http.Request, t tried) (req engine.Request, fault string) {
	path := t.Path
	base := c.o.Base(r)
	if rest, ok := strings.CutPrefix(path, base); ok {
		path = rest
	} else if u, err := url.Parse(base); err == nil && u.Path != "" && strings.HasPrefix(path, u.Path+"/") {
		path = strings.TrimPrefix(path, u.Path)
	}
	switch {
	case path == "":
		return req, "Say which endpoint: a path such as /Users."
	case strings.Contains(path, "://"):
		return req, "This address is not one of this server, whose endpoints are below " + base + "."
	case path[0] != '/':
		path = "/" + path
	}
	path, rawQuery, _ := strings.Cut(path, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return req, "The query can't be read: " + err.Error() + "."
	}
	for name := range query {
		if strings.EqualFold(name, "dryRun") {
			delete(query, name)
		}
	}
	req = engine.Request{Method: t.Method, Path: path, Query: query, IfMatch: t.IfMatch, IfNoneMatch: t.IfNoneMatch, Prefer: t.Prefer}
	if t.Method != http.MethodGet && t.Method != http.MethodDelete {
		req.Body = []byte(t.Body)
	}
	return req, ""
}

// send carries the request out.
func (c *Console) send(r *http.Request, page *tryPage) {
	req, fault := c.request(r, page.tried)
	if page.Fault = fault; fault != "" {
		return
	}
	a := c.tell(r, req)
	page.Answer = c.answerOf(r, a)
}

func (c *Console) answerOf(r *http.Request, a *answer) *tryAnswer {
	t := &tryAnswer{Status: a.Status, Location: a.Location, ETag: a.ETag, Body: pretty(string(a.Text)), Cut: a.Cut, Fault: a.refusal(),
		Filter: lookingglass.Tree(a.Trace.Notes().Filter), Micros: a.Took.Microseconds(), Steps: len(a.Trace.Steps())}
	if x := c.recorded(r.Context(), a.ID); x != nil {
		t.Exchange, t.Rules = x.Seq, x.Rules
	}
	return t
}

// recorded returns the record of a request that was just made, or nil.
func (c *Console) recorded(ctx context.Context, id string) *lookingglass.Exchange {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if c.o.Recorder.Flush(ctx) != nil {
		return nil
	}
	list, err := c.records.Find(ctx, lookingglass.Query{Client: "rollcall", Limit: 20})
	if err != nil {
		return nil
	}
	for _, x := range list {
		if x.ID == id {
			return x
		}
	}
	return nil
}

// fromExchange fills in the request of an exchange, as it was recorded.
func (c *Console) fromExchange(r *http.Request, page *tryPage, seq string) {
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil {
		page.Fault = "There is no such exchange."
		return
	}
	x, err := c.records.Get(r.Context(), n)
	if err != nil || x == nil {
		page.Fault = "This exchange is not kept any more."
		return
	}
	page.From = x.Seq
	page.tried = triedOf(url.Values{"method": {x.Method}, "path": {x.Local}, "body": {pretty(x.Request.Body)}})
	if x.Sent != "" {
		page.Path += "?" + x.Sent
	}
	for _, h := range x.Request.Headers {
		switch strings.ToLower(h.Name) {
		case "if-match":
			page.IfMatch = h.Value
		case "if-none-match":
			page.IfNoneMatch = h.Value
		case "prefer":
			page.Prefer = h.Value
		}
	}
	switch {
	case x.Request.Hash != "":
		page.Notes = append(page.Notes, "The body could not be read as JSON and was not kept.")
	case x.Request.Cut:
		page.Notes = append(page.Notes, "Only the beginning of the body was kept.")
	}
	if strings.Contains(page.Body, `"***"`) || strings.Contains(page.Path, "***") {
		page.Notes = append(page.Notes, `Secrets are not kept: where the request has "***", write the real value.`)
	}
	if !c.who(r).Admin && !safe(page.Method) {
		page.Notes = append(page.Notes, "This is a write; with your token you can look at it, and send reads only.")
	}
}

// paste reads a whole request: its line, headers, an empty line, the body.
func (p *tryPage) paste(text string) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	words := strings.Fields(lines[0])
	if n := len(words); n > 2 && strings.HasPrefix(words[n-1], "HTTP/") {
		words = words[:n-1]
	}
	if len(words) < 2 {
		p.Fault = "This is no request: its first line is a method, a blank and a path, as in GET /Users."
		return
	}
	v := url.Values{"method": {words[0]}, "path": {strings.Join(words[1:], " ")}, "body": {body}}
	for _, l := range lines[1:] {
		name, value, ok := strings.Cut(l, ":")
		if !ok { // no header: the empty line was left out
			break
		}
		v.Set(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "-", ""), value)
	}
	v.Set("method", words[0])
	v.Set("path", strings.Join(words[1:], " "))
	v.Set("body", body)
	p.tried = triedOf(v)
	if !strings.EqualFold(p.Method, words[0]) {
		p.Fault = "The method " + strconv.Quote(words[0]) + " is none of those that SCIM has."
	}
}
