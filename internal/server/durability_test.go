package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// freeAddress returns an address that nothing listens on, nor will until it is
// used.
func freeAddress(t *testing.T) string {
	t.Helper()
	list, err := freeport.Addresses("127.0.0.1", 1)
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// post creates a user at a server and returns the status.
func post(ctx context.Context, client *http.Client, url, name string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/scim/v2/Users", user(name))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_ = resp.Body.Close()
	return resp.StatusCode, nil
}

// TestKill: 50 times a server is killed while eight clients write as fast as
// they can; each write that was acknowledged is there afterwards, and nothing
// else but those that were under way.
func TestKill(t *testing.T) {
	rounds := 50
	if testing.Short() {
		rounds = 3
	}
	const writers = 8
	dir, address := t.TempDir(), freeAddress(t)
	var mu sync.Mutex
	acknowledged, unknown := map[string]bool{}, map[string]bool{}
	for round := range rounds {
		p := spawn(t, "full", dir, address)
		ctx, cancel := context.WithCancel(t.Context())
		var done atomic.Int64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for i := 0; ; i++ {
					name := fmt.Sprintf("user-%d-%d-%d", round, w, i)
					status, err := post(ctx, client, p.url, name)
					mu.Lock()
					switch {
					case err != nil:
						unknown[name] = true
					case status == http.StatusCreated:
						acknowledged[name] = true
					default:
						t.Errorf("POST %s: %d", name, status)
					}
					mu.Unlock()
					if err != nil || status != http.StatusCreated {
						return
					}
					done.Add(1)
				}
			})
		}
		// A different moment each round, but always amid writes.
		want := int64(20 + 7*(round%10))
		waitFor(t, "writes", func() bool { return done.Load() >= want })
		p.kill()
		wg.Wait()
		cancel()
	}
	p := spawn(t, "full", dir, address)
	found := map[string]bool{}
	client := &http.Client{}
	for start, total := 1, 1; start <= total; start += 1000 {
		req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("%s/scim/v2/Users?attributes=userName&count=1000&startIndex=%d", p.url, start), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+testToken)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var list struct {
			TotalResults int
			Resources    []struct{ UserName string }
		}
		err = json.NewDecoder(resp.Body).Decode(&list)
		_ = resp.Body.Close()
		if err != nil || len(list.Resources) == 0 {
			t.Fatalf("page from %d: %v", start, err)
		}
		total = list.TotalResults
		for _, u := range list.Resources {
			found[u.UserName] = true
		}
	}
	for name := range acknowledged {
		if !found[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	for name := range found {
		if !acknowledged[name] && !unknown[name] {
			t.Errorf("%s is there and nobody made it", name)
		}
	}
	t.Logf("%d rounds, %d writes acknowledged, %d unknown, %d found", rounds, len(acknowledged), len(unknown), len(found))
}

// TestSync proves the fsync, which killing can't, as the system keeps what a
// dead process wrote: no 201 leaves the process before an fsync of the
// write-ahead log that began after its user was written there. The same check
// must fail for a database with synchronous=OFF.
func TestSync(t *testing.T) {
	strace := needTool(t, "strace")
	writes := int64(1000)
	if testing.Short() {
		writes = 100
	}
	for _, mode := range []string{"full", "off"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			trace := filepath.Join(t.TempDir(), "trace")
			// -y names the file of each descriptor, -s shows whole pages and answers.
			p := spawn(t, mode, t.TempDir(), freeAddress(t), strace, "-f", "-qq", "-y", "-s", "8192", "-o", trace,
				"-e", "trace=pwrite64,write,fsync,fdatasync")
			const clients = 32
			var next atomic.Int64
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
					defer client.CloseIdleConnections()
					for i := next.Add(1); i <= writes; i = next.Add(1) {
						if status, err := post(t.Context(), client, p.url, fmt.Sprintf("user-%06d-end", i)); err != nil || status != http.StatusCreated {
							t.Errorf("POST: %d, %v", status, err)
							return
						}
					}
				})
			}
			wg.Wait()
			p.kill() // strace ends when its child does, and has written all then
			f, err := os.Open(trace)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			answers, syncs, faults, err := checkTrace(f)
			t.Logf("%d answers, %d syncs, %d faults", answers, syncs, len(faults))
			switch {
			case err != nil || int64(answers) != writes:
				t.Fatalf("the trace has %d answers to %d writes, %v: the check does not see them", answers, writes, err)
			case mode == "off" && int64(len(faults)) != writes:
				t.Errorf("without a sync only %d of %d answers are found at fault", len(faults), writes)
			case mode == "full" && (len(faults) > 0 || syncs == 0 || int64(syncs) > writes):
				t.Errorf("%d answers left before their write was synced (%d syncs), such as that of %.5q", len(faults), syncs, faults)
			}
		})
	}
}

