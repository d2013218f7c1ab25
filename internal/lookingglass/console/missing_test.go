package console_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
)

// visitor is somebody with a session, who follows redirects as a browser does.
type visitor struct {
	*site
	cookie *http.Cookie
}

func (s *site) visitor(token string) *visitor { return &visitor{s, s.session(token)} }

// send sends a request and returns where it ended, and the page there.
func (v *visitor) send(method, path, kind, body string) (status int, where, text string) {
	v.t.Helper()
	header := []string{"Cookie: " + v.cookie.Name + "=" + v.cookie.Value}
	if kind != "" {
		header = append(header, "Content-Type: "+kind)
	}
	status, text, h := v.page(method, path, "", body, header...)
	if status == http.StatusSeeOther {
		return v.send(http.MethodGet, h.Get("Location"), "", "")
	}
	return status, path, text
}

// upload gives a list as a file, and waits until it is compared or a column is
// to be chosen.
func (v *visitor) upload(name, list string) (where, text string) {
	v.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("list", "")
	part, err := w.CreateFormFile("file", name)
	if err != nil {
		v.t.Fatal(err)
	}
	_, _ = part.Write([]byte(list))
	_ = w.Close()
	status, where, text := v.send(http.MethodPost, console.Path+"/missing", w.FormDataContentType(), b.String())
	if status != http.StatusOK {
		v.t.Fatalf("upload: %d %s", status, text)
	}
	return where, v.await(where)
}

// await returns the page of a list that is no longer being compared.
func (v *visitor) await(where string) string {
	v.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		_, _, text := v.send(http.MethodGet, where, "", "")
		if !strings.Contains(text, "<progress") {
			return text
		}
	}
	v.t.Fatal("the comparison has no end")
	return ""
}

// population is the people of these tests, one of each kind.
func population(s *site) {
	s.create("Users", `{"userName":"alice@example.com"}`, "User-Agent: Okta")
	s.create("Users", `{"userName":"ivan@example.com","active":false}`, "User-Agent: Okta")
	dora := s.create("Users", `{"userName":"dora@example.com"}`, "User-Agent: Okta")
	s.scim(http.MethodDelete, "/Users/"+dora, "", "User-Agent: Azure-AD")
	s.scim(http.MethodPost, "/Users", `{"userName":"rita@example.com","active":"perhaps"}`, "User-Agent: Okta")
	s.scim(http.MethodGet, "/Users?filter="+url.QueryEscape(`userName eq "sam@example.com"`), "", "User-Agent: Okta")
	s.flush()
}

const everybody = "alice@example.com\nivan@example.com\ndora@example.com\nrita@example.com\nsam@example.com\nzoe@example.com\nalice@old.example\n"

// TestMissing gives a list, chooses a column, looks at each cause and takes the
// downloads.
func TestMissing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	population(s)
	for _, token := range []string{viewerToken, adminToken} {
		v := s.visitor(token)
		where, text := v.upload("people.csv", "Name;Login\n\"<b>x\";"+strings.ReplaceAll(strings.TrimSpace(everybody), "\n", "\n=1+1;")+"\n")
		if !strings.Contains(text, "Which column") || !strings.Contains(text, `value="1" checked`) || !strings.Contains(text, "&lt;b&gt;x") {
			t.Fatalf("no column to choose:\n%s", text)
		}
		if _, _, text = v.send(http.MethodPost, where, "application/x-www-form-urlencoded", "column=7"); !strings.Contains(text, "Which column") {
			t.Error("a column that is none was taken")
		}
		v.send(http.MethodPost, where, "application/x-www-form-urlencoded", "column=1")
		text = v.await(where)
		for _, c := range []people.Cause{people.Present, people.Inactive, people.Deleted, people.Refused, people.Sought, people.Never} {
			if !strings.Contains(text, "</strong> "+c.Label()) {
				t.Errorf("no count of %s", c)
			}
			_, _, part := v.send(http.MethodGet, where+"?cause="+string(c), "", "")
			want := 1
			if c == people.Never {
				want = 2
			}
			if n := strings.Count(part, `<td class="who">`); n != want {
				t.Errorf("%s: %d rows", c, n)
			}
		}
		if _, _, near := v.send(http.MethodGet, where+"?cause=near", "", ""); strings.Count(near, `<td class="who">`) != 1 || !strings.Contains(near, "alice@old.example") {
			t.Errorf("near matches:\n%s", near)
		}
		_, _, file := v.send(http.MethodGet, where+"/people.csv", "", "")
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file, "\ufeff"))).ReadAll()
		if err != nil || len(rows) != 8 || rows[1][1] != "present" {
			t.Errorf("CSV: %v %q", err, rows)
		}
		_, _, file = v.send(http.MethodGet, where+"/people.json?cause=never", "", "")
		var answer struct{ People []people.Row }
		if err := json.Unmarshal([]byte(file), &answer); err != nil || len(answer.People) != 2 {
			t.Errorf("JSON: %v %s", err, file)
		}
		if status, _, _ := s.visitor(token).send(http.MethodGet, where, "", ""); status != http.StatusNotFound {
			t.Errorf("another session sees the list: %d", status)
		}
		v.send(http.MethodPost, where+"/forget", "application/x-www-form-urlencoded", "")
		if status, _, _ := v.send(http.MethodGet, where, "", ""); status != http.StatusNotFound {
			t.Errorf("a list that was forgotten is there: %d", status)
		}
	}
	v := s.visitor(adminToken)
	where, _ := v.upload("x", everybody)
	v.send(http.MethodPost, console.Path+"/logout", "application/x-www-form-urlencoded", "")
	if _, at, text := v.send(http.MethodGet, where, "", ""); !strings.HasPrefix(at, console.Path+"/login") || strings.Contains(text, "zoe@") {
		t.Error("a list can be seen after its session")
	}
}

