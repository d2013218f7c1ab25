package console_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass/console"
)

// TestDirectoryLooks: the directory, a user and a group in each size and scheme.
func TestDirectoryLooks(t *testing.T) {
	s := newSite(t)
	alice, bob, group := s.story()
	b := s.open(console.Path+"/directory", viewerToken)
	b.inspect("directory")
	b.visit(console.Path + "/directory?type=User&filter=userName%20sw%20%22a%22%20and%20(active%20eq%20false%20or%20emails[type%20eq%20%22work%22])&sort=userName")
	b.inspect("directory-filter")
	b.visit(console.Path + "/directory?type=User&filter=userNmae%20eq%20%22a%22")
	b.inspect("directory-fault")
	b.visit(console.Path + "/directory/User/" + alice)
	b.inspect("resource-user")
	b.visit(console.Path + "/directory/Group/" + group)
	b.inspect("resource-group")
	s.scim("DELETE", "/Users/"+bob, "")
	b.visit(console.Path + "/directory/User/" + bob)
	b.inspect("resource-deleted")
	b.visit(console.Path + "/directory?type=User&deleted=true")
	b.inspect("directory-deleted")
}
