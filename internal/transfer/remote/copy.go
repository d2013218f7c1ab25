package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-scim/rollcall/internal/transfer"
	"github.com/rollcall-scim/rollcall/scim"
)

// Job is a copy from a SCIM server, or a comparison with one.
type Job struct {
	Client   *Client
	Types    []*scim.ResourceType // ours
	Store    transfer.Store       // where to
	Progress transfer.Progress
}

// Report says what a Job did, and what it could not.
type Report struct {
	Counts      map[string]int // by type: there now, by this or an earlier run
	Memberships int
	Dangling    int            // memberships of who does not exist, left out
	Unknown     map[string]int // "User nickname2": in how many resources; left out
	Missing     map[string]int // "meta.created": in how many resources; made up
	Others      []string       // types of the server that are not known here
	Faults      []string       // resources that could not be had, or that differ; the first of them
	Faulty      int            // how many there are
}

// mostFaults is how many faults a Report lists.
const mostFaults = 50

func (r *Report) fault(format string, args ...any) {
	if r.Faulty++; len(r.Faults) < mostFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// run is a Job under way.
type run struct {
	Job
	*Report
	*walker
	reader reader
	known  map[[16]byte]bool // hashes of ids that are there
	whole  bool              // groups come with all their members, those that close circles too
	dated  bool              // the server gave meta.created of the resource at hand
	done   int64
	total  int64

	take    func(context.Context, kind, *scim.Resource) error // a resource with its members
	waiting []*scim.Resource                                  // to be imported
	members int                                               // of theirs
}

// Copy reads all resources of the types that are both the server's and ours, and
// imports them. What an earlier call has imported stays as it is.
func Copy(ctx context.Context, j Job) (*Report, error) {
	r := newRun(j)
	r.take = r.imported
	return r.Report, r.all(scim.WithOrigin(ctx, scim.Origin{Actor: "rollcall copy"}))
}

func newRun(j Job) *run {
	r := &run{Job: j, Report: &Report{Counts: map[string]int{}, Unknown: map[string]int{}, Missing: map[string]int{}},
		walker: &walker{Client: j.Client}, known: map[[16]byte]bool{}}
	r.reader = reader{now: time.Now().UTC().Truncate(time.Millisecond), unknown: r.Unknown, missing: r.Missing}
	return r
}

// all goes through the server's resources.
func (r *run) all(ctx context.Context) error {
	var err error
	if r.cursors, err = r.hasCursors(ctx); err != nil {
		return err
	}
	kinds, others, err := r.kinds(ctx, r.Types)
	if err != nil {
		return err
	}
	r.Others = others
	for _, k := range kinds {
		if k.Membership() == nil {
			err = r.plain(ctx, k)
		} else {
			err = r.withMembers(ctx, k)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// short notes a list of which the server gave less than it spoke of.
func (r *run) short(k kind, saw *sight) {
	if saw.short() {
		r.fault("%s: the server says that there are %d, and gives %d", k.Name, saw.total, saw.count)
	}
}

func (r *run) step(n int) {
	r.done += int64(n)
	r.Progress(r.done, max(r.total, r.done))
}

// plain goes through the resources of a type without members.
func (r *run) plain(ctx context.Context, k kind) error {
	listed, saw, err := r.list(ctx, k.endpoint, "")
	if err != nil {
		return err
	}
	defer listed.close()
	r.short(k, saw)
	err = listed.each(0, func(line []byte) (bool, error) {
		doc, err := scim.ParseObject(line, 0, 0)
		if err == nil {
			err = r.one(ctx, k, doc, nil)
		}
		r.step(1)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	return r.flush(ctx)
}

// one takes one resource.
func (r *run) one(ctx context.Context, k kind, doc scim.Object, members []scim.MemberRef) error {
	undated := r.Missing["meta.created"]
	res, err := r.reader.resource(k.ResourceType, doc)
	r.dated = r.Missing["meta.created"] == undated
	if err != nil {
		r.fault("%s %s: %s", k.Name, textOf(doc, "id"), told(err))
		return nil
	}
	if len(members) > 0 {
		res.Attrs.Set(k.Membership().Name, members)
	}
	return r.take(ctx, k, res)
}

// told is what an error says of a resource.
func told(err error) string {
	var e *scim.Error
	if errors.As(err, &e) && e.Detail != "" {
		return e.Detail
	}
	return err.Error()
}

// withMembers goes through the resources of a type with members, those that are
// members of others first.
func (r *run) withMembers(ctx context.Context, k kind) error {
	g, err := r.allGroups(ctx, k)
	if err != nil {
		return err
	}
	defer g.close()
	order, late := g.inward()
	if r.whole {
		late = nil
	}
	for _, id := range order {
		var members []scim.MemberRef
		doc, err := g.read(id, func(ids []string) {
			for _, m := range ids {
				_, group := g.at[m]
				switch {
				case late[id][m]:
				case !r.known[[16]byte(shortHash(m))] && !group:
					r.Dangling++
				default:
					members = append(members, scim.MemberRef{ID: m})
				}
			}
		})
		if err != nil {
			return err
		}
		r.Memberships += len(members)
		if err := r.one(ctx, k, doc, members); err != nil {
			return err
		}
		r.step(1)
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	for id, members := range late {
		if !r.known[[16]byte(shortHash(id))] {
			continue
		}
		list := make([]string, 0, len(members))
		for m := range members {
			list = append(list, m)
		}
		slices.Sort(list)
		r.Memberships += len(list)
		if err := r.added(ctx, k, id, list); err != nil {
			return err
		}
	}
	return nil
}

// allGroups reads groups until they stand still.
func (r *run) allGroups(ctx context.Context, k kind) (*groups, error) {
	for try := 1; ; try++ {
		listed, saw, err := r.list(ctx, k.endpoint, k.Membership().Name)
		if err != nil {
			return nil, err
		}
		g, err := r.fetch(ctx, k, listed, func(n int) { r.Progress(r.done+int64(n)/2, max(r.total, r.done+int64(n))) })
		if e := listed.close(); err == nil {
			err = e
		}
		if err == nil {
			r.short(k, saw)
		}
		if err == nil || try == 3 || !errors.Is(err, ErrMoving) {
			return g, err
		}
	}
}

// The bounds of what is imported in one transaction.
const (
	mostWaiting = 200
	mostMembers = 20_000
)

// imported brings a resource into the store, together with others.
func (r *run) imported(ctx context.Context, k kind, res *scim.Resource) error {
	r.waiting = append(r.waiting, res)
	if a := k.Membership(); a != nil {
		members, _ := res.Attrs.Get(a.Name).([]scim.MemberRef)
		r.members += len(members)
	}
	if len(r.waiting) < mostWaiting && r.members < mostMembers {
		return nil
	}
	return r.flush(ctx)
}

// flush imports what waits.
func (r *run) flush(ctx context.Context) error {
	list := r.waiting
	r.waiting, r.members = nil, 0
	if len(list) == 0 {
		return nil
	}
	refusals := make([]*scim.Error, len(list))
	err := r.Store.Batch(ctx, func(b scim.Backend) error {
		in, ok := b.(scim.Importer)
		if !ok {
			return errors.New("the database can't take resources over")
		}
		for i, res := range list {
			err := in.Import(ctx, res)
			if refusals[i] = nil; err != nil && (!errors.As(err, &refusals[i]) || refusals[i].Status >= 500) {
				return fmt.Errorf("%s: %w", res.Ref(), err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, res := range list {
		if refusals[i] != nil {
			there, err := r.Store.Get(ctx, res.Ref(), transfer.Bare(res.Type))
			if err != nil && !errors.Is(err, scim.ErrNotFound) {
				return err
			}
			if err != nil || string(there.Text) != string(res.Text) {
				r.fault("%s %s (%s): %s", res.Type.Name, res.ID, scim.DisplayName(res.Attrs), refusals[i].Detail)
				continue
			}
		}
		r.known[[16]byte(shortHash(res.ID))] = true
		r.Counts[res.Type.Name]++
	}
	return nil
}

// added makes groups members of a group, where they close a circle.
func (r *run) added(ctx context.Context, k kind, id string, members []string) error {
	a := k.Membership()
	g := &scim.Resource{Type: k.ResourceType, ID: id}
	var list []any
	for _, m := range members {
		list = append(list, scim.MemberRef{ID: m})
	}
	_, err := r.Store.UpdateMembers(ctx, scim.Change{Before: g, After: g,
		Deltas: []scim.Delta{{Path: scim.AttrPath{Name: a.Name, Attr: a}, Added: list}}})
	return err
}
