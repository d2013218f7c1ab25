package postgres

import (
	"maps"
	"slices"
)

// count notes that the transaction changes the number of resources of a type.
func (t *session) count(typ string, by int64) {
	if by == 0 {
		return
	}
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	t.counts[typ] += by
}

// queueCounts queues what the transaction has counted. It comes last, and always
// in the same order, since a counter is locked until the end.
func (t *session) queueCounts() {
	for _, typ := range slices.Sorted(maps.Keys(t.counts)) {
		if n := t.counts[typ]; n != 0 {
			t.later(`INSERT INTO counts (tenant, type, slot, n) VALUES ($1, $2, $3, $4)
				ON CONFLICT (tenant, type, slot) DO UPDATE SET n = counts.n + excluded.n`, t.tenant, typ, t.slot, n)
		}
	}
	t.counts = nil
}
