package flows

var bulk = &Flow{
	ID:    "bulk",
	Title: "Many at once",
	About: "One message with many operations that refer to each other, what happens if one fails, and how to stop at the first.",
	Steps: []Step{
		{
			Title:   "Three resources in one message",
			Why:     "Nobody knows the ids yet, so each operation gives itself a bulkId, and others refer to it. Order does not matter: the group stands first here.",
			Section: "RFC 7644 §3.7.2",
			Method:  "POST", Path: "/Bulk",
			Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
  "Operations": [
    {"method": "POST", "path": "/Groups", "bulkId": "court",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Court",
              "members": [{"value": "bulkId:king"}, {"value": "bulkId:queen"}]}},
    {"method": "POST", "path": "/Users", "bulkId": "king",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "king@example.com"}},
    {"method": "POST", "path": "/Users", "bulkId": "queen",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "queen@example.com"}}
  ]
}`,
			Status: 200,
			Look:   "Each operation has its own status and location. The group was created after the two it refers to.",
		},
		{
			Title:   "The outcome",
			Why:     "The references became ids.",
			Section: "RFC 7644 §3.4.2",
			Method:  "GET", Path: "/Groups", Filter: `displayName eq "Court"`,
			Status: 200,
			Look:   "Two members, by the ids that the server chose.",
		},
		{
			Title:   "One of them fails",
			Why:     "A bulk message is no transaction: what works is done, what fails is reported.",
			Section: "RFC 7644 §3.7.3",
			Method:  "POST", Path: "/Bulk",
			Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
  "Operations": [
    {"method": "POST", "path": "/Users", "bulkId": "a",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "king@example.com"}},
    {"method": "POST", "path": "/Users", "bulkId": "b",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "knave@example.com"}}
  ]
}`,
			Status: 200,
			Look:   "The message is 200; the first operation is 409 with its reason, the second 201. Who looks at the message's status alone misses it.",
		},
		{
			Title:   "Stop at the first fault",
			Why:     "failOnErrors is how many faults to bear. After that, the rest is left alone.",
			Section: "RFC 7644 §3.7.3",
			Method:  "POST", Path: "/Bulk",
			Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
  "failOnErrors": 1,
  "Operations": [
    {"method": "POST", "path": "/Users", "bulkId": "a",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "king@example.com"}},
    {"method": "POST", "path": "/Users", "bulkId": "b",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "duchess@example.com"}}
  ]
}`,
			Status: 200,
			Look:   "Only one result: the duchess was not created.",
		},
		{
			Title:   "A reference to nothing",
			Why:     "A bulkId that no operation has can't be resolved.",
			Section: "RFC 7644 §3.7.2",
			Method:  "POST", Path: "/Bulk",
			Body: `{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
  "Operations": [
    {"method": "POST", "path": "/Groups", "bulkId": "croquet",
     "data": {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Croquet",
              "members": [{"value": "bulkId:flamingo"}]}}
  ]
}`,
			Status: 200,
			Look:   "The operation is 400, says which bulkId, and there is no such group.",
		},
	},
}
