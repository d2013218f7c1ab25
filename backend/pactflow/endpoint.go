package pactflow

import "strings"

// Endpoint returns the class of the endpoint that a path below PactFlow's base
// leads to, for figures and traces, in which ids have no place: one of "health",
// "users", "user", "user_roles", "teams", "team", "team_users", "roles", "role"
// and "other". System accounts are users.
func Endpoint(path string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if segments[0] == "diagnostic" {
		return "health"
	}
	if len(segments) < 2 || segments[0] != "admin" {
		return "other"
	}
	one, many := "", map[string]string{"users": "user", "system-accounts": "user", "teams": "team", "roles": "role"}
	if one = many[segments[1]]; one == "" {
		return "other"
	}
	switch {
	case len(segments) == 2:
		return one + "s"
	case len(segments) == 3:
		return one
	case one == "user" && strings.HasPrefix(segments[3], "role"):
		return "user_roles"
	case one == "team" && segments[3] == "users":
		return "team_users"
	}
	return "other"
}
