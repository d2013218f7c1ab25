package server_test

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
)

// TestCanary is T22, USR-014, SEC-014 and SRC-009: what is secret, wherever it is
// sent or configured, is nowhere afterwards. What is no secret by where it is sent,
// a value in a filter of another attribute and the name of a client, is in the
// records of the Looking Glass, and in no log.
func TestCanary(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		passwords string
		postgres  bool
	}{"discard": {"discard", false}, "hash": {"hash", false}, "PostgreSQL": {"hash", true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCanary(t, x.passwords, x.postgres)
			stream := c.listen()
			c.send()
			c.ask()
			c.scan("the metrics", c.do("GET", "/metrics", "", "Authorization: Bearer "+c.secrets["the token of the metrics"]).body, "rollcall_requests_total")
			c.srv.FlushTraces(t.Context())
			c.traces.mu.Lock()
			c.scan("the traces", c.traces.text.String(), "INSERT INTO")
			c.traces.mu.Unlock()
			c.crawl()
			c.scan("the stream of events", stream(), "/looking-glass/exchanges/")
			c.commands()
			if err := c.stop(); err != nil {
				t.Fatal(err)
			}
			c.stored(x.passwords == "hash", x.postgres)
			log := c.log.String()
			c.scan("the log", log, `"op":"create"`)
			for _, told := range c.told {
				if at := strings.Index(strings.ToLower(log), told); at >= 0 {
					t.Errorf("the log has %s: …%.300q", told, log[max(at-100, 0):])
				}
			}
		})
	}
}

// canary is a server and what must not be found.
type canary struct {
	*served
	t       *testing.T
	traces  *traces
	secrets map[string]string   // by what they are
	needles map[string][]string // their forms
	told    []string            // what is in records, and in no log
	browser *glassBrowser
	dir     string // for files
	db      string // URL; "": SQLite
}

// person is who is found in all records: they are looked at.
const person = "told-5d1f-ada"

func newCanary(t *testing.T, passwords string, postgres bool) *canary {
	t.Helper()
	c := &canary{t: t, traces: collect(t), dir: t.TempDir(), told: []string{person, "told-5d1f-value"}, secrets: map[string]string{
		"a password":                 "Canary-5d1f-Secret!",
		"a token that is not good":   "canary-5d1f-not-good",
		"the configured token":       testToken,
		"the token of the console":   "canary-5d1f-console",
		"the token of the metrics":   "canary-5d1f-metrics",
		"a guess at the console":     "canary-5d1f-guess",
		"the secret of the client":   "canary-client-secret",
		"a password of Basic":        "canary-5d1f-basic",
		"a cookie":                   "canary-5d1f-cookie",
		"a key of an API":            "canary-5d1f-api-key",
		"what is never returned":     "canary-5d1f-pin",
		"a JSON Web Token":           "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjYW5hcnktNWQxZiJ9.Y2FuYXJ5LTVkMWYtc2lnbmF0dXJlLWlzLW5vLXNpZ25hdHVyZQ",
		"a token in a query":         "canary-5d1f-query",
		"what is taken for a secret": "canary-5d1f-client-secret",
	}}
	file := func(name, text string) string {
		path := filepath.Join(c.dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	schemas := filepath.Join(c.dir, "schemas")
	if err := os.Mkdir(schemas, 0o700); err != nil {
		t.Fatal(err)
	}
	file("schemas/safe.json", `[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:Safe","name":"Safe","attributes":[
		{"name":"label","type":"string"},{"name":"pin","type":"string","returned":"never","mutability":"writeOnly"}]},
		{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Safe","schema":"urn:example:Safe"}]`)
	i := newIssuer(t)
	environ := []string{"ROLLCALL_PASSWORDS=" + passwords, "ROLLCALL_LOG_LEVEL=TRACE", "ROLLCALL_SCHEMAS=" + schemas,
		"ROLLCALL_CONSOLE_TOKEN=" + c.secrets["the token of the console"], "ROLLCALL_METRICS_TOKEN=" + c.secrets["the token of the metrics"],
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.traces.URL, "ROLLCALL_OUTBOUND_ALLOW=127.0.0.1", "ROLLCALL_OUTBOUND_CA=" + i.ca,
		"ROLLCALL_CONSOLE_OIDC_ISSUER=" + i.url, "ROLLCALL_CONSOLE_OIDC_CLIENT_ID=console", "ROLLCALL_CONSOLE_OIDC_OPERATORS=ops",
		"ROLLCALL_CONSOLE_OIDC_CLIENT_SECRET_FILE=" + file("secret", c.secrets["the secret of the client"]+"\n")}
	if postgres {
		c.db = pgtest.Database(t)
		u, err := url.Parse(c.db)
		if err != nil {
			t.Fatal(err)
		}
		if password, ok := u.User.Password(); ok && len(password) > 8 {
			c.secrets["the password of the database"] = password
		}
		c.served = &served{instance(t, c.db, environ...), []string{"ROLLCALL_DATABASE_URL=" + c.db, "ROLLCALL_SCHEMAS=" + schemas}}
	} else {
		r := start(t, environ...)
		c.served = &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data, "ROLLCALL_SCHEMAS=" + schemas}}
	}
	for what, name := range map[string]string{"a managed token": "okta", "a managed token in the wrong place": "pasted", "a revoked token": "old"} {
		c.secrets[what] = c.must("token", "add", name)
	}
	c.must("token", "revoke", "old")
	c.waitForToken(c.secrets["a managed token"])
	c.browser = &glassBrowser{r: c.running}
	if a := c.browser.login(c.secrets["a guess at the console"]); a.status != http.StatusUnauthorized {
		t.Errorf("a guess: %d", a.status)
	}
	for what, token := range map[string]string{"the session of who looks": c.secrets["the token of the console"], "the session of an operator": testToken} {
		b := &glassBrowser{r: c.running}
		if a := b.login(token); a.status != http.StatusSeeOther {
			t.Fatalf("login: %d %s", a.status, a.body)
		}
		if _, c.secrets[what], _ = strings.Cut(b.cookie, "="); token == testToken {
			c.browser = b
		}
	}
	c.needles = map[string][]string{}
	for what, secret := range c.secrets {
		c.needles[what] = forms(secret)
	}
	return c
}

