package pactflowtest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is the longest request body that is read.
const maxBody = 16 << 20

// call is a request being answered.
type call struct {
	e       *Emulator
	cfg     *config
	store   *store
	r       *http.Request
	path    string
	arg     []string // the path segments that the route leaves open
	body    []byte
	token   *Token // nil: none that is valid
	grants  []grant
	base    string
	problem bool // errors as application/problem+json
	n       int  // number in the log
	partial *Partial
	query   url.Values
	buffer  *output
}

// answer is what a call ends with.
type answer struct {
	code     int
	location string
	header   http.Header // more of it
	body     []byte
}

// endpoint is a method of a route.
type endpoint struct {
	allowed func(*call) bool
	serve   func(*call) (answer, *refusal)
}

// route is a path, {} standing for any one segment, and its methods.
type route struct {
	path []string
	on   map[string]endpoint
}

func at(path string, on map[string]endpoint) route {
	return route{strings.Split(path[1:], "/"), on}
}

var routes = []route{
	at("/", map[string]endpoint{"GET": {anyToken, readIndex}}),
	at("/user", map[string]endpoint{"GET": {anyToken, readMe}}),
	at("/settings/tokens", map[string]endpoint{"GET": {anyToken, listOwnTokens}}),
	at("/admin/users", map[string]endpoint{"GET": {readsUsers, listUsers}, "POST": {createsUsers, createUser}}),
	at("/admin/users/invite-user", map[string]endpoint{"POST": {invites, inviteUser}}),
	at("/admin/users/invite-users", map[string]endpoint{"POST": {invites, inviteUsers}}),
	at("/admin/users/{}", map[string]endpoint{
		"GET": {readsUser, readUser}, "PUT": {managesUser, updateUser}, "DELETE": {managesUser, deleteUser}}),
	at("/admin/users/{}/roles", map[string]endpoint{"PUT": {managesOthersRoles, setRoles}}),
	at("/admin/users/{}/roles/{}", map[string]endpoint{
		"PUT": {managesOthersRoles, addRole}, "DELETE": {managesOthersRoles, removeRole}}),
	at("/admin/users/{}/role/admin", map[string]endpoint{
		"PUT": {managesOthersRoles, makeAdmin}, "DELETE": {managesOthersRoles, unmakeAdmin}}),
	at("/admin/system-accounts", map[string]endpoint{"POST": {managesSystemAccounts, createSystemAccount}}),
	at("/admin/system-accounts/{}/tokens", map[string]endpoint{"GET": {managesSystemAccounts, listTokens}}),
	at("/admin/teams", map[string]endpoint{"GET": {readsTeams, listTeams}, "POST": {managesTeams, createTeam}}),
	at("/admin/teams/{}", map[string]endpoint{
		"GET": {readsTeam, readTeam}, "PUT": {managesTeam, updateTeam}, "DELETE": {managesTeams, deleteTeam}}),
	at("/admin/teams/{}/users", map[string]endpoint{
		"GET": {readsTeam, listMembers}, "PUT": {managesTeam, setMembers}, "POST": {managesTeam, addMembers},
		"PATCH": {managesTeam, patchMembers}, "DELETE": {managesTeam, removeMembers}}),
	at("/admin/teams/{}/users/{}", map[string]endpoint{
		"GET": {readsTeam, readMember}, "DELETE": {managesTeam, removeMember}}),
	at("/admin/roles", map[string]endpoint{"GET": {readsRoles, listRoles}}),
	at("/admin/roles/{}", map[string]endpoint{"GET": {readsRoles, readRole}}),
	at("/admin/permissions", map[string]endpoint{"GET": {readsRoles, listPermissions}}),
}

// match finds the methods of the call's path and what its open segments are.
func (c *call) match() map[string]endpoint {
	parts := strings.Split(c.path[1:], "/")
	for _, rt := range routes {
		if len(rt.path) != len(parts) {
			continue
		}
		var arg []string
		fits := true
		for i, p := range rt.path {
			if p == "{}" {
				arg = append(arg, parts[i])
				fits = fits && parts[i] != ""
			} else {
				fits = fits && p == parts[i]
			}
		}
		if fits {
			c.arg = arg
			return rt.on
		}
	}
	return nil
}

// method is the call's; HEAD is answered as GET.
func (c *call) method() string {
	if c.r.Method == http.MethodHead {
		return http.MethodGet
	}
	return c.r.Method
}

// handle answers the call over the state as it is, or was before the last write.
func (c *call) handle(stale bool) (a answer) {
	e := c.e
	if c.path == "/diagnostic/status/heartbeat" {
		return heartbeat(c)
	}
	run := func() {
		var bad *refusal
		if a, bad = c.respond(); bad != nil {
			a = c.refused(bad)
		}
	}
	switch {
	case c.method() != http.MethodGet:
		e.mu.Lock()
		defer e.mu.Unlock()
		c.store = e.store
		run()
		c.store.commit()
	case stale:
		e.mu.Lock()
		defer e.mu.Unlock()
		c.store = e.store
		c.store.beforeLastWrite(run)
	default:
		e.mu.RLock()
		defer e.mu.RUnlock()
		c.store = e.store
		run()
	}
	return a
}

