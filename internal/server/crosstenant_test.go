package server_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/internal/server"
)

// marked is a text in every value that the neighbour has.
const marked = "mark-7f3a"

const ofMetrics = "metrics-token-0123456789"

// The neighbour's types: those that the intruders have as well, and one more.
const (
	isSchema    = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],`
	isType      = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],`
	linkToUser  = `{"name":"value"},{"name":"$ref","type":"reference","referenceTypes":["User"],"mutability":"readOnly"},{"name":"displayName","mutability":"readOnly"}`
	linkToAny   = `{"name":"value"},{"name":"$ref","type":"reference","referenceTypes":["User","Group"],"mutability":"readOnly"},{"name":"display","mutability":"readOnly"}`
	commonTypes = `{` + isSchema + `"id":"urn:example:Device","name":"Device","attributes":[{"name":"label","required":true,"uniqueness":"server"},` +
		`{"name":"owner","type":"complex","subAttributes":[` + linkToUser + `]},` +
		`{"name":"holders","type":"complex","multiValued":true,"subAttributes":[` + linkToAny + `]},` +
		`{"name":"depot","type":"reference","referenceTypes":["Group"]}]},` +
		`{` + isSchema + `"id":"urn:example:Badge","name":"Badge","attributes":[{"name":"sponsor","type":"complex","subAttributes":[` + linkToUser + `]},` +
		`{"name":"assistants","type":"complex","multiValued":true,"subAttributes":[` + linkToAny + `]}]},` +
		`{` + isType + `"name":"Device","endpoint":"/Devices","schema":"urn:example:Device"},` +
		`{` + isType + `"name":"User","schema":"urn:ietf:params:scim:schemas:core:2.0:User","schemaExtensions":[{"schema":"urn:example:Badge","required":false}]}`
	ownType = `{` + isSchema + `"id":"urn:example:Sloop","name":"Sloop","description":"` + marked + `","attributes":[{"name":"label","description":"` + marked + `"}]},` +
		`{` + isType + `"name":"Sloop","endpoint":"/Sloops","description":"` + marked + `","schema":"urn:example:Sloop"}`
)

// matrix is a tenant's client that tries everything with what the neighbour has.
type matrix struct {
	*served
	name  string // of the tenant
	token string
	form  string // of the paths: "/scim/v2", or that with the tenant's name
	tries bool   // dryRun
	sent  int

	types  []crossType
	prey   map[string]string // the neighbour's id of each type
	etag   string            // of the neighbour's user
	sloop  string
	names  int
	owner  string // the neighbour's token
	about  string // of the cases that are being made
	reads  []crossing
	writes []crossing
	trials []crossing // writes that are only tried out
}

// TestCrossTenant is T6, T8, T28 and CUR-008: whatever a tenant's client sends with an id, a
// cursor, a name or a type of another tenant in the place of one that nobody has, it
// gets the same answer, nothing of the other tenant changes, and none of its texts
// is anywhere.
func TestCrossTenant(t *testing.T) {
	t.Parallel()
	// SQLite tries all cases, and PostgreSQL, which takes longer for each, one of each
	// kind. The short run tries some kinds, and does not look at the console.
	all, some := 0, 1
	if testing.Short() {
		all, some = 5, 5
	}
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		r, err := tryStartAs(t, (*server.Settings).SetUnsafeSynchronous, "ROLLCALL_BASE_URL=https://id.example.com", "ROLLCALL_METRICS_TOKEN="+ofMetrics)
		if err != nil {
			t.Fatal(err)
		}
		s := &served{r, []string{"ROLLCALL_DATA_DIR=" + r.data}}
		crossTenants(t, s, s.neighbours(), all)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		db := pgtest.Quick(t)
		s := &served{&running{t: t}, []string{"ROLLCALL_DATABASE_URL=" + db}}
		s.must("migrate", "up")
		tokens := s.neighbours() // beside an instance each command waits until it knows
		s.running = instance(t, db, "ROLLCALL_METRICS_TOKEN="+ofMetrics)
		crossTenants(t, s, tokens, some)
	})
}

