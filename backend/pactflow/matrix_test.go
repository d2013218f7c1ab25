package pactflow_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// write is one SCIM write of the matrix. Its line and body may hold $group, the
// id of a group of Ada and Ben.
type write struct {
	name, line, body string
	admin            bool // with the administrator's token
	remove           bool // Options.DeleteUsers
	ok               int
	done             func(*pactflowtest.State, string) string // what is wrong with the state; "" if nothing
}

func userOf(s *pactflowtest.State, is func(pactflowtest.User) bool) *pactflowtest.User {
	var found *pactflowtest.User
	for i, u := range s.Users {
		if is(u) {
			found = &s.Users[i]
		}
	}
	return found
}

func byID(id string) func(pactflowtest.User) bool {
	return func(u pactflowtest.User) bool { return u.UUID == id }
}

func teamOf(s *pactflowtest.State, is func(pactflowtest.Team) bool) *pactflowtest.Team {
	for i, t := range s.Teams {
		if is(t) {
			return &s.Teams[i]
		}
	}
	return nil
}

var writes = []write{
	{name: "POST user", line: "POST /Users", ok: 201,
		body: person("nia", `"externalId":"n1","active":false,"roles":[{"value":"`+administrator+`"}]`),
		done: func(s *pactflowtest.State, _ string) string {
			u := userOf(s, func(u pactflowtest.User) bool { return u.ExternalIdpUsername == "nia" })
			if u == nil || u.Active || !slices.Equal(u.Roles, []string{administrator}) || u.ExternalIdpID != "n1" {
				return fmt.Sprintf("%+v", u)
			}
			return ""
		}},
	{name: "POST system account", line: "POST /Users", ok: 201, admin: true,
		body: `{"displayName":"Robot","userType":"System Account","roles":[{"value":"` + administrator + `"}]}`,
		done: func(s *pactflowtest.State, _ string) string {
			u := userOf(s, func(u pactflowtest.User) bool { return u.Name == "Robot" })
			if u == nil || u.Type != pactflowtest.SystemAccount || !slices.Equal(u.Roles, []string{administrator}) {
				return fmt.Sprintf("%+v", u)
			}
			return ""
		}},
	{name: "PUT user", line: "PUT /Users/" + adaID, ok: 200,
		body: `{"userName":"ada.l","displayName":"Ada L","emails":[{"value":"ada.l@example.com"}],"active":false,"roles":[{"value":"` + administrator + `"},{"value":"` + ciRole + `"}]}`,
		done: func(s *pactflowtest.State, _ string) string {
			u := userOf(s, byID(adaID))
			if u.ExternalIdpUsername != "ada.l" || u.Name != "Ada L" || u.FirstName != "Ada" || u.Active || !slices.Equal(u.Roles, []string{administrator, ciRole}) {
				return fmt.Sprintf("%+v", u)
			}
			return ""
		}},
	{name: "PATCH role in", line: "PATCH /Users/" + adaID, ok: 200, body: patchOf(`{"op":"add","path":"roles","value":[{"value":"` + ciRole + `"}]}`),
		done: func(s *pactflowtest.State, _ string) string {
			if u := userOf(s, byID(adaID)); !slices.Contains(u.Roles, ciRole) || len(u.Roles) != 2 {
				return fmt.Sprintf("%+v", u)
			}
			return ""
		}},
	{name: "PATCH role out", line: "PATCH /Users/" + adaID, ok: 200, body: patchOf(`{"op":"remove","path":"roles[type eq \"User\"]"}`),
		done: func(s *pactflowtest.State, _ string) string {
			if u := userOf(s, byID(adaID)); len(u.Roles) != 0 {
				return fmt.Sprintf("%+v", u)
			}
			return ""
		}},
	{name: "DELETE user", line: "DELETE /Users/" + adaID, ok: 204,
		done: func(s *pactflowtest.State, _ string) string {
			if u := userOf(s, byID(adaID)); u.Active || !u.DeletedAt.IsZero() {
				return fmt.Sprintf("%+v", u)
			}
			return ""
		}},
	{name: "DELETE user for good", line: "DELETE /Users/" + adaID, ok: 204, remove: true,
		done: func(s *pactflowtest.State, _ string) string {
			if u := userOf(s, byID(adaID)); u.DeletedAt.IsZero() {
				return fmt.Sprintf("%+v", u)
			}
			return ""
		}},
	{name: "POST group", line: "POST /Groups", body: group("New", adaID, oktaID(3)), ok: 201,
		done: func(s *pactflowtest.State, _ string) string {
			t := teamOf(s, func(t pactflowtest.Team) bool { return t.Name == "New" })
			if t == nil || !slices.Equal(slices.Sorted(slices.Values(t.Members)), []string{adaID, oktaID(3)}) {
				return fmt.Sprintf("%+v", t)
			}
			return ""
		}},
	{name: "PUT group", line: "PUT /Groups/$group", body: group("Other", oktaID(3), oktaID(4)), ok: 200,
		done: func(s *pactflowtest.State, id string) string {
			t := teamOf(s, func(t pactflowtest.Team) bool { return t.UUID == id })
			if t.Name != "Other" || !slices.Equal(slices.Sorted(slices.Values(t.Members)), []string{oktaID(3), oktaID(4)}) {
				return fmt.Sprintf("%+v", t)
			}
			return ""
		}},
	{name: "PATCH group", line: "PATCH /Groups/$group", ok: 204,
		body: patchOf(`{"op":"add","path":"members","value":`+values(oktaID(3))+`}`, `{"op":"remove","path":"members[value eq \"`+adaID+`\"]"}`),
		done: func(s *pactflowtest.State, id string) string {
			t := teamOf(s, func(t pactflowtest.Team) bool { return t.UUID == id })
			if !slices.Equal(slices.Sorted(slices.Values(t.Members)), []string{benID, oktaID(3)}) {
				return fmt.Sprintf("%+v", t)
			}
			return ""
		}},
	{name: "DELETE group", line: "DELETE /Groups/$group", ok: 204,
		done: func(s *pactflowtest.State, id string) string {
			if t := teamOf(s, func(t pactflowtest.Team) bool { return t.UUID == id }); t != nil {
				return fmt.Sprintf("%+v", t)
			}
			return ""
		}},
}

