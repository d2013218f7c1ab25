package server_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// nowhereID is the id of nothing.
const nowhereID = "3f2b8c1e-5d47-4a90-9c6e-d1f0a7b3e852"

// Messages, and the bases of references.
const (
	bulkMessage   = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[%s]}`
	searchMessage = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],%s}`
	neighbourBase = "https://id.example.com/t/globex/scim/v2"
)

// crossing is a request that is sent twice: "_x_" is what nobody has, and then what
// the neighbour has. "_n_" is a new name each time, and "_User_" the id of a new user
// of the client's own; the same goes for other types.
type crossing struct {
	method, path, body string
	headers            []string
	there, nowhere     string
	about              string // what names the neighbour's: an attribute that refers, as in "User.manager to User", or a word
}

// crossType is a resource type as it is served.
type crossType struct {
	Name, Endpoint, Schema string
	SchemaExtensions       []struct{ Schema string }

	named string // its attribute that is required
	refs  []crossRef
}

// crossRef is an attribute that holds references.
type crossRef struct {
	urn, name     string // urn: of the extension; "" of the schema itself
	multi, simple bool   // simple: the value is the URI
	types         []string
}

type crossAttribute struct {
	Name, Type            string
	MultiValued, Required bool
	ReferenceTypes        []string
	SubAttributes         []crossAttribute
}

// crossTypes reads from the discovery endpoints what there is and what can refer to
// it.
func (s *served) crossTypes(token string) []crossType {
	s.t.Helper()
	var types struct{ Resources []crossType }
	var schemas struct {
		Resources []struct {
			ID         string
			Attributes []crossAttribute
		}
	}
	for path, into := range map[string]any{"ResourceTypes": &types, "Schemas": &schemas} {
		a := s.with(token, "GET", "/scim/v2/"+path, "")
		if err := json.Unmarshal([]byte(a.body), into); err != nil || a.status != 200 {
			s.t.Fatalf("%s: %d %v", path, a.status, err)
		}
	}
	var names []string
	for _, t := range types.Resources {
		names = append(names, t.Name)
	}
	among := func(list []string) (out []string) {
		for _, name := range list {
			if slices.Contains(names, name) {
				out = append(out, name)
			}
		}
		return out
	}
	for i := range types.Resources {
		t := &types.Resources[i]
		for _, schema := range schemas.Resources {
			urn := ""
			if schema.ID != t.Schema {
				if !slices.Contains(t.SchemaExtensions, struct{ Schema string }{schema.ID}) {
					continue
				}
				urn = schema.ID
			}
			for _, a := range schema.Attributes {
				if a.Required && urn == "" && t.named == "" {
					t.named = a.Name
				}
				ref := crossRef{urn: urn, name: a.Name, multi: a.MultiValued}
				if ref.types = among(a.ReferenceTypes); ref.types != nil {
					ref.simple = true
				}
				for _, sub := range a.SubAttributes {
					ref.types = append(ref.types, among(sub.ReferenceTypes)...)
				}
				if ref.types != nil {
					t.refs = append(t.refs, ref)
				}
			}
		}
	}
	slices.SortFunc(types.Resources, func(a, b crossType) int { return strings.Compare(b.Name, a.Name) }) // User first
	for name, want := range map[string]int{"User": 4, "Group": 1, "Device": 3} {
		i := slices.IndexFunc(types.Resources, func(t crossType) bool { return t.Name == name })
		if i < 0 || len(types.Resources[i].refs) != want || types.Resources[i].named == "" {
			s.t.Fatalf("the attributes of %s that refer to something: %+v", name, types.Resources)
		}
	}
	return types.Resources
}

// body is a resource with a new name and the members given.
func (t *crossType) body(members ...string) string {
	schemas := []string{strconv.Quote(t.Schema)}
	for _, x := range t.SchemaExtensions {
		schemas = append(schemas, strconv.Quote(x.Schema))
	}
	return `{` + strings.Join(append([]string{`"schemas":[` + strings.Join(schemas, ",") + `]`, `"` + t.named + `":"_n_"`}, members...), ",") + `}`
}

// about is the attribute of a type where it refers to one of another type.
func (r *crossRef) about(t *crossType, to string) string {
	return t.Name + "." + r.path() + " to " + to
}

// path is the attribute in filters and PATCH.
func (r *crossRef) path() string {
	if r.urn == "" {
		return r.name
	}
	return r.urn + ":" + r.name
}

