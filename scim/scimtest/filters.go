package scimtest

import (
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// FilterUser is one of the twelve users over which [FilterCases] speak.
type FilterUser struct {
	Name string
	JSON string // as a client would send it; {name} stands for the id of an earlier user
}

// FilterGroup is a group over which [FilterCases] speak.
type FilterGroup struct {
	Name    string   // its displayName
	Members []string // names of users and of earlier groups
}

// FilterCase is a filter and what it must find (RFC 7644 §3.4.2.2).
type FilterCase struct {
	Filter string // {name} stands for the id of that user or group
	Want   string // the names, with blanks between, in order of creation; "*" for all
}

// FilterUsers are the users of [FilterCases], in order of creation.
var FilterUsers = []FilterUser{
	{"mona", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"userName":"mona","displayName":"Mona","title":"Manager","userType":"Employee","active":true,
		"emails":[{"value":"mona@example.com","type":"work","primary":true}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"1"}}`},
	{"bjensen", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"externalId":"701984","userName":"bjensen","displayName":"Babs Jensen","nickName":"Babs","title":"Tour Guide",
		"name":{"formatted":"Ms. Barbara J Jensen, III","familyName":"Jensen","givenName":"Barbara"},
		"userType":"Employee","preferredLanguage":"en-US","active":true,"profileUrl":"https://login.example.com/bjensen",
		"emails":[{"value":"bjensen@example.com","type":"work","primary":true},{"value":"babs@jensen.org","type":"home"}],
		"x509Certificates":[{"value":"aGVsbG8="}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"701984","costCenter":"4130",
			"organization":"Universal Studios","department":"Tour Operations","manager":{"value":"{mona}"}}}`},
	{"jsmith", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
		"externalId":"ABC","userName":"JSmith@Example.com","displayName":"John Smith","title":"Vice President",
		"name":{"familyName":"Smith","givenName":"John"},"userType":"Contractor","active":false,
		"emails":[{"value":"jsmith@example.com","type":"work"},{"value":"john@home.example","type":"home","primary":true}],
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","manager":{"value":"{mona}"}}}`},
	{"omalley", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
		"externalId":"abc","userName":"omalley","displayName":"Sean \"Red\" O'Malley","title":"tour guide",
		"name":{"familyName":"O'Malley","givenName":"Sean"},"active":true,"emails":[{"value":"Omalley@Example.ORG"}]}`},
	{"percent", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"100%","displayName":"a_b%c","userType":"Test","active":true}`},
	{"under", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"100x","displayName":"axb%c","userType":"Test","active":true}`},
	{"emile", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"émile","displayName":"Émile Zola",
		"name":{"familyName":"Zola","givenName":"Émile"},"preferredLanguage":"fr","active":true}`},
	{"weiss", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"weiss","displayName":"Weiß","nickName":"Straße","active":false}`},
	{"blank", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"blank","displayName":" ","title":"","name":{"middleName":""},"active":true}`},
	{"bare", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"bare"}`},
	{"zoe", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"zoe","displayName":"Zoe\u0308","active":true,
		"phoneNumbers":[{"value":"+1 201 555 0100","type":"work"},{"value":"+1 201 555 0199","type":"mobile","primary":true}],
		"ims":[{"value":"zoe-im","type":"aim"}],
		"addresses":[{"locality":"Oslo","country":"NO","type":"work"},{"locality":"Bergen","country":"NO","type":"home","primary":true}],
		"entitlements":[{"value":"vpn"}],"roles":[{"value":"admin","primary":true},{"value":"auditor"}]}`},
	{"long", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"long","title":"M","userType":"Employee","active":true,
		"displayName":"` + strings.Repeat("x", 284) + `Y"}`},
}

// FilterGroups are the groups of [FilterCases], in order of creation. Staff
// holds Guides, so that its members are in Staff indirectly.
var FilterGroups = []FilterGroup{
	{"Guides", []string{"bjensen", "omalley"}},
	{"Staff", []string{"mona", "Guides"}},
	{"Nobody", nil},
}

// FilterCases are what filters on users find.
var FilterCases = []FilterCase{

	// names, case, operators
	{`userName eq "bjensen"`, "bjensen"},
	{`USERNAME Eq "BJENSEN"`, "bjensen"},
	{`urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J"`, "jsmith"},
	{`userName eq "jsmith@example.com"`, "jsmith"},
	{`userName eq"mona"`, "mona"},
	{`  userName   eq   "mona"  `, "mona"},
	{`userName ne "bjensen"`, "mona jsmith omalley percent under emile weiss blank bare zoe long"},
	{`userName co "ONA"`, "mona"},
	{`userName sw "BJ"`, "bjensen"},
	{`userName ew ".COM"`, "jsmith"},
	{`userName gt "m"`, "mona omalley emile weiss zoe"},
	{`userName ge "MONA"`, "mona omalley emile weiss zoe"},
	{`userName gt "mona"`, "omalley emile weiss zoe"},
	{`userName lt "b"`, "percent under"},
	{`userName le "bare"`, "percent under bare"},
	{`userName pr`, "*"},
	{`not (userName pr)`, ""},
	{`userName eq null`, ""},
	{`userName ne null`, "*"},
	{`userName co ""`, "*"},
	{`userName eq ""`, ""},

	// wildcards are characters
	{`userName sw "100"`, "percent under"},
	{`userName eq "100%"`, "percent"},
	{`userName co "%"`, "percent"},
	{`userName co "_"`, ""},
	{`displayName co "_"`, "percent"},
	{`displayName co "%"`, "percent under"},
	{`displayName sw "a_b"`, "percent"},
	{`displayName co "*"`, ""},

	// missing and empty
	{`title eq "TOUR GUIDE"`, "bjensen omalley"},
	{`title pr`, "mona bjensen jsmith omalley long"},
	{`title co ""`, "mona bjensen jsmith omalley blank long"},
	{`title sw ""`, "mona bjensen jsmith omalley blank long"},
	{`title ew ""`, "mona bjensen jsmith omalley blank long"},
	{`title eq ""`, "blank"},
	{`title ne ""`, "mona bjensen jsmith omalley percent under emile weiss bare zoe long"},
	{`title ne "tour guide"`, "mona jsmith percent under emile weiss blank bare zoe long"},
	{`not (title eq "tour guide")`, "mona jsmith percent under emile weiss blank bare zoe long"},
	{`title eq null`, "percent under emile weiss blank bare zoe"},
	{`title ne null`, "mona bjensen jsmith omalley long"},
	{`not(title pr)`, "percent under emile weiss blank bare zoe"},
	{`title gt "m"`, "mona bjensen jsmith omalley"},
	{`title ge "m"`, "mona bjensen jsmith omalley long"},
	{`title lt "m"`, "blank"},
	{`title le "M"`, "blank long"},

	// booleans
	{`active eq true`, "mona bjensen omalley percent under emile blank zoe long"},
	{`active eq TRUE`, "mona bjensen omalley percent under emile blank zoe long"},
	{`active eq false`, "jsmith weiss"},
	{`active eq "False"`, "jsmith weiss"},
	{`active ne true`, "jsmith weiss bare"},
	{`active ne false`, "mona bjensen omalley percent under emile blank bare zoe long"},
	{`not (active eq true)`, "jsmith weiss bare"},
	{`active pr`, "mona bjensen jsmith omalley percent under emile weiss blank zoe long"},
	{`active eq null`, "bare"},

	// complex attributes
	{`name.familyName eq "jensen"`, "bjensen"},
	{`name.familyName co "O'Malley"`, "omalley"},
	{`name.familyName eq "O\u0027malley"`, "omalley"},
	{`name.familyName pr`, "bjensen jsmith omalley emile"},
	{`name pr`, "bjensen jsmith omalley emile"},
	{`name eq null`, "mona percent under weiss blank bare zoe long"},
	{`name[familyName eq "Smith" and givenName eq "John"]`, "jsmith"},
	{`name[givenName ne "John"]`, "bjensen omalley emile blank"},
	{`name.givenName ne "John"`, "mona bjensen omalley percent under emile weiss blank bare zoe long"},

	// beyond ASCII
	{`displayName eq "émile zola"`, "emile"},
	{`displayName sw "\u00c9"`, "emile"},
	{`userName sw "e\u0301"`, "emile"},
	{`displayName eq "WEISS"`, "weiss"},
	{`nickName eq "STRASSE"`, "weiss"},
	{`nickName co "ß"`, "weiss"},
	{`displayName eq "ZOË"`, "zoe"},
	{`displayName ew "ë"`, "zoe"},
	{`displayName eq " "`, "blank"},
	{`displayName pr`, "mona bjensen jsmith omalley percent under emile weiss blank zoe long"},
	{`displayName eq "Sean \"Red\" O'Malley"`, "omalley"},
	{`displayName co "\"red\""`, "omalley"},

	// long texts
	{`displayName eq "` + strings.Repeat("x", 284) + `y"`, "long"},
	{`displayName eq "` + strings.Repeat("x", 284) + `"`, ""},
	{`displayName eq "` + strings.Repeat("x", 256) + `"`, ""},
	{`displayName ne "` + strings.Repeat("x", 284) + `z"`, "*"},
	{`displayName sw "` + strings.Repeat("x", 284) + `"`, "long"},
	{`displayName sw "` + strings.Repeat("x", 270) + `"`, "long"},
	{`displayName sw "` + strings.Repeat("x", 285) + `"`, ""},
	{`displayName co "` + strings.Repeat("x", 9) + `y"`, "long"},
	{`displayName ew "xy"`, "long"},
	{`displayName gt "` + strings.Repeat("x", 284) + `"`, "emile zoe long"},
	{`displayName gt "` + strings.Repeat("x", 284) + `y"`, "emile zoe"},
	{`displayName ge "` + strings.Repeat("x", 284) + `y"`, "emile zoe long"},
	{`displayName gt "` + strings.Repeat("x", 284) + `x" and displayName lt "` + strings.Repeat("x", 284) + `z"`, "long"},
	{`displayName le "` + strings.Repeat("x", 256) + `"`, "mona bjensen jsmith omalley percent under weiss blank"},
	{`displayName le "` + strings.Repeat("x", 284) + `y"`, "mona bjensen jsmith omalley percent under weiss blank long"},

	// common attributes
	{`externalId eq "ABC"`, "jsmith"},
	{`externalId eq "abc"`, "omalley"},
	{`externalId pr`, "bjensen jsmith omalley"},
	{`externalId ne "ABC"`, "mona bjensen omalley percent under emile weiss blank bare zoe long"},
	{`not (externalId eq "ABC")`, "mona bjensen omalley percent under emile weiss blank bare zoe long"},
	{`externalId eq null`, "mona percent under emile weiss blank bare zoe long"},
	{`externalId sw "70"`, "bjensen"},
	{`externalId co ""`, "bjensen jsmith omalley"},
	{`externalId gt "ABC"`, "omalley"},
	{`id eq "{bjensen}"`, "bjensen"},
	{`id ne "{bjensen}"`, "mona jsmith omalley percent under emile weiss blank bare zoe long"},
	{`id eq "nobody"`, ""},
	{`id pr`, "*"},
	{`id eq "{bjensen}" and manager eq "{mona}"`, "bjensen"},
	{`meta.resourceType eq "User"`, "*"},
	{`meta.resourceType eq "user"`, ""},
	{`meta.resourceType ne "Group"`, "*"},
	{`meta.created gt "2000-01-01T00:00:00+01:00"`, "*"},
	{`meta.lastModified lt "0001-01-03T00:00:00.0000000Z"`, ""},
	{`meta.created pr and meta.version pr`, "*"},
	{`meta[resourceType eq "User" and created gt "2000-01-01T00:00:00Z"]`, "*"},
	{`schemas eq "` + scim.EnterpriseUserURN + `"`, "mona bjensen jsmith"},
	{`not (schemas eq "` + scim.EnterpriseUserURN + `")`, "omalley percent under emile weiss blank bare zoe long"},
	{`schemas ne "` + scim.EnterpriseUserURN + `"`, "*"},
	{`schemas eq "URN:IETF:params:scim:schemas:EXTENSION:enterprise:2.0:USER"`, "mona bjensen jsmith"},
	{`schemas eq "URN:IETF:PARAMS:SCIM:SCHEMAS:CORE:2.0:USER"`, "*"},
	{`schemas[value eq "URN:ietf:params:scim:schemas:extension:Enterprise:2.0:User"]`, "mona bjensen jsmith"},
	{`schemas co "enterprise"`, "mona bjensen jsmith"},
	{`schemas co "ENTERPRISE"`, "mona bjensen jsmith"},
	{`schemas[value ew ":User" and not (value co "core")]`, "mona bjensen jsmith"},
	{`schemas pr`, "*"},

	// extensions
	{scim.EnterpriseUserURN + `:department eq "tour operations"`, "bjensen"},
	{`urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:DEPARTMENT sw "S"`, "jsmith"},
	{`employeeNumber eq "701984"`, "bjensen"},
	{`department pr`, "bjensen jsmith"},
	{scim.EnterpriseUserURN + `:manager eq "{mona}"`, "bjensen jsmith"},
	{scim.EnterpriseUserURN + `:manager[value eq "{mona}"]`, "bjensen jsmith"},
	{scim.EnterpriseUserURN + `:manager.value eq "{mona}" and active eq true`, "bjensen"},
	{`manager ne "{mona}"`, "mona omalley percent under emile weiss blank bare zoe long"},
	{`manager pr`, "bjensen jsmith"},
	{`manager.$ref eq "https://scim.example.com/scim/v2/Users/{mona}"`, "bjensen jsmith"},

	// multi-valued attributes
	{`emails eq "BABS@jensen.org"`, "bjensen"},
	{`emails co "example.com"`, "mona bjensen jsmith"},
	{`emails.value ew "example.org"`, "omalley"},
	{`emails.type eq "home"`, "bjensen jsmith"},
	{`emails.type ne "work"`, "bjensen jsmith omalley percent under emile weiss blank bare zoe long"},
	{`not (emails.type eq "work")`, "omalley percent under emile weiss blank bare zoe long"},
	{`emails.type eq "home" and emails.value co "jsmith@"`, "jsmith"},
	{`emails[type eq "home" and value co "jsmith@"]`, ""},
	{`emails[type eq "work"].value eq "jsmith@example.com"`, "jsmith"},
	{`emails[type eq "work"].value eq "john@home.example"`, ""},
	{`emails[ type eq "WORK" and value eq "jsmith@example.com" ]`, "jsmith"},
	{`emails[not (type eq "work")]`, "bjensen jsmith omalley"},
	{`emails[type ne "work"]`, "bjensen jsmith omalley"},
	{`emails[type eq null]`, "omalley"},
	{`emails[not (type pr) and value pr]`, "omalley"},
	{`emails[type eq "work" or (type eq "home" and value ew "example")]`, "mona bjensen jsmith"},
	{`emails[type eq "work"] or ims[value sw "ZOE"]`, "mona bjensen jsmith zoe"},
	{`emails[type eq "work"] and not (emails[type eq "home"])`, "mona"},
	{`emails pr`, "mona bjensen jsmith omalley"},
	{`emails eq null`, "percent under emile weiss blank bare zoe long"},
	{`emails.primary eq true`, "mona bjensen jsmith"},
	{`emails[primary eq "True"]`, "mona bjensen jsmith"},
	{`emails.primary eq false`, "bjensen jsmith omalley"},
	{`emails[primary eq false]`, "bjensen jsmith omalley"},
	{`emails[primary ne true]`, "bjensen jsmith omalley"},
	{`emails.primary ne true`, "bjensen jsmith omalley percent under emile weiss blank bare zoe long"},
	{`emails.primary pr`, "mona bjensen jsmith"},
	{`emails[not (primary pr)]`, "bjensen jsmith omalley"},
	{`emails[primary eq true and type eq "home"]`, "jsmith"},
	{`phoneNumbers.value ew "0199"`, "zoe"},
	{`addresses.country eq "no"`, "zoe"},
	{`addresses[locality eq "Bergen" and primary eq true]`, "zoe"},
	{`addresses[locality eq "Oslo" and primary eq true]`, ""},
	{`addresses pr`, "zoe"},
	{`roles eq "ADMIN"`, "zoe"},
	{`roles[value eq "auditor" and primary eq false]`, "zoe"},
	{`entitlements.primary eq false`, "zoe"},
	{`x509Certificates.value eq "aGVsbG8="`, "bjensen"},
	{`x509Certificates eq "aGVsbG8"`, "bjensen"},
	{`profileUrl eq "https://login.example.com/bjensen"`, "bjensen"},
	{`profileUrl eq "https://login.example.com/BJENSEN"`, ""},
	{`profileUrl sw "https:"`, "bjensen"},

	// logic
	{`title pr and userType eq "Employee"`, "mona bjensen long"},
	{`userType eq "Test" or userType eq "Employee" and title sw "T"`, "bjensen percent under"},
	{`(userType eq "Test" or userType eq "Employee") and title sw "T"`, "bjensen"},
	{`not (not (active eq false))`, "jsmith weiss"},
	{`userName eq "mona" or emails.value eq "omalley@example.org"`, "mona omalley"},
	{`userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")`, "percent under emile weiss blank bare zoe"},

	// groups
	{`groups.value eq "{Guides}"`, "bjensen omalley"},
	{`groups eq "{Staff}"`, "mona bjensen omalley"},
	{`groups.display eq "staff"`, "mona bjensen omalley"},
	{`groups.display co "guid"`, "bjensen omalley"},
	{`groups.type eq "direct"`, "mona bjensen omalley"},
	{`groups.type eq "indirect"`, "bjensen omalley"},
	{`groups[value eq "{Staff}" and type eq "direct"]`, "mona"},
	{`groups[display eq "Staff" and type eq "indirect"]`, "bjensen omalley"},
	{`groups[value eq "{Guides}"] or title eq "Manager"`, "mona bjensen omalley"},
	{`groups pr`, "mona bjensen omalley"},
	{`not (groups pr)`, "jsmith percent under emile weiss blank bare zoe long"},
	{`groups.value ne "{Staff}"`, "bjensen jsmith omalley percent under emile weiss blank bare zoe long"},
	{`groups.$ref eq "../Groups/{Guides}"`, "bjensen omalley"},
	{`groups.value eq "{Nobody}"`, ""},
	{`id eq "{bjensen}" and groups.value eq "{Staff}"`, "bjensen"},
}

