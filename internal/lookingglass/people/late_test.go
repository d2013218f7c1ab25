package people_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// log is exchanges that come in no order, as those of several instances do.
type log struct {
	*lookingglass.Recorder
	all     []*lookingglass.Exchange
	settled int64
	between func() // called once, when what succeeded is read, and what failed was
}

func (l *log) Settled() int64 { return l.settled }

func (l *log) Find(_ context.Context, q lookingglass.Query) (list []*lookingglass.Exchange, _ error) {
	if q.Writes && l.between != nil {
		l.between()
		l.between = nil
	}
	wanted := q.Matcher()
	for _, x := range l.all {
		if wanted(x) && x.Seq > q.After {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *lookingglass.Exchange) int { return int(a.Seq - b.Seq) })
	if !q.Oldest {
		slices.Reverse(list)
	}
	return list[:min(len(list), q.Limit)], nil
}

// Two exchanges are of two machines, of which one has a clock that runs ahead: what
// came first is not what is said to have been earlier.
func TestClocksOfExchanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.user(okta, `{"userName":"ada"}`)
	w.do(okta, "DELETE", "/Users/"+id, "", 204)
	w.do(entra, "POST", "/Users", `{"userName":"ada","active":"perhaps"}`, 400)
	w.do(entra, "GET", "/Users/"+id, "", 404)
	all, err := w.rec.Find(t.Context(), lookingglass.Query{})
	if err != nil || len(all) != 4 {
		t.Fatal(len(all), err)
	}
	for _, x := range all {
		if x.Op == "delete" {
			x.Time = x.Time.Add(time.Minute)
		}
	}
	l := &log{Recorder: w.rec, all: all, settled: math.MaxInt64}
	desk := people.NewDesk(people.Sources{Engine: func() *engine.Engine { return w.engine }, Changes: w.store, Deleted: w.store, Log: l})
	if v, err := desk.Find(t.Context(), "ada"); err != nil || v.Cause != people.Refused {
		t.Errorf("deleted and then refused: %v %+v", err, v)
	}
	told := tell(w.timeline(desk, id, people.TimelineQuery{}))
	if deleted, asked := strings.Index(told, "deleted ada"), strings.Index(told, "asked for ada"); deleted < 0 || asked < deleted {
		t.Errorf("the timeline:\n%s", told)
	}
}

// An exchange that another instance recorded may become known after one that was
// later: it counts all the same, and once.
func TestLateExchanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &log{Recorder: w.rec}
	desk := people.NewDesk(people.Sources{Engine: func() *engine.Engine { return w.engine }, Log: l})
	refused := func(seq int64, name, detail string) {
		l.all = append(l.all, &lookingglass.Exchange{Seq: seq, Time: time.Now(), Op: "create", Type: "User", Method: "POST", Name: name, Status: 400,
			Fault: &lookingglass.Fault{Detail: detail}})
	}
	for i, step := range []struct {
		seq  int64
		name string
	}{{100, "ada"}, {90, "grace"}, {95, "joan"}, {101, "mary"}} {
		l.settled = int64(80 + 5*i) // 80, 85, 90, 95
		refused(step.seq, step.name, "no "+step.name)
		for _, x := range l.all {
			v, err := desk.Find(t.Context(), x.Name)
			if err != nil || v.Cause != people.Refused || !strings.Contains(v.Words, "no "+x.Name) {
				t.Errorf("after %s, %s: %v %+v", step.name, x.Name, err, v)
			}
		}
	}
}

// What comes while the records are read is known from the next time on.
func TestExchangesMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &log{Recorder: w.rec, settled: math.MaxInt64}
	record := func(seq int64, name string, status int) {
		l.all = append(l.all, &lookingglass.Exchange{Seq: seq, Time: time.Now(), Op: "create", Type: "User", Method: "POST", Name: name, Status: status})
	}
	record(1, "first", 201)
	l.between = func() {
		record(2, "ada", 400)
		record(3, "grace", 201)
	}
	desk := people.NewDesk(people.Sources{Engine: func() *engine.Engine { return w.engine }, Log: l})
	for range 2 {
		if _, err := desk.Find(t.Context(), "nobody"); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := desk.Find(t.Context(), "ada"); err != nil || v.Cause != people.Refused {
		t.Errorf("refused while the records were read: %v %+v", err, v)
	}
}