// member is the attribute with a value, as a body has it.
func (r *crossRef) member(value string) string {
	if r.multi {
		value = "[" + value + "]"
	}
	if r.urn == "" {
		return fmt.Sprintf(`%q:%s`, r.name, value)
	}
	return fmt.Sprintf(`%q:{%q:%s}`, r.urn, r.name, value)
}

// values are the ways to refer to a resource at an endpoint.
func (r *crossRef) values(base, endpoint string) []string {
	own, others := base+endpoint+"/_x_", neighbourBase+endpoint+"/_x_"
	if r.simple {
		return []string{strconv.Quote(own), strconv.Quote(others), `"` + endpoint[1:] + `/_x_"`}
	}
	return []string{`{"value":"_x_"}`, `{"$ref":"` + own + `"}`, `{"$ref":"` + others + `"}`, `{"value":"_x_","$ref":"` + own + `","display":"a"}`, `"_x_"`}
}

func patchBody(op string) string { return fmt.Sprintf(patchOp, op) }

// generate makes the matrix; elsewhere adds what names the neighbour in the path.
func (m *matrix) generate(elsewhere bool) {
	m.t.Helper()
	m.about = "id"
	m.routes(m.form, false)
	if elsewhere {
		m.about = "tenant"
		m.routes("/t/_x_/scim/v2", true)
	}
	for i := range m.types {
		t := &m.types[i]
		m.about = "id"
		m.resource(t)
		m.about = "cursor"
		m.cursors(t.Endpoint)
		m.about = "name"
		m.taken(t)
		for _, r := range t.refs {
			for _, name := range r.types {
				at := slices.IndexFunc(m.types, func(t crossType) bool { return t.Name == name })
				m.about = r.about(t, name)
				m.filters(t, &r, m.prey[name], m.types[at].Endpoint)
				m.references(t, &r, m.prey[name], m.types[at].Endpoint)
			}
		}
	}
	m.about = "cursor"
	m.cursors("")
	m.about = "type"
	m.private()
}

// cases are all: those that are tried out spread among the other writes, since who
// tries things out has to leave others their time.
func (m *matrix) cases() []crossing {
	all := m.reads
	for i, c := range m.writes {
		all = append(all, c)
		all = append(all, m.trials[i*len(m.trials)/len(m.writes):(i+1)*len(m.trials)/len(m.writes)]...)
	}
	return all
}

func (m *matrix) read(there, nowhere, method, path, body string, headers ...string) {
	m.reads = append(m.reads, crossing{method, path, body, headers, there, nowhere, m.about})
}

func (m *matrix) write(there, nowhere, method, path, body string, headers ...string) {
	m.writes = append(m.writes, crossing{method, path, body, headers, there, nowhere, m.about})
}

// change is a write, and the same tried out and as an operation of Bulk.
func (m *matrix) change(there, nowhere, method, path, body string) {
	m.try(there, nowhere, method, path, body)
	m.write(there, nowhere, method, m.form+path, body)
	m.bulk(there, nowhere, method, path, body)
}

// try is a write that is only tried out. One client does so.
func (m *matrix) try(there, nowhere, method, path, body string) {
	if m.tries {
		m.trials = append(m.trials, crossing{method, m.form + path + "?dryRun=true", body, nil, there, nowhere, m.about})
	}
}

func (m *matrix) bulk(there, nowhere, method, path, body string, members ...string) {
	op := fmt.Sprintf(`{"method":%q,"path":%q,"bulkId":"q"`, method, path)
	if body != "" {
		op += `,"data":` + body
	}
	for _, one := range members {
		op += "," + one
	}
	m.write(there, nowhere, "POST", m.form+"/Bulk", fmt.Sprintf(bulkMessage, op+"}"))
}

// search asks for what a filter finds, in each way.
func (m *matrix) search(there, nowhere, endpoint, filter string) {
	for _, e := range []string{endpoint, ""} {
		m.read(there, nowhere, "GET", m.form+e+"?filter="+url.QueryEscape(filter), "")
		m.read(there, nowhere, "POST", m.form+e+"/.search", fmt.Sprintf(searchMessage, `"filter":`+strconv.Quote(filter)))
	}
	// How many there are is found out by another statement, where no page says so.
	m.read(there, nowhere, "GET", m.form+endpoint+"?count=0&filter="+url.QueryEscape(filter), "")
}

