package server_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestInstancesGlass: the Looking Glass of one instance shows what any of them
// served, also after that one has stopped.
func TestInstancesGlass(t *testing.T) {
	t.Parallel()
	pair, db := instances(t, 2)
	one, two := pair[0], pair[1]
	b := &glassBrowser{r: two}
	if a := b.login(testToken); a.status != http.StatusSeeOther {
		t.Fatalf("login: %d %s", a.status, a.body)
	}

	// Live.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", two.url+"/looking-glass/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", b.cookie)
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	id := one.create("ada.lovelace")
	one.do("GET", "/scim/v2/Users?filter=userName+eq+%22charles%22", "")
	one.do("POST", "/scim/v2/Users", `{"userName":"grace","name":7}`)
	arrived := false
	for lines := bufio.NewScanner(stream.Body); !arrived && lines.Scan(); {
		arrived = strings.Contains(lines.Text(), "ada.lovelace")
	}
	if !arrived {
		t.Error("what the other instance served did not arrive")
	}

	// The list, an exchange, the person, the one who was never created.
	b.until("/looking-glass", "ada.lovelace")
	list := b.do("GET", "/looking-glass?op=create&status=2xx", "").body
	_, rest, _ := strings.Cut(list, `href="/looking-glass/exchanges/`)
	seq, _, _ := strings.Cut(rest, "?")
	host, _ := os.Hostname()
	if a := b.do("GET", "/looking-glass/exchanges/"+seq, ""); a.status != 200 || !strings.Contains(a.body, id) || !strings.Contains(a.body, "@"+host) {
		t.Errorf("the exchange %s: %d %s", seq, a.status, a.body)
	}
	b.until("/looking-glass/people?q=charles", "looked for")
	b.until("/looking-glass/people?q=ada.lovelace", "created")
	b.until("/looking-glass/people?q=grace", "was refused with 400")
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	b.until("/looking-glass", "ada.lovelace")
	run := asking(t, "ROLLCALL_DATABASE_URL="+db, "ROLLCALL_DATA_DIR="+filepath.Join(t.TempDir(), "none"))
	if code, text := run("why", "charles"); code != 1 || !strings.Contains(text, "found nobody and created nobody") {
		t.Errorf("why: %d %s", code, text)
	}
	if code, text := run("why", "grace"); code != 1 || !strings.Contains(text, "was refused with 400") {
		t.Errorf("why: %d %s", code, text)
	}
}