// neighbours adds three tenants, and returns a token of each.
func (s *served) neighbours() map[string]string {
	s.t.Helper()
	tokens := map[string]string{}
	for name, types := range map[string]string{"globex": commonTypes + "," + ownType, "acme": commonTypes, "zenith": commonTypes} {
		profile := map[string]string{"globex": "strict", "acme": "strict", "zenith": "auto"}[name]
		s.must("tenant", "add", name, "profile="+profile, "rate.off=true", "breaker.mode=off", "schemas=["+types+"]")
		tokens[name] = s.must("token", "add", "okta", "--tenant", name)
	}
	return tokens
}

// crossTenants runs a case of one in so many kinds, or with 0 all cases.
func crossTenants(t *testing.T, s *served, tokens map[string]string, oneIn int) {
	owner := tokens["globex"]
	all := []*matrix{{name: "acme", form: "/scim/v2"}, {name: "zenith", form: "/t/zenith/scim/v2", tries: true}}
	prey, sloop := s.furnish(owner)
	etag := s.with(owner, "GET", "/scim/v2/Users/"+prey["User"], "").header.Get("ETag")
	for _, m := range all {
		m.served, m.token, m.prey, m.sloop, m.etag, m.owner = s, tokens[m.name], prey, sloop, etag, owner
		m.types = s.crossTypes(m.token)
		for _, t := range m.types {
			m.made(m.token, m.form+t.Endpoint, strings.ReplaceAll(t.body(), "_n_", "resident"))
		}
		m.generate(m.name == "acme")
	}
	before := s.of(owner, prey)
	if strings.Count(before, marked) < 20 {
		t.Fatalf("the neighbour's texts are not marked: %s", before)
	}
	cases := choose(all, oneIn)
	if n := len(cases[0]) + len(cases[1]); oneIn <= 1 && n < 430 {
		t.Errorf("%d cases are no matrix", n)
	} else {
		t.Logf("%d cases", n)
	}
	if oneIn <= 1 {
		all[0].lacks(cases)
	}
	t.Run("cases", func(t *testing.T) {
		for i, m := range all {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				m.served = &served{s.as(t), s.environ}
				for _, c := range cases[i] {
					m.cross(c)
				}
				if !testing.Short() {
					m.shown()
				}
			})
		}
	})
	for _, m := range all {
		m.served = s
	}
	all[1].keeps(all[0])
	if after := s.of(owner, prey); after != before {
		t.Errorf("the neighbour was\n%s\nand is\n%s", before, after)
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, marked) {
			t.Errorf("the log has a text of a tenant: %s", line)
		}
	}
	if a := s.with(ofMetrics, "GET", "/metrics", ""); a.status != 200 || strings.Contains(a.body, marked) {
		t.Errorf("the metrics: %d %s", a.status, a.body)
	}
	// What is sought is where it belongs: else nothing above would mean anything.
	mine := &glassBrowser{r: s.running}
	mine.login(owner)
	waitFor(t, "the neighbour's own view", func() bool {
		s.with(owner, "GET", "/scim/v2/Users/"+prey["User"], "")
		return strings.Contains(mine.do("GET", "/looking-glass/t/globex/exchanges.json", "").body, marked)
	})
	if a := s.with(owner, "GET", "/scim/v2/Users/"+prey["User"], ""); a.status != 200 || !strings.Contains(a.body, marked) {
		t.Errorf("the neighbour's own user: %d %s", a.status, a.body)
	}
}

