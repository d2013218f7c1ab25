package patch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
)

// group returns the members of a group resource with the given member ids.
func group(ids ...string) string {
	if len(ids) == 0 {
		return `"displayName":"g"`
	}
	return `"displayName":"g","members":[{"value":"` + strings.Join(ids, `"},{"value":"`) + `"}]`
}

func TestMembers(t *testing.T) {
	t.Parallel()
	rows := []row{
		{name: "PAT-026 add", before: group("a"), ops: `{"op":"add","path":"members","value":[{"value":"b"},{"value":"c"}]}`, strict: ok(group("a", "b", "c"))},
		{name: "PAT-026 add one", before: group("a"), ops: `{"op":"add","path":"members","value":{"value":"b"}}`, strict: ok(group("a", "b"))},
		{name: "PAT-027 add again", before: group("a"), ops: `{"op":"add","path":"members","value":[{"value":"a"}]}`, strict: ok(group("a"))},
		{name: "GRP-05 add pathless", before: group("a"), ops: `{"op":"add","value":{"members":[{"value":"b"}]}}`, strict: ok(group("a", "b"))},
		{name: "GRP-06 display and $ref", before: group(), ops: `{"op":"add","path":"members","value":[{"value":"b","display":"B","$ref":null}]}`, strict: ok(group("b"))},
		{name: "GRP-15 bare ids", before: group(), ops: `{"op":"add","path":"members","value":["a","b"]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(group("a", "b")))},
		{name: "PAT-045 replace", before: group("a", "b"), ops: `{"op":"replace","path":"members","value":[{"value":"c"},{"value":"b"}]}`, strict: ok(group("c", "b"))},
		{name: "GRP-05 replace pathless", before: group("a", "b"), ops: `{"op":"replace","value":{"members":[{"value":"c"}]}}`, strict: ok(group("c"))},
		{name: "GRP-04 replace with nothing", before: group("a", "b"), ops: `{"op":"replace","path":"members","value":[]}`, strict: ok(group())},
		{name: "PAT-052 add nothing", before: group("a"), ops: `{"op":"add","path":"members","value":[]}`, strict: ok(group("a"))},
		{name: "PAT-036 remove all", before: group("a", "b"), ops: `{"op":"remove","path":"members"}`, strict: ok(group())},
		{name: "GRP-02 remove by filter", before: group("a", "b", "c"), ops: `{"op":"remove","path":"members[value eq \"a\"]"},{"op":"remove","path":"members[value eq \"c\"]"}`, strict: ok(group("b"))},
		{name: "GRP-02 remove by filter with or", before: group("a", "b", "c"), ops: `{"op":"remove","path":"members[value eq \"a\" or value eq \"c\"]"}`, strict: ok(group("b"))},
		{name: "remove by another filter", before: group("ab", "b", "ac"), ops: `{"op":"remove","path":"members[value sw \"a\"]"}`, strict: ok(group("b"))},
		{name: "remove by a contradiction", before: group("a", "b"), ops: `{"op":"remove","path":"members[value eq \"a\" and value eq \"b\"]"}`, strict: ok(group("a", "b"))},
		{name: "PAT-039 remove absent", before: group("a"), ops: `{"op":"remove","path":"members[value eq \"z\"]"}`, strict: ok(group("a"))},
		{name: "PAT-041 remove by value", before: group("a", "b"), ops: `{"op":"Remove","path":"members","value":[{"$ref":null,"value":"a"}]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(group("b")))},
		{name: "PAT-041 remove one by value", before: group("a", "b"), ops: `{"op":"Remove","path":"members","value":{"value":"a"}}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(group("b")))},
		{name: "PAT-041 remove absent by value", before: group("a", "b"), ops: `{"op":"Remove","path":"members","value":[{"value":"z"}]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(group("a", "b")))},
		{name: "GRP-13 remove nothing by value", before: group("a", "b"), ops: `{"op":"remove","path":"members","value":[]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(group("a", "b")))},
		{name: "GRP-13 remove an empty id by value", before: group("a", "b"), ops: `{"op":"remove","path":"members","value":[{"value":""}]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(group("a", "b")))},
		{name: "replace by nothing", before: group("a"), ops: `{"op":"replace","path":"members","value":[]}`, strict: ok(group())},
		{name: "replace by an empty id", before: group("a"), ops: `{"op":"replace","path":"members","value":[{"value":""}]}`, strict: bad(scim.TypeInvalidValue)},
		{name: "replace by an empty object", before: group("a"), ops: `{"op":"replace","value":{"members":[{},null]}}`, strict: bad(scim.TypeInvalidValue)},
		{name: "add an empty id", before: group("a"), ops: `{"op":"add","path":"members","value":[{"value":""}]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(group("a")))},
		{name: "PAT-005 remove, then add", before: group("a", "b"), ops: `{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"a"}]}`, strict: ok(group("a"))},
		{name: "GRP-006 value of a member", before: group("a"), ops: `{"op":"replace","path":"members[value eq \"a\"].value","value":"b"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-059 display of a member", before: group("a"), ops: `{"op":"replace","path":"members[value eq \"a\"].display","value":"x"}`, strict: bad(scim.TypeMutability)},
		{name: "GRP-006 display of all", before: group("a"), ops: `{"op":"remove","path":"members.display"}`, strict: bad(scim.TypeMutability)},
		{name: "GRP-006 another in its place", before: group("a", "b"), ops: `{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"c"}}`, strict: ok(group("b", "c"))},
		{name: "GRP-006 edit", before: group("a", "b"), ops: `{"op":"add","path":"members[value eq \"a\"]","value":{"value":"c"}}`, strict: bad(scim.TypeMutability)},
		{name: "GRP-006 same", before: group("a", "b"), ops: `{"op":"add","path":"members[value eq \"a\"]","value":{"value":"a"}}`, strict: ok(group("a", "b"))},
		{name: "create", before: group("a"), ops: `{"op":"add","path":"members[value eq \"b\"]","value":{"value":"b"}}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(group("a", "b")))},
		{name: "create from or", before: group("a"), ops: `{"op":"add","path":"members[value eq \"b\" or value eq \"c\"]","value":{"value":"b"}}`, strict: bad(scim.TypeNoTarget)},
		{name: "GRP-10 displayName leaves members", before: group("a"), ops: `{"op":"replace","path":"displayName","value":"g"}`, strict: ok(group("a"))},
		{name: "PAT-051 replace null", before: group("a"), ops: `{"op":"replace","path":"members","value":null}`, strict: ok(group())},
		{name: "no id", before: group("a"), ops: `{"op":"add","path":"members","value":[{"display":"x"}]}`, strict: bad(scim.TypeInvalidValue)},
	}
	for i := range rows {
		rows[i].typ = "Group"
	}
	runRows(t, rows)
}

