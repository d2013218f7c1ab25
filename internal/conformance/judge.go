package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// judge returns where an answer departs from what its step expects, and makes
// the step's captures.
func (c *Conversation) judge(e *Expect, a *answer, own map[string]string) (faults []string) {
	if e == nil {
		if a.status < 200 || a.status > 299 {
			return []string{fmt.Sprintf("status %d, want 2xx", a.status)}
		}
		return nil
	}
	if !slices.ContainsFunc(e.Status, func(s Count) bool { return s.Status == a.status }) {
		return []string{fmt.Sprintf("status %d, want %d", a.status, e.Status[0].Status)}
	}
	for _, l := range e.Header {
		pattern, err := c.vars.expand(l.Value, own, regexp.QuoteMeta)
		if err == nil {
			var ok bool
			if ok, err = regexp.MatchString(pattern, a.header.Get(l.Name)); err == nil && !ok {
				err = fmt.Errorf("header %s is %q, want %s", l.Name, a.header.Get(l.Name), pattern)
			}
		}
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	for _, d := range e.Do {
		if err := c.directive(d, a, own); err != nil {
			faults = append(faults, err.Error())
		}
	}
	if e.HasAny {
		m := comparer{vars: c.vars, own: own, exact: e.Exact}
		m.match("$", e.Body, a.json)
		faults = append(faults, m.diffs...)
	}
	return faults
}

func (c *Conversation) directive(d Directive, a *answer, own map[string]string) error {
	if d.Verb == "matches" || d.Verb == "lacks" {
		return c.pattern(d, a, own)
	}
	args, err := c.vars.expand(d.Args, own, nil)
	if err != nil {
		return err
	}
	switch d.Verb {
	case "absent", "present":
		for path := range strings.FieldsSeq(args) {
			found, err := lookup(a.json, path)
			switch {
			case err != nil:
				return err
			case d.Verb == "absent" && len(found) > 0:
				return fmt.Errorf("%s is %s, want it absent", path, show(found[0]))
			case d.Verb == "present" && len(found) == 0:
				return fmt.Errorf("%s is absent", path)
			}
		}
	case "count":
		path, number, _ := strings.Cut(args, " ")
		found, err := lookup(a.json, path)
		if err != nil {
			return err
		}
		want, err := strconv.Atoi(number)
		got := len(found)
		if len(found) == 1 && !strings.HasSuffix(path, "[*]") {
			list, ok := found[0].([]any)
			if !ok {
				return fmt.Errorf("%s is no array: %s", path, show(found[0]))
			}
			got = len(list)
		}
		if err != nil || got != want {
			return fmt.Errorf("%s has %d elements, want %s", path, got, number)
		}
	case "values", "set":
		return c.values(d.Verb, args, a, own)
	case "capture":
		return c.capture(args, a)
	case "same", "differs", "later":
		return c.relate(d.Verb, args, a)
	case "no":
		if got := a.header.Get(args); got != "" {
			return fmt.Errorf("header %s is %q, want none", args, got)
		}
	case "empty":
		if len(a.body) > 0 {
			return fmt.Errorf("a body, want none")
		}
	case "type":
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, args) {
			return fmt.Errorf("Content-Type is %q, want %s", got, args)
		}
	}
	return nil
}

// pattern looks for a regular expression in the raw body, where alone the
// order of keys can be seen.
func (c *Conversation) pattern(d Directive, a *answer, own map[string]string) error {
	text, err := c.vars.expand(d.Args, own, regexp.QuoteMeta)
	if err != nil {
		return err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return err
	}
	if re.Match(a.body) != (d.Verb == "matches") {
		return fmt.Errorf("the body %s %s, which it should not", map[string]string{"matches": "lacks", "lacks": "matches"}[d.Verb], re)
	}
	return nil
}

// values compares all values at a path with a list, in order or not.
func (c *Conversation) values(verb, args string, a *answer, own map[string]string) error {
	path, text, _ := strings.Cut(args, " = ")
	found, err := lookup(a.json, strings.TrimSpace(path))
	if err != nil {
		return err
	}
	want, err := decode([]byte(text))
	if err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	list, ok := want.([]any)
	if !ok {
		return fmt.Errorf("%s is no array", text)
	}
	if verb == "set" {
		list = append([]any{"${unordered}"}, list...)
	}
	m := comparer{vars: c.vars, own: own, exact: true}
	m.match(path, list, append([]any{}, found...))
	if len(m.diffs) > 0 {
		return fmt.Errorf("%s", strings.Join(m.diffs, "; "))
	}
	return nil
}

func (c *Conversation) capture(args string, a *answer) error {
	name, from, _ := strings.Cut(args, " = ")
	if h, ok := strings.CutPrefix(from, "header "); ok {
		c.vars.put(name, a.header.Get(h))
		return nil
	}
	found, err := lookup(a.json, from)
	if err != nil || len(found) != 1 {
		return fmt.Errorf("capture %s: %d values there (%v)", args, len(found), err)
	}
	if s, ok := found[0].(string); ok {
		c.vars.put(name, s)
	} else {
		c.vars.put(name, show(found[0]))
	}
	return nil
}

// relate compares a part of this answer with the same part of a former one: a
// header, "body", or the value at a path.
func (c *Conversation) relate(verb, args string, a *answer) error {
	what, label, _ := strings.Cut(args, " ")
	before, err := c.vars.answer(label)
	if err != nil {
		return err
	}
	pick := func(a *answer) (any, error) {
		switch {
		case what == "body":
			return string(a.body), nil
		case what[0] != '$':
			return a.header.Get(what), nil
		}
		found, err := lookup(a.json, what)
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("%s: %d values there (%v)", what, len(found), err)
		}
		return found[0], nil
	}
	now, err := pick(a)
	if err != nil {
		return err
	}
	then, err := pick(before)
	if err != nil {
		return fmt.Errorf("step %s: %w", label, err)
	}
	switch {
	case verb == "later":
		x, errX := time.Parse(time.RFC3339Nano, fmt.Sprint(then))
		y, errY := time.Parse(time.RFC3339Nano, fmt.Sprint(now))
		if errX != nil || errY != nil || !y.After(x) {
			return fmt.Errorf("%s is %s, want it later than %s of step %s", what, show(now), show(then), label)
		}
	case equal(now, then) != (verb == "same"):
		return fmt.Errorf("%s is %s, of step %s %s: want %s", what, show(now), label, show(then), verb)
	}
	return nil
}
