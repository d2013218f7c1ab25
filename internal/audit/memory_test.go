package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/audit"
	"github.com/rollcall-scim/rollcall/internal/changelog"
	"github.com/rollcall-scim/rollcall/scim"
)

// memory is a log in memory, whose steps can end in the middle as those of a
// program that crashes.
type memory struct {
	rows    []audit.Change
	entries []audit.Entry
	head    audit.Head
	seq     int64
	now     time.Time
	present map[string]bool
}

func newMemory() *memory {
	return &memory{head: audit.Start("t"), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), present: map[string]bool{}}
}

func (m *memory) row(seq int64) *audit.Change {
	for i := range m.rows {
		if m.rows[i].Seq == seq {
			return &m.rows[i]
		}
	}
	return nil
}

func (m *memory) change(id, op, value string) {
	m.seq++
	m.now = m.now.Add(time.Second)
	m.rows = append(m.rows, audit.Change{Seq: m.seq, Time: m.now, Type: "User", ID: id, Op: op, Version: fmt.Sprint(m.seq), Actor: "okta",
		Request: "r", Address: "192.0.2.1", Deltas: changelog.Encode([]scim.RecordDelta{{Path: "userName", Added: []any{value}}})})
	m.present[id] = op != "delete"
}

// sealSome seals at most n rows.
func (m *memory) sealSome(n int) {
	var list []audit.Change
	for _, c := range m.rows {
		if !slices.ContainsFunc(m.entries, func(e audit.Entry) bool { return e.Seq == c.Seq }) && len(list) < n {
			list = append(list, c)
		}
	}
	for _, e := range audit.Seal(&m.head, list) {
		e.Change = nil
		m.entries = append(m.entries, e)
	}
}

func (m *memory) Seal(context.Context) (audit.Head, error) {
	m.sealSome(1 << 30)
	return m.head, nil
}

func (m *memory) Head(context.Context) (audit.Head, error) { return m.head, nil }

func (m *memory) Entries(_ context.Context, after int64, limit int) (list []audit.Entry, err error) {
	for _, e := range m.entries {
		if e.N <= after || len(list) == limit {
			continue
		}
		if e.Seq != 0 {
			if c := m.row(e.Seq); c != nil {
				copied := *c
				e.Change = &copied
			}
		}
		list = append(list, e)
	}
	return list, nil
}

func (m *memory) Expiry(context.Context) (*audit.Entry, error) {
	for i := len(m.entries) - 1; i >= 0; i-- {
		if m.entries[i].Kind == audit.Expired {
			e := m.entries[i]
			return &e, nil
		}
	}
	return nil, nil
}

func (m *memory) Strays(context.Context, int) ([]int64, error) { return nil, nil }

func (m *memory) Query(context.Context, audit.Query) (audit.Page, error) { return audit.Page{}, nil }

func (m *memory) Erase(_ context.Context, e audit.Erasure) (out audit.Outcome, err error) {
	m.sealSome(1 << 30)
	for i := range m.entries {
		if c := m.row(m.entries[i].Seq); c != nil && c.ID == e.ID && m.entries[i].Salt != nil {
			c.Deltas = []byte(audit.Forgotten)
			m.entries[i].Salt = nil
			out.Rows++
		}
	}
	if out.Rows > 0 {
		n, err := audit.NoteErased(&m.head, m.now, e, out.Rows)
		if err != nil {
			return out, err
		}
		m.entries = append(m.entries, n)
	}
	return out, nil
}

// expire lets entries up to n expire, but removes only some of them.
func (m *memory) expire(t *testing.T, n int64, remove int) {
	t.Helper()
	i := slices.IndexFunc(m.entries, func(e audit.Entry) bool { return e.N == n })
	if i < 0 {
		return
	}
	e, err := audit.NoteExpired(&m.head, m.now, audit.Head{N: n, Link: m.entries[i].Link})
	if err != nil {
		t.Fatal(err)
	}
	m.entries = append(m.entries, e)
	for ; remove > 0 && m.entries[0].N <= n; remove-- {
		seq := m.entries[0].Seq
		m.rows = slices.DeleteFunc(m.rows, func(c audit.Change) bool { return c.Seq == seq })
		m.entries = m.entries[1:]
	}
}