func TestSplit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, ops   string
		want        string // added, removed, reset; "none" without a Delta; "" if members must be read
		rest        int
		strictError bool
	}{
		{"nothing of members", `{"op":"replace","path":"displayName","value":"n"}`, "none", 1, false},
		{"add", `{"op":"add","path":"members","value":[{"value":"a"},{"value":"b"}]}`, "+a +b", 0, false},
		{"add pathless with a name", `{"op":"add","value":{"displayName":"n","members":[{"value":"a"}]}}`, "+a", 1, false},
		{"remove by filter", `{"op":"remove","path":"members[value eq \"a\"]"}`, "-a", 0, false},
		{"remove by or", `{"op":"remove","path":"members[value eq \"a\" or value eq \"b\"]"}`, "-a -b", 0, false},
		{"remove by contradiction", `{"op":"remove","path":"members[value eq \"a\" and value eq \"b\"]"}`, "none", 0, false},
		{"remove by value", `{"op":"remove","path":"members","value":[{"value":"a"}]}`, "-a", 0, true},
		{"remove nothing by value", `{"op":"remove","path":"members","value":[]}`, "none", 0, true},
		{"remove all", `{"op":"remove","path":"members"}`, "reset", 0, false},
		{"replace", `{"op":"replace","path":"members","value":[{"value":"a"}]}`, "reset +a", 0, false},
		{"later wins: add, remove", `{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"remove","path":"members[value eq \"a\"]"}`, "-a", 0, false},
		{"later wins: remove, add", `{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"members","value":[{"value":"a"}]}`, "+a", 0, false},
		{"later wins: add, replace, remove", `{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"replace","path":"members","value":[{"value":"b"},{"value":"c"}]},{"op":"remove","path":"members[value eq \"b\"]"}`, "reset +c", 0, false},
		{"add nothing", `{"op":"add","path":"members","value":[]}`, "none", 0, false},
		{"filter on more", `{"op":"remove","path":"members[value sw \"a\"]"}`, "", 1, false},
		{"filter on type", `{"op":"remove","path":"members[value eq \"a\" and type eq \"User\"]"}`, "", 1, false},
		{"replace by filter", `{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}`, "", 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			typ := core(t, "Group")
			_, err := patch.Decode(typ, object(t, message(tt.ops)), patch.Options{})
			if (err != nil) != tt.strictError {
				t.Errorf("strict: %v", err)
			}
			ops, err := patch.Decode(typ, object(t, message(tt.ops)), tolerant(nil))
			if err != nil {
				t.Fatal(err)
			}
			rest, d, ok := patch.Split(typ, ops, tolerant(nil))
			if got := describe(d, ok); got != tt.want || len(rest) != tt.rest {
				t.Errorf("got %q and %d operations left, want %q and %d", got, len(rest), tt.want, tt.rest)
			}
		})
	}
}

