package lookingglass

import (
	"slices"
	"strings"
)

// agents are what clients put into User-Agent, in lower case, the more telling
// first. Sure ones need no other evidence; of the others any may be anybody's
// library.
var agents = []struct {
	part, kind string
	sure       bool
}{
	{"okta", "okta", true},
	{"azure", "entra", true},
	{"entra", "entra", true},
	{"microsoft", "entra", true},
	{"sailpoint", "sailpoint", true},
	{"onelogin", "onelogin", true},
	{"jumpcloud", "jumpcloud", true},
	{"authentik", "authentik", true},
	{"keycloak", "keycloak", true},
	{"midpoint", "midpoint", true},
	{"google-auto-provisioning", "google", true},
	{"pingfederate", "ping", true},
	{"pingone", "ping", true},
	{"oracle", "oracle", true},
	{"rippling", "rippling", true},
	{"rollcall", "rollcall", true},
	{"curl/", "curl", true},
	{"postman", "postman", true},
	{"mozilla", "browser", true},
	{"python", "python", false},
	{"go-http-client", "go", false},
	{"apache-httpclient", "java", false},
	{"java", "java", false},
}

// labels are the clients' names as people know them.
var labels = map[string]string{"okta": "Okta", "entra": "Entra ID", "sailpoint": "SailPoint", "onelogin": "OneLogin", "ping": "Ping",
	"jumpcloud": "JumpCloud", "google": "Google Workspace", "authentik": "authentik", "keycloak": "Keycloak", "midpoint": "midPoint",
	"oracle": "Oracle", "rippling": "Rippling", "rollcall": "Rollcall", "curl": "curl", "postman": "Postman", "browser": "a browser",
	"python": "a Python program", "go": "a Go program", "java": "a Java program", "unknown": "an unknown client"}

// Label returns the name of a kind of client as people know it.
func Label(kind string) string {
	if l, ok := labels[kind]; ok {
		return l
	}
	return kind
}

// tools are kinds that don't say whose product it is.
var tools = []string{"rollcall", "curl", "postman", "browser", "python", "go", "java", "unknown"}

// Known reports whether a name that Label gives is that of an identity provider,
// to which the advice for others is of no use.
func Known(label string) bool {
	for kind, l := range labels {
		if l == label {
			return !slices.Contains(tools, kind)
		}
	}
	return false
}

// habits are what tells a client by how it asks, where its User-Agent does not.
var habits = []struct {
	kind, how string
	is        func(*evidence) bool
}{
	{"entra", "the query flag aadOptscim062020", func(e *evidence) bool { return e.flag("aadoptscim062020") }},
	{"entra", "the query flag AzureAdScimPatch062020", func(e *evidence) bool { return e.flag("azureadscimpatch062020") }},
	{"entra", "a schema of Microsoft's in the body", func(e *evidence) bool {
		return e.schema("http://schemas.microsoft.com/") || e.schema("urn:ietf:params:scim:schemas:extension:enterprise:2.0User")
	}},
	{"entra", "PATCH operations with capital letters", func(e *evidence) bool {
		return e.op(func(op, _ string, _ node) bool { return op == "Add" || op == "Replace" || op == "Remove" })
	}},
	{"entra", "members with an empty $ref", func(e *evidence) bool {
		return e.op(func(_, path string, v node) bool {
			if strings.EqualFold(path, "members") {
				for o := range v.elements() {
					if o.lookup("$ref").is('n') {
						return true
					}
				}
			}
			return false
		})
	}},
	{"okta", "a group push that repeats id and displayName", func(e *evidence) bool {
		return e.op(func(op, path string, v node) bool {
			return op == "replace" && path == "" && v.has("id") && v.has("displayName") && !v.has("schemas")
		})
	}},
	{"okta", "Accept-Charset and a SCIM media type", func(e *evidence) bool {
		return strings.EqualFold(e.header("Accept-Charset"), "utf-8") && strings.Contains(e.header("Accept"), "scim+json")
	}},
	{"onelogin", "no User-Agent, and a question mark at the end of the address", func(e *evidence) bool {
		return e.agent == "" && e.bareQuestion
	}},
	{"authentik", "an unquoted value in a lookup", func(e *evidence) bool {
		return slices.Contains(e.rules, "QRY-02") && e.header("Content-Type") == "application/scim+json"
	}},
	{"ping", `a filter such as username Eq "…"`, func(e *evidence) bool { return strings.HasPrefix(e.filter, "username Eq ") }},
	{"sailpoint", "one operation without a path for each part of a name", func(e *evidence) bool {
		parts := 0
		e.op(func(op, path string, v node) bool {
			members := 0
			for range v.members() {
				members++
			}
			if op == "replace" && path == "" && members == 1 && v.get("name").is('{') {
				parts++
			}
			return false
		})
		return parts > 1
	}},
}

// evidence is what a request shows of who sent it.
type evidence struct {
	agent, actor string
	headers      []Header
	query        string // as written
	filter       string
	body         node
	rules        []string
	bareQuestion bool
}

func (e *evidence) header(name string) string {
	for _, h := range e.headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

func (e *evidence) flag(name string) bool { return strings.Contains(strings.ToLower(e.query), name) }

// schema reports whether the body names a schema that begins so.
func (e *evidence) schema(prefix string) bool {
	for v := range e.body.get("schemas").elements() {
		if strings.HasPrefix(v.text(), prefix) {
			return true
		}
	}
	return false
}

// op reports whether is holds for an operation of the body.
func (e *evidence) op(is func(op, path string, value node) bool) bool {
	for o := range e.body.get("Operations").elements() {
		if op := o.get("op").text(); op != "" && is(op, o.get("path").text(), o.get("value")) {
			return true
		}
	}
	return false
}

// remembered bounds the connections whose client is kept in mind.
const remembered = 1000

// clients tells clients apart. What one request of a connection (a token's name
// and a User-Agent) gave away counts for its next ones.
type clients map[string]Client

func (c clients) of(e *evidence) Client {
	kind, sure := agentKind(e.agent)
	if sure {
		return Client{kind, "User-Agent " + short(e.agent)}
	}
	connection := e.actor + "\x00" + e.agent
	for _, h := range habits {
		if h.is(e) {
			if len(c) >= remembered {
				clear(c)
			}
			c[connection] = Client{h.kind, "an earlier request with this token: " + h.how}
			return Client{h.kind, h.how}
		}
	}
	if known, ok := c[connection]; ok {
		return known
	}
	if kind, ok := agentKind(e.actor); ok && e.actor != "" {
		return Client{kind, "the token's name, " + short(e.actor)}
	}
	switch {
	case kind != "":
		return Client{kind, "User-Agent " + short(e.agent)}
	case e.agent == "":
		return Client{"unknown", "no User-Agent, and nothing else that tells"}
	}
	return Client{"unknown", "User-Agent " + short(e.agent)}
}

func agentKind(agent string) (kind string, sure bool) {
	agent = strings.ToLower(agent)
	for _, a := range agents {
		if strings.Contains(agent, a.part) {
			return a.kind, a.sure
		}
	}
	return "", false
}

// short cuts a text that a client chose.
func short(s string) string {
	const most = 120
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
