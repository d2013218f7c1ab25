package flows

var lifeCycle = &Flow{
	ID:    "life-cycle",
	Title: "The life of a user",
	About: "From the first look-up to the last 404: how an identity provider creates a person, keeps it up to date, locks it out and removes it.",
	Steps: []Step{
		{
			Title:   "Is she there already?",
			Why:     "Before it creates anybody, an identity provider looks for the name it is about to use. A list without a match is an answer like any other, not an error.",
			Section: "RFC 7644 §3.4.2",
			Method:  "GET", Path: "/Users", Filter: `userName eq "alice@example.com"`,
			Status: 200,
			Look:   "totalResults is 0 and the status is 200. A server that says 404 here makes most clients give up.",
		},
		{
			Name:    "alice",
			Title:   "Create her",
			Why:     "The client sends what it knows. The server chooses the id, which never changes again; externalId is the client's own name for her.",
			Section: "RFC 7644 §3.3",
			Method:  "POST", Path: "/Users",
			Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "alice@example.com",
  "externalId": "hr-1001",
  "name": {"givenName": "Alice", "familyName": "Liddell"},
  "displayName": "Alice Liddell",
  "title": "Explorer",
  "emails": [{"value": "alice@example.com", "type": "work", "primary": true}],
  "active": true
}`,
			Status: 201,
			Look:   "201, a Location, and the whole resource with its id and meta. The client has to keep the id: from now on it is how it speaks of her.",
		},
		{
			Title:   "Create her again",
			Why:     "Two clients, or one that lost its notes, may try to create the same person. userName is unique, whatever the case of its letters.",
			Section: "RFC 7644 §3.3",
			Method:  "POST", Path: "/Users",
			Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "Alice@Example.com"
}`,
			Status: 409,
			Look:   "409 with scimType uniqueness. A client that knows its trade now looks her up and takes over the one that is there.",
		},
		{
			Title:   "Change one thing",
			Why:     "PATCH carries only what changes, each operation with a path. Entra ID and Okta send most of their changes this way.",
			Section: "RFC 7644 §3.5.2",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [
    {"op": "replace", "path": "title", "value": "Head of Exploration"},
    {"op": "add", "path": "phoneNumbers", "value": [{"value": "+44 20 7946 0018", "type": "mobile"}]}
  ]
}`,
			Status: 200,
			Look:   "Two attributes changed and nothing else; lastModified and the version moved on.",
		},
		{
			Title:   "The same change once more",
			Why:     "Networks fail after a server has acted, and clients try again. What is so already needs no change.",
			Section: "RFC 7644 §3.5.2",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "replace", "path": "title", "value": "Head of Exploration"}]
}`,
			Status: 200,
			Look:   "Success, yet nothing changed: version and lastModified are as they were.",
		},
		{
			Title:   "Change an old copy",
			Why:     "If-Match names the version that the client has seen. This one is from the day she was created, and she has changed since.",
			Section: "RFC 7644 §3.14",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", IfMatch: "{{alice.etag}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "replace", "path": "title", "value": "Overwritten"}]
}`,
			Status: 412,
			Look:   "412: nothing was overwritten. Few identity providers use this, but tools that write side by side should.",
		},
		{
			Title:   "Replace her",
			Why:     "PUT sends the whole resource; what it leaves out goes. Okta does so for profile updates unless told to use PATCH.",
			Section: "RFC 7644 §3.5.1",
			Method:  "PUT", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "alice@example.com",
  "externalId": "hr-1001",
  "name": {"givenName": "Alice", "familyName": "Hargreaves"},
  "displayName": "Alice Hargreaves",
  "emails": [{"value": "alice@example.com", "type": "work", "primary": true}]
}`,
			Status: 200,
			Look:   "Title and telephone are gone, for the body did not have them. active stayed as it was: a client that leaves it out does not mean to let a locked-out person back in.",
		},
		{
			Title:   "Lock her out",
			Why:     "Leavers are deactivated first, not deleted. Profile and groups stay, so that nothing is lost if it was a mistake.",
			Section: "RFC 7643 §4.1.1",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "replace", "path": "active", "value": false}]
}`,
			Status: 200,
			Look:   "Only active changed. What it means is up to the application: it must end sessions and refuse her login.",
		},
		{
			Title:   "Is she still found?",
			Why:     "A person who is inactive is a resource like any other. A server that hides her makes the client create a second one when she comes back.",
			Section: "RFC 7644 §3.4.2.2",
			Method:  "GET", Path: "/Users", Filter: `userName eq "alice@example.com" and active eq false`,
			Status: 200,
			Look:   "One result. Take the second comparison away: still one.",
		},
		{
			Title:   "Remove her",
			Why:     "DELETE removes her for every client, from groups too.",
			Section: "RFC 7644 §3.6",
			Method:  "DELETE", Path: "/Users/{{alice.id}}",
			Status: 204,
			Look:   "204 and no body. Her userName is free again.",
		},
		{
			Title:   "Nobody there",
			Why:     "Afterwards each request for her is answered with 404, a second DELETE included.",
			Section: "RFC 7644 §3.6",
			Method:  "GET", Path: "/Users/{{alice.id}}",
			Status: 404,
			Look:   "The error is SCIM too: schemas, status as a text, and a detail.",
		},
	},
}
