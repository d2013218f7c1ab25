package lookingglass

import (
	"slices"
	"strings"
)

// remedy is what to do about one kind of error. The first one that fits counts;
// the empty parts of it fit all.
type remedy struct {
	status   int
	scimType string
	detail   []string // any of them, in the detail
	rule     string   // that fired
	advice   []Advice
}

const anybody = "anybody"

// labelFirst returns advice with that for the client first, then that for anybody.
func labelFirst(list []Advice, kind string) []Advice {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Advice) int { return rank(a, kind) - rank(b, kind) })
	return list
}

// rank puts advice for the client itself first, then that for anybody.
func rank(a Advice, kind string) int {
	switch a.Client {
	case Label(kind):
		return 0
	case anybody:
		return 1
	}
	return 2
}

// adviceFor returns what to change, and where, so that an error does not come
// back: what concerns the client first, and never nothing.
func adviceFor(status int, scimType, detail string, rules []Rule, client string) []Advice {
	for _, r := range remedies {
		if r.fits(status, scimType, detail, rules) {
			return labelFirst(r.advice, client)
		}
	}
	return nil // the table ends in one that fits all
}

func (r *remedy) fits(status int, scimType, detail string, rules []Rule) bool {
	return (r.status == 0 || r.status == status) && (r.scimType == "" || r.scimType == scimType) &&
		(len(r.detail) == 0 || slices.ContainsFunc(r.detail, func(d string) bool { return strings.Contains(detail, d) })) &&
		(r.rule == "" || slices.ContainsFunc(rules, func(x Rule) bool { return x.ID == r.rule }))
}