// faults of the matrix, and the status that the client sees by the method of the
// call that fails; 0 is the status of success.
var matrix = []struct {
	name   string
	fault  pactflowtest.Fault
	status map[string]int
}{
	{"500 before", pactflowtest.Fault{Status: &pactflowtest.Status{Code: 500}},
		map[string]int{"GET": 502, "PUT": 502, "DELETE": 502, "POST": 502, "PATCH": 502, "members": 0}},
	{"500 after commit", pactflowtest.Fault{StatusAfterCommit: &pactflowtest.Status{Code: 500}},
		map[string]int{"GET": 502, "PUT": 502, "DELETE": 502, "POST": 0, "PATCH": 502, "members": 0}},
	{"drop after commit", pactflowtest.Fault{Drop: &pactflowtest.Drop{When: "afterCommit"}},
		map[string]int{"GET": 0, "PUT": 0, "DELETE": 0, "POST": 0, "PATCH": 502, "members": 0}},
	{"drop", pactflowtest.Fault{Drop: &pactflowtest.Drop{When: "headers"}},
		map[string]int{"GET": 0, "PUT": 0, "DELETE": 0, "POST": 502, "PATCH": 502, "members": 0}},
	{"hang", pactflowtest.Fault{Hang: &pactflowtest.Hang{Ms: 20_000}},
		map[string]int{"GET": 504, "PUT": 504, "DELETE": 504, "POST": 504, "PATCH": 504, "members": 504}},
	{"hang after commit", pactflowtest.Fault{Hang: &pactflowtest.Hang{Ms: 20_000, AfterCommit: true}},
		map[string]int{"GET": 504, "PUT": 504, "DELETE": 504, "POST": 0, "PATCH": 504, "members": 504}},
	{"429 once", pactflowtest.Fault{Status: &pactflowtest.Status{Code: 429}},
		map[string]int{"GET": 0, "PUT": 429, "DELETE": 429, "POST": 429, "PATCH": 429, "members": 429}},
	{"403", pactflowtest.Fault{Status: &pactflowtest.Status{Code: 403}},
		map[string]int{"GET": 403, "PUT": 403, "DELETE": 403, "POST": 403, "PATCH": 403, "members": 403}},
	{"503 once", pactflowtest.Fault{Status: &pactflowtest.Status{Code: 503}},
		map[string]int{"GET": 0, "PUT": 0, "DELETE": 0, "POST": 503, "PATCH": 503, "members": 0}},
	{"nonsense", pactflowtest.Fault{BadBody: &pactflowtest.BadBody{Kind: "html"}},
		map[string]int{"GET": 502}},
}

// prepared is a rig for a write of the matrix, and the id of its group.
func prepared(t testing.TB, w write, timeout time.Duration) (*rig, string) {
	t.Helper()
	r := newRig(t, pactflowtest.Options{Seed: "okta"}, pactflow.Options{DeleteUsers: w.remove, CallTimeout: timeout})
	id := r.makeGroup("Group", adaID, benID)
	if w.admin {
		r = r.as(pactflowtest.AdminToken)
	}
	return r, id
}

