package doctor

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/backend/pactflow"
)

// reach asks for the heartbeat, which needs no token, and compares the link in
// it with the address. It returns false if there is no point in going on.
func (x *examination) reach() bool {
	var beat struct {
		Links links `json:"_links"`
	}
	answer, failure := x.call(facade.Call{Method: http.MethodGet, Path: "/diagnostic/status/heartbeat", Public: true}, &beat)
	if failure != nil {
		x.found(Finding{Name: "address", Assumption: "PactFlow answers at this address", Verdict: Fails, Fatal: true, Seen: failure.Error(),
			Means: "nothing works: look at the address, at HTTPS_PROXY and NO_PROXY, and at ROLLCALL_UPSTREAM_CA if the certificate is of a company's own authority"})
		return false
	}
	x.found(Finding{Name: "address", Assumption: "PactFlow answers at this address", Verdict: Holds, Seen: x.base})
	x.version(answer.Header)
	x.link("base-url", "PactFlow knows itself by this address, as the link in its heartbeat shows", beat.Links.Self.Href)
	return true
}

func (x *examination) version(h http.Header) {
	f := Finding{Name: "version", Assumption: "it is PactFlow 1.26.0 or later", Verdict: Unknown,
		Means: "PactFlow says the version of its base and not its own; Settings, or the tag of its image, show it"}
	var seen []string
	for _, name := range []string{"X-Pact-Broker-Version", "X-Pact-Broker-Git-Sha", "X-Pactflow-Git-Sha"} {
		if v := h.Get(name); v != "" {
			seen = append(seen, name+": "+v)
		}
	}
	if f.Seen = strings.Join(seen, ", "); f.Seen == "" {
		f.Seen = "no version header: a proxy may have taken it away, or this is no PactFlow"
	}
	x.found(f)
}

// link judges a link that should lead back to the address.
func (x *examination) link(name, assumption, href string) {
	f := Finding{Name: name, Assumption: assumption, Seen: href, Fatal: true,
		Means: "lists can't be read to their end, and a token is never sent to another address: set PACTFLOW_URL to one of the URLs in PactFlow's " +
			"PACTFLOW_BASE_URL, or add " + x.base + " to that list"}
	if href == "" {
		f.Verdict, f.Fatal, f.Seen, f.Means = Unknown, false, "there is no link", "readiness can't tell a wrong address"
		x.found(f)
		return
	}
	u, err := pactflow.ParseURL(href)
	x.holds(err == nil && (u.String() == x.base || strings.HasPrefix(u.String(), x.base+"/")), f)
}

// identify asks who the token is, and what a wrong one gets.
func (x *examination) identify() bool {
	var me user
	answer, failure := x.get("/user", nil, &me)
	switch {
	case failure != nil && failure.Status == http.StatusUnauthorized:
		x.found(Finding{Name: "token", Assumption: "PactFlow accepts the token", Verdict: Fails, Fatal: true, Seen: failure.Error(),
			Means: "every request gets 401: copy the token again, or make a new one if it has expired"})
		return false
	case failure != nil:
		x.found(Finding{Name: "token", Assumption: "PactFlow accepts the token", Verdict: Unknown, Seen: failure.Error(),
			Means: "who the token belongs to can't be told; the lists below show whether it works"})
	default:
		kind := "a person"
		if me.Type == 1 {
			kind = "a system account"
		}
		x.found(Finding{Name: "token", Assumption: "PactFlow accepts the token", Verdict: Holds,
			Seen: fmt.Sprintf("it belongs to %s, %s", kind, cmp.Or(me.Name, me.Email, me.UUID))})
		x.owner(me)
		x.limits(answer.Header)
	}
	_, failure = x.callAs(facade.WithCaller(x.ctx, "not-a-token-of-anybody"), facade.Call{Method: http.MethodGet, Path: "/admin/users",
		Query: url.Values{"page": {"1"}, "size": {"1"}}}, nil)
	f := Finding{Name: "wrong-token", Assumption: "a wrong token gets 401", Fatal: failure == nil,
		Means: "clients with a wrong token get an answer that does not say so"}
	if failure == nil {
		f.Seen, f.Means = "the list of users", "everybody who reaches PactFlow can read it"
	} else if f.Seen = "status " + strconv.Itoa(failure.Status); failure.Text == "" {
		f.Seen += " without a text"
	}
	x.holds(failure != nil && failure.Status == http.StatusUnauthorized, f)
	return true
}

