package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-scim/rollcall/backend/postgres"
	"github.com/rollcall-scim/rollcall/internal/pgtest"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestAlone: a write whose commit no standby has is not acknowledged, whoever
// breaks its wait off. When it is us, whose time is up, nobody sees the write
// until a standby has it.
func TestAlone(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{})
	url := s.URL("postgres")
	db, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := func(wait time.Duration, table string) error {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		return postgres.Exec(ctx, db.Tenant("a"), "CREATE TABLE "+table+" (n integer)")
	}
	if err := write(time.Minute, "before"); err != nil {
		t.Fatal(err)
	}
	pgtest.Exec(t, url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
	waitFor(t, url, "SELECT current_setting('synchronous_standby_names') = 'nobody'")
	alone := func(err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a write that no standby has: %v", err)
		}
	}
	// Commits wait once the server's checkpointer has seen the setting, too.
	for i := 0; err == nil; i++ {
		err = write(3*time.Second, fmt.Sprint("early", i))
	}
	alone(err)
	errs := make(chan error, 3)
	for i := range 3 {
		go func() { errs <- write(3*time.Second, fmt.Sprint("timely", i)) }()
	}
	for range 3 {
		alone(<-errs)
	}
	waitFor(t, url, "SELECT count(*) = 4 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	waitFor(t, url, "SELECT count(*) = 0 FROM pg_tables WHERE tablename LIKE 'timely%'")

	go func() { errs <- write(time.Minute, "cancelled") }()
	go func() { errs <- db.EndSession(t.Context(), "login", time.Now().Add(time.Hour)) }()
	waitFor(t, url, "SELECT count(*) = 6 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	pgtest.Exec(t, url, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	for range 2 {
		var e *scim.Error
		if err := <-errs; !errors.As(err, &e) || e.Status != 503 {
			t.Errorf("a write that somebody else cancelled: %v", err)
		}
	}
	waitFor(t, url, "SELECT count(*) = 1 FROM pg_tables WHERE tablename = 'cancelled'") // which is why it is no refusal

	pgtest.Exec(t, url, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
	waitFor(t, url, "SELECT current_setting('synchronous_standby_names') = ''")
	if err := write(time.Minute, "after"); err != nil {
		t.Error(err)
	}
}

// waitFor waits until a query says true.
func waitFor(t *testing.T, url, query string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var ok bool
	for end := time.Now().Add(time.Minute); !ok; {
		if err := c.QueryRow(t.Context(), query).Scan(&ok); err != nil || time.Now().After(end) {
			t.Fatalf("%s: %v, %v", query, ok, err)
		}
	}
}