// FilterGroupCases are what filters on groups find.
var FilterGroupCases = []FilterCase{
	{`displayName eq "GUIDES"`, "Guides"},
	{`members.value eq "{bjensen}"`, "Guides"},
	{`members eq "{mona}"`, "Staff"},
	{`members[value eq "{Guides}"]`, "Staff"},
	{`members[value eq"{Guides}" and type eq "User"]`, ""},
	{`members.type eq "Group"`, "Staff"},
	{`members.type eq "User"`, "Guides Staff"},
	{`members.type ne "User"`, "Staff Nobody"},
	{`members.display sw "babs"`, "Guides"},
	{`members[type eq "User" and display eq "Mona"]`, "Staff"},
	{`members pr`, "Guides Staff"},
	{`not (members pr)`, "Nobody"},
	{`members eq null`, "Nobody"},
	{`members.value ne "{mona}"`, "*"},
	{`members[not (value eq "{mona}")]`, "Guides Staff"},
	{`members[value eq "{bjensen}"] and members[value eq "{omalley}"]`, "Guides"},
	{`members[value eq "{bjensen}" and value eq "{omalley}"]`, ""},
	{`members.$ref eq "https://scim.example.com/v2/Users/{bjensen}"`, "Guides"},
	{`members.$ref eq "Users/{bjensen}"`, "Guides"},
	{`members.value eq "nobody"`, ""},
	{`id eq "{Guides}" and members eq "{bjensen}"`, "Guides"},
	{`displayName sw "S" or members.value eq "{omalley}"`, "Guides Staff"},
}
