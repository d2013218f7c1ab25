package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// removeExtras removes what scenarios created.
func (s *side) removeExtras(ctx context.Context) error {
	err := s.remove(ctx, s.taken())
	if err != nil || !s.has.Filter {
		return err
	}
	own := s.o.Population.prefix() + "x" + s.o.run + "-"
	if err := s.sweep(ctx, "/Users", own); err != nil || !s.has.Groups {
		return err
	}
	return s.sweep(ctx, "/Groups", own)
}

// cleanUp removes everything that this run created, unless it is to be kept.
func (s *side) cleanUp(ctx context.Context) error {
	switch {
	case s.yard || !s.began && !s.existing:
		return nil
	case s.o.Keep || s.existing:
		return s.removeExtras(ctx)
	}
	return s.removeAll(ctx)
}

// removeAll removes the population: what is known of it, and then whatever else
// carries its name, since the answer to a request may have been lost.
func (s *side) removeAll(ctx context.Context) error {
	watch := s.o.watch()
	// Once the marker is gone the rest is no population that another run would use.
	paths := s.taken()
	if s.marker != "" {
		if err := s.remove(ctx, []string{"/Users/" + url.PathEscape(s.marker)}); err != nil {
			return err
		}
	}
	for _, endpoint := range []string{"/Groups", "/Users"} {
		if endpoint == "/Groups" && !s.has.Groups {
			continue
		}
		var known []string
		for _, path := range paths {
			if strings.HasPrefix(path, endpoint+"/") {
				known = append(known, path)
			}
		}
		if endpoint == "/Users" {
			for _, id := range s.ids {
				if id != "" {
					known = append(known, "/Users/"+url.PathEscape(id))
				}
			}
		}
		if err := s.remove(ctx, known); err != nil {
			return s.wrong("can't remove everything", err)
		}
		if err := s.sweep(ctx, endpoint, s.o.Population.prefix()); err != nil {
			return s.wrong("can't remove everything", err)
		}
	}
	watch.lap("%s: removed", s.url)
	return nil
}

// remove deletes resources by their paths. One that is not there is no error.
func (s *side) remove(ctx context.Context, paths []string) error {
	return s.inParts(ctx, "removed", len(paths), s.batch(100), func(ctx context.Context, from, to int) error {
		if to-from == 1 {
			return s.removeOne(ctx, paths[from])
		}
		var m bulk
		for _, path := range paths[from:to] {
			m.add(http.MethodDelete, path, nil)
		}
		var b bulkAnswer
		if _, err := s.c.call(ctx, http.MethodPost, "/Bulk", m.message(), &b); err != nil {
			return err
		}
		for i, path := range paths[from:to] {
			if i < len(b.Operations) && isSuccess(b.Operations[i].Status) {
				s.lose(path)
			} else if err := s.removeOne(ctx, path); err != nil { // it may have been busy
				return err
			}
		}
		return nil
	})
}

func isSuccess(status any) bool { return strings.HasPrefix(fmt.Sprint(status), "2") }

// removeOne deletes a resource. One that is not there is no error.
func (s *side) removeOne(ctx context.Context, path string) error {
	_, err := s.c.call(ctx, http.MethodDelete, path, nil, nil)
	if status := statusOf(err); status == http.StatusNotFound || status == http.StatusGone {
		err = nil
	}
	if err == nil {
		s.lose(path)
	}
	return err
}

// errSweep says that the server lists what it says it has deleted.
var errSweep = errors.New("what was deleted is still listed")

// sweep deletes whatever the list shows whose name begins so, until there is
// nothing.
func (s *side) sweep(ctx context.Context, endpoint, prefix string) error {
	name := map[string]string{"/Users": "userName", "/Groups": "displayName"}[endpoint]
	deleted := map[string]bool{}
	for {
		var found []string
		see := func(p page) {
			for _, r := range p.Resources {
				if strings.HasPrefix(strings.ToLower(cmp.Or(r.UserName, r.DisplayName)), prefix) {
					found = append(found, endpoint+"/"+url.PathEscape(r.ID))
				}
			}
		}
		var err error
		if s.has.Filter {
			var p page
			q := url.Values{"filter": {name + ` sw "` + prefix + `"`}, "excludedAttributes": {"members"}, "startIndex": {"1"}, "count": {fmt.Sprint(s.page)}}
			if p, err = s.list(ctx, endpoint, q); statusOf(err) == http.StatusBadRequest {
				s.has.Filter = false // no sw: the whole list is read
				continue
			}
			see(p)
		} else {
			err = s.walk(ctx, endpoint, func(_ string, p page) error {
				see(p)
				return nil
			})
		}
		if err != nil || len(found) == 0 {
			return err
		}
		for _, path := range found {
			if deleted[path] {
				return errSweep
			}
			deleted[path] = true
		}
		if err := s.remove(ctx, found); err != nil {
			return err
		}
	}
}

// watch measures how long the parts of the preparation take.
type watch struct {
	o    *Options
	last time.Time
}

func (o *Options) watch() *watch { return &watch{o, time.Now()} }

// lap prints what was done since the last one, and how long it took.
func (w *watch) lap(format string, args ...any) {
	now := time.Now()
	w.o.progress.clear()
	w.o.say("  %s: %.1f s\n", fmt.Sprintf(format, args...), now.Sub(w.last).Seconds())
	w.last = now
}