// remedies is ordered: the more particular stands before the general.
var remedies = []remedy{
	{status: 401, detail: []string{"of the scheme Bearer"}, advice: []Advice{
		{"Okta", "The token went out without its scheme. In the HTTP Header form, write Bearer and a blank before the token."},
		{"SailPoint", "Set the source's authentication type to API Token; Basic and OAuth 2.0 are not served."},
		{"Ping", "Choose OAuth 2 Bearer Token as the authentication method, and Bearer as the type of the Authorization header."},
		{anybody, "Send the token as Authorization: Bearer TOKEN. Other schemes, such as Basic, are not served."},
	}},
	{status: 401, detail: []string{"malformed"}, advice: []Advice{
		{"OneLogin", "Paste the token alone into SCIM Bearer Token: OneLogin puts Bearer before it."},
		{"Okta", "Bearer is there twice. Paste the token alone."},
		{"JumpCloud", "Paste the token anew, without Bearer before it."},
		{anybody, "The token has a form that no token of this server has: often Bearer twice, or a line break that was pasted with it."},
	}},
	{status: 401, advice: []Advice{
		{"Entra ID", "Enter the token as Secret Token under Provisioning. With that field empty Entra sends a token of its own, which this server can't know."},
		{"Okta", "Enter the token again under Provisioning, Integration, and test the credentials: it was mistyped or has been replaced."},
		{"OneLogin", "Enter the token alone as SCIM Bearer Token; custom headers stay empty."},
		{"SailPoint", "Choose API Token as the source's authentication type and enter the token again."},
		{"authentik", "Enter the token again in the provider's settings."},
		{"Google Workspace", "Enter the token again in the app's settings."},
		{"JumpCloud", "Paste the token anew, without Bearer before it."},
		{"Keycloak", "Enter the token again. ServiceProviderConfig can be read without any token, but not with a wrong one."},
		{anybody, "The token is missing, mistyped, expired or replaced. Make a new one, or copy it anew, and enter it in the client."},
	}},
	{status: 403, detail: []string{"discovery documents"}, advice: []Advice{
		{anybody, "Leave the filter away: /Schemas, /ResourceTypes and /ServiceProviderConfig are read as a whole or one by one."},
	}},
	{status: 403, scimType: "sensitive", advice: []Advice{
		{anybody, "The request has personal data in its address. Search with POST /.search instead of GET."},
	}},
	{status: 403, advice: []Advice{
		{anybody, "The token is known and may not do this. Use one with more rights, or call from a place that is allowed; the detail says which is missing."},
	}},
	{status: 404, detail: []string{"there is nothing at this path", "there is no endpoint", "there is no SCIM service"}, advice: []Advice{
		{"Okta", "Complete the SCIM connector base URL: it ends in /scim/v2."},
		{"Entra ID", "Complete the Tenant URL: it ends in /scim/v2, perhaps followed by /?aadOptscim062020."},
		{"SailPoint", "Complete the source's base URL: it ends in /scim/v2."},
		{"OneLogin", "Complete the SCIM Base URL: it ends in /scim/v2."},
		{"Keycloak", "Complete the base URL: it ends in /scim/v2."},
		{"JumpCloud", "The base URL ends in /scim/v2, without /Users: JumpCloud appends that itself."},
		{anybody, "Check the base URL: it ends in /scim/v2, and the client appends /Users and /Groups itself. A proxy in front may take a part of the path away."},
	}},
	{status: 404, advice: []Advice{
		{"Okta", "The account was deleted here and Okta still has its id. Unassign the person from the app and assign anew: Okta then looks for the account again."},
		{"Entra ID", "The account was deleted here and Entra still has its id. Provision the person on demand, or restart provisioning: it is then matched or made again."},
		{"SailPoint", "Aggregate accounts, so that SailPoint learns what is gone, then provision again."},
		{"authentik", "Run a full synchronisation: authentik makes again what it finds missing."},
		{"Google Workspace", "Take the person out of scope, wait for a cycle, and put them back."},
		{"Keycloak", "Synchronise all users again, or remove and add the person."},
		{"OneLogin", "Remove the person from the application in OneLogin and add them again."},
		{"JumpCloud", "Take the person out of the application's groups and put them back."},
		{anybody, "No resource has this id: it was deleted, or it belongs to another directory. Search by userName or externalId and use the id that is found."},
	}},
	{status: 405, advice: []Advice{
		{"JumpCloud", "The base URL has /Users at its end. Take it off: JumpCloud appends that itself."},
		{anybody, "This address exists and does not take this method. Most often the base URL is too long or an id is missing from the address; the header Allow tells what is possible."},
	}},
	{status: 406, advice: []Advice{
		{anybody, "Let the client accept application/scim+json or application/json, or leave the Accept header away. Outside the profile strict any Accept is taken."},
	}},
	{status: 408, advice: []Advice{
		{anybody, "The request began and did not end in time: look at the network and at proxies between the client and here. The client may try again."},
	}},
	{status: 409, detail: []string{`"userName"`, `"externalId"`, `"emails`}, advice: []Advice{
		{"Okta", "Somebody has this name already, perhaps an inactive user. Set the unique identifier to userName and assign the person again: Okta then finds and adopts the account."},
		{"Entra ID", "Match by an attribute that both sides have, userName or externalId, and provision the person on demand: who is found is adopted instead of made anew."},
		{"Google Workspace", "Two people map to one userName, or one was made here by other means. Map what is unique, or rename the other account."},
		{"JumpCloud", "The test address belongs to somebody, or an interrupted test left a user behind. Use another, or delete that user."},
		{"Keycloak", "Two people get one userName, as where an e-mail address is shared. Choose the strategy username, or give each an address."},
		{"authentik", "authentik looks the account up after this and adopts it. If that lookup failed, the name has a blank in it: rename the account here for the moment."},
		{"SailPoint", "Aggregate accounts, so that SailPoint links the account that exists, or let the create profile make another name."},
		{"OneLogin", "OneLogin finds accounts by userName. Make its value the same as here, or rename the account that is here."},
		{anybody, "The value belongs to another user, in whatever case and perhaps inactive. Search for it, then adopt, rename or delete that one. After an answer that was lost this is how a repeated creation ends: search, and go on with the id."},
	}},
	{status: 409, detail: []string{`"displayName"`}, advice: []Advice{
		{"Okta", "A group of that name is here already. Link the push to the group that exists, or rename one of them."},
		{"Entra ID", "Two groups have one name, which Entra allows and matching by name does not. Rename one of them, or take it out of scope."},
		{"authentik", "A group of that name is here already, perhaps in another case. Rename one, or delete the one that is here."},
		{"Ping", "Ping did not recognise the group: the names differ in case, or it was not in the list. Give both the same name."},
		{"JumpCloud", "Another source made a group of that name. Rename one of them."},
		{anybody, "Names of groups are unique here without regard to case. Rename one, or turn that off with ROLLCALL_PROFILE=auto,-UniqueGroupNames."},
	}},
	{status: 409, detail: []string{"bulkId", "circular"}, advice: []Advice{
		{anybody, "An operation of the Bulk message needs another one that failed or that needs it in turn. Mend the first failure in the answer; the others follow from it."},
	}},
	{status: 409, advice: []Advice{
		{anybody, "The request contradicts what is stored. Read the resource, and send the request again as it fits what is there."},
	}},
	{status: 412, advice: []Advice{
		{anybody, "Somebody else changed the resource since it was read. Read it again, apply the change to that, and send the new version in If-Match."},
	}},
	{status: 413, detail: []string{"operations"}, advice: []Advice{
		{"authentik", "authentik divides by bulk.maxOperations of ServiceProviderConfig, which it keeps in mind: let it read that anew."},
		{anybody, "Send fewer operations in one request: ServiceProviderConfig tells how many are taken."},
	}},
	{status: 413, advice: []Advice{
		{"Okta", "The group is pushed as a whole. With a catalogue app, which sends the differences by PATCH, requests stay small."},
		{anybody, "Send less in one request: members in several PATCHes, or smaller Bulk messages. The limits are in ServiceProviderConfig, and in the server's settings."},
	}},
	{status: 415, advice: []Advice{
		{anybody, "Send JSON, as application/scim+json or application/json, and either no Content-Encoding or gzip."},
	}},
	{status: 428, advice: []Advice{
		{anybody, "Send the version that was read in If-Match."},
	}},
	{status: 429, advice: []Advice{
		{"Entra ID", "Nothing: Entra waits and tries again. If it lasts, raise the server's limit; a first cycle needs about 25 requests a second."},
		{anybody, "Wait as long as Retry-After says. If this is the normal load, raise the limit of the token."},
	}},
	{status: 501, advice: []Advice{
		{anybody, "This is not offered here; /ServiceProviderConfig tells what is. Turn it off in the client."},
	}},
	{status: 502, advice: []Advice{
		{anybody, "The application behind gave an answer that makes no sense here. The steps of this exchange show which call; look at the log of that application."},
	}},
	{status: 503, advice: []Advice{
		{"Entra ID", "Nothing: Entra tries again in the next cycle. Failures that last put the job into quarantine."},
		{anybody, "The server was busy or stopping, or the store did not answer in time. The client may repeat the request; the steps show what took long."},
	}},
	{status: 504, advice: []Advice{
		{anybody, "The application behind did not answer in time. The client may repeat the request; the steps show the call."},
	}},
	{status: 500, advice: []Advice{
		{anybody, "This is a fault of the server, not of the request. Its log has the cause under the request's id; please report it."},
	}},

	// From here on 400, by what is wrong.
	{scimType: "invalidFilter", detail: []string{"has no attribute", "no sub-attribute", "has no schema", "several extensions"}, advice: []Advice{
		{"Entra ID", `Match by userName, externalId or emails[type eq "work"].value. An attribute of the enterprise extension needs its URN before it, such as urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber.`},
		{"Ping", "Correct the filter expression: the attribute is emails.value, or emails for short, not email."},
		{"SailPoint", "Correct the source's filter: a group has displayName, a user has userName and name.familyName."},
		{"Okta", "Set the unique identifier field for users to userName."},
		{anybody, "Use an attribute that /Schemas lists for this resource type, or define it as an extension. Such a filter is refused, since to leave it out would be to answer with everybody."},
	}},
	{scimType: "invalidFilter", detail: []string{"can't be used in a filter", "derived"}, advice: []Advice{
		{anybody, "Search by another attribute: this one is never shown, or it follows from others, so no filter may ask for it."},
	}},
	{scimType: "invalidFilter", detail: []string{"JSON literal", "double quotes", `"and", "or" or the end`}, advice: []Advice{
		{"Ping", `Put quotation marks around the value in the filter expression: userName eq "%s".`},
		{"authentik", "A name with a blank can't be looked up without quotation marks: remove the blank in authentik, or rename the account here for the moment. A single word passes in the profile auto."},
		{anybody, `Put texts into double quotes: userName eq "ada@example.com". In an address they are written %22, a blank %20 or +.`},
	}},
	{scimType: "invalidFilter", detail: []string{"query string is not well-formed"}, advice: []Advice{
		{anybody, "Encode the query: a percent sign as %25, & as %26, + as %2B."},
	}},
	{scimType: "invalidFilter", detail: []string{"bytes; at most", "too complex", "at most"}, advice: []Advice{
		{anybody, "Ask for less at once: several searches instead of one long one."},
	}},
	{scimType: "invalidFilter", advice: []Advice{
		{anybody, `Correct the filter: attribute, operator, value, as in userName eq "ada@example.com", joined by and, or, not. The detail says where it stops making sense.`},
	}},
	{scimType: "tooMany", advice: []Advice{
		{anybody, "Ask for fewer at once: a narrower filter, or one endpoint instead of the root."},
	}},
	{scimType: "invalidCursor", advice: []Advice{
		{anybody, "Begin the list again with an empty cursor: this one belongs to another query or another server."},
	}},
	{scimType: "expiredCursor", advice: []Advice{
		{anybody, "Begin the list again with an empty cursor, and read its pages without long breaks."},
	}},
	{scimType: "invalidCount", advice: []Advice{
		{anybody, "Keep count a whole number, and the same from the first page to the last."},
	}},
	{scimType: "invalidVers", advice: []Advice{
		{"Ping", "Set the version to 2.0 and the URL to …/scim/v2."},
		{"Google Workspace", "The form shows an ending of its own vendor: the one here is /scim/v2."},
		{anybody, "Set the client to SCIM 2.0, with a base URL that ends in /scim/v2."},
	}},
	{scimType: "invalidSyntax", detail: []string{"SCIM 1.1"}, advice: []Advice{
		{"OneLogin", "Make the app anew with a connector whose name says SCIM v2; (Core Schema) speaks 1.1."},
		{anybody, "The client speaks SCIM 1.1. Set it up with its SCIM 2.0 connector."},
	}},
	{scimType: "invalidSyntax", detail: []string{"not valid JSON", "JSON object", "same name in one object", "goes on after"}, advice: []Advice{
		{"OneLogin", "Correct the SCIM JSON Template: often a comma too many or a quotation mark too few. The byte is counted in what arrived, with the values filled in."},
		{anybody, "The body is no JSON that can be read: the detail says at which byte it stops. A template, or a value without escaping, is the usual cause."},
	}},
	{scimType: "invalidSyntax", detail: []string{"schema"}, advice: []Advice{
		{"SailPoint", "Set the schemas in the create profile to those that /Schemas lists."},
		{anybody, "Correct schemas in the body: the URN of the resource type, and that of an extension only if it is served. In the profile auto it may be missing."},
	}},
	{scimType: "invalidSyntax", advice: []Advice{
		{"OneLogin", "Correct the SCIM JSON Template; the detail says what is wrong."},
		{anybody, "The message does not have the form that the section of the RFC asks for; the detail says which part."},
	}},
	{scimType: "invalidPath", detail: []string{"sortBy"}, advice: []Advice{
		{anybody, "Sort by an attribute with simple values, such as userName or meta.created."},
	}},
	{scimType: "invalidPath", advice: []Advice{
		{"Entra ID", "Correct or remove the attribute mapping: its target attribute is unknown here or misspelt. /Schemas lists what there is."},
		{"Okta", "Remove the attribute from the app's profile mapping, or define it here as an extension."},
		{"SailPoint", "Remove the attribute from the provisioning policy, or define it here as an extension."},
		{anybody, "Correct the path: an attribute that /Schemas lists, with its URN before it if it is an extension's. In the profile auto operations on unknown attributes are skipped."},
	}},
	{scimType: "noTarget", advice: []Advice{
		{"Entra ID", "Use the profile auto or entra: there the value that the filter describes is created when none matches."},
		{anybody, "Nothing matches the filter in the path, or a remove has no path. Add the value before changing it, or use the profile auto, which creates what a filter describes."},
	}},
	{scimType: "mutability", advice: []Advice{
		{"Entra ID", "Remove the mapping, or set it to apply during object creation only: the attribute can't be changed."},
		{"Okta", "Unmap the attribute, or apply it on create only: it can't be changed."},
		{"SailPoint", "Take the attribute out of the update: it can't be changed."},
		{anybody, "The attribute is read-only, or fixed once it has a value. Leave it out; to move a reference, remove the old one and add the new one as a whole."},
	}},
	{scimType: "invalidValue", detail: []string{`"members": no such resource`}, advice: []Advice{
		{"Okta", "Nothing of the request was applied, and Okta does not send it again. Unassign that person from the app and assign anew, so that Okta looks for the account again; then push the group."},
		{"Entra ID", "The user was deleted here or is not in scope. Provision that user on demand; the group follows in a later cycle."},
		{"SailPoint", "The account is gone since the last aggregation. Aggregate accounts, then provision again."},
		{"authentik", "The user was deleted here. The next full synchronisation makes it again and mends the group."},
		{"JumpCloud", "Take the person out of the application's groups in JumpCloud and put them back."},
		{anybody, "No user or group has this id: it was deleted, or not provisioned yet. Provision the person first, then the group."},
	}},
	{scimType: "invalidValue", detail: []string{"no such resource"}, advice: []Advice{
		{"Entra ID", "Use the profile auto or entra, where a manager may come later, or provision the manager first."},
		{"SailPoint", "Provision the manager first, or use the profile auto, where a manager may come later."},
		{anybody, "The resource that is referred to does not exist. Provision it first; in the profile auto a manager may come later."},
	}},
	{scimType: "invalidValue", detail: []string{"true or false is expected"}, advice: []Advice{
		{"Entra ID", `Restore the default mapping of active: its expression yields neither true nor false.`},
		{"OneLogin", "Correct the template: active takes true and false, also as texts, and no number."},
		{anybody, "Send true or false. Other texts are refused, for this may decide who keeps access."},
	}},
	{scimType: "invalidValue", detail: []string{`"userName": a value is required`, "has no userName"}, advice: []Advice{
		{"Okta", "Map userName from the Okta username."},
		{"Entra ID", "Map userName from an attribute that nobody lacks, such as userPrincipalName."},
		{"SailPoint", "Let the create profile set userName from a value that is never empty."},
		{"OneLogin", "Choose for the parameter behind userName a value that everybody has, such as the e-mail address."},
		{"Google Workspace", "Map userName; without it no account can be made."},
		{"Keycloak", "Fill the attribute behind userName, or choose another strategy."},
		{anybody, "Map userName from an attribute that is never empty."},
	}},
	{scimType: "invalidValue", detail: []string{"is required"}, advice: []Advice{
		{anybody, "Map the attribute that the detail names from one that is never empty."},
	}},
	{scimType: "invalidValue", detail: []string{"primary"}, advice: []Advice{
		{"Entra ID", "Map one value per type, and let at most one be primary."},
		{anybody, "Mark at most one value of the attribute as primary."},
	}},
	{scimType: "invalidValue", detail: []string{"startIndex", "count:", "sortOrder", "attributes and excludedAttributes", "cursor", "query parameter"}, advice: []Advice{
		{anybody, "Correct the query parameter that the detail names."},
	}},
	{scimType: "invalidValue", detail: []string{"Host header"}, advice: []Advice{
		{anybody, "A proxy sends a Host that is no name. Correct it there, or set ROLLCALL_BASE_URL."},
	}},
	{scimType: "invalidValue", detail: []string{`"roles"`}, advice: []Advice{
		{anybody, "Use a role that exists in the application behind; the detail names the one it does not know."},
	}},
	{scimType: "invalidValue", advice: []Advice{
		{"Entra ID", "Correct the mapping of the attribute that the detail names, or the value in the directory, and provision the person on demand."},
		{"Okta", "Correct the person's profile or the mapping in Okta: a 400 is not sent again by itself, so retry the task afterwards."},
		{"SailPoint", "Correct the value in the provisioning policy, then repeat the request."},
		{"OneLogin", "Correct the value in OneLogin, or the template, and retry."},
		{anybody, "Correct the value of the attribute that the detail names; it says what is expected."},
	}},
	{scimType: "uniqueness", advice: []Advice{
		{anybody, "The value belongs to another resource. Search for it, then adopt, rename or delete that one."},
	}},
	{advice: []Advice{
		{anybody, "The detail says what the server did not like. Compare the request with the section of the RFC, and send it again when it is mended."},
	}},
}
