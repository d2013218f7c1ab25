package lookingglass

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"io"
	"math"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/shared"
)

// How many blocks are read at once: at first, then, and by who looks for what is
// new.
const (
	blocksFirst = 16
	blocksThen  = 64
	blocksFresh = 64
)

// find implements journal. Blocks of several instances overlap, so what is found
// counts once no block that was not read can come before it.
func (j *sharedJournal) find(ctx context.Context, q Query) ([]*Exchange, error) {
	ctx, cancel := context.WithTimeout(ctx, sharedWait)
	defer cancel()
	j.measure(ctx, false)
	m := newMatcher(q)
	limit := q.Limit
	m.q.Limit, m.q.Oldest = -1, true // all of a block
	s := shared.Span{After: q.After, Before: cmp.Or(q.Before, math.MaxInt64), Oldest: q.Oldest, Limit: blocksFirst}
	for _, id := range q.Touching {
		s.Touching = append(s.Touching, int32(idHash(id)))
	}
	if len(q.Touching) == 0 && q.Tenant != AllTenants && q.Tenant != j.o.Tenant {
		s.Touching = []int32{int32(tenantHash(q.Tenant))}
	}
	order := 1
	if s.Beyond = math.MaxInt64; q.Before > 0 && q.Before < math.MaxInt64-spanMost {
		s.Beyond = q.Before + spanMost
	}
	if q.Oldest {
		s.Beyond = q.After - spanMost
	} else {
		order = -1
	}
	var list []*Exchange
	for {
		blocks, err := j.store.Read(ctx, s)
		if err != nil {
			return nil, err
		}
		for i := range blocks {
			if list, err = m.unpack(list, &blocks[i]); err != nil {
				return nil, err
			}
		}
		slices.SortFunc(list, func(a, b *Exchange) int { return order * cmp.Compare(a.Seq, b.Seq) })
		if len(blocks) < s.Limit {
			return list[:min(len(list), limit)], nil
		}
		last := &blocks[len(blocks)-1]
		if s.Beyond = last.Last; q.Oldest {
			s.Beyond = last.First
		}
		if limit <= len(list) && order*cmp.Compare(list[limit-1].Seq, s.Beyond) <= 0 {
			return list[:limit], nil
		}
		s.Limit = blocksThen
	}
}

// unpack adds what matches of a block to list.
func (m *matcher) unpack(list []*Exchange, b *shared.Block) ([]*Exchange, error) {
	text, err := bodyOf(b)
	if err != nil {
		return nil, err
	}
	before := len(list)
	list, err = m.pick(list, text)
	for _, x := range list[before:] {
		x.Instance = b.Instance
	}
	return list, err
}

// bodyOf returns what is in a block.
func bodyOf(b *shared.Block) (string, error) {
	if !b.Deflated {
		return string(b.Body), nil
	}
	body, err := io.ReadAll(flate.NewReader(bytes.NewReader(b.Body)))
	return string(body), err
}

// get implements journal.
func (j *sharedJournal) get(ctx context.Context, seq int64) (*Exchange, error) {
	if seq <= 0 || seq == math.MaxInt64 {
		return nil, ctx.Err()
	}
	list, err := j.find(ctx, Query{Tenant: AllTenants, After: seq - 1, Before: seq + 1, Limit: 1})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// pollEvery is how often what other instances recorded is looked for while
// somebody watches.
const pollEvery = time.Second

// poll tells subscribers of what other instances recorded, as long as there are
// any.
func (r *Recorder) poll(j *sharedJournal) {
	defer r.polls.Done()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	known := map[int64]time.Time{}
	for r.subs.wanted() {
		r.tellFresh(j, known)
		select {
		case <-tick.C:
		case <-j.life.Done():
		case <-r.closing:
		}
	}
}

// tellFresh tells subscribers of the blocks that are not known, which they are
// then.
func (r *Recorder) tellFresh(j *sharedJournal, known map[int64]time.Time) {
	ctx, cancel := context.WithTimeout(j.life, sharedWait)
	defer cancel()
	var firsts []int64
	now := time.Now()
	for first, at := range known {
		if now.Sub(at) > 2*unsettled {
			delete(known, first)
		} else {
			firsts = append(firsts, first)
		}
	}
	blocks, err := j.store.Fresh(ctx, firsts, blocksFresh)
	if err != nil {
		r.o.Logger.Debug("the Looking Glass can't see what other instances recorded", "error", err)
		return
	}
	m := newMatcher(Query{Tenant: AllTenants, Limit: -1, Oldest: true})
	var list []*Exchange
	for i := range blocks {
		known[blocks[i].First] = now
		if more, err := m.unpack(list, &blocks[i]); err == nil {
			list = more
		}
	}
	slices.SortFunc(list, func(a, b *Exchange) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, x := range list {
		r.subs.publish(x)
	}
	j.measure(ctx, false)
}