// forms are those in which a secret could be told, in lower case.
func forms(secret string) []string {
	text, _ := json.Marshal(secret) // of a text: it never fails
	list := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(text), `"`), html.EscapeString(secret),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)),
		strings.TrimSuffix(secret, "!")}
	for i := range list {
		list[i] = strings.ToLower(list[i])
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// scan looks for secrets in what came out somewhere, in which want has to be: that
// it is there says that it was looked at.
func (c *canary) scan(where, text, want string, but ...string) {
	c.t.Helper()
	if !strings.Contains(text, want) {
		c.t.Errorf("%s: it lacks %q: %.500s", where, want, text)
	}
	lower := strings.ToLower(text)
	for what, list := range c.needles {
		for _, form := range list {
			if at := strings.Index(lower, form); at >= 0 && !slices.Contains(but, what) {
				c.t.Errorf("%s: it has %s: …%q…", where, what, lower[max(at-150, 0):min(at+len(form)+50, len(lower))])
				break
			}
		}
	}
}

// sent sends a request whose answer must have no secret.
func (c *canary) sent(method, path, body string, headers ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, headers...)
	c.scan("the answer to "+method+" "+path, fmt.Sprint(a.status, a.header, a.body), "")
	return a
}

// send sends secrets wherever clients do, or could by mistake.
func (c *canary) send() {
	c.t.Helper()
	password, told := c.secrets["a password"], "Told-5d1f-Value"
	bearer := func(what string) string { return "Authorization: Bearer " + c.secrets[what] }
	patch := func(op string) string { return fmt.Sprintf(patchOp, op) }
	filter := func(expression string) string { return "/scim/v2/Users?filter=" + url.QueryEscape(expression) }

	user := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"` + person + `","password":"` + password + `"}`
	a := c.sent("POST", "/scim/v2/Users?attributes=password,userName", user)
	var u struct{ ID string }
	if err := json.Unmarshal([]byte(a.body), &u); err != nil || a.status != 201 {
		c.t.Fatalf("create: %d %s", a.status, a.body)
	}
	one := "/scim/v2/Users/" + u.ID
	c.sent("POST", "/scim/v2/Users", user) // 409
	c.sent("PUT", one, user, bearer("a managed token"))
	c.sent("PATCH", one, patch(`{"op":"replace","path":"password","value":"`+password+`"}`))
	c.sent("PATCH", one, patch(`{"op":"add","value":{"password":"`+password+`"}}`), bearer("a managed token"))
	c.do("PATCH", one, patch(`{"op":"replace","path":"`+password+`","value":1}`)) // a path that is none is quoted
	c.sent("PATCH", one+"?attributes=password", patch(`{"op":"replace","path":"title","value":"x"}`))
	c.sent("GET", one+"?attributes=password", "")
	c.sent("GET", "/scim/v2/Users?attributes=password", "")
	c.do("GET", filter(`password eq "`+password+`"`), "") // so is a filter
	c.do("GET", filter(`userName eq "`+told+`"`), "")
	c.sent("GET", "/scim/v2/Users?sortBy=password", "")
	c.sent("POST", "/scim/v2/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"password pr"}`)
	c.sent("POST", "/scim/v2/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"title eq \"`+told+`\""}`)
	c.sent("POST", "/scim/v2/Users", `{"userName":{"password":"`+password+`"}}`)
	c.sent("POST", "/scim/v2/Users", `{"userName":"b","password":["`+password+`"]}`)
	c.sent("POST", "/scim/v2/Users?dryRun=true", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"b","password":"`+password+`"}`)
	c.sent("POST", "/scim/v2/Users", `{"userName":"b","password":{"x":"`+password+`"}}`)
	c.sent("POST", "/scim/v2/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
		{"method":"POST","path":"/Users","bulkId":"1","data":{"userName":"bulk","password":"`+password+`"}},
		{"method":"PUT","path":"/Users/`+u.ID+`","data":`+user+`},
		{"method":"PATCH","path":"/Users/`+u.ID+`","data":`+patch(`{"op":"replace","path":"password","value":"`+password+`"}`)+`}]}`, bearer("a managed token"))

	safe := `{"schemas":["urn:example:Safe"],"label":"s","pin":"` + c.secrets["what is never returned"] + `"}`
	if a := c.sent("POST", "/scim/v2/Safes", safe); json.Unmarshal([]byte(a.body), &u) != nil || a.status != 201 {
		c.t.Fatalf("a safe: %d %s", a.status, a.body)
	}
	c.sent("PUT", "/scim/v2/Safes/"+u.ID+"?attributes=pin", safe)
	c.sent("PATCH", "/scim/v2/Safes/"+u.ID, patch(`{"op":"replace","path":"pin","value":"`+c.secrets["what is never returned"]+`"}`))
	c.sent("PATCH", "/scim/v2/Safes/"+u.ID, patch(`{"op":"replace","value":{"pin":"`+c.secrets["what is never returned"]+`"}}`))
	c.sent("GET", "/scim/v2/Safes/"+u.ID+"?attributes=pin", "")

	// Credentials in their place, good ones and others.
	for _, what := range []string{"a token that is not good", "a revoked token", "a JSON Web Token"} {
		if a := c.sent("GET", "/scim/v2/Users", "", bearer(what)); a.status != 401 {
			c.t.Errorf("%s: %d", what, a.status)
		}
	}
	c.sent("GET", "/scim/v2/Users", "", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("svc:"+c.secrets["a password of Basic"])))
	c.sent("GET", "/metrics", "", bearer("a token that is not good"))
	c.sent("GET", "/scim/v2/Users?access_token="+c.secrets["a token in a query"], "", "Authorization:")
	c.sent("GET", one, "", "Cookie: "+c.secrets["a cookie"], "X-Api-Key: "+c.secrets["a key of an API"], "User-Agent: "+told)
	c.sent("POST", "/scim/v2/Users", `{"userName":"b","clientSecret":"`+c.secrets["what is taken for a secret"]+`"}`)

	// Credentials where they don't belong, which are known by their form. What a
	// client says is told to itself.
	for _, what := range []string{"a managed token in the wrong place", "a JSON Web Token"} {
		wrong := c.secrets[what]
		c.do("GET", "/scim/v2/"+wrong+"/Users", "")
		c.do("GET", "/t/"+wrong+"/scim/v2/Users", "")
		c.do("GET", "/scim/v2/Users/"+wrong, "")
		c.do("GET", "/"+wrong, "", "Authorization:")
		c.do("GET", filter(`userName eq "`+wrong+`"`), "")
		c.do("GET", "/scim/v2/Users?x="+wrong, "")
		c.do("POST", "/scim/v2/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"userName eq \"`+wrong+`\""}`)
		c.do("GET", one, "", "User-Agent: "+wrong)
		c.do("GET", one, "", "X-Request-Id: "+wrong)
		c.do("GET", one, "", "Traceparent: "+wrong, "Referer: https://idp.example/?t="+wrong)
		c.do("POST", "/scim/v2/Users", `{"userName":{"x":"`+wrong+`"}}`)
		c.do("POST", "/scim/v2/Users", `{"userName":"`+wrong) // no JSON
		c.do("GET", "/looking-glass/"+wrong, "", "Authorization:")
	}
}

