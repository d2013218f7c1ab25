package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Verdict is what [Verify] found.
type Verdict struct {
	Tenant  string `json:"tenant"`
	Good    bool   `json:"good"`
	First   int64  `json:"first"`   // the oldest entry that is kept; 0: there is none
	Head    string `json:"head"`    // to be noted elsewhere
	Entries int64  `json:"entries"` // that were looked at
	Changes int64  `json:"changes"` // of them, rows of the change log
	Erased  int64  `json:"erased"`  // of them, whose values were erased
	Expired int64  `json:"expired"` // entries that are kept no longer
	Bad     int64  `json:"bad,omitempty"`
	Why     string `json:"why,omitempty"` // what is wrong with entry Bad, which is the first
}

// pageOf is how many entries are read at once.
const pageOf = 1_000

// Verify reads a tenant's whole chain and says whether it holds. noted is a head
// that was noted earlier, or nil. The error is of reading, not of what was read.
func Verify(ctx context.Context, tenant string, log Log, noted *Head) (Verdict, error) {
	v := verifier{Verdict: Verdict{Tenant: tenant}, log: log, noted: noted, head: Start(tenant), gone: map[string]span{}}
	if err := v.run(ctx); err != nil {
		return v.Verdict, err
	}
	v.Good = v.Bad == 0 && v.Why == ""
	v.Verdict.Head = v.head.String()
	return v.Verdict, nil
}

type verifier struct {
	Verdict
	log    Log
	noted  *Head
	head   Head
	anchor *Entry          // the note that Expired comes from, until it is met
	seen   bool            // noted was met
	gone   map[string]span // resources with values that no note accounts for yet
}

// span is the entries of a resource whose values are gone.
type span struct{ first, last int64 }

// fail notes the first fault.
func (v *verifier) fail(n int64, format string, args ...any) {
	if v.Bad == 0 || n < v.Bad {
		v.Bad, v.Why = n, fmt.Sprintf(format, args...)
	}
}

func (v *verifier) run(ctx context.Context) error {
	end, err := v.log.Head(ctx)
	if err != nil {
		return err
	}
	if err := v.startBehind(ctx, 0); err != nil {
		return err
	}
	v.meet()
	for {
		list, err := v.log.Entries(ctx, v.head.N, pageOf)
		if err != nil {
			return err
		}
		if len(list) > 0 && list[0].N != v.head.N+1 {
			// What was to come next may have expired this moment.
			if err := v.startBehind(ctx, v.head.N); err != nil {
				return err
			}
		}
		for i := range list {
			if list[i].N <= v.head.N {
				continue
			}
			if v.entry(&list[i]); v.broken() {
				return nil
			}
		}
		if len(list) == 0 {
			break
		}
	}
	v.account(end)
	if v.Bad == 0 {
		if strays, err := v.log.Strays(ctx, 1); err != nil {
			return err
		} else if len(strays) > 0 {
			v.fail(v.head.N+1, "row %d of the change log is in no entry", strays[0])
		}
	}
	return nil
}

// broken reports whether the chain can't be followed any further.
func (v *verifier) broken() bool { return v.Bad != 0 && v.Bad > v.head.N }

// startBehind begins with the entry behind what has expired, if that is later than
// after.
func (v *verifier) startBehind(ctx context.Context, after int64) error {
	e, err := v.log.Expiry(ctx)
	if err != nil || e == nil {
		return err
	}
	var note Note
	b, fault := []byte(nil), json.Unmarshal(e.Note, &note)
	if fault == nil {
		b, fault = hex.DecodeString(note.Link)
	}
	if fault != nil || len(b) != len(Hash{}) || note.Through >= e.N || note.Through < 0 {
		v.fail(e.N, "the note about entries that have expired can't be read")
		return nil
	}
	if note.Through > after {
		v.head, v.anchor, v.Expired = Head{note.Through, Hash(b)}, e, note.Through
	}
	return nil
}

