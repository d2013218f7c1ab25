package doctor

import (
	"net/http"
	"strings"

	"github.com/rollcall-scim/rollcall/backend/facade"
)

// wanted are the permissions of the SCIM role, and what needs each.
var wanted = []struct{ scope, means string }{
	{manageUsers, "users can't be changed or deactivated: 403"},
	{inviteUsers, "users can't be made: 403"},
	{manageAttributes, "users can't be given a userName or externalId, so none can be made: 403; only the predefined role SCIM has this permission"},
	{manageTeams, "teams can't be made or changed: 403"},
}

const (
	manageUsers      = "user:manage:*"
	inviteUsers      = "user:invite"
	manageAttributes = "user:manage_scim_attributes:*"
	manageTeams      = "team:manage:*"
)

// evidence is what is known of the token's permissions: those of its owner's
// roles, which the token may have or not, and what calls have shown.
type evidence struct {
	roles  []string
	likely map[string]bool
	proven map[string]bool
}

// owner notes the permissions of the roles of the token's owner.
func (x *examination) owner(me user) {
	x.token.likely = map[string]bool{}
	for _, r := range me.Embedded.Roles {
		x.token.roles = append(x.token.roles, r.Name)
		for _, p := range r.Permissions {
			x.token.likely[p.Scope], x.token.likely[p.Name] = true, true
		}
	}
}

// proof notes what a call that needs the permission has shown of it: it went
// well, or was forbidden. Any other failure shows nothing.
func (x *examination) proof(scope string, failure *facade.Failure) {
	if failure == nil || failure.Status == http.StatusForbidden {
		if x.token.proven == nil {
			x.token.proven = map[string]bool{}
		}
		x.token.proven[scope] = failure == nil
	}
}

// proofOfCreation notes what making a user, which needs two permissions, has
// shown: if it was forbidden, it is the one that the roles lack, or either.
func (x *examination) proofOfCreation(failure *facade.Failure) {
	both := x.token.likely[inviteUsers] == x.token.likely[manageAttributes]
	for _, scope := range []string{inviteUsers, manageAttributes} {
		if failure == nil || both || !x.token.likely[scope] {
			x.proof(scope, failure)
		}
	}
}

// permissions reports what is known of each. A token may have fewer permissions
// than its owner's roles, or others: only a write that needs one shows it.
func (x *examination) permissions() {
	roles := strings.Join(x.token.roles, ", ")
	for _, w := range wanted {
		f := Finding{Name: "permission", Assumption: "the token has the permission " + w.scope, Means: w.means}
		has, known := x.token.proven[w.scope]
		switch {
		case known && has:
			f.Seen = "what needs it went well"
		case known:
			f.Seen = "what needs it was forbidden"
		case len(x.token.likely) == 0:
			f.Seen = "the permissions of its owner's roles are not shown"
		case x.token.likely[w.scope]:
			f.Seen = "likely: its owner's roles have it (" + roles + ")"
		default:
			f.Seen = "not likely: its owner's roles lack it (" + roles + ")"
		}
		if known {
			x.holds(has, f)
			continue
		}
		f.Verdict, f.Means = Unknown, "a token may have other permissions than its owner; only a write shows them. If not: "+w.means
		x.found(f)
	}
}
