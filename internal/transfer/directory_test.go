package transfer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// store is what an engine of the tests is made on.
type store interface {
	scim.Backend
	scim.ChangeFeed
	scim.Undeleter
}

// api is a tenant as clients see it.
type api struct {
	*testing.T
	*engine.Engine
	store store
}

func newAPI(t *testing.T, s store, tenant string, keys [][]byte) *api {
	t.Helper()
	profile, err := compat.Parse("auto")
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(s, engine.Config{Types: types(t), Profile: profile, Tenant: tenant,
		Password:   func(clear string) (string, error) { return "hash of " + clear, nil },
		CursorKeys: func() [][]byte { return keys }})
	if err != nil {
		t.Fatal(err)
	}
	return &api{t, e, s}
}

// types are the core types, of which User has another extension with a secret.
func types(t *testing.T) []*scim.ResourceType {
	t.Helper()
	list, err := schema.Read(schema.Core(), folder())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// typeNamed finds a type for what a database does by itself.
func typeNamed(_, name string) *scim.ResourceType {
	list, _ := schema.Read(schema.Core(), folder())
	for _, t := range list {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// schemas are what copies know of resource types, as the program hands it over.
func schemas(t *testing.T) transfer.Schemas {
	t.Helper()
	list := newAPI(t, openSQLite(t, filepath.Join(t.TempDir(), "x.db")).Tenant("x"), "x", nil).Types()
	return transfer.Schemas{Load: schema.Load, Encode: schema.Encode, Type: func(_, name string) *scim.ResourceType {
		for _, rt := range list {
			if rt.Name == name {
				return rt
			}
		}
		return nil
	}}
}

// do makes a request and returns its status and body.
func (a *api) do(method, path, query string, body any) (int, scim.Object, string) {
	a.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		a.Fatal(err)
	}
	req := engine.Request{Method: method, Base: "https://x.test/v2", Path: path, Query: q}
	if body != nil {
		if req.Body, err = json.Marshal(body); err != nil {
			a.Fatal(err)
		}
	}
	resp := a.Do(scim.WithOrigin(a.Context(), scim.Origin{Actor: "tester", RequestID: "r-" + method}), req)
	if resp.Status >= 500 {
		a.Errorf("%s %s?%s: %v", method, path, query, resp.Err)
	}
	var b bytes.Buffer
	if resp.Body != nil {
		if _, err := resp.Body.WriteTo(&b); err != nil {
			a.Fatal(err)
		}
	}
	o, _ := scim.ParseObject(b.Bytes(), 0, 0)
	return resp.Status, o, b.String()
}

type object = map[string]any

var words = []string{"Ada", "ada", "Émile", "日本", "a\u0000b", "x y", strings.Repeat("long", 90), "50%", "_", "İ", "'", `"\`}

// live makes random changes to a tenant, as clients do, and returns the ids of
// what it created.
func (a *api) live(seed uint64, steps int) (users, groups []string) {
	a.Helper()
	g := rand.New(rand.NewPCG(seed, 1))
	word := func() string { return words[g.IntN(len(words))] }
	pick := func(list []string) string { return list[g.IntN(len(list))] }
	some := func() (list []object) {
		for range g.IntN(6) {
			if from := [][]string{users, users, users, groups}[g.IntN(4)]; len(from) > 0 {
				list = append(list, object{"value": pick(from)})
			}
		}
		return list
	}
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	person := func(n int) object {
		u := object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": fmt.Sprintf("user%d", n), "active": g.IntN(4) > 0,
			"name": object{"familyName": word(), "givenName": word()}, "title": word(),
			"emails": []object{{"value": fmt.Sprintf("u%d@x.test", n), "type": "work", "primary": true}, {"value": word()}}}
		if g.IntN(2) == 0 {
			u["externalId"] = fmt.Sprintf("X%d%s", n, word())
		}
		if g.IntN(3) == 0 {
			u["password"] = fmt.Sprintf("secret number %d", n)
		}
		if len(users) > 0 && g.IntN(3) == 0 {
			u[enterprise] = object{"manager": object{"value": pick(users)}, "department": word()}
		}
		if g.IntN(3) == 0 {
			u["urn:example:2.0:Locker"] = object{"number": g.IntN(100), "code": fmt.Sprintf("pin %d", n), "keys": []object{{"value": word(), "copy": "hidden key"}}}
		}
		return u
	}
	for n := range steps {
		var method, path string
		var body any
		switch k := g.IntN(20); {
		case k < 7 || len(users) < 3:
			method, path, body = "POST", "/Users", person(n)
		case k < 9:
			method, path = "POST", "/Groups"
			body = object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:Group"}, "displayName": fmt.Sprintf("group %d %s", n, word()), "members": some()}
		case k < 12:
			method, path, body = "PUT", "/Users/"+pick(users), person(n)
		case k < 16 && len(groups) > 0:
			op := object{"op": "add", "path": "members", "value": some()}
			if g.IntN(3) == 0 {
				op = object{"op": "remove", "path": `members[value eq "` + pick(users) + `"]`}
			}
			method, path, body = "PATCH", "/Groups/"+pick(groups), object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{op}}
		case k < 18:
			method, path = "DELETE", "/Users/"+pick(users)
		case len(groups) > 3 && k == 18:
			method, path = "DELETE", "/Groups/"+pick(groups)
		default:
			continue
		}
		status, o, text := a.do(method, path, "", body)
		if status >= 500 {
			a.Fatalf("%s %s %v: %d %s", method, path, body, status, text)
		}
		if id, _ := o.Get("id").(string); status == 201 {
			if path == "/Users" {
				users = append(users, id)
			} else {
				groups = append(groups, id)
			}
		}
	}
	return users, groups
}

// see returns what clients are answered to many requests, and what the change
// log says, so that two tenants can be compared.
func (a *api) see(users, groups []string) []string {
	a.Helper()
	var list []string
	get := func(path, query string) {
		status, _, text := a.do("GET", path, query, nil)
		list = append(list, fmt.Sprintf("%s?%s: %d %s", path, query, status, text))
	}
	for _, id := range users {
		get("/Users/"+id, "")
	}
	for _, id := range groups {
		get("/Groups/"+id, "")
	}
	get("/Users", "count=500")
	get("/Groups", "count=500")
	for _, attr := range []string{"userName", "title", "name.familyName", "meta.created", "externalId", "urn:example:2.0:Locker:number"} {
		get("/Users", "count=7&startIndex=3&sortBy="+url.QueryEscape(attr))
	}
	filters := []string{"active eq true", "not (active eq true)", "meta.created gt \"2020-01-01T00:00:00Z\"", "groups.value pr", "emails[type eq \"work\" and value co \"u1\"]",
		"urn:example:2.0:Locker:number gt 50", "externalId pr", "emails.primary eq false", "urn:example:2.0:Locker:keys pr"}
	for _, w := range words {
		q := string(scim.AppendString(nil, w))
		filters = append(filters, "title eq "+q, "name.familyName co "+q, "externalId ew "+q, "emails.value sw "+q, "name.givenName gt "+q)
	}
	for i, id := range users {
		if i%7 == 0 {
			q := string(scim.AppendString(nil, id))
			filters = append(filters, "id eq "+q, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "+q, fmt.Sprintf("userName eq \"USER%d\"", i))
		}
	}
	for i, id := range groups {
		if i%3 == 0 {
			filters = append(filters, "groups.value eq \""+id+"\"")
		}
	}
	for _, f := range filters {
		get("/Users", "count=500&attributes=userName&filter="+url.QueryEscape(f))
	}
	for i, id := range users {
		if i%5 == 0 {
			get("/Groups", "count=500&attributes=displayName&filter="+url.QueryEscape("members.value eq \""+id+"\""))
		}
	}
	changes := func(q scim.ChangeQuery) {
		q.Limit = 10_000
		log, err := a.store.Changes(a.Context(), q)
		list = append(list, fmt.Sprintf("%+v: %v %v", q, log, err))
	}
	changes(scim.ChangeQuery{})
	for i, id := range users {
		if i%5 == 0 {
			changes(scim.ChangeQuery{Person: id})
		}
	}
	gone, err := a.store.Deleted(a.Context(), scim.DeletedQuery{Type: a.Types()[0], Limit: 1000})
	return append(list, fmt.Sprintf("deleted: %v %v", gone, err))
}

// same fails the test where two tenants are seen to differ.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d answers, want %d", what, len(got), len(want))
	}
	faults := 0
	for i := range got {
		if got[i] != want[i] {
			if faults++; faults < 4 {
				t.Errorf("%s:\ngot  %.600s\nwant %.600s", what, got[i], want[i])
			}
		}
	}
}

func openSQLite(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

var options = sqlite.Options{Load: schema.Load, Encode: schema.Encode, Type: typeNamed, UndeleteDays: 30, Readers: 1}

// exported returns the export of a source, without its first line, which tells
// the time.
func exported(t *testing.T, s transfer.Source) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := transfer.Export(t.Context(), s, &b, "test", now(), quiet); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), "\n")
	return rest
}

func quiet(int64, int64) {}

// sorted returns the lines of a text in an order of their own.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// database is a kind of database that copies go from and to.
type database struct {
	name   string
	place  func(t *testing.T) string // of a new, empty one
	tenant func(t *testing.T, place, name string) (s store, keys [][]byte, close func())
	source func(t *testing.T, place string) transfer.Source
	target func(ctx context.Context, t *testing.T, place string) transfer.Target
}
