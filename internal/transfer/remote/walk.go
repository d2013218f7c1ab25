package remote

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/scim"
)

const (
	pageSize  = 100
	mostWalks = 6   // over one list, until two of them see the same
	mostIdle  = 100 // pages by cursor, one behind the other, with nobody new
)

// ErrMoving is returned for a source that changes all the time.
var ErrMoving = errors.New("the source never stood still: no two readings of a list gave the same; stop what changes it, and try again")

// walker reads the lists of a server.
type walker struct {
	*Client
	cursors bool // the server has RFC 9865
}

// sight is what one reading of a list saw.
type sight struct {
	count  int
	lanes  [4]uint64
	double bool // a resource was there twice
	stuck  bool // the server gave the same again, and has more
	total  int  // what the last page that told it said
}

// short reports whether the server spoke of more than it gave.
func (s *sight) short() bool { return s.count < s.total }

// list reads all resources at an endpoint into a spool: by cursors once, by
// index pages until two readings see the same ids and versions. Cursors that do
// not lead through the whole list are given up for index pages. What it saw may
// still be short.
func (w *walker) list(ctx context.Context, endpoint string, without string) (*spool, *sight, error) {
	var last *sight
	cursors := w.cursors
	for try := range mostWalks {
		s, err := newSpool()
		if err != nil {
			return nil, nil, err
		}
		var saw *sight
		if cursors {
			saw, err = w.byCursor(ctx, endpoint, without, s)
		} else {
			saw, err = w.byIndex(ctx, endpoint, without, s)
		}
		var f *failure
		switch {
		case cursors && errors.As(err, &f) && f.status == 400 && try < 2: // a cursor that expired, say
		case err != nil:
			return nil, nil, errors.Join(err, s.close())
		case cursors && (saw.stuck || saw.short()):
			cursors, saw = false, nil
		case cursors && !saw.double, last != nil && *last == *saw && !saw.double:
			return s, saw, nil
		}
		last = saw
		if err := s.close(); err != nil {
			return nil, nil, err
		}
	}
	if last != nil && last.stuck {
		return nil, nil, fmt.Errorf("%s: the server says that there are %d, and gives %d and then the same again: it has no pages", endpoint, last.total, last.count)
	}
	return nil, nil, fmt.Errorf("%s: %w", endpoint, ErrMoving)
}

// query is that of a list.
func query(without string) url.Values {
	q := url.Values{"count": {strconv.Itoa(pageSize)}}
	if without != "" {
		q.Set("excludedAttributes", without)
	}
	return q
}

// byCursor goes on until there is no next cursor. One that was there before may
// lead on all the same, but not if there is nobody new behind it.
func (w *walker) byCursor(ctx context.Context, endpoint, without string, s *spool) (*sight, error) {
	saw, seen := &sight{}, map[[16]byte]bool{}
	asked, idle := map[[16]byte]bool{}, 0
	for cursor := ""; ; {
		q := query(without)
		q.Set("cursor", cursor)
		p, err := w.page(ctx, endpoint, q)
		if err != nil {
			return nil, err
		}
		fresh, err := saw.add(p, seen, s)
		if err != nil {
			return nil, err
		}
		if idle++; fresh > 0 {
			idle = 0
		}
		next := [16]byte(shortHash(p.next))
		switch {
		case p.next == "", asked[next] && saw.total > 0 && !saw.short():
			return saw, nil
		case asked[next] && fresh == 0, idle == mostIdle:
			saw.stuck = saw.double || idle == mostIdle
			return saw, nil
		}
		asked[next] = true
		cursor = p.next
	}
}

// byIndex goes on until a page is empty: totals are not always right. A server
// that gives nothing new any more has no further pages.
func (w *walker) byIndex(ctx context.Context, endpoint, without string, s *spool) (*sight, error) {
	saw, seen := &sight{}, map[[16]byte]bool{}
	for start := 1; ; {
		q := query(without)
		q.Set("startIndex", strconv.Itoa(start))
		p, err := w.page(ctx, endpoint, q)
		var f *failure
		if start > 1 && start > saw.total && errors.As(err, &f) && f.status >= 400 && f.status < 500 {
			return saw, nil // a page behind the last one is an error to it
		}
		if err != nil {
			return nil, err
		}
		fresh, err := saw.add(p, seen, s)
		if err != nil || len(p.resources) == 0 {
			return saw, err
		}
		if fresh == 0 {
			saw.stuck = saw.short()
			saw.double = saw.stuck // else it ignores startIndex, and all was on the first page
			return saw, nil
		}
		start += len(p.resources)
	}
}

// add takes a page in, and returns how many resources were not seen before.
func (s *sight) add(p *page, seen map[[16]byte]bool, to *spool) (fresh int, err error) {
	s.total = cmp.Or(p.total, s.total) // behind the end some say 0
	for _, raw := range p.resources {
		doc, err := scim.ParseObject(raw, 0, 0)
		if err != nil {
			return fresh, fmt.Errorf("a resource is no JSON object: %w", err)
		}
		id := textOf(doc, "id")
		if id == "" {
			return fresh, errors.New("a resource has no id")
		}
		short := [16]byte(shortHash(id))
		if seen[short] {
			s.double = true
			continue
		}
		seen[short] = true
		mark := textOf(objectOf(doc, "meta"), "version")
		if mark == "" {
			mark = string(raw)
		}
		h := sha256.Sum256([]byte(id + "\x00" + mark))
		for i := range s.lanes {
			s.lanes[i] += binary.BigEndian.Uint64(h[8*i:])
		}
		s.count++
		fresh++
		if err := to.put(raw); err != nil {
			return fresh, err
		}
	}
	return fresh, nil
}

func shortHash(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:16]
}

func textOf(o scim.Object, name string) string {
	v, _ := o.Lookup(name)
	s, _ := v.(string)
	return s
}

func objectOf(o scim.Object, name string) scim.Object {
	v, _ := o.Lookup(name)
	inner, _ := v.(scim.Object)
	return inner
}

// page is one answer to a list request.
type page struct {
	total     int
	next      string
	resources []jsontext.Value
}

func (w *walker) page(ctx context.Context, endpoint string, q url.Values) (p *page, err error) {
	err = w.get(ctx, endpoint, q, mostPage, func(body io.Reader) error {
		p = &page{}
		return object(jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true)), func(name string, d *jsontext.Decoder) error {
			switch {
			case equal(name, "Resources"):
				return array(d, func(v jsontext.Value) error {
					v = v.Clone()
					if err := v.Compact(); err != nil {
						return err
					}
					p.resources = append(p.resources, v)
					return nil
				})
			case equal(name, "totalResults"):
				v, err := d.ReadValue()
				p.total, _ = strconv.Atoi(string(v))
				return err
			case equal(name, "nextCursor"):
				t, err := d.ReadToken()
				if err == nil && t.Kind() == '"' {
					p.next = t.String()
				}
				return err
			}
			return d.SkipValue()
		})
	})
	return p, err
}
