package main_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	main "github.com/rollcall-scim/rollcall/examples/saas"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
	"github.com/rollcall-scim/rollcall/scim/scimtest"
)

func open(t *testing.T) *main.App {
	t.Helper()
	a, err := main.Open(t.Context(), filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.DB.Close() })
	return a
}

func exec(t *testing.T, a *main.App, query string, args ...any) {
	t.Helper()
	if _, err := a.DB.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func ask[T any](t *testing.T, a *main.App, query string, args ...any) (v T) {
	t.Helper()
	if err := a.DB.QueryRowContext(t.Context(), query, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// lacks is every attribute of a User that has no column.
func lacks() []string {
	mapped := map[string]bool{"userName": true, "displayName": true, "active": true, "password": true, "groups": true, "manager": true}
	var paths []string
	user := schema.Core()[0]
	for _, a := range user.Schema.Attributes {
		if !mapped[a.Name] {
			paths = append(paths, a.Name)
		}
	}
	x := user.Extensions[0].Schema
	for _, a := range x.Attributes {
		if !mapped[a.Name] {
			paths = append(paths, a.Name, x.ID+":"+a.Name)
		}
	}
	return append(paths, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:DEPARTMENT") // as one filter spells it
}

// TestContractWithLacks holds the directory to the contract of backends.
func TestContractWithLacks(t *testing.T) {
	t.Parallel()
	scimtest.Run(t, scimtest.Harness{
		Open: func(t *testing.T) (scim.Backend, scim.Backend) {
			a := open(t)
			exec(t, a, "INSERT INTO orgs (id, name) VALUES (1, 'one'), (2, 'two')")
			return main.Directory{App: a, Org: 1}, main.Directory{App: a, Org: 2}
		},
		Lacks: scimtest.Lacks{Types: []string{"Widget"}, Sorting: true, Nesting: true, Paths: lacks()},
		Short: true,
	})
}

// service is the application with three people from before SCIM, serving.
type service struct {
	*testing.T
	*main.App
	url string
}

func serve(t *testing.T) service {
	t.Helper()
	a := open(t)
	exec(t, a, "INSERT INTO orgs (id, name) VALUES (1, 'Acme'), (2, 'Other')")
	exec(t, a, "INSERT INTO scim_orgs (org, token, domain) VALUES (1, ?, 'acme.example'), (2, ?, '')", hash("one"), hash("two"))
	exec(t, a, `INSERT INTO users (id, org, login, name) VALUES (11, 1, 'Ann@Acme.example', 'Ann'), (12, 1, 'bob@notacme.example', 'Bob'), (21, 2, 'cy@acme.example', 'Cy')`)
	exec(t, a, "INSERT INTO sessions (token, user_id) VALUES ('s11', 11), ('s11b', 11), ('s12', 12), ('s21', 21)")
	s := httptest.NewServer(http.StripPrefix("/scim/v2", scimhttp.NewResolver(a.Resolve, scimhttp.Options{})))
	t.Cleanup(s.Close)
	return service{t, a, s.URL + "/scim/v2"}
}

func hash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

type user struct {
	ID, UserName, DisplayName string
	Active                    bool
	Meta                      struct{ Version string }
	TotalResults              int
	Resources                 []user
	Detail                    string
}

func (s service) do(status int, token, method, path, body string) (u user) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	if status != http.StatusNoContent {
		if err := json.NewDecoder(resp.Body).Decode(&u); err != nil {
			s.Fatal(err)
		}
	}
	if resp.StatusCode != status {
		s.Fatalf("%s %s: %d %+v, want %d", method, path, resp.StatusCode, u, status)
	}
	if status == 401 && resp.Header.Get("WWW-Authenticate") == "" {
		s.Error("401 without a challenge")
	}
	return u
}

func (s service) sessions(user int) int {
	s.Helper()
	return ask[int](s.T, s.App, "SELECT count(*) FROM sessions WHERE user_id = ?", user)
}

const deactivate = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","path":"active","value":false}]}`

// TestAdoption: who was there before SCIM is taken over by the rule alone.
func TestAdoption(t *testing.T) {
	t.Parallel()
	s := serve(t)
	if u := s.do(200, "one", "GET", `/Users?filter=userName+eq+%22ann@acme.example%22`, ""); u.TotalResults != 0 {
		t.Errorf("an account is seen before it is adopted: %+v", u)
	}
	ann := s.do(201, "one", "POST", "/Users", `{"userName":"ann@acme.example","title":"CEO"}`)
	if ann.UserName != "Ann@Acme.example" || ann.DisplayName != "Ann" || !ann.Active || s.sessions(11) != 2 {
		t.Errorf("an adopted account keeps its login, its name and its sessions: %+v", ann)
	}
	if n := ask[int](t, s.App, "SELECT count(*) FROM users WHERE org = 1"); n != 2 {
		t.Errorf("%d accounts, want 2: no second one was made", n)
	}
	if u := s.do(200, "one", "GET", `/Users?filter=userName+eq+%22ANN@acme.example%22+and+displayName+sw+%22an%22`, ""); u.TotalResults != 1 || u.Resources[0].ID != ann.ID {
		t.Errorf("an adopted account is found: %+v", u)
	}
	s.do(409, "one", "POST", "/Users", `{"userName":"ann@acme.example"}`)    // it is taken now
	s.do(409, "one", "POST", "/Users", `{"userName":"bob@notacme.example"}`) // not the customer's domain
	s.do(409, "two", "POST", "/Users", `{"userName":"cy@acme.example"}`)     // who adopts nobody
	s.do(201, "two", "POST", "/Users", `{"userName":"ann@acme.example"}`)    // another customer's Ann is another person
	next := s.do(201, "one", "POST", "/Users", `{"userName":"new@acme.example"}`)
	s.do(409, "one", "PUT", "/Users/"+next.ID, `{"userName":"bob@notacme.example"}`)
	if name := ask[string](t, s.App, "SELECT name FROM users WHERE id = 12"); name != "Bob" || s.sessions(12) != 1 {
		t.Errorf("an account that is not adopted is left alone: %s", name)
	}
}

// TestDeactivation: sessions end with access, in one transaction.
func TestDeactivation(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ann := s.do(201, "one", "POST", "/Users", `{"userName":"ann@acme.example"}`)
	s.Deactivated = func(context.Context, *sql.Tx, int64) error { return errors.New("sessions can't be ended") }
	s.do(500, "one", "PATCH", "/Users/"+ann.ID+"?attributes=active", deactivate)
	if !s.do(200, "one", "GET", "/Users/"+ann.ID, "").Active || s.sessions(11) != 2 {
		t.Error("a deactivation whose hook fails has happened by halves")
	}
	s.Deactivated = main.EndSessions
	if u := s.do(200, "one", "PATCH", "/Users/"+ann.ID+"?attributes=active", deactivate); u.Active || s.sessions(11) != 0 || s.sessions(12) != 1 {
		t.Errorf("%+v, %d sessions left of hers, %d of his", u, s.sessions(11), s.sessions(12))
	}
	if ask[bool](t, s.App, "SELECT active FROM users WHERE id = 11") {
		t.Error("the application's account is still active")
	}
	bea := s.do(201, "one", "POST", "/Users", `{"userName":"bea@acme.example"}`)
	account := ask[int](t, s.App, "SELECT id FROM users WHERE login = 'bea@acme.example'")
	exec(t, s.App, "INSERT INTO sessions (token, user_id) VALUES ('b', ?)", account)
	s.do(204, "one", "DELETE", "/Users/"+bea.ID, "")
	if s.sessions(account) != 0 || ask[bool](t, s.App, "SELECT active FROM users WHERE id = ?", account) {
		t.Error("a deleted person can still get in")
	}
	s.do(201, "one", "POST", "/Users", `{"userName":"bea@acme.example"}`) // the login is free again
}

// TestApplicationChanges: what the application changes itself shows, with a new
// version, although its table has none.
func TestApplicationChanges(t *testing.T) {
	t.Parallel()
	s := serve(t)
	before := s.do(201, "one", "POST", "/Users", `{"userName":"ann@acme.example","displayName":"Ann"}`)
	exec(t, s.App, "UPDATE users SET name = 'Änn', active = FALSE WHERE id = 11")
	after := s.do(200, "one", "GET", "/Users/"+before.ID, "")
	if after.DisplayName != "Änn" || after.Active || after.Meta.Version == before.Meta.Version {
		t.Errorf("%+v, was %+v", after, before)
	}
	if u := s.do(200, "one", "GET", `/Users?filter=displayName+eq+%22%C3%84NN%22+and+active+eq+false`, ""); u.TotalResults != 1 {
		t.Errorf("a filter sees the old name: %+v", u)
	}
	if u := s.do(400, "one", "GET", `/Users?filter=title+pr+or+userName+pr`, ""); !strings.Contains(u.Detail, "title") {
		t.Errorf("what is not mapped is refused by name: %+v", u)
	}
}

// TestCustomers: each of 2,000 tokens sees its own people and no others.
func TestCustomers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const n = 2000
	tx, err := s.DB.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < 100+n; i++ {
		_, err := tx.Exec("INSERT INTO orgs (id, name) VALUES (?1, 'c'); INSERT INTO scim_orgs (org, token) VALUES (?1, ?2)", i, hash(fmt.Sprint("token", i)))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := 100; i < 100+n; i += 97 {
		u := s.do(201, fmt.Sprint("token", i), "POST", "/Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
		ids = append(ids, u.ID)
	}
	for i := 100; i < 100+n; i += 97 {
		token := fmt.Sprint("token", i)
		if u := s.do(200, token, "GET", "/Users", ""); u.TotalResults != 1 || u.Resources[0].UserName != fmt.Sprint("u", i) {
			t.Errorf("%s sees %+v", token, u)
		}
		for j, id := range ids {
			want := 404
			if 100+97*j == i {
				want = 200
			}
			s.do(want, token, "GET", "/Users/"+id, "")
		}
	}
	s.do(401, "", "GET", "/Users", "")
	s.do(401, "nobody", "GET", "/ServiceProviderConfig", "")
	exec(t, s.App, "DELETE FROM scim_orgs WHERE org = 100")
	s.do(401, "token100", "GET", "/Users", "") // at once: nothing is cached
}

// TestIndexes: the look-ups of identity providers are no scans.
func TestIndexes(t *testing.T) {
	t.Parallel()
	a := open(t)
	for want, query := range map[string]string{
		"scim_users_login":        "SELECT count(*) FROM scim_user r WHERE r.org = 1 AND (r.login_key IS NOT NULL AND r.login_key COLLATE BINARY = 'a')",
		"scim_resources_external": "SELECT r.id FROM scim_user r WHERE r.org = 1 AND (r.external_key IS NOT NULL AND r.external_key COLLATE BINARY = 'a') ORDER BY r.seq LIMIT 101 OFFSET 0",
		"scim_resources_title":    "SELECT r.id FROM scim_group r WHERE r.org = 1 AND (r.name_key IS NOT NULL AND r.name_key COLLATE BINARY = 'a') ORDER BY r.seq LIMIT 101 OFFSET 0",
		"scim_members_member":     "SELECT count(*) FROM scim_group r WHERE r.org = 1 AND EXISTS (SELECT 1 FROM scim_related m WHERE (m.seq = r.seq AND m.path = 'members') AND (m.id IS NOT NULL AND m.id COLLATE BINARY = 'x'))",
	} {
		rows, err := a.DB.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var x any
			var detail string
			if err := rows.Scan(&x, &x, &x, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil || !strings.Contains(strings.Join(plan, "; "), want) {
			t.Errorf("%s is not used: %v %v", want, plan, err)
		}
	}
}

// TestSize: the example stays one that can be read at a sitting.
func TestSize(t *testing.T) {
	t.Parallel()
	n := 0
	for _, file := range []string{"main.go", "directory.go"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(string(text), "\n)\n") // the imports
		for line := range strings.Lines(code) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				n++
			}
		}
	}
	if n >= 300 {
		t.Errorf("%d lines of code, without imports, comments and blanks", n)
	}
}

// TestWalkThrough: what docs/embedding.md quotes stands here word for word.
func TestWalkThrough(t *testing.T) {
	t.Parallel()
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var code string
	for _, file := range []string{"main.go", "directory.go", "saas_test.go", "app.sql", "scim.sql"} {
		code += read(file)
	}
	quotes := strings.Split(read("../../docs/embedding.md"), "```")
	if len(quotes) < 13 {
		t.Errorf("%d quotes", len(quotes)/2)
	}
	for i := 1; i < len(quotes); i += 2 {
		_, quote, _ := strings.Cut(quotes[i], "\n")
		if !strings.Contains(code, quote) {
			t.Errorf("it says otherwise:\n%s", quote)
		}
	}
}
