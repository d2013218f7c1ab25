package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rollcall-scim/rollcall/backend/postgres"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres://u:hunter2@db.example/people":                                                                "postgres://db.example/people",
		"postgresql://u:hunter2@db.example:5433/people?sslmode=disable":                                         "postgres://db.example:5433/people",
		"postgres://u:hunter2@a.example:5432,b.example:5433/people?target_session_attrs=read-write":             "postgres://a.example,b.example:5433/people",
		"postgres://u:hunter2@a.example,b.example/people?target_session_attrs=read-write&sslmode=require":       "postgres://a.example,b.example/people",
		"postgres://u:hunter2@[::1]:5433/people":                                                                "postgres://[::1]:5433/people",
		"postgres://u@/people?host=/run/postgresql":                                                             "postgres:///run/postgresql/people",
		"host=db.example user=u password='hunter2 x' dbname=people":                                             "postgres://db.example/people",
		"host=a.example,b.example port=1,2 user=u password=hunter2 dbname=people target_session_attrs=primary":  "postgres://a.example:1,b.example:2/people",
		"postgres://u:hun%2Fter2@db.example/people?pool_max_conns=3&application_name=x&options=-c%20geqo%3Doff": "postgres://db.example/people",
	} {
		if got, err := postgres.Address(text); err != nil || got != want {
			t.Errorf("Address(%s) = %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "people", "mysql://u:hunter2@h/d", "http://h/d?a=b", "sqlite:./x?y=z", "postgres://u:hunter2%zz@h/d",
		"postgres://u:hunter2@h:port/d", "postgres://u:hunter2@h/d?sslmode=perhaps", "postgres://u:hunter2@h/d?target_session_attrs=hunter2",
		"host=h password='hunter2", "postgres://u:hunter2@h/d?sslrootcert=/nowhere/ca.pem&sslmode=verify-full", "postgres://u:pass/hunter2@h:x/d"} {
		got, err := postgres.Address(text)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("Address(%s) = %s, %v, want an error of one line that tells no secret", text, got, err)
		}
		if strings.Contains(text, "nowhere") && !strings.Contains(err.Error(), "/nowhere/ca.pem") {
			t.Errorf("Address(%s): %v, want the file named", text, err)
		}
	}
}

func TestWithPassword(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"postgres://us%65r@h/d", "postgres://user:old@h:5433/d?sslmode=disable", "postgresql://user:old@h", "postgres://user@h/d?password=old", "host=h user=user dbname=d",
		"host=h user=user password=old", "postgres://user@a:1,b:2/d?target_session_attrs=read-write", "postgres://user@/d?host=/run/x"} {
		for _, password := range []string{"new", `p/a#s?s%w@o:r+&d=e d'\"`, "пароль", "%41"} {
			with := postgres.WithPassword(text, password)
			c, err := pgconn.ParseConfig(with)
			if err != nil || c.User != "user" || c.Password != password {
				t.Errorf("WithPassword(%s, %s): %v, user %q, password %q", text, password, err, c.User, c.Password)
			}
			if plain, err := pgconn.ParseConfig(text); err == nil && (c.Host != plain.Host || c.Port != plain.Port || c.Database != plain.Database || len(c.Fallbacks) != len(plain.Fallbacks)) {
				t.Errorf("WithPassword(%s) leads elsewhere: %s", text, with)
			}
		}
	}
}

func TestHasPassword(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"postgres://u@h:5432/d": false, "postgres://u:p@h/d": true, "postgres://h/d?password=p": true, "postgres://h:5432/d": false,
		"host=h user=u dbname=d": false, "host=h password=p": true, "postgres://u@a:1,b:2/d": false,
	} {
		if got := postgres.HasPassword(text); got != want {
			t.Errorf("HasPassword(%s) = %t", text, got)
		}
	}
}
