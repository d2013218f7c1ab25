package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
)

func BenchmarkUser(b *testing.B) {
	typ := core(b, "User")
	r := resource(b, typ, `"userName":"u","name":{"givenName":"a","familyName":"b"},"emails":[{"value":"a@b","type":"work"}],"active":true`)
	raw := object(b, message(`{"op":"Replace","path":"active","value":"False"},`+
		`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"c@d"},{"op":"Add","path":"name.givenName","value":"c"}`))
	o := tolerant(nil)
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := patch.Decode(typ, raw, o); err != nil {
				b.Fatal(err)
			}
		}
	})
	ops, err := patch.Decode(typ, raw, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Apply", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := patch.Apply(r, ops, o); err != nil {
				b.Fatal(err)
			}
		}
	})
	after, err := patch.Apply(r, ops, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Diff", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if len(patch.Diff(r, after)) != 3 {
				b.Fatal("three attributes differ")
			}
		}
	})
}

// BenchmarkLargeGroup applies 1,000 operations to a group of 100,000 members,
// half adding and half removing.
func BenchmarkLargeGroup(b *testing.B) {
	typ := core(b, "Group")
	members := make([]scim.MemberRef, 100_000)
	for i := range members {
		members[i].ID = fmt.Sprintf("m%d", i)
	}
	r := &scim.Resource{Type: typ, ID: "g", Attrs: scim.Object{{Name: "displayName", Value: "g"}, {Name: "members", Value: members}}}
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf(`{"op":"add","path":"members","value":[{"value":"n%d"}]}`, i),
			fmt.Sprintf(`{"op":"remove","path":"members[value eq \"m%d\"]"}`, i*7))
	}
	ops, err := patch.Decode(typ, object(b, message(strings.Join(list, ","))), patch.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Apply", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			after, err := patch.Apply(r, ops, patch.Options{})
			if err != nil {
				b.Fatal(err)
			}
			if n := len(after.Attrs.Get("members").([]scim.MemberRef)); n != len(members) {
				b.Fatalf("%d members", n)
			}
		}
	})
	b.Run("Split", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, d, ok := patch.Split(typ, ops, patch.Options{}); !ok || len(d.Added) != 500 || len(d.Removed) != 500 {
				b.Fatal("500 come and 500 go")
			}
		}
	})
}

// BenchmarkManyValues adds 20,000 values to 20,000 others.
func BenchmarkManyValues(b *testing.B) {
	values := func(prefix string) string {
		var list []string
		for i := range 20_000 {
			list = append(list, fmt.Sprintf(`{"type":"x","value":"%s%d"}`, prefix, i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	r := resource(b, widget(), r+`"items":`+values("a"))
	ops, err := patch.Decode(widget(), object(b, message(`{"op":"add","path":"items","value":`+values("b")+`}`)), patch.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := patch.Apply(r, ops, patch.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