// meet looks whether the chain is at the head that was noted.
func (v *verifier) meet() {
	if v.noted != nil && v.head.Link == v.noted.Link && (v.noted.N < 0 || v.noted.N == v.head.N) {
		v.seen = true
	}
}

// entry looks at the next one.
func (v *verifier) entry(e *Entry) {
	n := v.head.N + 1
	switch {
	case e.N != n:
		v.fail(n, "the entry is missing; the next one is %d", e.N)
		return
	case e.Kind == Changed && (e.Change == nil || e.Seq == 0):
		v.fail(n, "its row of the change log, %d, is missing", e.Seq)
		return
	case e.Kind == Changed && !e.Change.Time.Equal(e.Time):
		v.fail(n, "its time is not that of its row of the change log, %d", e.Seq)
		return
	case e.Kind != Changed && (e.Seq != 0 || e.Change != nil):
		v.fail(n, "a note names a row of the change log, %d", e.Seq)
		return
	case link(v.head, e) != e.Link:
		v.fail(n, "it was altered, or is not the one that stood here: its link is not that of what it says")
		return
	}
	v.values(e)
	v.head = Head{n, e.Link}
	v.Entries++
	if v.First == 0 {
		v.First = n
	}
	if v.meet(); e.Kind == Changed {
		v.Changes++
		return
	}
	var note Note
	if err := json.Unmarshal(e.Note, &note); err != nil {
		v.fail(n, "the note can't be read")
	}
	switch e.Kind {
	case Erased:
		delete(v.gone, note.ID) // all that is gone so far is accounted for
	case Expired:
		if v.anchor != nil && v.anchor.N == n && bytes.Equal(v.anchor.Note, e.Note) {
			v.anchor = nil
		}
	}
}

// values looks whether the values are those that were chained, or erased.
func (v *verifier) values(e *Entry) {
	if e.Kind != Changed {
		return
	}
	if e.Salt != nil {
		if !bytes.Equal(sum(e.Salt, e.Change.Deltas), e.Sum) {
			v.fail(e.N, "the values of its row of the change log, %d, were altered, or their salt", e.Seq)
		}
		return
	}
	v.Erased++
	if string(e.Change.Deltas) != Forgotten {
		v.fail(e.N, "its row of the change log, %d, has values without a salt: nothing proves them", e.Seq)
	}
	s, ok := v.gone[e.Change.ID]
	if !ok {
		s.first = e.N
	}
	s.last = e.N
	v.gone[e.Change.ID] = s
}

// account looks at what only the end of the chain tells.
func (v *verifier) account(end Head) {
	for _, s := range v.gone {
		v.fail(s.first, "its values are gone, and no later entry says that they were erased")
	}
	if v.anchor != nil {
		v.fail(v.anchor.N, "the note that says which entries have expired is not in the chain")
	}
	switch {
	case end.N > v.head.N:
		v.fail(v.head.N+1, "the entry is missing: the chain went on to entry %d", end.N)
	case end.N == v.head.N && end.N > 0 && end.Link != v.head.Link:
		v.fail(v.head.N, "the last link is not the one that the database notes")
	case v.head.N > 0 && end.N == 0:
		v.fail(v.head.N, "the database notes no head of the chain")
	}
	if v.noted == nil || v.seen {
		return
	}
	switch {
	case v.noted.N > v.head.N:
		v.fail(v.head.N+1, "the entry is missing: a head that was noted is of entry %d", v.noted.N)
	case v.noted.N >= 0 && v.noted.N < v.Expired:
		v.fail(v.noted.N, "the head that was noted is of entry %d, and entries up to %d have expired: it proves nothing any more", v.noted.N, v.Expired)
	case v.noted.N >= 0:
		v.fail(max(v.noted.N, 1), "the link of the entry is not the one that was noted: the chain was made anew")
	default:
		v.fail(max(v.First, 1), "the head that was noted is not in the chain: it was cut off or made anew, or the entry has expired")
	}
}
