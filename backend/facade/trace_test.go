package facade_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

func TestCallsInTrace(t *testing.T) {
	t.Parallel()
	h := newHostile(t, status(503), ok, status(409))
	u := upstream(t, h.URL, nil)
	tr := &scim.Trace{}
	ctx := scim.WithTrace(context.Background(), tr)
	list := facade.Call{Method: "GET", Path: "/admin/users", Query: url.Values{"size": {"100"}, "page": {"1"}, "q": {"alice@x.example"}}}
	if _, err := u.Do(ctx, list, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Do(ctx, facade.Call{Method: "POST", Path: "/admin/users", Body: map[string]string{"email": "alice@x.example"}}, nil); err == nil {
		t.Fatal("no error")
	}
	var got []string
	for _, s := range tr.Steps() {
		got = append(got, fmt.Sprint(s.Kind, " ", s.Text, " ", s.Rows, " ", s.Failed))
		if s.Took <= 0 {
			t.Errorf("%s took %v", s.Text, s.Took)
		}
	}
	want := []string{
		"call GET /admin/users?page=1&q=…&size=100 503 refused",
		"call GET /admin/users?page=1&q=…&size=100 200 ",
		"call POST /admin/users 409 refused",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	h := newHostile(t, status(503), ok, status(409))
	var mu sync.Mutex
	var got []string
	u := upstream(t, h.URL, func(o *facade.Options) {
		o.Watch = func(_ context.Context, c facade.Call, try int, header http.Header) func(*facade.Answer, *facade.Failure) {
			header.Set("traceparent", fmt.Sprint("try-", try))
			return func(a *facade.Answer, f *facade.Failure) {
				mu.Lock()
				defer mu.Unlock()
				if f != nil {
					got = append(got, fmt.Sprint(c, " ", try, " ", f.Status, " ", f.Reason))
				} else {
					got = append(got, fmt.Sprint(c, " ", try, " ", a.Status))
				}
			}
		}
	})
	if _, err := u.Do(t.Context(), facade.Call{Method: "GET", Path: "/admin/users"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Do(t.Context(), facade.Call{Method: "POST", Path: "/admin/users", Body: map[string]string{}}, nil); err == nil {
		t.Fatal("no error")
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{"GET /admin/users 1 503 refused", "GET /admin/users 2 200", "POST /admin/users 1 409 refused"}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
