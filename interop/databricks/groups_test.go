package databricks_test

import (
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/iam"
)

func TestGroupLifeCycle(t *testing.T) {
	w, ctx := workspace(t)
	u := newUser(t, w, iam.User{UserName: "member@example.com", DisplayName: "Member"})
	made := newGroup(t, w, iam.Group{DisplayName: "Engineers", ExternalId: "e", Members: []iam.ComplexValue{{Value: u.Id}}})
	got, err := w.Groups.GetById(ctx, made.Id)
	if err != nil {
		t.Fatal(err)
	}
	if got.DisplayName != "Engineers" || values(got.Members) != "["+u.Id+"]" || got.Members[0].Display != "Member" || got.Members[0].Type != "User" {
		t.Errorf("got %+v", got)
	}
	if in, err := w.Users.GetById(ctx, u.Id); err != nil || values(in.Groups) != "["+made.Id+"]" {
		t.Errorf("groups of the member: %+v, %v", in, err)
	}

	got.DisplayName = "Builders"
	if err := w.Groups.Update(ctx, *got); err != nil {
		t.Fatal(err)
	}
	if got, err = w.Groups.GetByDisplayName(ctx, "Builders"); err != nil || got.Id != made.Id || values(got.Members) != "["+u.Id+"]" {
		t.Errorf("after the update: %+v, %v", got, err)
	}
	_, err = w.Groups.Create(ctx, iam.Group{DisplayName: "builders"})
	wantError(t, err, apierr.ErrResourceConflict, "uniqueness")

	if err := w.Groups.DeleteById(ctx, made.Id); err != nil {
		t.Fatal(err)
	}
	_, err = w.Groups.GetById(ctx, made.Id)
	wantError(t, err, apierr.ErrNotFound, "not found")
	if in, err := w.Users.GetById(ctx, u.Id); err != nil || len(in.Groups) > 0 {
		t.Errorf("groups of the member: %+v, %v", in, err)
	}
}

func TestGroupMembers(t *testing.T) {
	w, ctx := workspace(t)
	a := newUser(t, w, iam.User{UserName: "a@example.com"}).Id
	b := newUser(t, w, iam.User{UserName: "b@example.com"}).Id
	inner := newGroup(t, w, iam.Group{DisplayName: "Inner"}).Id
	g := newGroup(t, w, iam.Group{DisplayName: "Outer"}).Id
	list := func(ids ...string) []iam.ComplexValue {
		var found []iam.ComplexValue
		for _, id := range ids {
			found = append(found, iam.ComplexValue{Value: id})
		}
		return found
	}
	for _, step := range []struct {
		name string
		op   iam.Patch
		want []string
	}{
		{"added with a path", iam.Patch{Op: iam.PatchOpAdd, Path: "members", Value: list(a)}, []string{a}},
		{"added without a path", iam.Patch{Op: iam.PatchOpAdd, Value: iam.Group{Members: list(b, inner)}}, []string{a, b, inner}},
		{"added again", iam.Patch{Op: iam.PatchOpAdd, Path: "members", Value: list(a)}, []string{a, b, inner}},
		{"removed", iam.Patch{Op: iam.PatchOpRemove, Path: `members[value eq "` + a + `"]`}, []string{b, inner}},
		{"removed again", iam.Patch{Op: iam.PatchOpRemove, Path: `members[value eq "` + a + `"]`}, []string{b, inner}},
		{"replaced", iam.Patch{Op: iam.PatchOpReplace, Path: "members", Value: list(a)}, []string{a}},
	} {
		if err := w.Groups.Patch(ctx, patch(g, step.op)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got, err := w.Groups.GetById(ctx, g)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		found := map[string]bool{}
		for _, m := range got.Members {
			found[m.Value] = true
		}
		for _, id := range step.want {
			if !found[id] || len(got.Members) != len(step.want) {
				t.Errorf("%s: members %s, want %v", step.name, values(got.Members), step.want)
				break
			}
		}
	}
	err := w.Groups.Patch(ctx, patch(g, iam.Patch{Op: iam.PatchOpAdd, Path: "members", Value: list("nobody")}))
	wantError(t, err, apierr.ErrBadRequest, "nobody")
	found, err := w.Groups.ListAll(ctx, iam.ListGroupsRequest{Filter: `members eq "` + a + `"`, Attributes: "displayName"})
	if err != nil || len(found) != 1 || found[0].DisplayName != "Outer" || found[0].Members != nil {
		t.Errorf("by member: %+v, %v", found, err)
	}
}

// Rollcall knows no user behind a bearer token (RFC 7644 §3.11).
func TestMe(t *testing.T) {
	w, ctx := workspace(t)
	_, err := w.CurrentUser.Me(ctx)
	wantError(t, err, apierr.ErrNotImplemented, "")
}
