package doctor_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/doctor"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// emulate serves an emulator and returns its address.
func emulate(t *testing.T, o pactflowtest.Options) (*pactflowtest.Emulator, string) {
	t.Helper()
	e, err := pactflowtest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	t.Cleanup(e.Close)
	return e, s.URL
}

// examine returns what is found, by name; of several of one name the worst.
func examine(t *testing.T, address, token string, write bool) (map[string]doctor.Finding, bool) {
	t.Helper()
	u, err := pactflow.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]doctor.Finding{}
	well := doctor.Examine(context.Background(), doctor.Options{URL: u, Token: token, Write: write}, func(f doctor.Finding) {
		if f.Name == "" || f.Assumption == "" || f.Verdict == "" || f.Verdict == doctor.Fails && f.Means == "" || f.Verdict == doctor.Holds && f.Fatal {
			t.Errorf("an incomplete finding: %+v", f)
		}
		if strings.Contains(f.Seen, token) {
			t.Errorf("a finding has the token: %+v", f)
		}
		if old, ok := found[f.Name]; !ok || old.Verdict != doctor.Fails {
			found[f.Name] = f
		}
	})
	return found, well
}

// TestVersions: in every version, with the token of the SCIM role, everything
// that is needed holds, and nothing is left behind.
func TestVersions(t *testing.T) {
	t.Parallel()
	for version, differs := range map[string]map[string]doctor.Verdict{
		"1.26.0": {"users-paging": doctor.Fails, "teams-paging": doctor.Fails, "create-team": doctor.Fails},
		"1.28.0": {},
		"1.31.0": {},
		"2.3.0":  {},
	} {
		for _, seed := range []string{"sample", "okta"} {
			t.Run(version+" "+seed, func(t *testing.T) {
				t.Parallel()
				e, address := emulate(t, pactflowtest.Options{Version: version, Seed: seed})
				before := e.State()
				found, well := examine(t, address, pactflowtest.SCIMToken, true)
				if !well {
					t.Errorf("fatal: %+v", found)
				}
				want := map[string]doctor.Verdict{"address": "holds", "base-url": "holds", "token": "holds", "wrong-token": "holds", "errors": "holds",
					"users": "holds", "users-links": "holds", "users-paging": "holds", "teams": "holds", "teams-links": "holds", "teams-paging": "holds",
					"system-accounts": "holds", "roles": "holds", "create-user": "holds", "create-nameless": "holds", "create-active": "holds",
					"same-user-name": "holds", "same-email": "holds", "put-omitted": "holds", "put-team-omitted": "holds", "put-roles": "holds",
					"create-team": "holds", "put-members": "holds", "patch-members": "holds", "delete": "holds", "own-roles": "unknown",
					"permission": "holds"}
				for name, v := range differs {
					want[name] = v
				}
				for name, v := range want {
					if found[name].Verdict != v {
						t.Errorf("%s: %+v, want %s", name, found[name], v)
					}
				}
				after := e.State()
				visible := 0
				for _, u := range after.Users {
					if u.DeletedAt.IsZero() {
						visible++
					}
				}
				if visible != len(before.Users) || len(after.Teams) != len(before.Teams) || e.MailsSent() != 0 {
					t.Errorf("left behind: %d users of %d, %d teams of %d, mails %d", visible, len(before.Users), len(after.Teams), len(before.Teams), e.MailsSent())
				}
			})
		}
	}
}

// TestReadOnlyByDefault: without being told to, nothing but GET is sent.
func TestReadOnlyByDefault(t *testing.T) {
	t.Parallel()
	e, address := emulate(t, pactflowtest.Options{Seed: "okta"})
	found, well := examine(t, address, pactflowtest.SCIMToken, false)
	if !well || found["create-user"].Verdict != doctor.Unknown || found["external-idp"].Verdict != doctor.Holds || found["names"].Verdict != doctor.Holds {
		t.Errorf("%+v", found)
	}
	for _, r := range e.Log() {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
}

// TestTokens: what each token of the emulator may not do is found.
func TestTokens(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]map[string]bool{ // finding → fatal
		pactflowtest.ExpiredToken:  {"token": true},
		"no-such-token":            {"token": true},
		pactflowtest.NoAccessToken: {"users": true, "teams": true},
		pactflowtest.ReadOnlyToken: {"create-user": true, "create-team": true},
		pactflowtest.ViewerToken:   {"create-user": true, "create-team": true},
		pactflowtest.InviteToken:   {"users": true},
		pactflowtest.AdminToken:    {"create-user": true, "permission": false, "roles": false},
	} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			_, address := emulate(t, pactflowtest.Options{})
			found, well := examine(t, address, token, true)
			if well {
				t.Error("it is said to work")
			}
			for name, fatal := range want {
				if f := found[name]; f.Verdict != doctor.Fails || f.Fatal != fatal {
					t.Errorf("%s: %+v, want one that does not hold, fatal %t", name, f, fatal)
				}
			}
		})
	}
}