// ask lets a person try something out in the console.
func (c *canary) ask() {
	c.t.Helper()
	form := url.Values{"method": {"POST"}, "path": {"/Users"}, "body": {`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"tried","password":"` + c.secrets["a password"] + `"}`}}
	// The form shows what was written into it.
	if a := c.browser.do("POST", "/looking-glass/try-it", form.Encode(), "Origin: "+c.url); a.status != 200 {
		c.t.Errorf("try it: %d %s", a.status, a.body)
	}
	const last = "the-last-asked"
	c.do("GET", "/scim/v2/Users?count=0", "", "User-Agent: "+last)
	c.browser.until("/looking-glass/exchanges.json", last)
}

// listen reads the stream of events; what it returns ends that, and returns all.
func (c *canary) listen() (heard func() string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.url+"/looking-glass/events", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Cookie", c.browser.cookie)
	resp, err := http.DefaultClient.Do(req) //nolint:bodyclose // below
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatal(err, resp)
	}
	return func() string {
		defer resp.Body.Close()
		c.do("GET", "/scim/v2/Users?filter=userName+eq+%22the-last-one%22", "")
		var all strings.Builder
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			all.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "the-last-one") {
				return all.String()
			}
		}
		c.t.Error("the stream has ended")
		return all.String()
	}
}