// TestFaultMatrix makes each call of each write fail in each way. The client is
// told the truth, nothing is there twice, and the same request again, or the PUT
// that a client sends when it finds what it made, reaches the wanted state.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	for _, w := range writes {
		r, id := prepared(t, w, 0)
		r.want(w.ok, strings.ReplaceAll(w.line, "$group", id), w.body)
		if s := r.emu.State(); w.done(&s, id) != "" {
			t.Fatalf("%s without faults: %s", w.name, w.done(&s, id))
		}
		calls := r.calls()
		for _, f := range matrix {
			if testing.Short() && (f.fault.Hang != nil || f.fault.StatusAfterCommit == nil && f.fault.Drop == nil) {
				continue
			}
			for i, call := range calls {
				method, path, _ := strings.Cut(call, " ")
				kind := method
				if strings.HasSuffix(path, "/users") && method == "PUT" {
					kind = "members"
				}
				status, ok := f.status[kind]
				if !ok || method == "GET" && strings.Contains(f.name, "after commit") && !strings.HasPrefix(f.name, "drop") {
					continue
				}
				skip := 0
				for _, c := range calls[:i] {
					if samePlace(c, call) {
						skip++
					}
				}
				t.Run(fmt.Sprintf("%s/%s/%d %s", w.name, f.name, i, kind), func(t *testing.T) {
					t.Parallel()
					if f.fault.Hang == nil {
						fail(t, w, f.fault, call, skip, status, 0)
						return
					}
					patiently(t, func(t testing.TB, timeout time.Duration) { fail(t, w, f.fault, call, skip, status, timeout) })
				})
			}
		}
	}
}

// place returns method and path with * for ids, as a rule matches them.
func place(call string) (method, pattern string) {
	method, path, _ := strings.Cut(call, " ")
	path, _, _ = strings.Cut(path, "?")
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if len(s) == 36 {
			segments[i] = "*"
		}
	}
	return method, strings.Join(segments, "/")
}

func samePlace(a, b string) bool {
	am, ap := place(a)
	bm, bp := place(b)
	return am == bm && ap == bp
}

// fail makes one call of a write fail in one way, where a call may take timeout.
func fail(t testing.TB, w write, f pactflowtest.Fault, call string, skip, status int, timeout time.Duration) {
	r, id := prepared(t, w, timeout)
	method, path := place(call)
	if err := r.emu.Inject(pactflowtest.Rule{Match: pactflowtest.Match{Method: method, Path: path}, Skip: skip, Fault: f}); err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(w.line, "$group", id)
	a := r.do(line, w.body)
	want := status
	if want == 0 {
		want = w.ok
	}
	if a.status != want {
		t.Errorf("answered %d, want %d: %s\ncalls %v", a.status, want, a.text, r.calls())
	}
	state := r.emu.State()
	if wrong := w.done(&state, id); a.status < 300 && wrong != "" {
		t.Errorf("answered %d, but %s", a.status, wrong)
	}
	if n := len(r.calls()); n > 12 {
		t.Errorf("%d calls", n)
	}
	if left := r.emu.Faults(); len(left) > 0 {
		t.Errorf("nothing failed")
	}
	// The client's next try.
	if b := r.do(line, w.body); b.status == 409 && strings.HasPrefix(line, "POST") {
		r.again(w)
	} else if b.status != w.ok && (!strings.HasPrefix(line, "DELETE") || b.status != 404) {
		t.Errorf("the second try: %d %s", b.status, b.text)
	}
	state = r.emu.State()
	if wrong := w.done(&state, id); wrong != "" {
		t.Errorf("after the second try: %s", wrong)
	}
	once := map[string]bool{}
	for _, u := range state.Users {
		if key := "user " + u.ExternalIdpUsername + u.Name; once[key] {
			t.Errorf("%s is there twice", key)
		} else {
			once[key] = true
		}
	}
	for _, team := range state.Teams {
		if once["team "+team.Name] {
			t.Errorf("team %s is there twice", team.Name)
		}
		once["team "+team.Name] = true
	}
	if text := r.log.String() + a.text; strings.Contains(text, pactflowtest.SCIMToken) || strings.Contains(text, pactflowtest.AdminToken) {
		t.Error("a token was told")
	}
	if r.emu.MailsSent() != 0 {
		t.Error("mail was sent")
	}
}

// again is what a client does whose resource is there already: it looks for it
// and sends all again with PUT.
func (r *rig) again(w write) {
	r.Helper()
	query := map[string]string{"POST user": `/Users?filter=userName eq "nia"`, "POST group": `/Groups?filter=displayName eq "New"`,
		"POST system account": `/Users?filter=displayName eq "Robot"`}[w.name]
	found, _ := r.want(200, "GET "+query, "").json["Resources"].([]any)
	if len(found) != 1 {
		r.Fatalf("%s found %v", query, found)
	}
	o, _ := found[0].(map[string]any)
	id, _ := o["id"].(string)
	path, _, _ := strings.Cut(query, "?")
	r.want(200, "PUT "+path+"/"+id, w.body)
}