func (m *memory) clone() *memory {
	c := *m
	c.rows, c.entries = slices.Clone(m.rows), slices.Clone(m.entries)
	for i := range c.rows {
		c.rows[i].Deltas = bytes.Clone(c.rows[i].Deltas)
	}
	for i := range c.entries {
		e := &c.entries[i]
		e.Salt, e.Sum, e.Note = bytes.Clone(e.Salt), bytes.Clone(e.Sum), bytes.Clone(e.Note)
	}
	return &c
}

func verify(t *testing.T, m audit.Log, noted *audit.Head) audit.Verdict {
	t.Helper()
	v, err := audit.Verify(t.Context(), "t", m, noted)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// history makes a random history with erasures, expiries, and crashes between
// the steps of sealing and removing.
func history(t *testing.T, r *rand.Rand, steps int) *memory {
	t.Helper()
	m := newMemory()
	for range steps {
		id := fmt.Sprint("u", r.IntN(4))
		switch r.IntN(12) {
		case 0, 1:
			m.sealSome(r.IntN(3))
		case 2:
			if !m.present[id] {
				if _, err := m.Erase(t.Context(), audit.Erasure{ID: id, Actor: "a"}); err != nil {
					t.Fatal(err)
				}
			}
		case 3:
			m.expire(t, m.head.N-int64(r.IntN(5)), r.IntN(6))
		case 4, 5:
			m.change(id, "delete", id)
		default:
			m.change(id, "update", fmt.Sprint(id, r.IntN(100)))
		}
	}
	m.sealSome(1 << 30)
	return m
}

// TestHistories: whatever happens, and however far it goes, the chain holds; and
// with a single bit changed it does not.
func TestHistories(t *testing.T) {
	t.Parallel()
	flips := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := history(t, r, 10+r.IntN(40))
		good := verify(t, m, &m.head)
		if !good.Good {
			t.Fatalf("seed %d: %+v", seed, good)
		}
		through := int64(0)
		if e, _ := m.Expiry(t.Context()); e != nil {
			n, err := e.Says()
			if err != nil {
				t.Fatal(err)
			}
			through = n.Through
		}
		for range 60 {
			c := m.clone()
			e := &c.entries[r.IntN(len(c.entries))]
			if e.N <= through {
				continue
			}
			row := c.row(e.Seq)
			what := flip(r, e, row)
			if what == "" {
				continue
			}
			flips++
			v := verify(t, c, nil)
			if v.Good || v.Bad > e.N && e.Kind == audit.Changed {
				t.Fatalf("seed %d: %s of entry %d was changed by a bit: %+v", seed, what, e.N, v)
			}
		}
	}
	if flips < 5_000 {
		t.Errorf("only %d bits were changed", flips)
	}
}

// flip changes one bit of what is chained, and says of what; "" if there is none.
func flip(r *rand.Rand, e *audit.Entry, c *audit.Change) string {
	text := func(s *string) bool {
		if *s == "" {
			return false
		}
		b := []byte(*s)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		*s = string(b)
		return true
	}
	blob := func(b []byte) bool {
		if len(b) == 0 {
			return false
		}
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return true
	}
	type part struct {
		name string
		flip func() bool
	}
	parts := []part{
		{"the salt", func() bool { return blob(e.Salt) }},
		{"the sum", func() bool { return blob(e.Sum) }},
		{"the note", func() bool { return blob(e.Note) }},
		{"the link", func() bool { return blob(e.Link[:]) }},
		{"the time", func() bool { e.Time = time.UnixMilli(e.Time.UnixMilli() ^ 1<<r.IntN(40)).UTC(); return true }},
		{"the kind", func() bool { e.Kind ^= 1 << r.IntN(3); return true }},
	}
	if c != nil {
		parts = append(parts, []part{
			{"the values", func() bool { return blob(c.Deltas) }},
			{"the actor", func() bool { return text(&c.Actor) }},
			{"the id", func() bool { return text(&c.ID) }},
			{"the operation", func() bool { return text(&c.Op) }},
			{"the version", func() bool { return text(&c.Version) }},
			{"the request", func() bool { return text(&c.Request) }},
			{"the address", func() bool { return text(&c.Address) }},
			{"the type", func() bool { return text(&c.Type) }},
			{"the row's time", func() bool { c.Time = time.UnixMilli(c.Time.UnixMilli() ^ 1<<r.IntN(40)).UTC(); return true }},
			{"the number of the row", func() bool { e.Seq ^= 1 << r.IntN(10); return true }},
		}...)
	}
	p := parts[r.IntN(len(parts))]
	if !p.flip() {
		return ""
	}
	return p.name
}
