package tenant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/internal/tenant/tenanttest"
)

// What was asked for before needs no store, and neither do texts that are no
// token, however many.
func TestRegistryAnswersFromMemory(t *testing.T) {
	t.Parallel()
	r, s, _ := rig(t, tenant.Options{})
	made := add(t, r, tenant.Spec{Name: "okta"})
	if reason(t, r, made.Secret) != "" {
		t.Fatal("refused")
	}
	all := []string{"Revision", "Index", "FindToken", "FindTenant", "ListTokens", "ListTenants"}
	calls := func() (n int) {
		for _, m := range all {
			n += s.Calls(m)
		}
		return n
	}
	calls()
	for range 1000 {
		g, err := r.Authenticate(ctx, made.Secret)
		if err != nil || g.Tenant.Name != "acme" || g.Token.Name != "okta" {
			t.Fatalf("%+v, %v", g, err)
		}
		r.Used(g.Token, "Okta")
		for text, want := range map[string]tenant.Reason{tenant.NewSecret(): tenant.Unknown, "rc_x": tenant.Malformed, "": tenant.Malformed,
			made.Secret[:51] + "!": tenant.Malformed, strings.ToLower(made.Secret): tenant.Malformed} {
			if got := reason(t, r, text); got != want && text != made.Secret {
				t.Fatalf("%q: %q, want %q", text, got, want)
			}
		}
		if _, err := r.Tenant(ctx, tenant.NewSecret()); !errors.Is(err, tenant.ErrNoTenant) {
			t.Fatal(err)
		}
	}
	if n := calls(); n != 0 {
		t.Errorf("the store was asked %d times", n)
	}
	if tokens, tenants := r.Cached(); tokens != 1 || tenants != 1 {
		t.Errorf("%d tokens and %d tenants are in memory, want one each", tokens, tenants)
	}
	// Another program's change costs one look, whoever asks.
	other := tenant.NewRegistry(s, tenant.Options{})
	if _, err := other.AddToken(ctx, "acme", tenant.Spec{Name: "jamf"}); err != nil {
		t.Fatal(err)
	}
	calls()
	for range 100 {
		reason(t, r, tenant.NewSecret())
	}
	if n := calls(); n > 2 {
		t.Errorf("the store was asked %d times for wrong tokens", n)
	}
}

