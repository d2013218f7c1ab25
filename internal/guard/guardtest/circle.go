package guardtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// testCircle sends people who are each other's managers, one of whom can't be
// created: the other is taken back, also when nobody may be deleted any more, and
// counts for nobody.
func testCircle(t *testing.T, open Open) {
	w := begin(t, open, "auto", hold(1))
	ids := w.users(3)
	person := func(bulkID, name, manager string) string {
		return fmt.Sprintf(`{"method":"POST","path":"/Users","bulkId":%q,"data":{"schemas":[%q,%q],"userName":%q,"active":true,%q:{"manager":{"value":"bulkId:%s"}}}}`,
			bulkID, scim.UserURN, scim.EnterpriseUserURN, name, scim.EnterpriseUserURN, manager)
	}
	for i, counted := range []int{0, 1} {
		a := w.do(i, "POST", "/Bulk", bulk(person("a", "new", "b")+","+person("b", "p000", "a")))
		if strings.Count(a.Body, `"status":"409"`) < 2 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		if all := do(w.free, "GET", "/Users", ""); !strings.Contains(all.Body, `"totalResults":3`) {
			t.Errorf("with %d counted, somebody was left: %s", counted, all.Body)
		}
		if n := w.state().People; n != counted {
			t.Errorf("%d count, not %d", n, counted)
		}
		w.deactivate(0, ids[0]) // all who may be
	}
	if a := w.deactivate(1, ids[1]); a.Status != 429 {
		t.Errorf("one too many: %d", a.Status)
	}
}
