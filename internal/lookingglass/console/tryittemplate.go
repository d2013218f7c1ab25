package console

import (
	"net/url"
	"strings"
)

// tryTemplate is a request to begin with.
type tryTemplate struct {
	ID, Title string
	tried
	Writes bool
}

// unknownID stands for the id of a resource, which only the person knows.
const unknownID = "ID"

var tryTemplates = []tryTemplate{
	{ID: "look-up", Title: "Look somebody up", tried: tried{Method: "GET", Path: "/Users?filter=" + url.QueryEscape(`userName eq "alice@example.com"`)}},
	{ID: "list", Title: "First page of users", tried: tried{Method: "GET", Path: "/Users?count=10&cursor="}},
	{ID: "groups", Title: "Groups without members", tried: tried{Method: "GET", Path: "/Groups?excludedAttributes=members"}},
	{ID: "config", Title: "What is supported", tried: tried{Method: "GET", Path: "/ServiceProviderConfig"}},
	{ID: "create", Title: "Create a user", Writes: true, tried: tried{Method: "POST", Path: "/Users", Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "alice@example.com",
  "name": {"givenName": "Alice", "familyName": "Liddell"},
  "emails": [{"value": "alice@example.com", "type": "work", "primary": true}],
  "active": true
}`}},
	{ID: "change", Title: "Change an attribute", Writes: true, tried: tried{Method: "PATCH", Path: "/Users/" + unknownID, Body: patchOf(`{"op": "replace", "path": "title", "value": "Head of Exploration"}`)}},
	{ID: "deactivate", Title: "Deactivate", Writes: true, tried: tried{Method: "PATCH", Path: "/Users/" + unknownID, Body: patchOf(`{"op": "replace", "path": "active", "value": false}`)}},
	{ID: "join", Title: "Add a member", Writes: true, tried: tried{Method: "PATCH", Path: "/Groups/" + unknownID, Body: patchOf(`{"op": "add", "path": "members", "value": [{"value": "ID of the user"}]}`)}},
	{ID: "leave", Title: "Remove a member", Writes: true, tried: tried{Method: "PATCH", Path: "/Groups/" + unknownID, Body: patchOf(`{"op": "remove", "path": "members[value eq \"ID of the user\"]"}`)}},
	{ID: "delete", Title: "Delete a user", Writes: true, tried: tried{Method: "DELETE", Path: "/Users/" + unknownID}},
	{ID: "bulk", Title: "Several at once", Writes: true, tried: tried{Method: "POST", Path: "/Bulk", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
  "Operations": [
    {"method": "POST", "path": "/Users", "bulkId": "alice",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "alice@example.com"}},
    {"method": "POST", "path": "/Groups", "bulkId": "crew",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Crew", "members": [{"value": "bulkId:alice"}]}}
  ]
}`}},
}

func patchOf(ops string) string {
	return `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [
    ` + ops + `
  ]
}`
}

// complete says what is to be filled in.
func (c *Console) complete(page *tryPage) {
	if strings.HasSuffix(page.Path, "/"+unknownID) {
		page.Notes = append(page.Notes, "Put the id in place of ID in the path; the directory shows it.")
	}
}