// respond checks the call in the order of the product, and serves it.
func (c *call) respond() (answer, *refusal) {
	value := bearer(c.r)
	t := c.store.tokens[value]
	if value == "" || t == nil || t.Expired {
		return answer{}, refuse(401, "unauthorized", "A valid API token is required")
	}
	c.token = t
	methods := c.match()
	if methods == nil {
		return answer{}, notFound()
	}
	ep, ok := methods[c.method()]
	if !ok {
		return answer{}, refuse(405, "method-not-allowed", "The resource does not support "+c.r.Method)
	}
	if t.ReadOnly && c.method() != http.MethodGet || !ep.allowed(c) {
		return answer{}, forbidden()
	}
	if !acceptsJSON(c.r.Header.Values("Accept")) {
		return answer{}, refuse(406, "not-acceptable", "The resource is application/hal+json")
	}
	return ep.serve(c)
}

func bearer(r *http.Request) string {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(value)
}

func acceptsJSON(accept []string) bool {
	all := strings.ToLower(strings.Join(accept, ","))
	return strings.TrimSpace(all) == "" || strings.Contains(all, "json") || strings.Contains(all, "*/*") || strings.Contains(all, "application/*")
}

// now is the time of the write under way.
func (c *call) now() time.Time { return c.cfg.now(c.store) }

func (c *config) now(s *store) time.Time {
	if c.start.IsZero() {
		return time.Now().UTC().Truncate(time.Second)
	}
	return c.start.Add(time.Duration(s.writes) * time.Second)
}

// output returns where the call's answer is written; its memory is used again
// once the call is over.
func (c *call) output() *output {
	if c.buffer == nil {
		c.buffer = buffers.Get().(*output)
	}
	c.buffer.b, c.buffer.nulls = c.buffer.b[:0], c.cfg.Nulls
	return c.buffer
}

// end gives the memory of the answer back.
func (c *call) end() {
	if c.buffer != nil {
		buffers.Put(c.buffer)
	}
}

var buffers = sync.Pool{New: func() any { return new(output) }}

// reference is how the product lets one find a failure in its log.
func (c *call) reference() string { return fmt.Sprintf("%010x", c.n) }

// params returns the query.
func (c *call) params() url.Values {
	if c.query == nil {
		c.query = c.r.URL.Query()
	}
	return c.query
}

// window is the part of a list that is asked for.
type window struct {
	number, size int
	paged        bool
	prefix       string // the link to a page, without its number
}

// window reads the paging parameters, under both of their names.
func (c *call) window(path string) (window, *refusal) {
	w := window{number: 1, size: 100}
	names := [][2]string{{"page", "size"}, {"pageNumber", "pageSize"}}
	if c.cfg.oldPaging {
		names = names[1:]
	}
	for _, n := range names {
		for i, to := range []*int{&w.number, &w.size} {
			if !c.params().Has(n[i]) {
				continue
			}
			v, err := strconv.Atoi(c.params().Get(n[i]))
			if err != nil || v < 1 {
				return w, invalid(n[i], "must be a number greater than 0")
			}
			*to, w.paged = v, true
		}
	}
	more := url.Values{}
	for name, vs := range c.params() {
		if !slices.Contains([]string{"page", "size", "pageNumber", "pageSize"}, name) {
			more[name] = vs
		}
	}
	last := names[0]
	w.prefix = c.base + path + "?"
	if len(more) > 0 {
		w.prefix += more.Encode() + "&"
	}
	w.prefix += fmt.Sprintf("%s=%d&%s=", last[1], w.size, last[0])
	return w, nil
}

// cut returns the bounds of the window in a list of n.
func (w window) cut(n int) (from, to int) {
	if !w.paged {
		return 0, n
	}
	pages := (n + w.size - 1) / w.size
	if w.number > pages {
		return n, n
	}
	from = (w.number - 1) * w.size
	return from, min(n, from+w.size)
}

// write writes the links of a list of n, and its page.
func (w window) write(o *output, title, self string, n int) {
	pages := (n + w.size - 1) / w.size
	o.object("_links", func() {
		o.link("self", title, "", self)
		if w.paged && w.number < pages {
			o.link("next", "Next page", "", w.prefix+strconv.Itoa(w.number+1))
		}
		if w.paged && w.number > 1 {
			o.link("previous", "Previous page", "", w.prefix+strconv.Itoa(w.number-1))
		}
	})
	if w.paged {
		o.object("page", func() {
			o.raw("number", strconv.Itoa(w.number))
			o.raw("size", strconv.Itoa(w.size))
			o.raw("totalElements", strconv.Itoa(n))
			o.raw("totalPages", strconv.Itoa(pages))
		})
	}
}

var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return z
}}