var consoleLinks = regexp.MustCompile(`href="(/looking-glass[^"#]*)"`)

// crawl looks at all pages and downloads of the console.
func (c *canary) crawl() {
	c.t.Helper()
	const most = 400
	queue := []string{"/looking-glass", "/looking-glass/audit/export", "/looking-glass/people?q=" + person, "/looking-glass/exchanges.har", "/looking-glass/exchanges.json"}
	found, text := map[string]bool{}, strings.Builder{}
	for _, path := range queue {
		found[path] = true
	}
	for n := 0; n < len(queue) && n < most; n++ {
		a := c.browser.do("GET", queue[n], "")
		if a.status != 200 && a.status != 303 || strings.HasSuffix(a.header.Get("Location"), "/login") {
			c.t.Errorf("%s: %d %s", queue[n], a.status, a.body)
		}
		c.scan(queue[n], fmt.Sprint(a.header, a.body), "")
		text.WriteString(a.body)
		for _, m := range consoleLinks.FindAllStringSubmatch(a.body, -1) {
			next := html.UnescapeString(m[1])
			if !found[next] && !strings.Contains(next, "/static/") && !strings.Contains(next, "/events") {
				found[next] = true
				queue = append(queue, next)
			}
		}
	}
	for _, want := range []string{"/exchanges/", ".har", "/audit", "/credentials", "/breaker", "/connections", "/directory/", "/try-it?from="} {
		if !slices.ContainsFunc(queue, func(path string) bool { return strings.Contains(path, want) }) {
			c.t.Errorf("the crawl did not find %s", want)
		}
	}
	for _, told := range c.told { // so the records were looked at
		if !strings.Contains(strings.ToLower(text.String()), told) {
			c.t.Errorf("the console does not have %s", told)
		}
	}
}

// commands runs those that tell of what there is, and looks at all that they say
// and write.
func (c *canary) commands() {
	c.t.Helper()
	list := filepath.Join(c.dir, "list.csv")
	if err := os.WriteFile(list, []byte("userName\n"+person+"\nnobody\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	run := func(want string, args ...string) {
		c.t.Helper()
		code, out, errs := c.run(args...)
		if code > 1 {
			c.t.Errorf("rollcall %s: exit %d %s", strings.Join(args, " "), code, errs)
		}
		c.scan("rollcall "+strings.Join(args, " "), out+errs, want)
	}
	run(person, "audit", "export")
	run(person, "audit", "show", person)
	run("holds", "audit", "verify")
	run(person, "export", "-")
	run(person, "why", person)
	run("nobody", "compare", list)
	run("okta", "token", "list")
	run("okta", "token", "list", "--json")
	run("default", "tenant", "show", "default")
	run("limit", "breaker", "show")
	run("", "users", "deleted")
	run("", "status")
	if c.db == "" {
		file := filepath.Join(c.dir, "backup.db")
		run("checked", "backup", file)
		c.file(file)
	}
}

// file looks at a file, or a database, in which is what is never returned and no
// other secret.
func (c *canary) file(path string) (text string) {
	c.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	c.scan("the file "+filepath.Base(path), string(data), "", "what is never returned")
	return string(data)
}

// stored looks at what the server leaves behind. Passwords are there as hashes, if
// at all.
func (c *canary) stored(hash, postgres bool) {
	c.t.Helper()
	all := ""
	if postgres {
		all = pgtest.Dump(c.t, c.db)
		c.scan("the database", all, "okta", "what is never returned")
	}
	entries, err := os.ReadDir(c.data)
	if err != nil && !postgres {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		text := c.file(filepath.Join(c.data, e.Name()))
		if strings.Contains(text, "Told-5d1f-Value") && !strings.HasPrefix(e.Name(), "looking-glass.db") {
			c.t.Errorf("the file %s has the value of a filter", e.Name())
		}
		all += text
	}
	if !strings.Contains(all, person) || !strings.Contains(all, c.secrets["what is never returned"]) {
		c.t.Error("the directory was not looked at")
	}
	if strings.Contains(all, "$argon2id$") != hash {
		c.t.Errorf("a hash is stored: %v", !hash)
	}
}