// ends are the endpoints.
func (m *matrix) ends() []string {
	ends := []string{"", "/.search", "/Bulk", "/Me", "/ServiceProviderConfig", "/ServiceProviderConfigs", "/Schemas", "/Schemas/.search", "/Schemas/_id_",
		"/ResourceTypes", "/ResourceTypes/.search", "/ResourceTypes/_id_"}
	for _, t := range m.types {
		ends = append(ends, t.Endpoint, t.Endpoint+"/.search", t.Endpoint+"/_id_")
	}
	return ends
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// routes tries each method at each endpoint. In those of the form that names the
// neighbour, "_x_" is its name.
func (m *matrix) routes(form string, named bool) {
	m.t.Helper()
	ends := m.ends()
	engineServes(m.t, ends)
	for _, end := range ends {
		at := max(0, slices.IndexFunc(m.types, func(t crossType) bool { return strings.HasPrefix(end, t.Endpoint) }))
		kind := m.types[at].Name
		for _, method := range methods {
			path, body := form+end, ""
			switch {
			case method == "POST" && strings.HasSuffix(end, ".search"):
				body = fmt.Sprintf(searchMessage, `"filter":"id eq \"_id_\""`)
			case method == "POST" && end == "/Bulk":
				body = fmt.Sprintf(bulkMessage, `{"method":"DELETE","path":"`+m.types[at].Endpoint+`/_id_"}`)
			case method == "POST" || method == "PUT":
				body = m.types[at].body(`"id":"_id_"`)
			case method == "PATCH":
				body = patchBody(`{"op":"add","value":{"id":"_id_","` + m.types[at].named + `":"_n_"}}`)
			case !strings.Contains(end, "_id_"):
				path += "?filter=" + url.QueryEscape(`id eq "_id_"`)
			}
			there, nowhere, id := m.prey[kind], nowhereID, "_x_"
			if named {
				there, nowhere, id = "globex", "nobody", m.prey[kind]
			}
			path, body = strings.ReplaceAll(path, "_id_", id), strings.ReplaceAll(body, "_id_", id)
			if method == "GET" || method == "HEAD" || method == "OPTIONS" {
				m.read(there, nowhere, method, path, body)
			} else {
				m.write(there, nowhere, method, path, body)
			}
		}
	}
}

// engineServes checks that the endpoints and methods are those of the engine: each
// name and each method in its table is among them.
func engineServes(t testing.TB, ends []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../scim/engine/route.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names, found := 0, 0
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CaseClause:
			for _, e := range n.List {
				l, ok := e.(*ast.BasicLit)
				if !ok || l.Kind != token.STRING {
					continue
				}
				name, _ := strconv.Unquote(l.Value)
				if slices.Contains(methods, name) {
					continue
				}
				names++
				if !slices.ContainsFunc(ends, func(e string) bool { return strings.EqualFold(e, "/"+name) }) {
					t.Errorf("the engine serves %q, and the matrix does not", name)
				}
			}
		case *ast.KeyValueExpr:
			if k, ok := n.Key.(*ast.Ident); ok && k.Name == "method" {
				if l, ok := n.Value.(*ast.BasicLit); ok {
					found++
					if name, _ := strconv.Unquote(l.Value); !slices.Contains(methods, name) {
						t.Errorf("the engine serves the method %s, and the matrix does not", name)
					}
				}
			}
		}
		return true
	})
	if names < 7 || found < 10 {
		t.Fatalf("%d names and %d methods: the table of the engine is somewhere else", names, found)
	}
}

