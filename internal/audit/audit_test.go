package audit_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/audit"
)

// some is a log of six rows.
func some(t *testing.T) *memory {
	t.Helper()
	m := newMemory()
	for _, id := range []string{"a", "b", "a", "c", "b", "a"} {
		m.change(id, "update", id+"-value")
	}
	m.sealSome(10)
	return m
}

// TestFound: what is done to a log behind its back is found, and where.
func TestFound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(*memory)
		bad  int64
		why  string
	}{
		{"nothing", func(*memory) {}, 0, ""},
		{"a row is removed", func(m *memory) { m.rows = slices.Delete(m.rows, 2, 3) }, 3, "its row of the change log, 3, is missing"},
		{"an entry is removed", func(m *memory) { m.entries = slices.Delete(m.entries, 2, 3) }, 3, "the entry is missing; the next one is 4"},
		{"entry and row are removed", func(m *memory) {
			m.entries, m.rows = slices.Delete(m.entries, 0, 1), slices.Delete(m.rows, 0, 1)
		}, 1, "the entry is missing"},
		{"the end is cut off", func(m *memory) { m.entries = m.entries[:4] }, 5, "the chain went on to entry 6"},
		{"two rows change places", func(m *memory) {
			m.entries[1].Seq, m.entries[3].Seq = m.entries[3].Seq, m.entries[1].Seq
		}, 2, "its time is not that"},
		{"two entries change places", func(m *memory) {
			m.entries[1], m.entries[2] = m.entries[2], m.entries[1]
			m.entries[1].N, m.entries[2].N = 2, 3
		}, 2, "it was altered"},
		{"another salt", func(m *memory) { m.entries[4].Salt[0]++ }, 5, "values of its row of the change log, 5, were altered, or their salt"},
		{"another value", func(m *memory) { m.rows[4].Deltas = bytes.Replace(m.rows[4].Deltas, []byte("b-v"), []byte("c-v"), 1) }, 5, "were altered"},
		{"another actor", func(m *memory) { m.rows[1].Actor = "entra" }, 2, "it was altered"},
		{"values are blanked", func(m *memory) {
			m.rows[3].Deltas, m.entries[3].Salt = []byte(audit.Forgotten), nil
		}, 4, "no later entry says that they were erased"},
		{"values without a salt", func(m *memory) { m.entries[3].Salt = nil }, 4, "has values without a salt"},
		{"the head is set back", func(m *memory) { m.head = audit.Start("t") }, 6, "notes no head"},
		{"a later head", func(m *memory) { m.head.N++ }, 7, "the entry is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := some(t)
			tt.do(m)
			v := verify(t, m, nil)
			if v.Good != (tt.bad == 0) || v.Bad != tt.bad || !strings.Contains(v.Why, tt.why) {
				t.Errorf("%+v; want entry %d: %s", v, tt.bad, tt.why)
			}
		})
	}
}

// TestNotedHead compares chains with a head that was noted elsewhere.
func TestNotedHead(t *testing.T) {
	t.Parallel()
	m := some(t)
	noted := m.head
	m.change("a", "update", "later")
	m.sealSome(1)
	for _, tt := range []struct {
		head string
		good bool
	}{
		{noted.String(), true},
		{noted.Link.String(), true},
		{m.head.String(), true},
		{audit.Start("t").String(), true},
		{"5:" + noted.Link.String(), false},
		{audit.Start("u").String(), false},
		{audit.Start("u").Link.String(), false},
	} {
		h, err := audit.ParseHead(tt.head)
		if err != nil {
			t.Fatal(err)
		}
		if v := verify(t, m, &h); v.Good != tt.good {
			t.Errorf("%s: %+v, want %v", tt.head, v, tt.good)
		}
	}
	// A chain made anew, in which all is as it was but one row, holds by itself.
	forged := newMemory()
	for _, c := range m.rows {
		forged.change(c.ID, c.Op, "another")
	}
	forged.sealSome(10)
	if v := verify(t, forged, nil); !v.Good {
		t.Errorf("the forged chain: %+v", v)
	}
	if v := verify(t, forged, &noted); v.Good || v.Bad != 6 {
		t.Errorf("the forged chain with a noted head: %+v", v)
	}
	// One that was cut off cleanly, too.
	m.entries, m.head = m.entries[:4], audit.Head{N: 4, Link: m.entries[3].Link}
	m.rows = m.rows[:4]
	if v := verify(t, m, nil); !v.Good {
		t.Errorf("the chain that was cut off: %+v", v)
	}
	if v := verify(t, m, &noted); v.Good || v.Bad != 5 {
		t.Errorf("the chain that was cut off with a noted head: %+v", v)
	}
	// And a head from before what has expired proves nothing.
	m = some(t)
	early := audit.Head{N: 2, Link: m.entries[1].Link}
	m.expire(t, 4, 10)
	if v := verify(t, m, &early); v.Good || !strings.Contains(v.Why, "proves nothing any more") {
		t.Errorf("a head that has expired: %+v", v)
	}
	if v := verify(t, m, &audit.Head{N: 4, Link: m.entries[0].Link}); v.Good {
		t.Errorf("a wrong head at the anchor: %+v", v)
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", "1:", "-1:" + strings.Repeat("0", 64), "1:" + strings.Repeat("0", 63), strings.Repeat("g", 64)} {
		if h, err := audit.ParseHead(bad); err == nil {
			t.Errorf("%q is head %v", bad, h)
		}
	}
}

// TestExpired: a chain whose beginning has gone holds, and says so; one whose
// note about that is not true does not.
func TestExpired(t *testing.T) {
	t.Parallel()
	m := some(t)
	m.expire(t, 3, 10)
	if v := verify(t, m, nil); !v.Good || v.Expired != 3 || v.First != 4 {
		t.Errorf("%+v", v)
	}
	m.entries = m.entries[1:]
	if v := verify(t, m, nil); v.Good || v.Bad != 4 {
		t.Errorf("with an entry less: %+v", v)
	}
	forged := some(t)
	e := audit.Entry{N: 99, Kind: audit.Expired, Note: []byte(`{"through":4,"link":"` + forged.entries[3].Link.String() + `"}`)}
	forged.entries, forged.rows = append(slices.Clone(forged.entries[4:]), e), forged.rows[4:]
	if v := verify(t, forged, nil); v.Good {
		t.Errorf("with a note that is not chained: %+v", v)
	}
}

// TestSalts: the same values never have the same digest, so that nobody can try
// out what erased ones were.
func TestSalts(t *testing.T) {
	t.Parallel()
	rows := make([]audit.Change, 1000)
	for i := range rows {
		rows[i] = audit.Change{Seq: int64(i + 1), Time: time.UnixMilli(0), Deltas: []byte("the same")}
	}
	h := audit.Start("t")
	seen := map[string]bool{}
	for _, e := range audit.Seal(&h, rows) {
		if len(e.Salt) != audit.SaltSize || seen[string(e.Sum)] || seen[string(e.Salt)] {
			t.Fatalf("entry %d: salt %x, sum %x", e.N, e.Salt, e.Sum)
		}
		seen[string(e.Sum)], seen[string(e.Salt)] = true, true
	}
}