// furnish gives the neighbour one of each type, whose values are all marked.
func (s *served) furnish(owner string) (prey map[string]string, sloop string) {
	user := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","urn:example:Badge"],"userName":"` + marked + `-%[1]s",` +
		`"displayName":"` + marked + `","title":"` + marked + `","externalId":"` + marked + `-%[1]s","emails":[{"value":"` + marked + `@example.com","type":"work"}]%s}`
	boss := s.made(owner, "/scim/v2/Users", fmt.Sprintf(user, "boss", ""))
	s.made(owner, "/scim/v2/Users", fmt.Sprintf(user, "clerk", `,"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"`+boss+`"},"department":"`+marked+`"},`+
		`"urn:example:Badge":{"sponsor":{"value":"`+boss+`"},"assistants":[{"value":"`+boss+`"}]}`))
	group := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"` + marked + `-%s","members":[{"value":"` + boss + `"}]}`
	device := `{"schemas":["urn:example:Device"],"label":"` + marked + `-%s","owner":{"value":"` + boss + `"},"holders":[{"value":"` + boss + `"}]}`
	prey = map[string]string{"User": boss}
	for _, n := range []string{"1", "2"} { // a cursor needs something that follows
		prey["Group"] = s.made(owner, "/scim/v2/Groups", fmt.Sprintf(group, n))
		prey["Device"] = s.made(owner, "/scim/v2/Devices", fmt.Sprintf(device, n))
	}
	return prey, s.made(owner, "/scim/v2/Sloops", `{"schemas":["urn:example:Sloop"],"label":"`+marked+`"}`)
}

// of is all that the neighbour has, and its history.
func (s *served) of(owner string, prey map[string]string) string {
	var b strings.Builder
	for _, path := range []string{"Users", "Groups", "Devices", "Sloops", "Schemas", "ResourceTypes", "ServiceProviderConfig"} {
		a := s.with(owner, "GET", "/t/globex/scim/v2/"+path+"?count=1000", "")
		fmt.Fprintln(&b, a.status, a.body)
	}
	for _, name := range slices.Sorted(maps.Keys(prey)) {
		a := s.with(owner, "GET", "/t/globex/scim/v2/"+name+"s/"+prey[name], "")
		fmt.Fprintln(&b, a.status, a.header.Get("ETag"), a.body)
	}
	b.WriteString(s.must("audit", "export", "--tenant", "globex"))
	return b.String()
}

// What is another in each answer.
var (
	anID      = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-([0-9a-f]{12}|[0-9a-f]{1,11}…)`)
	aTime     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	aDuration = regexp.MustCompile(`"micros":\d+`)
	aVersion  = regexp.MustCompile(`W/\\?"[^"\\]*\\?"`)
	ofAnyone  = []string{"Date", "X-Request-Id", "Content-Length", "Last-Modified"}
)

// send sends a request with x in the place of "_x_". The answer comes with a text
// that is the same for two answers which do not tell anything apart.
func (m *matrix) send(c crossing, x string) (answer, string) {
	m.t.Helper()
	m.sent++
	name := fmt.Sprintf("case-%05d", m.sent)
	place := []string{"_x_", x, "_n_", name}
	for _, t := range m.types {
		if mark := "_" + t.Name + "_"; strings.Contains(c.path+c.body, mark) {
			place = append(place, mark, m.made(m.token, m.form+t.Endpoint, strings.ReplaceAll(t.body(), "_n_", name+"-own")))
		}
	}
	r := strings.NewReplacer(place...)
	headers := make([]string, len(c.headers))
	for i, h := range c.headers {
		headers[i] = r.Replace(h)
	}
	a := m.with(m.token, c.method, r.Replace(c.path), r.Replace(c.body), headers...)
	var b strings.Builder
	fmt.Fprintln(&b, a.status)
	for _, h := range slices.Sorted(maps.Keys(a.header)) {
		if !slices.Contains(ofAnyone, h) {
			fmt.Fprintf(&b, "%s: %q\n", h, a.header[h])
		}
	}
	text := strings.NewReplacer(x, "X", name, "NAME").Replace(b.String() + a.body)
	text = aDuration.ReplaceAllString(anID.ReplaceAllString(text, "ID"), "MICROS")
	return a, aVersion.ReplaceAllString(aTime.ReplaceAllString(text, "TIME"), "VERSION")
}

// cross sends a request with what nobody has and with what the neighbour has.
func (m *matrix) cross(c crossing) {
	m.t.Helper()
	_, want := m.send(c, c.nowhere)
	a, got := m.send(c, c.there)
	what := fmt.Sprint(c.method, " ", c.path, " ", c.body, c.headers)
	if got != want {
		m.t.Errorf("%s\nwith what nobody has: %s\nwith what the neighbour has: %s", what, want, got)
	}
	if a.status >= 500 && a.status != 501 {
		m.t.Errorf("%s: %d %s", what, a.status, a.body)
	}
	if text := fmt.Sprint(a.header, a.body); strings.Contains(text, marked) {
		m.t.Errorf("%s shows what is the neighbour's: %s", what, text)
	}
}