var nameInTrace = regexp.MustCompile(`user-\d{6}-end`)

// checkTrace reads the lines of strace that concern the directory's database:
// the records of the Looking Glass are in another. Each user's name is in the first page
// written to the log for it and in the 201 for it, which is at fault unless a
// sync of the log began after the one and ended before the other.
func checkTrace(in io.Reader) (answers, syncs int, faults []string, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	written := map[string]int{} // name → line
	answered := map[string]bool{}
	syncing := map[string]int{} // thread → line on which its sync began
	covered := 0                // the sync that began last, of those that ended
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		switch {
		case strings.HasPrefix(call, "fsync("), strings.HasPrefix(call, "fdatasync("):
			if !strings.Contains(call, "/rollcall.db-wal>") {
				continue
			}
			if strings.Contains(call, "<unfinished") {
				syncing[thread] = n
				continue
			}
			covered = max(covered, n)
			syncs++
		case strings.HasPrefix(call, "<... fsync resumed"), strings.HasPrefix(call, "<... fdatasync resumed"):
			if began := syncing[thread]; began > 0 {
				delete(syncing, thread)
				covered = max(covered, began)
				syncs++
			}
		case strings.Contains(call, `"HTTP/1.1 201 `):
			name := nameInTrace.FindString(call)
			if answered[name] {
				continue // a signal came in between, and the same was written again
			}
			answered[name] = true
			answers++
			if at := written[name]; at == 0 || at > covered {
				faults = append(faults, name)
			}
		case strings.Contains(call, "/rollcall.db-wal>, "):
			for _, name := range nameInTrace.FindAllString(call, -1) {
				if written[name] == 0 {
					written[name] = n
				}
			}
		}
	}
	return answers, syncs, faults, lines.Err()
}

// TestCheckTrace: the check of TestSync by hand.
func TestCheckTrace(t *testing.T) {
	t.Parallel()
	const (
		write  = `11 pwrite64(9</d/rollcall.db-wal>, "..user-000001-end..", 4096, 32) = 4096`
		sync   = `11 fdatasync(9</d/rollcall.db-wal>) = 0`
		other  = `11 fdatasync(8</d/rollcall.db>) = 0`
		begin  = `11 fdatasync(9</d/rollcall.db-wal> <unfinished ...>`
		end    = `11 <... fdatasync resumed>) = 0`
		answer = `12 write(7<TCP:[1->2]>, "HTTP/1.1 201 Created\r\n..user-000001-end", 500) = 500`
	)
	for name, tt := range map[string]struct {
		lines []string
		ok    bool
	}{
		"in order":            {[]string{write, sync, answer}, true},
		"a sync in two lines": {[]string{write, begin, end, answer}, true},
		"no sync":             {[]string{write, answer}, false},
		"the sync is late":    {[]string{write, answer, sync}, false},
		"the sync is early":   {[]string{sync, write, answer}, false},
		"began before":        {[]string{begin, write, end, answer}, false},
		"not over":            {[]string{write, begin, answer, end}, false},
		"of another file":     {[]string{write, other, answer}, false},
		"nothing was written": {[]string{sync, answer}, false},
		"written again later": {[]string{write, sync, write, answer}, true},
	} {
		answers, _, faults, err := checkTrace(strings.NewReader(strings.Join(tt.lines, "\n")))
		if err != nil || answers != 1 || (len(faults) == 0) != tt.ok {
			t.Errorf("%s: %d answers, faults %q, %v, want ok=%v", name, answers, faults, err, tt.ok)
		}
	}
}