func describe(d *scim.Delta, ok bool) string {
	var parts []string
	switch {
	case !ok:
		return ""
	case d == nil:
		return "none"
	case d.Reset:
		parts = append(parts, "reset")
	}
	for _, v := range d.Added {
		parts = append(parts, "+"+v.(scim.MemberRef).ID)
	}
	for _, v := range d.Removed {
		parts = append(parts, "-"+v.(scim.MemberRef).ID)
	}
	return strings.Join(parts, " ")
}

// TestSplitEqualsApply draws sequences of operations and carries them out both
// ways: on the whole resource, and through Split on a set.
func TestSplitEqualsApply(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	typ := core(t, "Group")
	o := tolerant(nil)
	ids := func() string {
		var list []string
		for range rnd.IntN(4) {
			list = append(list, fmt.Sprintf(`{"value":"m%d"}`, rnd.IntN(6)))
		}
		return strings.Join(list, ",")
	}
	draws := []func() string{
		func() string { return `{"op":"add","path":"members","value":[` + ids() + `]}` },
		func() string { return `{"op":"add","value":{"members":[` + ids() + `]}}` },
		func() string { return `{"op":"remove","path":"members","value":[` + ids() + `]}` },
		func() string { return fmt.Sprintf(`{"op":"remove","path":"members[value eq \"m%d\"]"}`, rnd.IntN(6)) },
		func() string {
			return fmt.Sprintf(`{"op":"remove","path":"members[value eq \"m%d\" or value eq \"m%d\"]"}`, rnd.IntN(6), rnd.IntN(6))
		},
		func() string {
			return fmt.Sprintf(`{"op":"remove","path":"members[value eq \"m%d\" and value eq \"m%d\"]"}`, rnd.IntN(3), rnd.IntN(3))
		},
		func() string { return `{"op":"replace","path":"members","value":[` + ids() + `]}` },
		func() string { return `{"op":"remove","path":"members"}` },
		func() string { return `{"op":"replace","path":"displayName","value":"n"}` },
	}
	for range 2000 {
		var list []string
		for range 1 + rnd.IntN(6) {
			list = append(list, draws[rnd.IntN(len(draws))]())
		}
		before := resource(t, typ, `"displayName":"g","members":[`+ids()+`]`)
		text := strings.Join(list, ",")
		ops, err := patch.Decode(typ, object(t, message(text)), o)
		if err != nil {
			t.Fatal(err)
		}
		after, err := patch.Apply(before, ops, o)
		if err != nil {
			t.Fatal(err)
		}
		rest, d, ok := patch.Split(typ, ops, o)
		if !ok {
			t.Fatalf("Split refuses %s", text)
		}
		members := set(before)
		if d != nil {
			if d.Reset {
				members = map[string]bool{}
			}
			for _, v := range d.Removed {
				delete(members, v.(scim.MemberRef).ID)
			}
			for _, v := range d.Added {
				members[v.(scim.MemberRef).ID] = true
			}
			for _, v := range d.Added {
				if slices.Contains(d.Removed, v) || d.Reset && len(d.Removed) > 0 {
					t.Fatalf("not in normal form: %s for %s", describe(d, ok), text)
				}
			}
		}
		if got := set(after); fmt.Sprint(got) != fmt.Sprint(members) {
			t.Fatalf("seed %d: %s\nof %v makes %v, through Split %v", seed, text, set(before), got, members)
		}
		if slices.ContainsFunc(rest, func(op patch.Op) bool { return op.Path.Name == "members" }) {
			t.Fatalf("seed %d: operations on members left of %s", seed, text)
		}
	}
}

func set(r *scim.Resource) map[string]bool {
	m := map[string]bool{}
	list, _ := r.Attrs.Get("members").([]scim.MemberRef)
	for _, ref := range list {
		m[ref.ID] = true
	}
	return m
}

// TestRequiredMembers shows that members a schema requires are not split off.
func TestRequiredMembers(t *testing.T) {
	t.Parallel()
	typ := core(t, "Group")
	required := *typ.Membership()
	required.Required = true
	list := slices.Clone(typ.Schema.Attributes)
	for i, a := range list {
		if a.Membership {
			list[i] = &required
		}
	}
	cloned, base := *typ, *typ.Schema
	base.Attributes, cloned.Schema = list, &base
	ops, err := patch.Decode(&cloned, object(t, message(`{"op":"remove","path":"members"}`)), patch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := patch.Split(&cloned, ops, patch.Options{}); ok {
		t.Error("Split took a required attribute apart")
	}
	_, err = patch.Apply(resource(t, &cloned, group("a")), ops, patch.Options{})
	var e *scim.Error
	if !errors.As(err, &e) || e.Type != scim.TypeMutability {
		t.Errorf("removing the last required member: %v, want mutability", err)
	}
}