// TestMissingRefused gives what is no list, and without a session.
func TestMissingRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(viewerToken)
	form := "application/x-www-form-urlencoded"
	for want, list := range map[string]string{
		"The list is empty.":                  " \n",
		"The list has more than 50000 lines":  strings.Repeat("a\n", people.MaxListRows+1),
		"The list is larger than 10 MB":       strings.Repeat("aaaaaaaaaaaaaaa\n", 700_000),
		"This is no list: it holds NUL bytes": "PK\x00\x00\x01\x02\x00",
	} {
		status, _, text := v.send(http.MethodPost, console.Path+"/missing", form, url.Values{"list": {list}}.Encode())
		if status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("want %q: %d", want, status)
		}
	}
	if status, _, text := v.send(http.MethodPost, console.Path+"/missing", "multipart/form-data", "x"); status != http.StatusBadRequest || !strings.Contains(text, "can&#39;t be read") {
		t.Errorf("a form without parts: %d", status)
	}
	if status, _, _ := s.page(http.MethodPost, console.Path+"/missing", "", "list=a"); status != http.StatusUnauthorized {
		t.Errorf("without a session: %d", status)
	}
	if status, _, _ := s.page(http.MethodPost, console.Path+"/missing", adminToken, "list=a", "Origin: https://evil.example"); status != http.StatusForbidden {
		t.Errorf("of another origin: %d", status)
	}
}

// TestMissingPages goes through a long list, page by page.
func TestMissingPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(viewerToken)
	var list strings.Builder
	for i := range 250 {
		fmt.Fprintf(&list, "nobody%d\n", i)
	}
	where, text := v.upload("x", list.String())
	seen := strings.Count(text, `<td class="who">`)
	next := regexp.MustCompile(`href="([^"]*)">Next<`)
	for range 5 {
		m := next.FindStringSubmatch(text)
		if m == nil {
			break
		}
		_, _, text = v.send(http.MethodGet, strings.ReplaceAll(m[1], "&amp;", "&"), "", "")
		seen += strings.Count(text, `<td class="who">`)
	}
	if seen != 250 {
		t.Errorf("the pages have %d rows", seen)
	}
	if _, _, text = v.send(http.MethodGet, where+"?from=9999&cause=never", "", ""); !strings.Contains(text, "nobody249") {
		t.Error("past the end is not the end")
	}
}

// TestMissingLooks looks at the pages of a list in each size, as a person does.
func TestMissingLooks(t *testing.T) {
	s := newSite(t)
	population(s)
	b := s.open(console.Path+"/missing", viewerToken)
	b.inspect("missing-form")
	b.do(chromedp.SetValue("#list", "Line,User Name,Department\n1,"+strings.ReplaceAll(strings.TrimSpace(everybody), "\n", ",Crew\n2,")+",Crew"))
	b.do(chromedp.Click("main form button.primary"))
	b.until("the columns", "document.querySelector('input[name=column]')")
	b.inspect("missing-column")
	b.do(chromedp.Click("main form.card button.primary"))
	b.until("the result", "document.querySelectorAll('td.who').length === 7 && !document.querySelector('progress')")
	b.inspect("missing")
	b.do(chromedp.Click("details summary"))
	b.do(chromedp.Click(".causes a:last-child"))
	b.until("the near matches", "document.querySelectorAll('td.who').length === 1")
	b.clean()
}
