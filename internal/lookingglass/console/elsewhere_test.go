package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// What is in the memory of one instance is named by the others, which say what
// to do, and by nobody else.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	of := func(instance string) guest {
		return newSite(t, func(o *console.Options) { o.Instance = instance }).guest(viewerToken)
	}
	one, two, alone := of("1@red"), of("2@blue"), of("")
	_, _, run := one.send(http.MethodPost, flowsPath+"/bulk", "")
	_, _, list := one.send(http.MethodPost, console.Path+"/missing", "list=ada%0Agrace")
	for _, at := range []string{run, list} {
		if status, body, _ := one.send(http.MethodGet, at, ""); status != 200 || strings.Contains(body, "another instance") {
			t.Errorf("%s where it is: %d", at, status)
		}
		status, body, _ := two.send(http.MethodGet, at, "")
		if status != 404 || !strings.Contains(body, "1@red") || !strings.Contains(body, "2@blue") || !strings.Contains(body, "sticky sessions") {
			t.Errorf("%s at the other: %d %s", at, status, body)
		}
		if _, body, _ := two.send(http.MethodGet, strings.ReplaceAll(at, "1@red", "call 555"), ""); strings.Contains(body, "555") {
			t.Errorf("an address says what it likes: %s", body)
		}
		if _, body, _ := one.send(http.MethodGet, strings.Replace(at, "~", "X~", 1), ""); strings.Contains(body, "another instance") {
			t.Errorf("one that has ended here: %s", body)
		}
	}
	if _, _, at := alone.send(http.MethodPost, flowsPath+"/bulk", ""); strings.Contains(at, "~") {
		t.Errorf("who serves alone says %s", at)
	}
}