func (x *examination) limits(h http.Header) {
	f := Finding{Name: "rate-limit", Assumption: "PactFlow has no rate limit", Verdict: Unknown, Seen: "no header says so"}
	for name := range h {
		if strings.Contains(strings.ToLower(name), "ratelimit") {
			f.Verdict, f.Seen = Fails, name+": "+h.Get(name)
			f.Means = "first pushes may meet 429; they are tried again, and ROLLCALL_UPSTREAM_CALLS makes fewer at once"
		}
	}
	x.found(f)
}

// errors looks at how a user that does not exist is refused.
func (x *examination) errors() {
	_, failure := x.get("/admin/users/00000000-0000-4000-8000-000000000000", nil, nil)
	if failure == nil || failure.Status != http.StatusNotFound {
		seen := "an answer"
		if failure != nil {
			seen = failure.Error()
		}
		x.found(Finding{Name: "errors", Assumption: "a user that does not exist gets 404", Verdict: Fails, Seen: seen,
			Means: "requests for users that are gone get another error than 404"})
		return
	}
	x.holds(failure.Problem != "", Finding{Name: "errors", Assumption: "errors are problem details (PactFlow 1.26.0 and later)", Seen: failure.Problem,
		Means: "either it is an older PactFlow, or something between takes them away; errors are understood by their text"})
}

// users looks at the list of users and returns its first page, or nil.
func (x *examination) users() []user {
	page, ok := x.page("/admin/users", "users", func(l list) (int, bool) {
		if l.Users == nil {
			return 0, false
		}
		return len(*l.Users), true
	})
	if !ok {
		return nil
	}
	var sample list
	if _, failure := x.get("/admin/users", url.Values{"page": {"1"}, "size": {"100"}}, &sample); failure != nil || sample.Users == nil {
		sample.Users = page.Users
	}
	named, external, systems := 0, 0, 0
	for _, u := range *sample.Users {
		if u.FirstName != "" || u.LastName != "" {
			named++
		}
		if u.ExternalIdpUsername != "" || u.ExternalIdpID != "" {
			external++
		}
		systems += u.Type
	}
	some := func(n int, f Finding) {
		f.Verdict, f.Seen = Holds, fmt.Sprintf("%d of the first %d users", n, len(*sample.Users))
		if n == 0 {
			f.Verdict = Unknown
		} else {
			f.Means = ""
		}
		x.found(f)
	}
	some(external, Finding{Name: "external-idp", Assumption: "externalIdpUsername and externalIdpId are shown to this token",
		Means: "nobody has one yet, or the token does not see them; if so, users are not found by userName and made twice"})
	some(named, Finding{Name: "names", Assumption: "firstName and lastName are shown",
		Means: "nobody has one, or they are not shown; then name.givenName and name.familyName are missing from answers"})
	f := Finding{Name: "system-accounts", Assumption: "the token sees no system accounts", Seen: "none"}
	if systems > 0 {
		f.Seen = fmt.Sprintf("%d of the first %d users", systems, len(*sample.Users))
		f.Means = "they appear as users with userType \"System Account\", and in groups; they stay in a team whose members are replaced"
	}
	x.holds(systems == 0, f)
	x.inactive()
	return *sample.Users
}

// inactive compares totals, to see whether the plain list has inactive users.
func (x *examination) inactive() {
	total := func(query url.Values) int {
		var l list
		query.Set("page", "1")
		query.Set("size", "1")
		if _, failure := x.get("/admin/users", query, &l); failure != nil || l.Page == nil {
			return -1
		}
		return l.Page.TotalElements
	}
	all, on, off := total(url.Values{}), total(url.Values{"active": {"true"}}), total(url.Values{"active": {"false"}})
	f := Finding{Name: "inactive-users", Assumption: "the list of users has the inactive ones", Seen: fmt.Sprintf("all %d, active %d, inactive %d", all, on, off),
		Means: "a deactivated user is not found by userName: bringing one back makes a second one"}
	switch {
	case all < 0 || on < 0 || off < 0:
		f.Verdict, f.Seen = Unknown, "the lists say no totals"
	case off == 0:
		f.Verdict = Unknown
	default:
		x.holds(all == on+off, f)
		return
	}
	x.found(f)
}

