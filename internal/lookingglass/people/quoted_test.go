package people_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/people"
	"github.com/rollcall-scim/rollcall/scim"
)

// TestQuoted is T17b: values that mean something in a filter are looked for as they
// are. Those who have them are found, one by one and in a list, and nobody else is.
func TestQuoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.user(okta, `{"userName":"bystander","externalId":"x"}`)
	quoted := func(s string) string { return string(scim.AppendString(nil, s)) }
	var list []string
	want := map[string]string{} // value → userName
	for i, hard := range []string{`o"brien`, `back\slash`, `back\`, `\"`, `a" or userName pr or userName eq "b`, `") or (userName pr`, `%22`, `*`, `%`, `_`,
		`emails[value eq "x"]`, `{"a":"b"}`, `\u0022`, `'; --`, `${x}`} {
		w.user(okta, `{"userName":`+quoted(hard)+`}`)
		want[hard] = hard
		list = append(list, hard)
		for _, inside := range []string{"\n", "\r\n", "\t", "\u2028"} {
			value, name := hard+inside+hard, fmt.Sprintf("%d%x", i, inside)
			w.user(okta, `{"userName":`+quoted(name)+`,"externalId":`+quoted(value)+`}`)
			want[value] = name
			list = append(list, value)
		}
	}
	for _, asked := range list {
		if v := w.find(asked); v.Cause != people.Present || v.Person.Name != want[asked] {
			t.Errorf("%q: %s %s", asked, v.Cause, v.Words)
		}
	}
	err := w.desk.Compare(t.Context(), list, func(i int, v *people.Verdict) error {
		if v.Cause != people.Present || v.Person.Name != want[list[i]] {
			t.Errorf("in a list: %q: %s %s", list[i], v.Cause, v.Words)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, absent := range []string{`nobody" or userName pr or userName eq "`, `nobody\" or userName pr or userName eq \"`, "nobody\"\nor userName pr", `nobody\`} {
		if v := w.find(absent); v.Cause != people.Never || v.Person != nil {
			t.Errorf("%q: %s %s", absent, v.Cause, v.Words)
		}
	}
	const crew = `The "A\B" crew`
	w.do(okta, "POST", "/Groups", `{"displayName":`+quoted(crew)+`}`, 201)
	if v := w.find(crew); v.Cause != people.Present || !strings.HasPrefix(v.Words, "The group “"+crew) {
		t.Errorf("a group: %s %s", v.Cause, v.Words)
	}
}
