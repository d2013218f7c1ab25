package people

import (
	"slices"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

func advice(pairs ...string) (list []lookingglass.Advice) {
	for i := 0; i+1 < len(pairs); i += 2 {
		list = append(list, lookingglass.Advice{Client: pairs[i], Text: pairs[i+1]})
	}
	return list
}

// anybody is the Client of an Advice that does not depend on one.
const anybody = "anybody"

// next says what to do about a cause. client is who is concerned, "" if nobody
// is known: then what is said for each is given.
func next(c Cause, client string) []lookingglass.Advice {
	var list []lookingglass.Advice
	switch c {
	case Present:
		return advice(anybody, "The directory has what it needs. If the person can't work, look at the application: which userName it expects, and which groups.")
	case Inactive:
		list = advice(
			"Okta", "Assign the person to the application again (Assignments → Assign): Okta then sends active=true. If the assignment is there, look whether the person is suspended or deactivated in Okta.",
			"Entra ID", "Look whether the person is still in Users and groups of the enterprise application and whether the account is enabled; then Provision on demand.",
			anybody, "Activate the person in the identity provider; what is changed here alone is undone by its next update.")
	case Deleted:
		list = advice(
			anybody, "To get the same id, profile and groups back: rollcall users restore. Else the identity provider creates the person anew when it is assigned again.")
	case Refused:
		list = advice(
			"Okta", "Mend what the error says in Okta, and let it try again under Dashboard → Tasks.",
			"Entra ID", "Mend what the error says in Entra ID, and let it try again with Provision on demand.",
			anybody, "Mend what the error says in the identity provider, and let it try again.")
	case Sought:
		list = advice(
			"Okta", "Look whether Create Users is ticked (Provisioning → To App), whether the person is assigned to the application, and whether the task under Dashboard → Tasks has an error.",
			"Entra ID", "Look whether Create is ticked under Mappings → Target Object Actions, whether the person is in scope (Users and groups, scoping filters), and what Provisioning logs says of the step that was skipped.",
			anybody, "The client looked and then did not send a create: its rules for who is created, or the right to create, are where to look.")
	case Never:
		list = advice(
			"Okta", "Assign the person, or a group of theirs, to the application (Assignments). Who was assigned before provisioning was turned on is sent only by Provision User.",
			"Entra ID", "Add the person, or a group that holds them directly, to Users and groups of the enterprise application, and look at Scope (“Sync only assigned users and groups”). A cycle takes up to 40 minutes; Provision on demand takes a moment.",
			anybody, "Look whether the person is spelled in the identity provider as in your question.")
	case Unknown:
		return nil
	}
	return fit(list, client)
}

// soughtGroup is next for a name by which clients look for groups.
func soughtGroup(client string) []lookingglass.Advice {
	return fit(advice(
		"Okta", "Look whether the group is pushed (Push Groups), and whether its push has an error.",
		"Entra ID", "Look whether the group is assigned to the enterprise application, whether Create is ticked under Mappings for groups, and what Provisioning logs says of the step that was skipped.",
		anybody, "The client looked for a group of that name and then did not send a create: its rules for which groups are sent are where to look."), client)
}

// fit returns what of list a client needs: its own step; of a client that is
// known and has none what is said to anybody; and if it is not known who it is,
// all.
func fit(list []lookingglass.Advice, client string) []lookingglass.Advice {
	of := func(client string) []lookingglass.Advice {
		return slices.DeleteFunc(slices.Clone(list), func(a lookingglass.Advice) bool { return a.Client != client })
	}
	if own := of(client); len(own) > 0 {
		return own
	}
	if general := of(anybody); lookingglass.Known(client) && len(general) > 0 {
		return general
	}
	return list
}