// page looks at the first page of a list: may it be read, has it the shape, and
// by which names is it paged.
func (x *examination) page(path, key string, count func(list) (int, bool)) (list, bool) {
	var l list
	_, failure := x.get(path, url.Values{"page": {"1"}, "size": {"1"}}, &l)
	f := Finding{Name: key, Assumption: "the token may list " + key + ", and the list is under " + strconv.Quote(key), Fatal: true,
		Means: "nothing works: the token needs the SCIM role"}
	if failure != nil {
		if failure.Status == http.StatusForbidden { // to manage includes to read
			x.proof(strings.TrimSuffix(key, "s")+":manage:*", failure)
		}
		f.Verdict, f.Seen = Fails, failure.Error()
		x.found(f)
		return l, false
	}
	n, ok := count(l)
	if !ok {
		f.Seen, f.Means = "there is no such list in the answer", "nothing works: this is no PactFlow, or one that is too new"
	}
	x.holds(ok, f)
	if !ok {
		return l, false
	}
	x.link(key+"-links", "the list of "+key+" is under this address", l.Links.Self.Href)
	f = Finding{Name: key + "-paging", Assumption: "lists are paged by page and size",
		Means: "each list is read in one answer; more memory and time where there are thousands of " + key}
	switch {
	case l.Page != nil && n <= 1:
		f.Verdict, f.Seen, f.Means = Holds, fmt.Sprintf("%d in all", l.Page.TotalElements), ""
	default:
		var old list
		f.Verdict, f.Seen = Fails, fmt.Sprintf("the list came whole, with %d", n)
		if _, failure := x.get(path, url.Values{"pageNumber": {"1"}, "pageSize": {"1"}}, &old); failure == nil && old.Page != nil {
			f.Seen += "; pageNumber and pageSize work, as before PactFlow 1.28.0"
		}
	}
	x.found(f)
	return l, true
}

// teams looks at the list of teams and at the first one.
func (x *examination) teams() {
	l, ok := x.page("/admin/teams", "teams", func(l list) (int, bool) {
		if l.Teams == nil {
			return 0, false
		}
		return len(*l.Teams), true
	})
	if !ok || len(*l.Teams) == 0 {
		return
	}
	var one team
	f := Finding{Name: "members", Assumption: "a team shows all of its members", Means: "members that the token does not see are kept: " +
		"replacing the members of such a team adds and removes single ones"}
	if _, failure := x.get("/admin/teams/"+url.PathEscape((*l.Teams)[0].UUID), nil, &one); failure != nil {
		f.Verdict, f.Seen, f.Means = Fails, failure.Error(), "groups can't be read"
		x.found(f)
		return
	}
	if one.NumberOfMembers == nil {
		f.Verdict, f.Seen, f.Means = Unknown, "a team does not say how many it has", ""
		x.found(f)
		return
	}
	f.Seen = fmt.Sprintf("%d of %d in team %q", len(one.Embedded.Members), *one.NumberOfMembers, one.Name)
	x.holds(*one.NumberOfMembers <= len(one.Embedded.Members), f)
}

// roles sees whether the token may read them, which the SCIM role may not.
func (x *examination) roles() {
	_, failure := x.get("/admin/roles", nil, nil)
	f := Finding{Name: "roles", Assumption: "the token may not read roles", Seen: "it may",
		Means: "it has more permissions than the SCIM role; a leaked token could do more than provisioning"}
	if failure != nil {
		f.Seen = "status " + strconv.Itoa(failure.Status)
	}
	x.holds(failure != nil && failure.Status == http.StatusForbidden, f)
}

// index looks for the names of links, which are not needed.
func (x *examination) index() {
	var index struct {
		Links map[string]any `json:"_links"`
	}
	f := Finding{Name: "index", Assumption: "the index has links named pf:admin-users and pf:admin-teams", Means: "nothing: the paths are fixed"}
	if _, failure := x.get("/", nil, &index); failure != nil {
		f.Verdict, f.Seen = Unknown, failure.Error()
		x.found(f)
		return
	}
	var admin []string
	for name := range index.Links {
		if strings.HasPrefix(name, "pf:admin") {
			admin = append(admin, name)
		}
	}
	f.Seen = strings.Join(admin, ", ")
	x.holds(index.Links["pf:admin-users"] != nil && index.Links["pf:admin-teams"] != nil, f)
}
