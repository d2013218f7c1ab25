package guardtest

import (
	"fmt"
	"strings"
	"testing"
)

// testTriedOut tries changes out that would be held, or warned of, or refused: the
// client learns so, and nobody else is told, since nothing was asked for.
func testTriedOut(t *testing.T, open Open) {
	for _, mode := range []string{"hold", "warn"} {
		s := hold(1)
		s.Breaker.Mode, s.Protected = mode, []string{"User:p003"}
		w := begin(t, open, "auto", s)
		ids := w.users(4)
		if a := w.deactivate(0, ids[0]); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		want := map[string]int{"hold": 429, "warn": 200}[mode]
		if a := doDry(w.engines[0], "DELETE", "/Users/"+ids[1], ""); a.Status != want {
			t.Errorf("%s, one too many: %d %v", mode, a.Status, a.Err)
		}
		deletes := fmt.Sprintf(`{"method":"DELETE","path":"/Users/%s"},{"method":"DELETE","path":"/Users/%s"}`, ids[1], ids[2])
		if a := doDry(w.engines[1], "POST", "/Bulk", bulk(deletes)); a.Status != 200 || strings.Contains(a.Body, `"status":"429"`) != (mode == "hold") {
			t.Errorf("%s, in Bulk: %d %s", mode, a.Status, a.Body)
		}
		if a := doDry(w.engines[0], "PATCH", "/Users/"+ids[3], patch(`{"op":"replace","path":"title","value":"x"}`)); a.Status != 200 || !strings.Contains(a.Body, "403") {
			t.Errorf("%s, protected: %d %s", mode, a.Status, a.Body)
		}
		if st := w.state(); st.Held.Requests != 0 || st.People != 1 || len(w.events) != 0 || w.log.Len() != 0 {
			t.Errorf("%s: %+v, %+v, %s", mode, st, w.events, w.log.String())
		}
		// What is asked for is told of.
		w.do(0, "DELETE", "/Users/"+ids[1], "")
		w.do(1, "DELETE", "/Users/"+ids[3], "")
		if len(w.events) != 2 || w.log.Len() == 0 || w.state().Held.Requests != map[string]int{"hold": 1}[mode] {
			t.Errorf("%s: %+v, %+v", mode, w.state(), w.events)
		}
	}
}
