package pactflowtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestNewTeamByVersion: three shapes of one answer.
func TestNewTeamByVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"1.26.0": "200 uuid false teams true location false",
		"1.28.0": "201 uuid true teams true location true",
		"1.31.0": "201 uuid true teams false location true",
		"2.3.0":  "201 uuid true teams false location true",
	} {
		got := do(t, start(t, pactflowtest.Options{Version: version}), scim, "POST", "/admin/teams", `{"name":"T"}`)
		v := got.json(t)
		is := fmt.Sprintf("%d uuid %t teams %t location %t", got.code, v["uuid"] != nil, v["teams"] != nil, got.header.Get("Location") != "")
		if is != want {
			t.Errorf("%s: %s, want %s", version, is, want)
		}
		if strings.Contains(got.body, `"members"`) {
			t.Errorf("%s: a new team shows members", version)
		}
	}
}

// TestRoleNamesByVersion: uuids stay, names do not.
func TestRoleNamesByVersion(t *testing.T) {
	t.Parallel()
	for version, want := range map[string][3]string{"1.31.0": {"Viewer", "Guest", ""}, "2.3.0": {"Read-Only", "Viewer", "No Access"}} {
		e := start(t, pactflowtest.Options{Version: version})
		for i, id := range []string{pactflowtest.RoleViewer, pactflowtest.RoleGuest, pactflowtest.RoleNoAccess} {
			got := do(t, e, pactflowtest.AdminToken, "GET", "/admin/roles/"+id, "")
			if name, _ := got.json(t)["name"].(string); name != want[i] {
				t.Errorf("%s: %s is %q, want %q", version, id, name, want[i])
			}
		}
	}
}

// TestPutUsersBug: when a replacement of members fails, and that nothing of it happens.
func TestPutUsersBug(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		o                                   pactflowtest.Options
		fresh, twiceNew, overlap, twiceHere int
	}{
		{pactflowtest.Options{Version: "1.26.0"}, 200, 200, 200, 500},
		{pactflowtest.Options{Version: "1.26.0", PutUsersBug: true}, 200, 200, 500, 500},
		{pactflowtest.Options{Version: "1.28.0", PutUsersBug: true}, 200, 200, 500, 500},
		{pactflowtest.Options{Version: "1.28.0"}, 200, 200, 200, 200},
		{pactflowtest.Options{}, 200, 200, 200, 200},
	} {
		for body, want := range map[string]int{
			`{"users":["$u1"]}`: tt.fresh, `{"users":["$u1","$u1"]}`: tt.twiceNew,
			`{"users":["$u0","$u1"]}`: tt.overlap, `{"users":["$u0","$u0"]}`: tt.twiceHere,
		} {
			e := start(t, tt.o)
			v := crew(t, e, 2)
			do(t, e, scim, "POST", v.in("/admin/teams/$t/users"), v.in(`{"users":["$u0"]}`))
			got := do(t, e, scim, "PUT", v.in("/admin/teams/$t/users"), v.in(body))
			if got.code != want {
				t.Errorf("%+v %s: %d, want %d", tt.o, body, got.code, want)
			}
			if got.code == 500 && members(t, e, scim, v["t"]) != "[u0] 1" {
				t.Errorf("%+v %s: half done", tt.o, body)
			}
		}
	}
}

// TestLinks: the base address of links, by configuration and request.
func TestLinks(t *testing.T) {
	t.Parallel()
	const compose = "http://localhost http://pactflow:9292"
	for _, tt := range []struct {
		name, bases, url string
		header           []string
		want             string
	}{
		{"by the request", "", "http://127.0.0.1:9292/user", nil, "http://127.0.0.1:9292"},
		{"by a proxy", "", "http://127.0.0.1:9292/user", []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "pf.example"}, "https://pf.example"},
		{"the one that fits", compose, "http://pactflow:9292/user", nil, "http://pactflow:9292"},
		{"whatever its case", compose, "http://PACTFLOW:9292/user", nil, "http://pactflow:9292"},
		{"the port that goes without saying", compose, "http://localhost:80/user", nil, "http://localhost"},
		{"else the first", compose, "http://127.0.0.1:9292/user", nil, "http://localhost"},
		{"the only one", "https://pf.example", "http://127.0.0.1:9292/user", nil, "https://pf.example"},
		{"forwarded first", "http://a https://b:8443 http://c", "http://c/user",
			[]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "b", "X-Forwarded-Port", "8443"}, "https://b:8443"},
		{"then without", "http://a http://c", "http://c/user", []string{"X-Forwarded-Host", "nowhere"}, "http://c"},
		{"with a path", "http://a/pf", "http://a/pf/user", nil, "http://a/pf"},
		{"with two paths", "http://a/pf/two http://a/pf", "http://c/pf/two/user", nil, "http://a/pf/two"},
		{"with a path, without it", "http://a/pf", "http://a/user", nil, "http://a/pf"},
	} {
		e := start(t, pactflowtest.Options{BaseURL: tt.bases})
		got := do(t, e, scim, "GET", tt.url, "", tt.header...)
		if want := tt.want + "/admin/users/" + pactflowtest.SampleSystem; got.code != 200 || at(t, got.json(t), "_links", "self", "href") != want {
			t.Errorf("%s: %d %v, want %s", tt.name, got.code, at(t, got.json(t), "_links", "self", "href"), want)
		}
	}
	e := start(t, pactflowtest.Options{BaseURL: compose})
	heartbeat := func() any {
		return at(t, do(t, e, "", "GET", "/diagnostic/status/heartbeat", "").json(t), "_links", "self", "href")
	}
	if got := heartbeat(); got != "http://pactflow:9292/diagnostic/status/heartbeat" {
		t.Error(got)
	}
	if err := e.Set(func(o *pactflowtest.Options) { o.LinkBase = "http://evil.example/" }); err != nil {
		t.Fatal(err)
	}
	if got := heartbeat(); got != "http://evil.example/diagnostic/status/heartbeat" {
		t.Error(got)
	}
}
