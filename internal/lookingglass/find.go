package lookingglass

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Query selects exchanges. The zero value selects the newest 100.
type Query struct {
	Tenant   string // "": that of the Recorder's Options; AllTenants: every one
	Before   int64  // with a smaller Seq; 0: from the newest
	After    int64  // with a greater Seq; 0: all
	Client   string // kind
	Op       string
	Writes   bool // creations, replacements, changes, deletions and Bulk messages alone
	Type     string
	Status   string   // "2xx", "4xx", "5xx", "error" (4xx and 5xx) or a number
	Text     string   // in path, query, name, target, detail or actor, without regard to case
	Touching []string // ids of resources, any of them
	Oldest   bool     // oldest first
	Limit    int      // 0: 100
}

// Find returns exchanges, the newest first.
func (r *Recorder) Find(ctx context.Context, q Query) ([]*Exchange, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Tenant = cmp.Or(q.Tenant, r.o.Tenant)
	m := newMatcher(q)
	if r.journal == nil {
		return r.ring.find(m), ctx.Err()
	}
	if r.shared != nil {
		return r.findShared(ctx, m)
	}
	if !q.Oldest {
		list := r.ring.find(m)
		if len(list) == q.Limit {
			return list, nil
		}
		m.q.Limit -= len(list)
		older, err := r.older(ctx, m)
		return append(list, older...), err
	}
	list, err := r.older(ctx, m)
	if err != nil || len(list) == q.Limit {
		return list, err
	}
	m.q.Limit -= len(list)
	if len(list) > 0 {
		m.q.After = max(m.q.After, list[len(list)-1].Seq)
	}
	return append(list, r.ring.find(m)...), nil
}

// findShared is Find where all instances share a journal. As long as that can't be
// read there is what this one remembers: better than nothing for who looks at
// what is newest.
func (r *Recorder) findShared(ctx context.Context, m *matcher) ([]*Exchange, error) {
	r.shared.own(ctx)
	list, err := r.shared.find(ctx, m.q)
	if r.failed(ctx, err) && !m.q.Oldest {
		list = r.ring.find(m)
		for _, x := range list {
			x.Instance = r.o.Instance
		}
		return list, nil
	}
	return list, err
}

// failed notes whether the shared journal could be read, and reports if not.
func (r *Recorder) failed(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	if r.alone.Swap(err != nil) != (err != nil) && err != nil {
		r.o.Logger.Warn("the Looking Glass can't read from the database, and shows what this instance remembers", "error", err)
	}
	return err != nil
}

// Settled returns the Seq up to which everything is known: exchanges of other
// instances are seen some time after they happened, by Find and Subscribe, and
// may have a smaller Seq than others that are known.
func (r *Recorder) Settled() int64 {
	if r.shared == nil {
		return math.MaxInt64
	}
	return r.shared.settled()
}

// older finds in the journal what the ring has no longer.
func (r *Recorder) older(ctx context.Context, m *matcher) ([]*Exchange, error) {
	first := r.ring.first()
	q := m.q
	if first > 0 && (q.Before == 0 || q.Before > first) {
		q.Before = first
	}
	if err := r.journal.wait(ctx, q.Before-1); err != nil {
		return nil, err
	}
	return r.journal.find(ctx, q)
}

// Get returns one exchange, or nil.
func (r *Recorder) Get(ctx context.Context, seq int64) (*Exchange, error) {
	return r.Of("").Get(ctx, seq)
}

// any returns an exchange of any tenant, or nil.
func (r *Recorder) any(ctx context.Context, seq int64) (*Exchange, error) {
	if x := r.ring.get(seq); x != nil || r.journal == nil {
		if x != nil {
			x.Instance = r.o.Instance
		}
		return x, ctx.Err()
	}
	if r.shared != nil {
		r.shared.own(ctx)
		x, err := r.shared.get(ctx, seq)
		r.failed(ctx, err)
		return x, err
	}
	if err := r.journal.wait(ctx, seq); err != nil {
		return nil, err
	}
	return r.journal.get(ctx, seq)
}

// matcher is a Query made ready.
type matcher struct {
	q        Query
	text     string
	touching map[string]bool
	low, top int // bounds of the status
}

func newMatcher(q Query) *matcher {
	m := &matcher{q: q, text: fold(q.Text)}
	m.low, m.top = statusRange(q.Status)
	if len(q.Touching) > 0 {
		m.touching = make(map[string]bool, len(q.Touching))
		for _, id := range q.Touching {
			m.touching[id] = true
		}
	}
	return m
}

// statusRange returns the lowest and the highest status that a Query means;
// what is no status means none.
func statusRange(s string) (low, top int) {
	switch {
	case s == "":
		return 0, 1 << 20
	case s == "error":
		return 400, 599
	case len(s) == 3 && strings.HasSuffix(s, "xx") && s[0] >= '1' && s[0] <= '5':
		low = int(s[0]-'0') * 100
		return low, low + 99
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1, -1
	}
	return n, n
}

func (m *matcher) matches(x *Exchange) bool {
	q := &m.q
	return (q.Before == 0 || x.Seq < q.Before) && x.Seq > q.After &&
		(q.Client == "" || x.Client.Kind == q.Client) && (q.Op == "" || x.Op == q.Op) && (!q.Writes || x.Writes()) && (q.Type == "" || x.Type == q.Type) &&
		x.Status >= m.low && x.Status <= m.top &&
		(m.touching == nil || slices.ContainsFunc(x.Touched, func(id string) bool { return m.touching[id] })) &&
		(m.text == "" || strings.Contains(haystack(x), m.text))
}

// owns reports whether an exchange, all of which is there, is of the tenant.
func (m *matcher) owns(x *Exchange) bool { return m.q.Tenant == AllTenants || x.Tenant == m.q.Tenant }

// haystack is what Query.Text is looked for in.
func haystack(x *Exchange) string {
	detail := ""
	if x.Fault != nil {
		detail = x.Fault.Detail
	}
	return fold(strings.Join([]string{x.Path, x.Query, x.Name, x.Target, x.Actor, detail}, "\n"))
}

// latest sorts lookups, the latest first.
func latest(list []Sought) []Sought {
	slices.SortStableFunc(list, func(a, b Sought) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Attribute, b.Attribute)) })
	return list
}
