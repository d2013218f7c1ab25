package compat

import "slices"

// Rule is one thing that clients do, or expect, where the RFCs do not say so
// or say otherwise.
type Rule struct {
	ID      string
	Clients string // who is known for it
	What    string // what this server does about it

	// Switches are the fields of [Switches] that turn it on; none: it is
	// always on, since no RFC is against it.
	Switches []string

	// Planned marks a rule that is known but not met yet.
	Planned bool
}

// Section returns the part of the table the rule is in: "HTTP", "PATCH" …
func (r Rule) Section() string {
	switch r.ID[:3] {
	case "HTT":
		return "HTTP"
	case "DIS":
		return "Discovery"
	case "QRY":
		return "Query"
	case "BOD":
		return "Bodies"
	case "PAT":
		return "PATCH"
	case "GRP":
		return "Groups"
	}
	return "Life cycle and answers"
}

// Rules returns all rules, in the order of their sections and ids.
func Rules() []Rule { return slices.Clone(rules) }

func by(names ...string) []string { return names }

var rules = []Rule{
	{ID: "HTTP-01", Clients: "google, okta, onelogin, jumpcloud", What: "A body is read as JSON whatever its Content-Type says, also with none; only XML and form types are refused."},
	{ID: "HTTP-02", Clients: "google, jumpcloud, onelogin, entra", What: "No Accept is refused. An answer is application/json where Accept names that and not application/scim+json, and always for onelogin.", Switches: by("LaxAccept", "MediaByAccept", "JSONMediaType")},
	{ID: "HTTP-03", Clients: "onelogin", What: "Doubled and trailing slashes, an empty query and other case in an endpoint's name are all the same endpoint; nothing is redirected."},
	{ID: "HTTP-04", Clients: "entra", What: "Unknown query parameters are ignored, those without a value too."},
	{ID: "HTTP-05", Clients: "entra, ping, authentik, jumpcloud", What: "A query is decoded once, with + for a space; a filter that can't be parsed then is decoded again if that may help. A query that can't be decoded is an error, never an empty filter.", Switches: by("DecodeTwice")},
	{ID: "HTTP-06", Clients: "okta, ping, sailpoint, entra", What: "The name of an authorization scheme may be in any case. Bearer is served; others are planned.", Planned: true},
	{ID: "HTTP-07", Clients: "okta, entra, authentik", What: "Every error, whoever found it, has the JSON body of SCIM."},
	{ID: "HTTP-08", Clients: "onelogin", What: "Nothing depends on the User-Agent."},
	{ID: "HTTP-09", Clients: "entra, sailpoint, authentik", What: "Requests above a rate get 429 with Retry-After and the limits as headers.", Planned: true},
	{ID: "HTTP-10", Clients: "entra, okta", What: "A request that is not answered within the deadline gets 503, so that the client tries again."},
	{ID: "HTTP-11", Clients: "entra, okta", What: "What the client can mend is 4xx; 5xx is kept for what may pass by itself."},
	{ID: "HTTP-12", Clients: "entra", What: "TLS 1.2 and 1.3."},

	{ID: "DISC-01", Clients: "authentik", What: "ServiceProviderConfig has every member, also for features that are off, and tells at least 100 Bulk operations."},
	{ID: "DISC-02", Clients: "authentik, sailpoint", What: "/ServiceProviderConfigs and other case in discovery paths are aliases."},
	{ID: "DISC-03", Clients: "sailpoint, entra", What: "Schemas and ResourceTypes answer as lists and one by one; a filter on them is 403."},
	{ID: "DISC-04", Clients: "entra", What: "Schemas never hold null. A list of attributes to hide from them is planned.", Planned: true},

	{ID: "QRY-01", Clients: "ping, entra", What: "Names and operators of filters are in any case, attributes with or without their URN where that is unambiguous."},
	{ID: "QRY-02", Clients: "authentik", What: "A bare word after a text operator is a string.", Switches: by("UnquotedStrings")},
	{ID: "QRY-03", Clients: "okta, entra, ping", What: "Attributes that are not caseExact compare without regard to case; values stay as sent."},
	{ID: "QRY-04", Clients: "jumpcloud, okta, entra", What: "A list without matches is 200 with an empty Resources array."},
	{ID: "QRY-05", Clients: "entra, sailpoint", What: "The whole filter grammar is served; a complex attribute in a comparison stands for its value."},
	{ID: "QRY-06", Clients: "okta, sailpoint, entra", What: "startIndex and count out of range are brought into it, and the order of a list is stable."},
	{ID: "QRY-07", Clients: "entra", What: "attributes and excludedAttributes hold for lists, single resources and the answers to writes."},
	{ID: "QRY-08", Clients: "entra, okta, google", What: "Users that are not active are found as others are."},
	{ID: "QRY-09", Clients: "entra", What: "A text that means a boolean is one in a comparison with a boolean."},
	{ID: "QRY-10", Clients: "entra", What: "Times in filters have any number of decimals, any offset and any year."},
	{ID: "QRY-11", Clients: "all", What: "Filter literals are JSON strings, escapes and all."},
	{ID: "QRY-12", Clients: "ping, onelogin, google", What: "A list of groups that asks for no page has as many as filter.maxResults, for some never ask for the second.", Switches: by("AllGroups")},

	{ID: "BODY-01", Clients: "entra, onelogin", What: `"True", "False" and the like are booleans where one belongs, and "" is as if not sent; any other text is refused.`, Switches: by("StringBooleans")},
	{ID: "BODY-02", Clients: "entra, okta, authentik, onelogin", What: `"" on an attribute that is not required unassigns it, as null and [] do; on a password it is as if not sent.`, Switches: by("EmptyUnassigns")},
	{ID: "BODY-03", Clients: "google, onelogin, entra, authentik", What: "schemas may be missing, or hold URNs this server does not know; those of another type or of a message are refused.", Switches: by("AnySchemas")},
	{ID: "BODY-04", Clients: "entra, okta", What: "Attributes no schema defines are dropped. An object under the base schema's own URN counts as if its attributes stood beside it.", Switches: by("IgnoreUnknown")},
	{ID: "BODY-05", Clients: "okta, entra", What: "id, meta, groups and whatever else is read-only are ignored in a body."},
	{ID: "BODY-06", Clients: "entra", What: "Names in bodies are in any case, in answers in that of the schema."},
	{ID: "BODY-07", Clients: "onelogin", What: "One value where an array belongs is an array of one.", Switches: by("WrapSingles")},
	{ID: "BODY-08", Clients: "entra", What: "A manager may be given as an id, as an object or as an array of one, and need not exist yet.", Switches: by("BareReferences", "UnknownManager")},
	{ID: "BODY-09", Clients: "entra, sailpoint", What: "Values are kept and returned as they were sent; nothing is trimmed, and formats that the RFCs only advise are not enforced.", Switches: by("FreeFormats")},
	{ID: "BODY-10", Clients: "okta", What: "A password is accepted, never returned and never logged."},
	{ID: "BODY-11", Clients: "entra", What: "JSON inside the text of a role's value stays that text."},

	{ID: "PATCH-01", Clients: "entra", What: "op is in any case."},
	{ID: "PATCH-02", Clients: "entra, authentik", What: "An empty list of operations changes nothing, and schemas may be missing.", Switches: by("EmptyOperations", "AnySchemas")},
	{ID: "PATCH-03", Clients: "okta, entra, sailpoint", What: "Each key of a value without a path is treated as a path."},
	{ID: "PATCH-04", Clients: "entra", What: "Such a key may be a path with a dot or a filter.", Switches: by("DottedKeys")},
	{ID: "PATCH-05", Clients: "entra", What: "Such a key may carry the URN of its schema, be the URN of the base schema with an object, or be an extension's attribute without its URN.", Switches: by("DottedKeys")},
	{ID: "PATCH-05b", Clients: "entra", What: `"." may stand where ":" must follow the URN of a schema.`, Switches: by("DottedKeys")},
	{ID: "PATCH-06", Clients: "entra", What: "add and replace whose filter selects nothing create the value that the filter's equalities describe.", Switches: by("CreateOnNoMatch")},
	{ID: "PATCH-07", Clients: "entra", What: "The operations after it see the created value."},
	{ID: "PATCH-08", Clients: "entra", What: `A value created for primary eq "True" has the boolean.`, Switches: by("CreateOnNoMatch")},
	{ID: "PATCH-09", Clients: "entra", What: "Texts for booleans are read in PATCH as in other bodies; on active it decides whether a leaver keeps access.", Switches: by("StringBooleans")},
	{ID: "PATCH-10", Clients: "entra", What: "add on an attribute that has its one value replaces it."},
	{ID: "PATCH-11", Clients: "entra", What: `A reference may be given as an id; "" and null remove it.`, Switches: by("BareReferences")},
	{ID: "PATCH-12", Clients: "okta, authentik", What: "Read-only keys, and schemas, in a value without a path are ignored.", Switches: by("IgnoreReadOnly")},
	{ID: "PATCH-13", Clients: "entra", What: "Names in paths are in any case."},
	{ID: "PATCH-14", Clients: "sailpoint", What: "replace on a complex attribute or an extension keeps what its value does not name; a multi-valued attribute is replaced as a whole."},
	{ID: "PATCH-15", Clients: "entra", What: "To remove what is not there is no error."},
	{ID: "PATCH-16", Clients: "entra, okta", What: "An operation on an unknown attribute is skipped, and the others are applied.", Switches: by("SkipUnknownPaths")},
	{ID: "PATCH-17", Clients: "sailpoint, entra", What: "replace with null removes."},
	{ID: "PATCH-18", Clients: "entra", What: "An array of one is its value where one value belongs.", Switches: by("UnwrapSingles")},
	{ID: "PATCH-19", Clients: "all", What: "All operations are carried out or none, and a request that changes nothing leaves the version."},
	{ID: "PATCH-20", Clients: "all", What: "A value that becomes primary is the only one."},

	{ID: "GRP-01", Clients: "entra, authentik, jumpcloud", What: "remove on members with a list of values removes those alone; without the switch it is refused, never all.", Switches: by("RemoveByValue")},
	{ID: "GRP-02", Clients: "okta, entra, sailpoint, ping, onelogin", What: "Members are removed by a filter on their value, in as many operations as it takes."},
	{ID: "GRP-03", Clients: "okta, authentik", What: "To add a member twice, or to remove one that is none, is no error and no change."},
	{ID: "GRP-04", Clients: "okta", What: "replace on members sets exactly the members given."},
	{ID: "GRP-05", Clients: "okta, ping", What: "members may be a key of a value without a path."},
	{ID: "GRP-06", Clients: "entra, okta, jumpcloud", What: "Of a member only the id is read; type, $ref and display are the server's."},
	{ID: "GRP-07", Clients: "okta, entra", What: "An id that does not exist is a 400 that names it, and nothing is applied."},
	{ID: "GRP-08", Clients: "authentik, entra", What: "1,000 operations in a request, and many requests to one group at a time, lose no member."},
	{ID: "GRP-09", Clients: "entra", What: "A group's displayName is unique without regard to case.", Switches: by("UniqueGroupNames")},
	{ID: "GRP-10", Clients: "okta, entra, authentik", What: "A change of displayName leaves the members."},
	{ID: "GRP-11", Clients: "all", What: "A group may be created with members or without."},
	{ID: "GRP-12", Clients: "sailpoint, okta", What: "A user's groups follow every change of members."},
	{ID: "GRP-13", Clients: "authentik", What: "remove on members with an empty list removes none; with no value at all it removes all.", Switches: by("RemoveByValue")},
	{ID: "GRP-14", Clients: "okta, ping", What: "PUT sets the members it lists, and none where it lists none."},
	{ID: "GRP-15", Clients: "entra", What: "A member may be given as its id.", Switches: by("BareReferences")},
	{ID: "GRP-16", Clients: "onelogin", What: "The PATCH of SCIM 1.1 is refused with the advice to use a SCIM 2.0 connector."},

	{ID: "LIFE-01", Clients: "okta, entra, authentik", What: "A userName that is taken, in any case and by an inactive user too, is 409 with scimType uniqueness."},
	{ID: "LIFE-02", Clients: "entra, jumpcloud, google", What: "A deleted user is gone for every client, and its name is free."},
	{ID: "LIFE-03", Clients: "all", What: "A user that is deactivated keeps profile and groups."},
	{ID: "LIFE-04", Clients: "okta", What: "The answer to a write, and every read after it, shows the new values."},
	{ID: "LIFE-05", Clients: "entra, google", What: "userName may change, in case alone too; the old one is free at once."},
	{ID: "LIFE-06", Clients: "okta, authentik", What: "201 has the whole resource, its id and a Location."},
	{ID: "LIFE-07", Clients: "entra, jumpcloud", What: "A second DELETE is 404."},
	{ID: "LIFE-08", Clients: "okta, google, ping, authentik", What: "PUT without active keeps it, lest a suspended account come back; without password it is always kept.", Switches: by("KeepActive")},
	{ID: "RESP-01", Clients: "sailpoint, okta", What: "Every resource, in lists too, has schemas, id and meta, in that order and before all else."},
	{ID: "RESP-02", Clients: "entra, okta, onelogin", What: "PATCH of a user answers with the user, PATCH of a group with 204 unless a body is asked for; onelogin always gets one.", Switches: by("GroupPatchBody")},
	{ID: "RESP-03", Clients: "entra", What: "Elements of complex attributes are objects, null is left out, times are UTC."},
	{ID: "RESP-04", Clients: "entra", What: "Values set by a filter on type stay one per type; two of a type in a body are accepted."},
}
