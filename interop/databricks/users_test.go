package databricks_test

import (
	"fmt"
	"testing"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/iam"
)

func TestUserLifeCycle(t *testing.T) {
	w, ctx := workspace(t)
	made := newUser(t, w, iam.User{
		UserName: "life@example.com", DisplayName: "Life", Name: &iam.Name{GivenName: "Li", FamilyName: "Fe"},
		Emails:       []iam.ComplexValue{{Value: "life@example.com", Type: "work", Primary: true}},
		Entitlements: []iam.ComplexValue{{Value: "workspace-access"}},
	})
	if made.Id == "" || !made.Active {
		t.Errorf("created %+v, want an id, and active", made)
	}
	got, err := w.Users.GetById(ctx, made.Id)
	if err != nil {
		t.Fatal(err)
	}
	if got.UserName != "life@example.com" || got.Name.FamilyName != "Fe" || values(got.Emails) != "[life@example.com]" ||
		!got.Emails[0].Primary || values(got.Entitlements) != "[workspace-access]" {
		t.Errorf("got %+v", got)
	}

	got.DisplayName, got.Entitlements = "Changed", nil
	if err := w.Users.Update(ctx, *got); err != nil {
		t.Fatal(err)
	}
	if got, err = w.Users.GetById(ctx, made.Id); err != nil || got.DisplayName != "Changed" || len(got.Entitlements) > 0 {
		t.Errorf("after the update: %+v, %v", got, err)
	}

	if err := w.Users.DeleteById(ctx, made.Id); err != nil {
		t.Fatal(err)
	}
	_, err = w.Users.GetById(ctx, made.Id)
	wantError(t, err, apierr.ErrNotFound, "not found")
	wantError(t, w.Users.DeleteById(ctx, made.Id), apierr.ErrNotFound, "not found")
}

func TestUserPatch(t *testing.T) {
	w, ctx := workspace(t)
	u := newUser(t, w, iam.User{UserName: "patch@example.com"})
	after := func(what string, ops ...iam.Patch) *iam.User {
		t.Helper()
		if err := w.Users.Patch(ctx, patch(u.Id, ops...)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got, err := w.Users.GetById(ctx, u.Id)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return got
	}
	if got := after("active as a string", iam.Patch{Op: iam.PatchOpReplace, Path: "active", Value: "false"}); got.Active {
		t.Error("active is still true")
	}
	if err := w.Users.Update(ctx, iam.User{Id: u.Id, UserName: "patch@example.com", DisplayName: "P"}); err != nil {
		t.Fatal(err)
	}
	if got, err := w.Users.GetById(ctx, u.Id); err != nil || got.Active {
		t.Errorf("an update that says nothing of active brought the user back: %+v, %v", got, err)
	}
	roles := iam.User{Roles: []iam.ComplexValue{{Value: "account_admin"}}}
	if got := after("a value without a path", iam.Patch{Op: iam.PatchOpAdd, Value: roles}); values(got.Roles) != "[account_admin]" || got.UserName != "patch@example.com" {
		t.Errorf("got %+v", got)
	}
	add := iam.Patch{Op: iam.PatchOpAdd, Path: "entitlements", Value: []iam.ComplexValue{{Value: "a"}, {Value: "b"}}}
	if got := after("values with a path", add); values(got.Entitlements) != "[a b]" {
		t.Errorf("entitlements %v", got.Entitlements)
	}
	if got := after("remove by filter", iam.Patch{Op: iam.PatchOpRemove, Path: `entitlements[value eq "a"]`}); values(got.Entitlements) != "[b]" {
		t.Errorf("entitlements %v", got.Entitlements)
	}
	err := w.Users.Patch(ctx, patch(u.Id, iam.Patch{Op: "rename", Path: "userName", Value: "x"}))
	wantError(t, err, apierr.ErrBadRequest, "Operations[0]")
	wantError(t, w.Users.Patch(ctx, patch("nobody", add)), apierr.ErrNotFound, "not found")
}

func TestUserErrors(t *testing.T) {
	w, ctx := workspace(t)
	newUser(t, w, iam.User{UserName: "twice@example.com"})
	_, err := w.Users.Create(ctx, iam.User{UserName: "Twice@Example.com"})
	wantError(t, err, apierr.ErrResourceConflict, "uniqueness")
	_, err = w.Users.Create(ctx, iam.User{DisplayName: "no name"})
	wantError(t, err, apierr.ErrBadRequest, "userName")
	_, err = w.Users.ListAll(ctx, iam.ListUsersRequest{Filter: "userName eq"})
	wantError(t, err, apierr.ErrBadRequest, "invalidFilter")
	_, err = connect(t, "wrong").Users.GetById(ctx, "x")
	wantError(t, err, apierr.ErrUnauthenticated, "")
}

// The SDK asks for pages until one is empty.
func TestUserPages(t *testing.T) {
	w, ctx := workspace(t)
	const people = 23
	for i := range people {
		newUser(t, w, iam.User{UserName: fmt.Sprintf("page-%02d@example.com", i), Emails: []iam.ComplexValue{{Value: "p@example.com"}}})
	}
	for _, count := range []int64{0, 1, 5, people, 1000} {
		var names []string
		pages := w.Users.List(ctx, iam.ListUsersRequest{
			Count: count, Filter: `userName sw "PAGE-"`, Attributes: "id,userName", SortBy: "userName", SortOrder: iam.ListSortOrderDescending,
		})
		for pages.HasNext(ctx) && len(names) <= people {
			u, err := pages.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if u.Id == "" || len(u.Emails) > 0 {
				t.Errorf("%+v, want what was asked for and no more", u)
			}
			names = append(names, u.UserName)
		}
		if len(names) != people || names[0] != "page-22@example.com" || names[people-1] != "page-00@example.com" {
			t.Errorf("pages of %d: %v", count, names)
		}
	}
	all, err := w.Users.ListAll(ctx, iam.ListUsersRequest{Filter: `userName eq "page-07@example.com" or userName co "-08@"`})
	if err != nil || len(all) != 2 {
		t.Errorf("filter found %v, %v", all, err)
	}
	u, err := w.Users.GetByUserName(ctx, "page-11@example.com")
	if err != nil || u.UserName != "page-11@example.com" {
		t.Errorf("by name: %+v, %v", u, err)
	}
}
