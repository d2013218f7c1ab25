package flows

var dialect = &Flow{
	ID:    "dialect",
	Title: "As Entra ID really speaks",
	About: "Requests that real clients send are not quite those of the RFC. See which tolerance of this server takes each one, and what a server without them says.",
	Seed: []string{
		"POST /Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"boss@example.com","displayName":"The Duchess"}`,
	},
	Steps: []Step{
		{
			Name:    "boss",
			Title:   "Somebody to report to",
			Why:     "A user from earlier, whose id we need in a moment.",
			Section: "RFC 7644 §3.4.2",
			Method:  "POST", Path: "/Users/.search",
			Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
  "filter": "userName eq \"boss@example.com\""
}`,
			Status: 200,
			Look:   "The id of the only result is what later steps use.",
		},
		{
			Name:    "alice",
			Title:   "Create, with a text for a boolean",
			Why:     `Entra's expressions yield texts, so active may come as "True". The schema says boolean.`,
			Section: "RFC 7643 §2.3.2",
			Method:  "POST", Path: "/Users",
			Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
  "userName": "alice@example.com",
  "externalId": "alice",
  "displayName": "Alice",
  "active": "True",
  "emails": [{"primary": true, "type": "work", "value": "alice@example.com"}]
}`,
			Status: 201,
			Look:   "active is a boolean in the answer, and the rule that took it is named.",
		},
		{
			Title:   "Lock out, in capitals",
			Why:     `This is what Entra sends when somebody is no longer assigned: "Replace" with a capital, and "False" as a text. A server that stores the text, or takes it for true, leaves the door open.`,
			Section: "RFC 7644 §3.5.2",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "Replace", "path": "active", "value": "False"}]
}`,
			Status: 200,
			Look:   "She is inactive.",
		},
		{
			Title:   "The same to a strict server",
			Why:     "What if nobody bent? The same resources, asked of a server in the profile strict.",
			Section: "RFC 7643 §2.3.2",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Strict: true, Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "replace", "path": "active", "value": "True"}]
}`,
			Status: 400,
			Look:   "Right by the letter, and the client puts the job into quarantine.",
		},
		{
			Title:   "Keys with dots and filters",
			Why:     "An operation without a path has an object as its value, whose keys are attributes. Entra writes paths into those keys.",
			Section: "RFC 7644 §3.5.2.3",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "Add", "value": {
    "name.givenName": "Alice",
    "name.familyName": "Liddell",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Exploration"
  }}]
}`,
			Status: 200,
			Look:   "Taken apart: a name with two parts and a department in the extension, where a literal reading would have made an attribute called name.givenName.",
		},
		{
			Title:   "Replace a value that is not there",
			Why:     "Entra keeps one telephone number per type and sends replace for it, whether or not there is one.",
			Section: "RFC 7644 §3.5.2.3",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+44 20 7946 0018"}]
}`,
			Status: 200,
			Look:   "The value was made as the filter describes it: of type mobile.",
		},
		{
			Title:   "The same to a strict server",
			Why:     "The RFC says: replace whose filter selects nothing fails.",
			Section: "RFC 7644 §3.5.2.3",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Strict: true, Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "replace", "path": "phoneNumbers[type eq \"fax\"].value", "value": "+44 20 7946 0019"}]
}`,
			Status: 400,
			Look:   "noTarget.",
		},
		{
			Title:   "A manager as a bare id",
			Why:     "The manager is complex, with the id in value. Entra sends the id alone.",
			Section: "RFC 7643 §4.3",
			Method:  "PATCH", Path: "/Users/{{alice.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "{{boss.Resources.0.id}}"}]
}`,
			Status: 200,
			Look:   "The answer has the manager's name and address, which the server derived.",
		},
		{
			Name:    "crew",
			Title:   "A group with her in it",
			Why:     "So that she can be taken out.",
			Section: "RFC 7644 §3.3",
			Method:  "POST", Path: "/Groups",
			Body: `{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
  "displayName": "Crew",
  "members": [{"value": "{{alice.id}}"}, {"value": "{{boss.Resources.0.id}}"}]
}`,
			Status: 201,
			Look:   "Two members.",
		},
		{
			Title:   "Remove a member by a list",
			Why:     "The RFC removes by a path with a filter. Older Entra jobs give the path members and a list of values: read by the letter, that removes everybody.",
			Section: "RFC 7644 §3.5.2.2",
			Method:  "PATCH", Path: "/Groups/{{crew.id}}", Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [{"op": "Remove", "path": "members", "value": [{"value": "{{alice.id}}"}]}]
}`,
			Status: 204,
			Look:   "Only Alice went.",
		},
	},
}
