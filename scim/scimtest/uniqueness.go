package scimtest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// uniques are pairs of documents whose values do or do not count as one value.
var uniques = []struct {
	path, a, b string // documents of a Widget, or of a User where they have a userName
	taken      bool
	rule       string
}{
	{"userName", `{"userName":"bjensen"}`, `{"userName":"bjensen"}`, true, "userName is unique (RFC 7643 §4.1.1)"},
	{"userName", `{"userName":"bjensen"}`, `{"userName":"BJensen"}`, true, "userName is not caseExact (RFC 7643 §4.1.1)"},
	{"userName", `{"userName":"ÉMILE"}`, `{"userName":"émile"}`, true, "case is folded beyond ASCII (RFC 7644 §7.8)"},
	{"userName", `{"userName":"stra\u00dfe"}`, `{"userName":"STRASSE"}`, true, "case is folded in full (Fold)"},
	{"userName", `{"userName":"zo\u00eb"}`, `{"userName":"zoe\u0308"}`, true, "normalization forms are equal (RFC 8265 §3.3)"},
	{"userName", `{"userName":"\uff41\uff42"}`, `{"userName":"ab"}`, true, "full-width letters are equal to plain ones (RFC 8265 §3.3)"},
	{"userName", `{"userName":"a"}`, `{"userName":"b"}`, false, "other values are free"},
	{"userName", `{"userName":"a","externalId":"x"}`, `{"userName":"b","externalId":"x"}`, false, "externalId is not unique"},
	{"userName", `{"userName":"a","displayName":"x"}`, `{"userName":"b","displayName":"x"}`, false, "displayName of a User is not unique"},
	{"userName", `{"userName":"i"}`, `{"userName":"\u0131"}`, false, "case folding is independent of locale (Fold)"},
	{"uniq", `{"label":"a","uniq":"One"}`, `{"label":"b","uniq":"one"}`, true, "a value of uniqueness server, whatever the case"},
	{"uniqX", `{"label":"a","uniqX":"One"}`, `{"label":"b","uniqX":"One"}`, true, "a value of uniqueness global"},
	{"uniqX", `{"label":"a","uniqX":"One"}`, `{"label":"b","uniqX":"one"}`, false, "caseExact values of other case are others"},
	{"serial", `{"label":"a","serial":7}`, `{"label":"b","serial":7}`, true, "a unique integer"},
	{"serial", `{"label":"a","serial":9007199254740993}`, `{"label":"b","serial":9007199254740992}`, false, "integers are compared with 64 bits"},
	{"urn:x:scimtest:2.0:WidgetExt:code", `{"label":"a","urn:x:scimtest:2.0:WidgetExt":{"code":"x"}}`, `{"label":"b","urn:x:scimtest:2.0:WidgetExt":{"code":"X"}}`, true, "a unique value of an extension"},
	{"uniq", `{"label":"a","uniq":"x"}`, `{"label":"b","uniqX":"x"}`, false, "each attribute has its own values"},
	{"uniq", `{"label":"a"}`, `{"label":"b"}`, false, "resources without a value do not collide"},
}