// keeps makes something refer to what another client has, which its profile lets
// it do without asking, and sees that it is as it was when the other one is removed.
func (m *matrix) keeps(other *matrix) {
	m.t.Helper()
	user := &m.types[0]
	theirs := other.made(other.token, other.form+user.Endpoint, strings.ReplaceAll(user.body(), "_n_", "referred-to"))
	i := slices.IndexFunc(user.refs, func(r crossRef) bool { return r.name == "manager" })
	own := m.form + user.Endpoint + "/" + m.made(m.token, m.form+user.Endpoint, strings.ReplaceAll(user.body(user.refs[i].member(`{"value":"`+theirs+`"}`)), "_n_", "refers"))
	before := m.with(m.token, "GET", own, "")
	if !strings.Contains(before.body, theirs) {
		m.t.Errorf("the reference was not kept: %s", before.body)
	}
	if a := other.with(other.token, "DELETE", other.form+user.Endpoint+"/"+theirs, ""); a.status != 204 {
		m.t.Errorf("the removal: %d %s", a.status, a.body)
	}
	if after := m.with(m.token, "GET", own, ""); after.body != before.body || after.header.Get("ETag") != before.header.Get("ETag") {
		m.t.Errorf("the user was\n%s\nand is\n%s", before.body, after.body)
	}
}

// shown looks at what a tenant's people are shown of all that.
func (m *matrix) shown() {
	m.t.Helper()
	name, view := m.name, "/looking-glass/t/"+m.name
	guest := &glassBrowser{r: m.running}
	if a := guest.login(m.token); a.status != 303 || guest.cookie == "" {
		m.t.Fatalf("login of %s: %d %s", name, a.status, a.body)
	}
	own := m.made(m.token, m.form+"/Users", strings.ReplaceAll(m.types[0].body(), "_n_", "the-last-of-"+name))
	waitFor(m.t, "the recorder", func() bool {
		m.with(m.token, "GET", m.form+"/Users/"+own, "")
		return strings.Contains(guest.do("GET", view+"/exchanges.json", "").body, own)
	})
	pages := []string{"", "/directory", "/directory?type=Group", "/directory?type=Device", "/exchanges.json", "/exchanges.har", "/connections", "/audit", "/audit/export",
		"/breaker", "/credentials", "/missing", "/flows", "/try-it", "/directory?type=Sloop", "/directory/Sloop/" + m.sloop}
	for kind, id := range m.prey {
		pages = append(pages, "/people?q="+id, "/audit?person="+id, "/directory/"+kind+"/"+id)
		for _, page := range []string{"/people?q=", "/audit?person=", "/directory/" + kind + "/"} {
			if there, nowhere := guest.do("GET", view+page+id, ""), guest.do("GET", view+page+nowhereID, ""); there.status != nowhere.status {
				m.t.Errorf("%s%s%s: %d, and with an id that nobody has %d", view, page, id, there.status, nowhere.status)
			}
		}
		code, out, errs := m.run("why", id, "--tenant", name)
		if strings.Contains(out+errs, marked) {
			m.t.Errorf("why %s: exit %d, %s%s", id, code, out, errs)
		}
	}
	for _, page := range pages {
		if a := guest.do("GET", view+page, ""); a.status >= 500 || strings.Contains(a.body, marked) {
			m.t.Errorf("%s%s: %d %s", view, page, a.status, a.body)
		}
	}
	for _, page := range []string{"", "/directory/User/" + m.prey["User"], "/exchanges.json", "/audit/export"} {
		if a := guest.do("GET", "/looking-glass/t/globex"+page, ""); a.status != 404 || strings.Contains(a.body, marked) {
			m.t.Errorf("the neighbour's console for %s: %d %s", name, a.status, a.body)
		}
	}
	if text := m.must("audit", "export", "--tenant", name); strings.Contains(text, marked) || !strings.Contains(text, own) {
		m.t.Errorf("the audit log of %s has a text of the neighbour, or lacks its own", name)
	}
}
