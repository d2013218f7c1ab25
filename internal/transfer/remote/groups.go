package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/scim"
)

// mostTogether bounds the members in one line of a spool.
const mostTogether = 1_000

// groups are resources with members, on disk: a line with the document of each,
// and lines with ids of members behind it.
type groups struct {
	*spool
	order []string            // ids, as listed
	at    map[string]int64    // id → offset
	holds map[string][]string // id → those of its members that are groups too
}

// fetch reads each of the listed groups by itself, with its members.
func (w *walker) fetch(ctx context.Context, k kind, listed *spool, progress func(int)) (*groups, error) {
	s, err := newSpool()
	if err != nil {
		return nil, err
	}
	g := &groups{spool: s, at: map[string]int64{}, holds: map[string][]string{}}
	versions := map[string]string{}
	err = listed.each(0, func(line []byte) (bool, error) {
		doc, err := scim.ParseObject(line, 0, 0)
		if err != nil {
			return false, err
		}
		id := textOf(doc, "id")
		g.order, g.at[id] = append(g.order, id), 0
		versions[id] = textOf(objectOf(doc, "meta"), "version")
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	for n, id := range g.order {
		g.at[id] = s.size
		if err := w.group(ctx, k, g, id, versions[id]); err != nil {
			return nil, err
		}
		progress(n + 1)
	}
	return g, nil
}

// group reads one group. Its members go to disk as they come.
func (w *walker) group(ctx context.Context, k kind, g *groups, id, listed string) error {
	start, name := g.size, k.Membership().Name
	return w.get(ctx, k.endpoint+"/"+url.PathEscape(id), url.Values{}, mostResource, func(body io.Reader) error {
		if err := g.cut(start); err != nil {
			return err
		}
		var doc scim.Object
		var chunk []string
		var many *spool // of members, since the document is to be before them, whatever the server's order
		put := func(to *spool) error {
			line, err := json.Marshal(chunk)
			chunk = chunk[:0]
			if err != nil {
				return err
			}
			return to.put(line)
		}
		defer func() {
			if many != nil {
				_ = many.close()
			}
		}()
		g.holds[id] = nil
		err := object(jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true)), func(at string, d *jsontext.Decoder) error {
			if !equal(at, name) {
				v, err := d.ReadValue()
				if err != nil {
					return err
				}
				one, err := scim.ParseObject(append(append([]byte(`{"v":`), v...), '}'), 0, 0)
				if err == nil {
					doc = append(doc, scim.Member{Name: at, Value: one.Get("v")})
				}
				return err
			}
			return array(d, func(v jsontext.Value) (err error) {
				member := memberID(v)
				if member == "" {
					return nil
				}
				if _, ok := g.at[member]; ok {
					g.holds[id] = append(g.holds[id], member)
				}
				if chunk = append(chunk, member); len(chunk) < mostTogether {
					return nil
				}
				if many == nil {
					if many, err = newSpool(); err != nil {
						return err
					}
				}
				return put(many)
			})
		})
		if err != nil {
			return err
		}
		if now := textOf(objectOf(doc, "meta"), "version"); now != listed {
			return fmt.Errorf("%s %s changed while it was read: %w", k.Name, id, ErrMoving)
		}
		if textOf(doc, "id") != id {
			return fmt.Errorf("the server gives another resource for %s %s", k.Name, id)
		}
		if err := g.put(doc.AppendJSON(nil)); err != nil {
			return err
		}
		if many != nil {
			if err := many.each(0, func(line []byte) (bool, error) { return true, g.put(line) }); err != nil {
				return err
			}
		}
		if len(chunk) == 0 {
			return nil
		}
		return put(g.spool)
	})
}

// memberID returns the id that an element of members holds.
func memberID(v jsontext.Value) string {
	var member struct {
		Value string `json:"value"`
	}
	if v.Kind() == '"' {
		_ = json.Unmarshal(v, &member.Value)
	} else {
		_ = json.Unmarshal(v, &member)
	}
	return member.Value
}

// read returns a group's document, and calls f with its members' ids.
func (g *groups) read(id string, f func(ids []string)) (doc scim.Object, err error) {
	err = g.each(g.at[id], func(line []byte) (bool, error) {
		if doc == nil {
			doc, err = scim.ParseObject(line, 0, 0)
			return true, err
		}
		if line[0] == '{' {
			return false, nil // the next group
		}
		var ids []string
		err := json.Unmarshal(line, &ids)
		f(ids)
		return true, err
	})
	return doc, err
}

// inward returns the groups so that each comes behind those that are its
// members, and the memberships that can't be had so, since they close circles.
func (g *groups) inward() (order []string, late map[string]map[string]bool) {
	const (
		unseen = iota
		open   // its members are being placed: to meet it again is a circle
		placed
	)
	state, late := map[string]int{}, map[string]map[string]bool{}
	var place func(id string)
	place = func(id string) {
		state[id] = open
		for _, m := range g.holds[id] {
			if state[m] == unseen {
				place(m)
			}
			if state[m] == open {
				if late[id] == nil {
					late[id] = map[string]bool{}
				}
				late[id][m] = true
			}
		}
		state[id] = placed
		order = append(order, id)
	}
	for _, id := range g.order {
		if state[id] == unseen {
			place(id)
		}
	}
	return order, late
}