func testUnique(t *testing.T, s *suite) {
	for _, u := range uniques {
		typ := s.widget
		if strings.Contains(u.a, "userName") {
			typ = s.user
		}
		if s.Lacks.stores(typ) != "" {
			continue
		}
		t.Run(u.rule, func(t *testing.T) {
			c := s.one(t)
			holder := c.create(typ, "%s", u.a)
			third := c.create(typ, "%s", map[bool]string{true: `{"userName":"third"}`, false: `{"label":"third"}`}[typ == s.user])
			check := func(err error, verb string) {
				t.Helper()
				switch {
				case !u.taken:
					c.must(err, u.rule)
				case !errors.Is(err, scim.ErrUniqueness):
					c.broken(u.rule, "%s of %s beside %s: %v, want ErrUniqueness", verb, u.b, u.a, err)
				case !strings.Contains(err.Error(), u.path):
					c.broken("ErrUniqueness names the attribute (NotUnique)", "%v", err)
				}
			}
			_, err := c.tryReplace(third, u.b)
			check(err, "Update")
			if u.taken {
				c.sameAs(c.get(third), third, "an Update that fails leaves everything as it was")
			} else {
				c.must(c.b.Delete(c.Context(), third.Ref(), ""), "delete")
			}
			total := c.total(typ)
			_, err = c.tryCreate(typ, u.b)
			check(err, "Create")
			if !u.taken {
				return
			}
			if n := c.total(typ); n != total {
				c.broken("a Create that fails leaves everything as it was", "%d resources, want %d", n, total)
			}
			// The holder may respell its own value; once it is gone the value is free.
			respelt := c.decode(typ, strings.Replace(u.b, `"label":"b"`, `"label":"a"`, 1))
			holder, err = c.update(holder, func(r *scim.Resource) { r.Attrs, r.ExternalID = respelt.Attrs, "respelt" })
			c.must(err, "a resource may respell its own unique value")
			c.must(c.b.Delete(c.Context(), holder.Ref(), ""), "delete")
			fresh := c.create(typ, "%s", u.a)
			c.replace(fresh, "%s", map[bool]string{true: `{"userName":"fourth"}`, false: `{"label":"fourth"}`}[typ == s.user])
			c.create(typ, "%s", u.b)
		})
	}
}

// testDoubles is about an attribute that becomes unique while two resources
// have the same value, as displayName of Group does when a profile asks for it.
func testDoubles(t *testing.T, s *suite) {
	if s.group.Schema.Attribute("displayName").Uniqueness != scim.UniquenessNone {
		t.Skip("names of groups are unique in the backend")
	}
	c := s.one(t)
	first := c.groupOf("Twins")
	c.groupOf("twins")
	name := *c.group.Schema.Attribute("displayName")
	name.Uniqueness = scim.UniquenessServer
	core := *c.group.Schema
	core.Attributes = append([]*scim.Attribute(nil), core.Attributes...)
	for i, a := range core.Attributes {
		if a.Name == name.Name {
			core.Attributes[i] = &name
		}
	}
	strict := *c.group
	strict.Schema = &core

	const rule = "a unique value that the resource held before is no reason to fail"
	before := c.get(first)
	before.Type = &strict
	after := copyOf(before)
	after.ExternalID = "x"
	_, err := c.b.Update(c.Context(), c.change(before, after))
	c.must(err, rule)
	_, err = c.tryCreate(&strict, `{"displayName":"TWINS"}`)
	c.fails(err, scim.ErrUniqueness, "an attribute is unique when the type of the call says so")
	third := c.create(&strict, `{"displayName":"third"}`)
	before = copyOf(third)
	before.Type = &strict
	after = copyOf(before)
	after.Attrs.Set("displayName", "twinS")
	_, err = c.b.Update(c.Context(), c.change(before, after))
	c.fails(err, scim.ErrUniqueness, "an attribute is unique when the type of the call says so")
}

func testUniqueRace(t *testing.T, s *suite) {
	c := s.one(t)
	errs := race(50, func(i int) error {
		_, err := c.b.Create(c.Context(), c.decode(c.user, fmt.Sprintf(`{"userName":%q,"title":"t%d"}`, []string{"race", "RACE", "Race"}[i%3], i)))
		return err
	})
	const rule = "of many writers of one unique value exactly one wins"
	c.oneWins(errs, scim.ErrUniqueness, rule)
	if n := c.total(c.user); n != 1 {
		c.broken(rule, "%d users", n)
	}
	users := c.people(50)
	errs = race(len(users), func(i int) error {
		after := copyOf(users[i])
		after.Attrs.Set("userName", "prize")
		_, err := c.b.Update(c.Context(), c.change(users[i], after))
		return err
	})
	c.oneWins(errs, scim.ErrUniqueness, rule)
	c.finds(1, c.user, rule, `userName eq "prize"`)
}

// race calls f n times at once and returns the errors.
func race(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// oneWins checks that one error is nil and the others are want.
func (c *tenant) oneWins(errs []error, want error, rule string) {
	c.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, want) {
			c.broken(rule, "a loser gets %v, want %v", err, want)
		}
	}
	if won != 1 {
		c.broken(rule, "%d of %d won", won, len(errs))
	}
}