// TestPermissions: the roles of a token's owner make its permissions likely, or
// not; what a write shows counts.
func TestPermissions(t *testing.T) {
	t.Parallel()
	const manage, invite, attributes, teams = "user:manage:*", "user:invite", "user:manage_scim_attributes:*", "team:manage:*"
	for _, tt := range []struct {
		token string
		write bool
		well  bool
		want  map[string]doctor.Verdict
	}{
		{pactflowtest.SCIMToken, true, true, map[string]doctor.Verdict{manage: "holds", invite: "holds", attributes: "holds", teams: "holds"}}, // wider than its owner's
		{pactflowtest.SCIMToken, false, true, map[string]doctor.Verdict{manage: "unknown", invite: "unknown", attributes: "unknown", teams: "unknown"}},
		{pactflowtest.UserToken, false, true, map[string]doctor.Verdict{manage: "unknown", invite: "unknown", attributes: "unknown", teams: "unknown"}}, // narrower
		{pactflowtest.UserToken, true, false, map[string]doctor.Verdict{manage: "unknown", attributes: "does not", teams: "does not"}},
		{pactflowtest.ViewerToken, true, false, map[string]doctor.Verdict{manage: "unknown", attributes: "does not", teams: "does not"}},
		{pactflowtest.ReadOnlyToken, true, false, map[string]doctor.Verdict{attributes: "does not", teams: "does not"}},
		{pactflowtest.AdminToken, true, false, map[string]doctor.Verdict{manage: "unknown", invite: "unknown", attributes: "does not", teams: "holds"}},
		{pactflowtest.InviteToken, false, false, map[string]doctor.Verdict{manage: "does not", teams: "does not", attributes: "unknown"}},
		{pactflowtest.NoAccessToken, false, false, map[string]doctor.Verdict{manage: "does not", teams: "does not"}},
	} {
		t.Run(fmt.Sprint(tt.token, " ", tt.write), func(t *testing.T) {
			t.Parallel()
			_, address := emulate(t, pactflowtest.Options{})
			u, err := pactflow.ParseURL(address)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]doctor.Finding{}
			well := doctor.Examine(t.Context(), doctor.Options{URL: u, Token: tt.token, Write: tt.write}, func(f doctor.Finding) {
				if f.Name == "permission" {
					got[f.Assumption[strings.LastIndexByte(f.Assumption, ' ')+1:]] = f
				}
			})
			if well != tt.well || len(got) != 4 {
				t.Errorf("well %t, %d findings", well, len(got))
			}
			for scope, v := range tt.want {
				if got[scope].Verdict != v {
					t.Errorf("%s: %+v, want %s", scope, got[scope], v)
				}
			}
		})
	}
}

// TestOtherwise: the emulator does otherwise than is assumed, and each is found.
func TestOtherwise(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		o     pactflowtest.Options
		fails string
		fatal bool
	}{
		{"clears", pactflowtest.Options{PutOmittedClears: true}, "put-omitted", false},
		{"clears of a team", pactflowtest.Options{PutOmittedClears: true}, "put-team-omitted", false},
		{"same userName", pactflowtest.Options{AllowSameUserName: true}, "same-user-name", false},
		{"same e-mail", pactflowtest.Options{RejectSameEmail: true}, "same-email", false},
		{"system accounts", pactflowtest.Options{ShowSystemAccounts: true}, "system-accounts", false},
		{"inactive hidden", pactflowtest.Options{Seed: "large:100", HideInactive: true}, "inactive-users", false},
		{"another base", pactflowtest.Options{BaseURL: "https://other.example"}, "base-url", true},
		{"another base of lists", pactflowtest.Options{BaseURL: "https://other.example"}, "users-links", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, address := emulate(t, tt.o)
			found, well := examine(t, address, pactflowtest.SCIMToken, true)
			if f := found[tt.fails]; f.Verdict != doctor.Fails || f.Fatal != tt.fatal || well == tt.fatal {
				t.Errorf("%s: %+v, well %t", tt.fails, f, well)
			}
		})
	}
}

// TestNoPactFlow: nobody there, or somebody else.
func TestNoPactFlow(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>welcome</html>"))
	}))
	gone := httptest.NewServer(nil)
	gone.Close()
	t.Cleanup(other.Close)
	for _, address := range []string{other.URL, gone.URL} {
		found, well := examine(t, address, pactflowtest.SCIMToken, false)
		if well || !found["address"].Fatal || len(found) != 1 {
			t.Errorf("%s: %t %+v", address, well, found)
		}
	}
}
