package compat

import (
	"slices"
	"strings"
)

// agents are what known clients put into User-Agent, in lower case, the more
// telling first.
var agents = []struct{ part, client string }{
	{"okta", "okta"},
	{"azure", "entra"},
	{"entra", "entra"},
	{"aad", "entra"},
	{"sailpoint", "sailpoint"},
	{"onelogin", "onelogin"},
	{"jumpcloud", "jumpcloud"},
	{"authentik", "authentik"},
	{"keycloak", "keycloak"},
	{"midpoint", "midpoint"},
	{"google", "google"},
	{"ping", "ping"},
	{"curl/", "curl"},
	{"postman", "postman"},
	{"python", "python"},
	{"go-http-client", "go"},
	{"apache-httpclient", "java"},
	{"java", "java"},
	{"mozilla", "browser"},
}

// ClientOf returns what kind of client a User-Agent is probably that of, or
// "other", for logs alone: some clients send an empty one and some look alike,
// so no behaviour may depend on it.
func ClientOf(userAgent string) string {
	userAgent = strings.ToLower(userAgent)
	for _, a := range agents {
		if strings.Contains(userAgent, a.part) {
			return a.client
		}
	}
	return "other"
}

// Clients returns every value that ClientOf can return, "other" first.
func Clients() []string {
	list := []string{"other"}
	for _, a := range agents {
		if !slices.Contains(list, a.client) {
			list = append(list, a.client)
		}
	}
	return list
}
