package pactflowtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
)

// TestSeeds: how many of what a seed holds, and that nobody is in its lists who
// only owns a token.
func TestSeeds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seed                      string
		users, inactive, systems  int
		teams, members, ofDefault int
	}{
		{"", 2, 0, 1, 1, 2, 2},
		{"sample", 2, 0, 1, 1, 2, 2},
		{"empty", 0, 0, 0, 1, 0, 0},
		{"okta", 5, 0, 0, 1, 5, 5},
		{"large:0", 0, 0, 0, 1, 0, 0},
		{"large:7", 7, 0, 0, 2, 7, 0},
		{"large:200", 200, 20, 4, 11, 200, 0},
		{"large", 20_000, 2000, 400, 501, 20_000, 0},
	} {
		s := start(t, pactflowtest.Options{Seed: tt.seed}).State()
		inactive, systems, members := 0, 0, 0
		for _, u := range s.Users {
			if !u.Active {
				inactive++
			}
			systems += u.Type
		}
		for _, team := range s.Teams {
			members += len(team.Members)
		}
		got := fmt.Sprint(len(s.Users), inactive, systems, len(s.Teams), members, len(s.Teams[0].Members))
		if want := fmt.Sprint(tt.users, tt.inactive, tt.systems, tt.teams, tt.members, tt.ofDefault); got != want {
			t.Errorf("%q: %s, want %s", tt.seed, got, want)
		}
	}
}

// TestTokensWithoutUsers: in seeds that do not list them, the owners of tokens
// are still somebody.
func TestTokensWithoutUsers(t *testing.T) {
	t.Parallel()
	e := start(t, pactflowtest.Options{Seed: "okta"})
	if got := do(t, e, pactflowtest.AdminToken, "GET", "/user", ""); got.code != 200 || got.json(t)["email"] != "user1@example.com" {
		t.Errorf("%d %s", got.code, got.body)
	}
	if got := do(t, e, pactflowtest.AdminToken, "GET", "/admin/users/"+pactflowtest.SampleUser, ""); got.code != 404 {
		t.Errorf("%d", got.code)
	}
	first := at(t, do(t, e, scim, "GET", "/admin/users?page=1&size=1", "").json(t), "users", 0).(map[string]any)
	for _, key := range []string{"externalIdpUsername", "externalIdpId", "firstName", "lastName", "email"} {
		if first[key] == nil {
			t.Errorf("the first user has no %s: %v", key, first)
		}
	}
	if first["name"] != "Ada Okta" {
		t.Error(first["name"])
	}
}

// BenchmarkPage reads one page of 100 of 20,000 users: from the middle, as the
// SCIM role, uncompressed and compressed.
func BenchmarkPage(b *testing.B) {
	e := start(b, pactflowtest.Options{Seed: "large"})
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/admin/users?page=90&size=100", nil)
			r.Header.Set("Authorization", "Bearer "+scim)
			r.Header.Set("Accept-Encoding", encoding)
			for b.Loop() {
				w := discard{http.Header{}}
				e.ServeHTTP(w, r)
				if w.header["Content-Length"] == nil {
					b.Fatal("no answer")
				}
			}
		})
	}
}

// discard is a client that reads nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkLarge(b *testing.B) {
	for b.Loop() {
		start(b, pactflowtest.Options{Seed: "large"})
	}
}

func BenchmarkCreate(b *testing.B) {
	e := start(b, pactflowtest.Options{Seed: "large"})
	n := 0
	for b.Loop() {
		n++
		create(b, e, fmt.Sprintf(`{"name":"n%d","email":"n%d@example.com","externalIdpUsername":"n%d"}`, n, n, n))
	}
}
