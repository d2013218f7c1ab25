package failover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// shown is a user as an instance shows it.
type shown struct {
	ID          string `json:"id"`
	UserName    string `json:"userName"`
	ExternalID  string `json:"externalId"`
	DisplayName string `json:"displayName"`
	NickName    string `json:"nickName"`
	Title       string `json:"title"`
	Emails      []struct {
		Value string `json:"value"`
	} `json:"emails"`
	Groups []struct {
		Value string `json:"value"`
	} `json:"groups"`
}

// auditor compares an instance with a ledger.
type auditor struct {
	*Ledger
	call   *caller
	base   string
	names  map[string]shown
	ids    map[string]string          // id → name
	rolls  map[string]map[string]bool // group → ids of its members
	faults []string
}

func (a *auditor) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// Audit compares what the instance at base shows of the people whose names
// begin with prefix with the ledger, whose writers have stopped, and returns
// what does not agree: acknowledged writes that are lost, users that nobody
// made, doubles, writes carried out by halves, and counts that are wrong. The
// error is of the instance, which could not be asked.
func (l *Ledger) Audit(ctx context.Context, base, token, prefix string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &auditor{Ledger: l, base: base, call: newCaller(token, time.Minute, NewRecord()),
		names: map[string]shown{}, ids: map[string]string{}, rolls: map[string]map[string]bool{}}
	defer a.call.client.CloseIdleConnections()
	if err := a.walk(ctx, prefix); err != nil {
		return nil, err
	}
	for id := range l.groups {
		if err := a.group(ctx, id); err != nil {
			return nil, err
		}
	}
	for name, p := range l.people {
		a.person(name, p)
	}
	for name, s := range a.names {
		if err := a.lookup(ctx, name, s); err != nil {
			return nil, err
		}
	}
	for _, b := range l.batches {
		a.batch(b)
	}
	slices.Sort(a.faults)
	return a.faults, nil
}

var errAbsent = errors.New("failover: there is nothing at that path")

// get reads a path into v. It asks again while the answer is 503.
func (a *auditor) get(ctx context.Context, path string, v any) error {
	for {
		got := a.call.do(ctx, "GET", a.base, path, nil, "")
		switch {
		case got.Outcome == Applied && got.Err == nil:
			return json.Unmarshal(got.Body, v)
		case got.Status == 404:
			return errAbsent
		case got.Status != 503:
			return errors.Join(fmt.Errorf("GET %s: %d %.300s", path, got.Status, got.Body), got.Err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// walk reads all people by cursor.
func (a *auditor) walk(ctx context.Context, prefix string) error {
	path := "/Users?count=500&filter=" + url.QueryEscape(`userName sw "`+prefix+`"`) + "&cursor"
	for next := ""; ; {
		var page struct {
			TotalResults int     `json:"totalResults"`
			NextCursor   string  `json:"nextCursor"`
			Resources    []shown `json:"Resources"`
		}
		if err := a.get(ctx, path+"="+url.QueryEscape(next), &page); err != nil {
			return err
		}
		for _, s := range page.Resources {
			if _, double := a.names[s.UserName]; double {
				a.fault("%s is there twice", s.UserName)
			}
			a.names[s.UserName], a.ids[s.ID] = s, s.UserName
		}
		if next = page.NextCursor; next == "" {
			if page.TotalResults != len(a.names) {
				a.fault("totalResults is %d, and there are %d people", page.TotalResults, len(a.names))
			}
			return nil
		}
	}
}

// group reads the members of a group.
func (a *auditor) group(ctx context.Context, id string) error {
	var g struct {
		Members []struct {
			Value string `json:"value"`
		} `json:"members"`
	}
	if err := a.get(ctx, "/Groups/"+id, &g); errors.Is(err, errAbsent) {
		a.fault("group %s was acknowledged and is lost", id)
	} else if err != nil {
		return err
	}
	roll := map[string]bool{}
	for _, m := range g.Members {
		if roll[m.Value] {
			a.fault("group %s has member %s twice", id, m.Value)
		}
		roll[m.Value] = true
		if _, ok := a.ids[m.Value]; !ok {
			a.fault("group %s has member %s, who does not exist", id, m.Value)
		}
	}
	a.rolls[id] = roll
	return nil
}

// person compares what the ledger knows of one with what is shown.
func (a *auditor) person(name string, p *person) {
	s, there := a.names[name]
	switch {
	case !p.exists.can(there) && there:
		a.fault("%s is there, though deleted or never made", name)
	case !p.exists.can(there):
		a.fault("%s was acknowledged and is lost", name)
	case p.births > 1:
		a.fault("%s was created %d times", name, p.births)
	}
	if !there {
		return
	}
	if p.id != "" && p.id != s.ID && !p.exists.maybe[1] {
		a.fault("%s is %s, and was created as %s", name, s.ID, p.id)
	}
	if !p.shared && s.DisplayName != p.mark && !p.marks[s.DisplayName] {
		a.fault("%s has %q, and %q was acknowledged last", name, s.DisplayName, p.mark)
	}
	for group, f := range p.groups {
		in := a.rolls[group][s.ID]
		switch {
		case f.can(in):
		case in:
			a.fault("%s is in group %s, of which nobody made it a member or all who did took it back", name, group)
		default:
			a.fault("the membership of %s in group %s was acknowledged and is lost", name, group)
		}
	}
}

// lookup looks for contradictions in what is shown of one user.
func (a *auditor) lookup(ctx context.Context, name string, s shown) error {
	p := a.people[name]
	if p == nil {
		a.fault("%s is there, and nobody made it", name)
		return nil
	}
	if s.NickName != s.DisplayName || s.Title != s.DisplayName {
		a.fault("%s was written by halves: %q, %q, %q", name, s.DisplayName, s.NickName, s.Title)
	}
	if s.ExternalID != "x-"+name || len(s.Emails) != 1 || s.Emails[0].Value != name+"@example.com" {
		a.fault("%s lacks what it was made with: %v", name, s)
	}
	var in []string
	for _, g := range s.Groups {
		in = append(in, g.Value)
	}
	for id, roll := range a.rolls {
		if roll[s.ID] != slices.Contains(in, id) {
			a.fault("%s is in group %s by one side only", name, id)
		}
	}
	// Indexes are asked for those alone with whom something may have gone wrong.
	if !p.exists.maybe[0] && !p.exists.maybe[1] && len(p.marks) == 0 {
		return nil
	}
	for _, filter := range []string{`userName eq "` + strings.ToUpper(name) + `"`, `externalId eq "x-` + name + `"`, `emails.value eq "` + name + `@example.com"`, `displayName eq "` + s.DisplayName + `" and userName eq "` + name + `"`} {
		var list resource
		if err := a.get(ctx, "/Users?filter="+url.QueryEscape(filter), &list); err != nil {
			return err
		}
		if list.TotalResults != 1 || len(list.Resources) != 1 || list.Resources[0].ID != s.ID {
			a.fault("%s finds %d people, and not just %s", filter, list.TotalResults, s.ID)
		}
	}
	return nil
}

// batch looks whether a request was carried out for some of its people only.
func (a *auditor) batch(b batch) {
	var in, out []string
	for _, name := range b.names {
		if s, there := a.names[name]; !there {
			continue
		} else if a.rolls[b.group][s.ID] {
			in = append(in, name)
		} else {
			out = append(out, name)
		}
	}
	if in != nil && out != nil {
		a.fault("of one request that adds members to group %s, %v are in it and %v are not", b.group, in, out)
	}
}
