package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/filter"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

var types = schema.Core() // User and Group

// entry is a resource as a line of the journal has it.
type entry struct {
	Seq                   int64 // the order of creation
	Type, ID, ExternalID  string
	Version               int64
	Created, LastModified time.Time
	Text, Hidden          []byte   // the document, as package schema encodes it
	Members               []string // of a group
	Gone                  bool     // it was deleted
}

// Journal is a backend that keeps everything in memory and appends to a file
// what changes: one line for each write, whole or not at all. It takes a few
// thousand people, and groups of people but not of groups.
type Journal struct {
	mu      sync.Mutex
	file    *os.File
	size    int64
	entries map[string]*entry // by id; never modified but replaced
	seq     int64
}

var _ scim.Backend = (*Journal)(nil)

// Open reads a journal, or begins one. A last line that a crash has cut short is
// dropped: nobody was told that it was written.
func Open(file string) (*Journal, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: f, entries: map[string]*entry{}}
	for in := bufio.NewReader(f); ; {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		var write []*entry
		err = errors.Join(err, json.Unmarshal(line, &write))
		for _, e := range write {
			err = errors.Join(err, check(e))
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		j.size += int64(len(line))
		j.apply(write)
	}
	return j, f.Truncate(j.size)
}

// check refuses what no journal holds.
func check(e *entry) error {
	i := slices.IndexFunc(types, func(t *scim.ResourceType) bool { return e != nil && t.Name == e.Type })
	if i < 0 {
		return errors.New("a line of the journal is of no type that is known")
	}
	return schema.Load(&scim.Resource{Type: types[i], Text: e.Text, Hidden: e.Hidden})
}

// Close closes the file. It must not be used any more.
func (j *Journal) Close() error { return j.file.Close() }

func (j *Journal) apply(write []*entry) {
	for _, e := range write {
		if j.entries[e.ID] = e; e.Gone {
			delete(j.entries, e.ID)
		}
		j.seq = max(j.seq, e.Seq)
	}
}

// commit makes a write durable, and then visible.
func (j *Journal) commit(write ...*entry) error {
	line, err := json.Marshal(write)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err = j.file.WriteAt(line, j.size); err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return scim.Unavailable(errors.Join(err, j.file.Truncate(j.size)))
	}
	j.size += int64(len(line))
	j.apply(write)
	return nil
}

// lock waits for the journal, unless the caller has gone.
func (j *Journal) lock(ctx context.Context) error {
	j.mu.Lock()
	if err := ctx.Err(); err != nil {
		j.mu.Unlock()
		return err
	}
	return nil
}

// find returns the entry of a resource, or nil.
func (j *Journal) find(t *scim.ResourceType, id string) *entry {
	if e := j.entries[id]; e != nil && e.Type == t.Name {
		return e
	}
	return nil
}

// all returns the entries of a type in order of creation.
func (j *Journal) all(typeName string) (list []*entry) {
	for _, e := range j.entries {
		if e.Type == typeName {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return int(a.Seq - b.Seq) })
	return list
}

// document returns what is stored, as the engine gave it.
func document(e *entry, t *scim.ResourceType) *scim.Resource {
	r := &scim.Resource{Type: t, ID: e.ID, ExternalID: e.ExternalID, Text: e.Text, Hidden: e.Hidden,
		Meta: scim.Meta{Created: e.Created, LastModified: e.LastModified, Version: strconv.FormatInt(e.Version, 10)}}
	if err := schema.Load(r); err != nil {
		panic(err) // it was encoded before it was written, and checked when it was read
	}
	schema.Encode(r)
	r.Text, r.Hidden = nil, nil // Attrs are the document; Text belongs to the entry
	return r
}

// view returns the resource with what is derived from others.
func (j *Journal) view(e *entry, t *scim.ResourceType) *scim.Resource {
	r := document(e, t)
	ref := func(id string) (m scim.MemberRef, ok bool) {
		if e := j.entries[id]; e != nil {
			return scim.MemberRef{ID: id, Type: e.Type, Display: scim.DisplayName(document(e, typeOf(e)).Attrs)}, true
		}
		return m, false
	}
	r.Links = slices.DeleteFunc(r.Links, func(l scim.Link) bool { _, ok := ref(l.Ref.ID); return !ok })
	for i, l := range r.Links {
		r.Links[i].Ref, _ = ref(l.Ref.ID)
	}
	var members []scim.MemberRef
	for _, id := range e.Members {
		m, _ := ref(id)
		members = append(members, m)
	}
	if members != nil {
		r.Attrs.Set("members", members)
	}
	for _, g := range j.all("Group") {
		if slices.Contains(g.Members, e.ID) && len(r.Groups) < scim.MaxGroups {
			m, _ := ref(g.ID)
			r.Groups = append(r.Groups, scim.MemberRef{ID: m.ID, Type: "direct", Display: m.Display})
		}
	}
	return r
}

func typeOf(e *entry) *scim.ResourceType {
	return types[slices.IndexFunc(types, func(t *scim.ResourceType) bool { return t.Name == e.Type })]
}

// Get implements [scim.Backend].
func (j *Journal) Get(ctx context.Context, ref scim.Ref, _ scim.Selection) (*scim.Resource, error) {
	if err := j.lock(ctx); err != nil {
		return nil, err
	}
	defer j.mu.Unlock()
	e := j.find(ref.Type, ref.ID)
	if e == nil {
		return nil, scim.ErrNotFound
	}
	return j.view(e, ref.Type), nil
}

