package people

import (
	"context"
	"time"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// searches are all values that clients looked for in vain, for who compares many
// people: asking for each by itself would take as many queries.
type searches struct {
	by   map[string]lookingglass.Sought // the latest, by folded value
	all  bool                           // these are all
	read time.Time
}

// The bounds of what is held of searches, and for how long.
const (
	mostSearches = 50_000
	searchesTime = 10 * time.Second
)

// soughtInVain returns the latest search for a value that found nobody, or nil.
// many uses, and makes, what is known of all.
func (d *Desk) soughtInVain(ctx context.Context, value string, many bool) (*lookingglass.Sought, error) {
	if d.s.Log == nil {
		return nil, nil
	}
	if many {
		s, all, err := d.searched(ctx, value)
		if s != nil || all || err != nil {
			return s, err
		}
	}
	list, err := d.s.Log.Sought(ctx, value)
	for i := range list { // the latest first
		if list[i].Found == 0 {
			return &list[i], err
		}
	}
	return nil, err
}

func (d *Desk) searched(ctx context.Context, value string) (*lookingglass.Sought, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := &d.searches; s.by == nil || d.s.Now().Sub(s.read) > searchesTime {
		list, err := d.s.Log.AllSought(ctx, mostSearches)
		if err != nil {
			return nil, false, err
		}
		*s = searches{by: map[string]lookingglass.Sought{}, all: len(list) < mostSearches, read: d.s.Now()}
		for _, one := range list { // the latest first
			key := foldName(one.Value)
			if _, later := s.by[key]; !later && one.Found == 0 {
				s.by[key] = one
			}
		}
	}
	s, ok := d.searches.by[foldName(value)]
	if !ok {
		return nil, d.searches.all, nil
	}
	return &s, true, nil
}

// forgetSearches frees what searched holds.
func (d *Desk) forgetSearches() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.searches = searches{}
}
