package transfer

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
)

// Sum is how many things of one kind there are, and their digest: the sum of
// their hashes, so that it does not depend on their order.
type Sum struct {
	Tenant string `json:"tenant"`
	What   string `json:"what"` // the name of a resource type, or a Kind
	Count  int64  `json:"count"`
	Digest string `json:"digest"`
}

// digester adds records up. What edges are by ids it adds up apart: a source may
// be asked for those, or not.
type digester struct {
	sums, named map[digestKey]*digestSum
	buf         []byte
}

type digestKey struct{ tenant, what string }

type digestSum struct {
	count int64
	lanes [4]uint64
}

func newDigester() *digester {
	return &digester{sums: map[digestKey]*digestSum{}, named: map[digestKey]*digestSum{}}
}

// sum returns the sum of a key, which it makes.
func (k digestKey) sum(sums map[digestKey]*digestSum) *digestSum {
	s := sums[k]
	if s == nil {
		s = &digestSum{}
		sums[k] = s
	}
	return s
}

// add takes a record in. Edges count one by one, however they are cut.
func (d *digester) add(r Record) {
	what := string(r.Kind)
	if r.Kind == Resources {
		what = r.Resource.TypeName
	}
	key := digestKey{r.Tenant, what}
	s := key.sum(d.sums)
	if e := r.Edges; e != nil {
		d.buf = binary.BigEndian.AppendUint64(append(append(d.buf[:0], r.Kind...), 0), uint64(e.From)) //nolint:gosec // bits
		at := len(d.buf)
		for _, to := range e.To {
			s.take(binary.BigEndian.AppendUint64(d.buf[:at], uint64(to))) //nolint:gosec // bits
		}
		for i, id := range e.IDs { // with the numbers that they are to be the ids of
			d.buf = binary.BigEndian.AppendUint64(append(append(d.buf[:at], e.FromID...), 0), uint64(e.To[i])) //nolint:gosec // bits
			d.buf = append(d.buf, id...)
			key.sum(d.named).take(d.buf)
		}
		return
	}
	d.buf = appendRecord(d.buf[:0], r)
	s.take(d.buf)
}

func (s *digestSum) take(form []byte) {
	h := sha256.Sum256(form)
	s.count++
	for i := range s.lanes {
		s.lanes[i] += binary.BigEndian.Uint64(h[8*i:])
	}
}

// sumsOf returns sums by tenant and name.
func sumsOf(sums map[digestKey]*digestSum) []Sum {
	list := make([]Sum, 0, len(sums))
	for k, s := range sums {
		var b []byte
		for _, lane := range s.lanes {
			b = binary.BigEndian.AppendUint64(b, lane)
		}
		list = append(list, Sum{k.tenant, k.what, s.count, hex.EncodeToString(b)})
	}
	slices.SortFunc(list, func(a, b Sum) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.What, b.What)) })
	return list
}

// Difference is something of which two directories do not hold the same.
type Difference struct {
	Tenant, What string
	Source, Aim  Sum // the zero Sum where there is none
}

// String says it in a line.
func (d Difference) String() string {
	if d.Source.Count != d.Aim.Count {
		return fmt.Sprintf("%s, %s: %d in the source, %d in the target", d.Tenant, d.What, d.Source.Count, d.Aim.Count)
	}
	return fmt.Sprintf("%s, %s: %d in both, but not the same", d.Tenant, d.What, d.Source.Count)
}

// Compare returns where two lists of sums differ.
func Compare(source, aim []Sum) (list []Difference) {
	all := map[digestKey]Difference{}
	for _, s := range source {
		k := digestKey{s.Tenant, s.What}
		all[k] = Difference{Tenant: s.Tenant, What: s.What, Source: s}
	}
	for _, s := range aim {
		k := digestKey{s.Tenant, s.What}
		d := all[k]
		d.Tenant, d.What, d.Aim = s.Tenant, s.What, s
		all[k] = d
	}
	for _, d := range all {
		if d.Source != d.Aim {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b Difference) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.What, b.What)) })
	return list
}
