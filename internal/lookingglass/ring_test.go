package lookingglass_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// The ring has exactly the newest, in whatever order they are asked for, also
// while a piece of it is being filled.
func TestRing(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 7, 8, 9, 64, 100} {
		s := watch(t, lookingglass.Options{Ring: size, Rate: 10_000})
		for i := range 230 {
			s.do("GET", fmt.Sprintf("/Users/u%d", i+1), "")
			if i < 215 && i%29 != 0 {
				continue
			}
			n := int64(i + 1)
			first := max(n-int64(size)+1, 1)
			newest := s.find(lookingglass.Query{Limit: 1000})
			oldest := s.find(lookingglass.Query{Limit: 1000, Oldest: true})
			kept := int(n - first + 1)
			if len(newest) != kept || len(oldest) != kept || newest[0].Seq != n || oldest[0].Seq != first || newest[kept-1].Seq != first {
				t.Fatalf("size %d after %d: %d and %d", size, n, len(newest), len(oldest))
			}
			if st := s.Stats(); st.Kept != int64(kept) || !st.Oldest.Equal(oldest[0].Time) {
				t.Fatalf("size %d after %d: %+v", size, n, st)
			}
			for j, x := range oldest {
				got, err := s.Get(t.Context(), x.Seq)
				if err != nil || got == nil || got.Target != fmt.Sprintf("u%d", x.Seq) || x.Seq != first+int64(j) {
					t.Fatalf("size %d after %d: %d is %+v, %v", size, n, x.Seq, got, err)
				}
			}
			if x, _ := s.Get(t.Context(), first-1); x != nil {
				t.Fatalf("size %d after %d: %d is there", size, n, x.Seq)
			}
			if some := s.find(lookingglass.Query{Limit: 3, Before: n, After: n - 3}); len(some) != min(2, kept-1) {
				t.Fatalf("size %d after %d: %d between", size, n, len(some))
			}
		}
	}
}

// Large exchanges push the others out, by their bytes.
func TestRingBytes(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{Rate: 10_000})
	body := fmt.Sprintf(`{"schemas":[%q],"userName":"u","title":"%060000d"}`, userURN, 7)
	for range 150 {
		s.do("PUT", "/Users/x", body)
		s.flush()
	}
	if st := s.Stats(); st.Kept < 80 || st.Kept > 110 || st.Bytes > 7<<20 || st.Bytes < 5<<20 {
		t.Errorf("%+v", st)
	}
	if x := s.last(); x.Seq != 150 || len(x.Request.Body) < 60_000 {
		t.Errorf("%d", x.Seq)
	}
}