func TestRegistryIsBounded(t *testing.T) {
	t.Parallel()
	r, s, _ := rig(t, tenant.Options{Tokens: 5, Tenants: 3})
	var secrets []string
	for i := range 20 {
		name := fmt.Sprint("t", i)
		if _, err := r.AddTenant(ctx, name, tenant.Settings{}); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, add2(t, r, name, "okta").Secret)
	}
	for range 3 {
		for i, secret := range secrets {
			g, err := r.Authenticate(ctx, secret)
			if err != nil || g.Tenant.Name != fmt.Sprint("t", i) || g.Token.Tenant != g.Tenant.Name {
				t.Fatalf("token %d: %+v, %v", i, g, err)
			}
		}
	}
	if tokens, tenants := r.Cached(); tokens != 5 || tenants != 3 {
		t.Errorf("%d tokens and %d tenants are in memory, want 5 and 3", tokens, tenants)
	}
	s.Calls("FindToken")
	for range 10 {
		for _, secret := range secrets[17:] {
			reason(t, r, secret)
		}
	}
	if n := s.Calls("FindToken"); n > 0 {
		t.Errorf("the store was asked %d times for what was used last", n)
	}
	// Heavy settings count for more.
	r, _, _ = rig(t, tenant.Options{})
	heavy := []byte(`"` + strings.Repeat("x", 400<<10) + `"`)
	for i := range 120 {
		name := fmt.Sprint("t", i)
		if _, err := r.AddTenant(ctx, name, tenant.Settings{Schemas: heavy}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 120 {
		if _, err := r.Tenant(ctx, fmt.Sprint("t", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, tenants := r.Cached(); tenants < 10 || tenants > 90 {
		t.Errorf("%d tenants of 400 KB are in memory", tenants)
	}
}

// A token without a tenant, or of one that is not there, opens nothing (T3).
func TestNoOwnerIsDeny(t *testing.T) {
	t.Parallel()
	r, s, _ := rig(t, tenant.Options{})
	for i, home := range []string{"", "nobody", "Acme", "ACME", "acme ", "default "} {
		secret := tenant.NewSecret()
		h, err := tenant.HashOf(secret)
		if err != nil {
			t.Fatal(err)
		}
		s.Orphan(tenant.Token{ID: fmt.Sprint("tk_", i), Tenant: home, Name: "x", Prefix: "rc_x", Hash: h, Scopes: tenant.DefaultScopes()})
		fresh := tenant.NewRegistry(s, tenant.Options{})
		if got := reason(t, fresh, secret); got != tenant.WithoutHome {
			t.Errorf("a token of %q: %q", home, got)
		}
	}
	if _, err := r.Tenant(ctx, ""); !errors.Is(err, tenant.ErrNoTenant) {
		t.Errorf("the tenant without a name: %v", err)
	}
}

// While it is not certain that nothing changed, nobody is let in: neither on
// what is in memory nor without a store.
func TestStaleIsNotTrusted(t *testing.T) {
	t.Parallel()
	const poll = 10 * time.Millisecond
	r, s, _ := rig(t, tenant.Options{Poll: poll})
	made := add(t, r, tenant.Spec{Name: "okta"})
	if reason(t, r, made.Secret) != "" {
		t.Fatal("refused")
	}
	down := errors.New("the database is down")
	s.Break(down)
	waitFor(t, func() bool { _, err := r.Authenticate(ctx, made.Secret); return errors.Is(err, down) })
	s.Break(nil)
	// Nothing polls: yet what another program has revoked is noticed.
	other := tenant.NewRegistry(s, tenant.Options{})
	if reason(t, r, made.Secret) != "" {
		t.Error("refused, though the database is there again")
	}
	if _, err := other.RevokeToken(ctx, "acme", "okta"); err != nil {
		t.Fatal(err)
	}
	revoked := time.Now()
	for {
		asked := time.Since(revoked)
		if reason(t, r, made.Secret) != "" {
			break
		}
		if asked > 2*poll {
			t.Fatalf("still good %v after it was revoked", asked)
		}
	}
	// A caller that leaves does not wait.
	over, cancel := context.WithCancel(ctx)
	cancel()
	waitFor(t, func() bool {
		_, err := r.Authenticate(over, made.Secret)
		return err == nil || errors.Is(err, context.Canceled) || errors.As(err, new(*tenant.Refusal))
	})
}

func waitFor(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// slow is a store in which the answers to one method wait for a test, once.
type slow struct {
	*tenanttest.Memory
	method      string
	asked, goOn chan struct{}
	once        *sync.Once
}

func newSlow(method string) slow {
	return slow{tenanttest.NewMemory(), method, make(chan struct{}), make(chan struct{}), new(sync.Once)}
}

func (s slow) wait(method string) {
	if method == s.method {
		s.once.Do(func() {
			close(s.asked)
			<-s.goOn
		})
	}
}

func (s slow) FindToken(ctx context.Context, h tenant.Hash) (tenant.Token, error) {
	defer s.wait("FindToken")
	return s.Memory.FindToken(ctx, h)
}

func (s slow) Index(ctx context.Context) (tenant.Index, error) {
	defer s.wait("Index")
	return s.Memory.Index(ctx)
}

// A look-up that began before a revocation and ends after it must not bring the
// token back.
func TestLateLookUp(t *testing.T) {
	t.Parallel()
	s := newSlow("FindToken")
	const poll = 5 * time.Millisecond
	r, elsewhere := tenant.NewRegistry(s, tenant.Options{Poll: poll}), tenant.NewRegistry(s.Memory, tenant.Options{})
	made, err := elsewhere.AddToken(ctx, tenant.Default, tenant.Spec{Name: "okta"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = r.Authenticate(ctx, made.Secret) })
	<-s.asked
	if _, err := elsewhere.RevokeToken(ctx, tenant.Default, "okta"); err != nil {
		t.Fatal(err)
	}
	s.Calls("Index")
	waitFor(t, func() bool { // the registry has noticed
		if _, err := r.Tenant(ctx, tenant.Default); err != nil {
			t.Fatal(err)
		}
		return s.Calls("Index") > 0
	})
	close(s.goOn)
	wg.Wait()
	if got := reason(t, r, made.Secret); got != tenant.WasRevoked {
		t.Errorf("after the revocation: %q", got)
	}
}

// What the store said before a change says nothing of the time after it: a new
// token is good at once.
func TestLateIndex(t *testing.T) {
	t.Parallel()
	s := newSlow("Index")
	r := tenant.NewRegistry(s, tenant.Options{Poll: time.Hour})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = r.Authenticate(ctx, tenant.NewSecret()) })
	<-s.asked
	made, err := r.AddToken(ctx, tenant.Default, tenant.Spec{Name: "okta"})
	if err != nil {
		t.Fatal(err)
	}
	close(s.goOn)
	wg.Wait()
	if got := reason(t, r, made.Secret); got != "" {
		t.Errorf("a new token: %q", got)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	r, s, c := rig(t, tenant.Options{})
	made := add(t, r, tenant.Spec{Name: "entra-prod", Expires: c.Now().Add(90 * 24 * time.Hour)})
	g, err := r.Authenticate(ctx, made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	r.Used(g.Token, "Entra\x1b[31m\n")
	if err := r.WriteUses(ctx); err != nil {
		t.Fatal(err)
	}
	c.pass(93*24*time.Hour + time.Hour)
	fresh := tenant.NewRegistry(s, tenant.Options{Now: c.Now})
	_, err = fresh.Authenticate(ctx, made.Secret)
	if want := "the token entra-prod (" + made.Token.Prefix + "…) of tenant acme expired 3 days ago, used by Entra[31m"; err == nil || err.Error() != want {
		t.Errorf("says %q, want %q", err, want)
	}
	if strings.Contains(err.Error(), made.Secret[8:]) {
		t.Error("the text of the token is told")
	}
	if _, err := r.RevokeToken(ctx, "acme", made.Token.ID); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Minute)
	_, err = r.Authenticate(ctx, made.Secret)
	if err == nil || !strings.Contains(err.Error(), "was revoked 3 days ago") {
		t.Errorf("says %q", err) // it was over before it was revoked
	}
	for d, want := range map[time.Duration]string{0: "less than a minute", -time.Hour: "less than a minute", 90 * time.Second: "1 minute", 2 * time.Hour: "2 hours", 25 * time.Hour: "1 day"} {
		if got := tenant.Age(d); got != want {
			t.Errorf("Age(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestUsed(t *testing.T) {
	t.Parallel()
	r, s, c := rig(t, tenant.Options{})
	made := add(t, r, tenant.Spec{Name: "okta"})
	g, err := r.Authenticate(ctx, made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	began := c.Now()
	write := func() {
		t.Helper()
		if err := r.WriteUses(ctx); err != nil {
			t.Fatal(err)
		}
	}
	last := func() (time.Duration, string) {
		t.Helper()
		list, err := r.Tokens(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		return list[0].LastUsed.Sub(began), list[0].LastClient
	}
	// A request a second for five minutes: one write a minute.
	s.Calls("NoteUse")
	for range 300 {
		r.Used(g.Token, "Okta")
		write()
		c.pass(time.Second)
	}
	if n := s.Calls("NoteUse"); n != 5 {
		t.Errorf("%d writes in five minutes, want 5", n)
	}
	if at, client := last(); at != 4*time.Minute || client != "Okta" {
		t.Errorf("last used after %v by %q", at, client)
	}
	// It survives that the store is away.
	c.pass(time.Hour)
	r.Used(g.Token, "")
	s.Break(errors.New("down"))
	if err := r.WriteUses(ctx); err == nil {
		t.Error("no error")
	}
	s.Break(nil)
	write()
	if at, client := last(); at != time.Hour+5*time.Minute || client != "Okta" {
		t.Errorf("last used after %v by %q", at, client)
	}
	// A change elsewhere, which drops what is in memory, does not make it write more.
	add(t, r, tenant.Spec{Name: "other"})
	g, err = r.Authenticate(ctx, made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	s.Calls("NoteUse")
	r.Used(g.Token, "Okta")
	write()
	if n := s.Calls("NoteUse"); n != 0 {
		t.Error("written twice within a minute")
	}
	// A clock that is set back does not stop it.
	c.pass(-48 * time.Hour)
	r.Used(g.Token, strings.Repeat("ü", 100))
	write()
	if n := s.Calls("NoteUse"); n != 1 {
		t.Error("not written by a clock that was set back")
	}
}

func TestReminders(t *testing.T) {
	t.Parallel()
	r, _, c := rig(t, tenant.Options{})
	day := 24 * time.Hour
	in := func(name string, d time.Duration) tenant.Issued {
		return add(t, r, tenant.Spec{Name: name, Expires: c.Now().Add(d)})
	}
	in("d40", 40*day)
	in("d30", 30*day)
	in("d14", 14*day+time.Hour)
	in("d3", 3*day)
	in("h1", time.Hour)
	add(t, r, tenant.Spec{Name: "never"})
	in("revoked", day)
	in("rotated", 2*day)
	if _, err := r.RevokeToken(ctx, "acme", "revoked"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.RotateToken(ctx, "acme", "rotated", tenant.Rotation{Grace: day, Expires: c.Now().Add(90 * day)}); err != nil {
		t.Fatal(err)
	}
	list := func() (out []tenant.Reminder) {
		t.Helper()
		out, err := r.Expiring(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	show := func(list []tenant.Reminder) (out []string) {
		for _, m := range list {
			out = append(out, fmt.Sprint(m.Token.Name, " within ", m.Stage))
		}
		return out
	}
	first := list()
	if want := []string{"h1 within 1", "d3 within 3", "d14 within 30", "d30 within 30"}; !reflect.DeepEqual(show(first), want) {
		t.Errorf("%q, want %q", show(first), want)
	}
	if first[0].Left != time.Hour {
		t.Errorf("an hour is left, said is %v", first[0].Left)
	}
	c.pass(2 * time.Hour)
	second := list()
	if want := []string{"d3 within 3", "d14 within 14", "d30 within 30"}; !reflect.DeepEqual(show(second), want) {
		t.Errorf("two hours later: %q, want %q", show(second), want)
	}
	// The log says each stage of each token once.
	if said := tenant.Reminded(first, first, second, second, nil, second); !reflect.DeepEqual(said, []int{4, 0, 1, 0, 0, 3}) {
		t.Errorf("said %v", said)
	}
}

// Run polls, writes and warns, and what is not written yet is when it ends.
func TestRun(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return log.Write(b)
	}), nil))
	r, s, c := rig(t, tenant.Options{Poll: time.Millisecond, Logger: logger})
	made := add(t, r, tenant.Spec{Name: "okta", Expires: c.Now().Add(48 * time.Hour)})
	old := add(t, r, tenant.Spec{Name: "old", Expires: c.Now().Add(time.Hour)})
	c.pass(-tenant.KeepDead)
	ancient := add(t, r, tenant.Spec{Name: "ancient", Expires: c.Now().Add(30 * time.Minute)})
	c.pass(tenant.KeepDead + time.Hour)
	run, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(run) })
	waitFor(t, func() bool { return s.Calls("Revision") > 0 })
	waitFor(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(log.String(), "about to expire")
	})
	waitFor(t, func() bool { return reason(t, r, ancient.Secret) == tenant.Unknown })
	if got := reason(t, r, old.Secret); got != tenant.HasExpired {
		t.Errorf("a token that expired an hour ago: %q", got)
	}
	g, err := r.Authenticate(ctx, made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	r.Used(g.Token, "Okta")
	stop()
	wg.Wait()
	if list, err := s.ListTokens(ctx, "acme"); err != nil || list[0].LastClient != "Okta" && list[1].LastClient != "Okta" {
		t.Errorf("what was noted last is lost: %+v, %v", list, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if text := log.String(); strings.Contains(text, made.Secret[8:]) || !strings.Contains(text, "within_days=3") || strings.Contains(text, "token=old") {
		t.Errorf("the log says\n%s", text)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