// resource tries what names a resource of a type by its id.
func (m *matrix) resource(t *crossType) {
	there, one := m.prey[t.Name], t.Endpoint+"/_x_"
	for _, tag := range []string{m.etag, "*", `W/"1"`} {
		for _, header := range []string{"If-Match: ", "If-None-Match: "} {
			m.read(there, nowhereID, "GET", m.form+one, "", header+tag)
			m.write(there, nowhereID, "PUT", m.form+one, t.body(), header+tag)
			m.write(there, nowhereID, "PATCH", m.form+one, patchBody(`{"op":"remove","path":"externalId"}`), header+tag)
			m.write(there, nowhereID, "DELETE", m.form+one, "", header+tag)
		}
	}
	for _, query := range []string{"?attributes=id", "?attributes=" + t.named, "?excludedAttributes=" + t.named} {
		m.read(there, nowhereID, "GET", m.form+one+query, "")
	}
	for _, filter := range []string{`id eq "_x_"`, `id sw "_x_"`, `id ne "_x_"`, `id gt "_x_" and id le "_x_"`, `meta.location eq "` + neighbourBase + one + `"`} {
		m.search(there, nowhereID, t.Endpoint, filter)
	}
	m.change(there, nowhereID, "PUT", one, t.body())
	m.change(there, nowhereID, "PUT", one, t.body(`"id":"_x_"`))
	m.change(there, nowhereID, "PUT", t.Endpoint+"/_"+t.Name+"_", t.body(`"id":"_x_"`))
	m.change(there, nowhereID, "PATCH", one, patchBody(`{"op":"replace","path":"externalId","value":"_n_"}`))
	m.change(there, nowhereID, "PATCH", t.Endpoint+"/_"+t.Name+"_", patchBody(`{"op":"replace","path":"id","value":"_x_"}`))
	m.change(there, nowhereID, "DELETE", one, "")
	m.change(there, nowhereID, "POST", t.Endpoint, t.body(`"id":"_x_"`, `"externalId":"_x_"`))
	m.change(there, nowhereID, "POST", t.Endpoint, t.body(`"meta":{"location":"`+neighbourBase+one+`","version":"W/\"1\""}`))
	for _, path := range []string{one, "/t/globex/scim/v2" + one, neighbourBase + one, "/../../t/globex/scim/v2" + one} {
		m.bulk(there, nowhereID, "DELETE", path, "", `"version":`+strconv.Quote(m.etag))
	}
	m.bulk(there, nowhereID, "PATCH", t.Endpoint+"/bulkId:_x_", patchBody(`{"op":"replace","path":"externalId","value":"_n_"}`))
	m.write(there, nowhereID, "POST", m.form+"/Bulk", fmt.Sprintf(bulkMessage, `{"method":"POST","path":"`+t.Endpoint+`","bulkId":"_x_","data":`+t.body()+
		`},{"method":"DELETE","path":"`+t.Endpoint+`/bulkId:_x_"}`))
}

// cursors follows a list that the neighbour began.
func (m *matrix) cursors(endpoint string) {
	m.t.Helper()
	a := m.with(m.owner, "GET", "/scim/v2"+endpoint+"?count=1&cursor=", "")
	b := m.with(m.owner, "POST", "/scim/v2"+endpoint+"/.search", fmt.Sprintf(searchMessage, `"count":1,"cursor":""`))
	for i, body := range []string{a.body, b.body} {
		var list struct{ NextCursor string }
		if err := json.Unmarshal([]byte(body), &list); err != nil || list.NextCursor == "" {
			m.t.Fatalf("the list %d of %q has no cursor: %s", i, endpoint, body)
		}
		none := strings.Repeat("A", len(list.NextCursor))
		m.read(list.NextCursor, none, "GET", m.form+endpoint+"?count=1&cursor=_x_", "")
		m.read(list.NextCursor, none, "POST", m.form+endpoint+"/.search", fmt.Sprintf(searchMessage, `"count":1,"cursor":"_x_"`))
	}
}

// taken uses names that the neighbour has, each once.
func (m *matrix) taken(t *crossType) {
	name := func() (there, nowhere string) {
		m.names++
		who := fmt.Sprintf("%s-%d-%d", strings.ToLower(t.Name), len(m.form), m.names)
		m.made(m.owner, "/scim/v2"+t.Endpoint, strings.ReplaceAll(t.body(`"externalId":"elsewhere-`+who+`"`), "_n_", "elsewhere-"+who))
		return "elsewhere-" + who, "unheardof-" + who
	}
	named := func(attr string) string { return strings.Replace(t.body(`"externalId":"`+attr+`"`), "_n_", "_x_", 1) }
	there, nowhere := name()
	for _, filter := range []string{t.named + ` eq "_x_"`, t.named + ` sw "_x_"`, `externalId eq "_x_"`} {
		m.search(there, nowhere, t.Endpoint, filter)
	}
	own := t.Endpoint + "/_" + t.Name + "_"
	for _, w := range [][3]string{{"POST", t.Endpoint, named("_n_")}, {"POST", t.Endpoint, named("_x_")}, {"PUT", own, named("_x_")},
		{"PATCH", own, patchBody(`{"op":"replace","path":"` + t.named + `","value":"_x_"}`)}} {
		there, nowhere = name()
		m.try(there, nowhere, w[0], w[1], w[2])
		m.write(there, nowhere, w[0], m.form+w[1], w[2])
		there, nowhere = name()
		m.bulk(there, nowhere, w[0], w[1], w[2])
	}
}

