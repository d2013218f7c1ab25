package flows

const groupMessage = `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [`

var membership = &Flow{
	ID:    "membership",
	Title: "Groups and their members",
	About: "How people come into groups and leave them, from which side membership is written, and how to ask about it without reading a million members.",
	Steps: []Step{
		{
			Name:    "hatter",
			Title:   "Somebody to be a member",
			Why:     "A member is named by its id, so it has to exist first. Clients push people before groups for that reason.",
			Section: "RFC 7644 §3.3",
			Method:  "POST", Path: "/Users",
			Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "hatter@example.com",
  "displayName": "The Hatter"
}`,
			Status: 201,
			Look:   "Its id is what the next steps use.",
		},
		{
			Name:    "hare",
			Title:   "And another one",
			Why:     "So that there is somebody to add later.",
			Section: "RFC 7644 §3.3",
			Method:  "POST", Path: "/Users",
			Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
  "userName": "hare@example.com",
  "displayName": "March Hare"
}`,
			Status: 201,
			Look:   "Two people now.",
		},
		{
			Name:    "party",
			Title:   "Create a group with a member",
			Why:     "Of a member only value, its id, is read. Its type, its address and its name are the server's to say.",
			Section: "RFC 7643 §4.2",
			Method:  "POST", Path: "/Groups",
			Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
  "displayName": "Tea Party",
  "members": [{"value": "{{hatter.id}}"}]
}`,
			Status: 201,
			Look:   "The member comes back with $ref and type, which nobody sent.",
		},
		{
			Title:   "Add a member",
			Why:     "One operation names one more. The others stay, and are not even read.",
			Section: "RFC 7644 §3.5.2.1",
			Method:  "PATCH", Path: "/Groups/{{party.id}}",
			Body:   groupMessage + `{"op": "add", "path": "members", "value": [{"value": "{{hare.id}}"}]}]` + "\n}",
			Status: 204,
			Look:   "204: the answer to a PATCH of a group has no body unless it is asked for, lest a group of a million be sent with each change.",
		},
		{
			Title:   "Add the same member again",
			Why:     "Clients repeat themselves, Okta each time a group is pushed.",
			Section: "RFC 7644 §3.5.2.1",
			Method:  "PATCH", Path: "/Groups/{{party.id}}",
			Body:   groupMessage + `{"op": "add", "path": "members", "value": [{"value": "{{hare.id}}"}]}]` + "\n}",
			Status: 204,
			Look:   "Success and no change. Nobody is in a group twice.",
		},
		{
			Title:   "Ask the person",
			Why:     "The groups of a user are the same membership from the other side. They are read-only there: to change them, change the group.",
			Section: "RFC 7643 §4.1.2",
			Method:  "GET", Path: "/Users/{{hare.id}}?attributes=userName,groups",
			Status: 200,
			Look:   "groups names the Tea Party, as direct: one group deep.",
		},
		{
			Title:   "A member that does not exist",
			Why:     "A client that is out of step may name somebody whom the server has never had.",
			Section: "RFC 7643 §2.3.7",
			Method:  "PATCH", Path: "/Groups/{{party.id}}",
			Body:   groupMessage + `{"op": "add", "path": "members", "value": [{"value": "00000000-0000-4000-8000-000000000000"}]}]` + "\n}",
			Status: 400,
			Look:   "400 that names the id, and nothing is applied. It is never a 500: the client would try for ever.",
		},
		{
			Title:   "Who is in which group?",
			Why:     "Without reading any group as a whole: the filter asks which groups have her as a member.",
			Section: "RFC 7644 §3.4.2.2",
			Method:  "GET", Path: "/Groups?excludedAttributes=members", Filter: `members.value eq "{{hare.id}}"`,
			Status: 200,
			Look:   "The group, without its members: excludedAttributes keeps the answer small.",
		},
		{
			Title:   "And who is in this group?",
			Why:     "The same from the side of the users, which can be paged.",
			Section: "RFC 7644 §3.4.2.2",
			Method:  "GET", Path: "/Users?attributes=userName&count=10", Filter: `groups.value eq "{{party.id}}"`,
			Status: 200,
			Look:   "Both members, as a list with pages: this is how to read a large group.",
		},
		{
			Title:   "Take one out",
			Why:     "A filter in the path selects the member.",
			Section: "RFC 7644 §3.5.2.2",
			Method:  "PATCH", Path: "/Groups/{{party.id}}",
			Body:   groupMessage + `{"op": "remove", "path": "members[value eq \"{{hatter.id}}\"]"}]` + "\n}",
			Status: 204,
			Look:   "One went, the other stayed. Take the path's filter away and run it again: then all go.",
		},
		{
			Title:   "Delete the person who is left",
			Why:     "Nobody tells the group. The server has to.",
			Section: "RFC 7643 §2.3.7",
			Method:  "DELETE", Path: "/Users/{{hare.id}}",
			Status: 204,
			Look:   "Two resources changed: the user went, and with her the membership.",
		},
		{
			Title:   "An empty group is a group",
			Why:     "It stays until somebody deletes it.",
			Section: "RFC 7644 §3.4.1",
			Method:  "GET", Path: "/Groups/{{party.id}}",
			Status: 200,
			Look:   "No members: an attribute without a value is left out.",
		},
	},
}