// List implements [scim.Backend]: package filter does the work.
func (j *Journal) List(ctx context.Context, q scim.Query) (*scim.Page, error) {
	if err := j.lock(ctx); err != nil {
		return nil, err
	}
	defer j.mu.Unlock()
	if err := served(q.Type); err != nil {
		return nil, err
	}
	return filter.Page(func(yield func(int64, *scim.Resource) bool) {
		for _, e := range j.all(q.Type.Name) {
			if !yield(e.Seq, j.view(e, q.Type)) {
				return
			}
		}
	}, q), nil
}

func served(t *scim.ResourceType) error {
	if t.Name == "User" || t.Name == "Group" {
		return nil
	}
	return &scim.Error{Status: 501, Detail: "there are users and groups here, and nothing else"}
}

// Create implements [scim.Backend].
func (j *Journal) Create(ctx context.Context, r *scim.Resource) (*scim.Resource, error) {
	if err := j.lock(ctx); err != nil {
		return nil, err
	}
	defer j.mu.Unlock()
	if err := served(r.Type); err != nil {
		return nil, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	return j.put(r, &entry{Seq: j.seq + 1, Type: r.Type.Name, ID: uuid.NewString(), Created: now, LastModified: now, Version: 1}, nil)
}

// Update implements [scim.Backend].
func (j *Journal) Update(ctx context.Context, c scim.Change) (*scim.Resource, error) {
	if err := j.lock(ctx); err != nil {
		return nil, err
	}
	defer j.mu.Unlock()
	old := j.find(c.Before.Type, c.Before.ID)
	switch {
	case old == nil:
		return nil, scim.ErrNotFound
	case strconv.FormatInt(old.Version, 10) != c.Before.Meta.Version:
		return nil, scim.ErrVersionMismatch
	}
	return j.put(c.After, moved(old), old)
}

// moved returns a copy of e as the next version.
func moved(e *entry) *entry {
	next := *e
	next.Version++
	if now := time.Now().UTC().Truncate(time.Millisecond); now.After(e.LastModified) {
		next.LastModified = now
	} else {
		next.LastModified = e.LastModified.Add(time.Millisecond)
	}
	return &next
}

// put stores r as next, in the place of old if that is not nil.
func (j *Journal) put(r *scim.Resource, next, old *entry) (*scim.Resource, error) {
	next.ExternalID, next.Text, next.Hidden, next.Members = r.ExternalID, slices.Clone(r.Text), slices.Clone(r.Hidden), nil
	var unknown []string
	members, _ := r.Attrs.Get("members").([]scim.MemberRef)
	for _, m := range members {
		if j.find(types[0], m.ID) == nil {
			unknown = append(unknown, m.ID)
		}
		next.Members = append(next.Members, m.ID)
	}
	if unknown != nil {
		return nil, scim.InvalidReference("members", unknown...)
	}
	slices.Sort(next.Members)
	next.Members = slices.Compact(next.Members) // each once
	if err := j.unique(r, next, old); err != nil {
		return nil, err
	}
	if err := j.commit(next); err != nil {
		return nil, err
	}
	return j.view(next, r.Type), nil
}

// unique refuses a name that another resource of the type has, if the type says
// that names are unique. The one that old had is never refused.
func (j *Journal) unique(r *scim.Resource, next, old *entry) error {
	a := r.Type.Schema.Attribute(map[string]string{"User": "userName", "Group": "displayName"}[r.Type.Name])
	name := func(e *entry) string {
		s, _ := document(e, r.Type).Attrs.Get(a.Name).(string)
		return scim.Fold(a, s)
	}
	if a.Uniqueness == scim.UniquenessNone || old != nil && name(old) == name(next) {
		return nil
	}
	for _, e := range j.all(next.Type) {
		if name(e) == name(next) {
			return scim.NotUnique(a.Name)
		}
	}
	return nil
}

// Delete implements [scim.Backend].
func (j *Journal) Delete(ctx context.Context, ref scim.Ref, version string) error {
	if err := j.lock(ctx); err != nil {
		return err
	}
	defer j.mu.Unlock()
	e := j.find(ref.Type, ref.ID)
	switch {
	case e == nil:
		return scim.ErrNotFound
	case version != "" && version != strconv.FormatInt(e.Version, 10):
		return scim.ErrVersionMismatch
	}
	write := []*entry{{Seq: e.Seq, Type: e.Type, ID: e.ID, Gone: true}}
	for _, g := range j.all("Group") {
		if i := slices.Index(g.Members, e.ID); i >= 0 {
			next := moved(g)
			next.Members = slices.Delete(slices.Clone(g.Members), i, i+1)
			write = append(write, next)
		}
	}
	for _, u := range j.all("User") {
		r := document(u, types[0])
		x, _ := r.Attrs.Get(scim.EnterpriseUserURN).(scim.Object)
		if boss, _ := x.Get("manager").(scim.Object); u.ID == e.ID || boss.Get("value") != e.ID {
			continue
		}
		x.Set("manager", nil)
		r.Attrs.Set(scim.EnterpriseUserURN, x)
		schema.Encode(r) // an extension that is left empty is left out
		next := moved(u)
		next.Text, next.Hidden = r.Text, r.Hidden
		write = append(write, next)
	}
	return j.commit(write...)
}