// filters asks who refers to what the neighbour has.
func (m *matrix) filters(t *crossType, r *crossRef, there, endpoint string) {
	path := r.path()
	list := []string{path + ` eq "_x_"`, path + ` sw "` + neighbourBase + endpoint + `/_x_"`}
	if !r.simple {
		list = append(list, path+`.value eq "_x_"`, path+`.value ne "_x_"`, path+`.$ref eq "https://id.example.com`+m.form+endpoint+`/_x_"`, path+`.$ref eq "`+neighbourBase+endpoint+`/_x_"`)
		if r.multi {
			list = append(list, path+`[value eq "_x_"]`, path+`[value eq "_x_" and display pr]`)
		}
	}
	for _, filter := range list {
		m.search(there, nowhereID, t.Endpoint, filter)
	}
}

// references makes something of the client's own refer to what the neighbour has.
func (m *matrix) references(t *crossType, r *crossRef, there, endpoint string) {
	path, own := strconv.Quote(r.path()), t.Endpoint+"/_"+t.Name+"_"
	for i, value := range r.values("https://id.example.com"+m.form, endpoint) {
		list := value
		if r.multi {
			list = "[" + value + "]"
		}
		writes := [][3]string{
			{"POST", t.Endpoint, t.body(r.member(value))},
			{"PUT", own, t.body(r.member(value))},
			{"PATCH", own, patchBody(`{"op":"add","path":` + path + `,"value":` + list + `}`)},
			{"PATCH", own, patchBody(`{"op":"replace","path":` + path + `,"value":` + list + `}`)},
			{"PATCH", own, patchBody(`{"op":"add","value":{` + r.member(value) + `}}`)},
			{"PATCH", own, patchBody(`{"op":"remove","path":` + path + `,"value":` + list + `}`)},
		}
		for _, w := range writes {
			if i == 0 && w[0] == "POST" {
				m.try(there, nowhereID, w[0], w[1], w[2])
			}
			if i == 0 {
				m.bulk(there, nowhereID, w[0], w[1], w[2])
			}
			m.write(there, nowhereID, w[0], m.form+w[1], w[2])
		}
	}
	if r.simple {
		return
	}
	m.bulk(there, nowhereID, "POST", t.Endpoint, t.body(r.member(`{"value":"bulkId:_x_"}`)))
	sub := []string{`{"op":"replace","path":` + strconv.Quote(r.path()+".value") + `,"value":"_x_"}`}
	if r.multi {
		one := r.path() + `[value eq "_x_"]`
		sub = []string{`{"op":"remove","path":` + strconv.Quote(one) + `}`, `{"op":"replace","path":` + strconv.Quote(one) + `,"value":{"value":"_x_"}}`,
			`{"op":"replace","path":` + strconv.Quote(one+".display") + `,"value":"a"}`}
	}
	for _, op := range sub {
		m.write(there, nowhereID, "PATCH", m.form+own, patchBody(op))
		m.bulk(there, nowhereID, "PATCH", own, patchBody(op))
	}
}

// private names what only the neighbour has: a type.
func (m *matrix) private() {
	const there, nowhere = "Sloop", "Ghost"
	for _, path := range []string{"/Schemas/urn:example:_x_", "/ResourceTypes/_x_", "/_x_s", "/_x_s/" + m.sloop, "/Users?filter=" + url.QueryEscape(`urn:example:_x_:label pr`),
		"?filter=" + url.QueryEscape(`meta.resourceType eq "_x_"`), "/Users?attributes=urn:example:_x_:label", "/Users?sortBy=urn:example:_x_:label"} {
		m.read(there, nowhere, "GET", m.form+path, "")
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		m.bulk(there, nowhere, method, "/_x_s/"+nowhereID, `{"schemas":["urn:example:_x_"],"label":"a"}`)
		m.write(there, nowhere, method, m.form+"/_x_s/"+nowhereID, `{"schemas":["urn:example:_x_"],"label":"a"}`)
	}
	m.change(there, nowhere, "POST", "/_x_s", `{"schemas":["urn:example:_x_"],"label":"a"}`)
	m.change(there, nowhere, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:example:_x_"],"userName":"_n_","urn:example:_x_":{"label":"a"}}`)
	m.write(there, nowhere, "POST", m.form+"/_x_s/.search", fmt.Sprintf(searchMessage, `"filter":"label pr"`))
}
