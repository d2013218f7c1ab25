package people

import (
	"strings"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// clientName says who sent an exchange.
func clientName(x *lookingglass.Exchange) string {
	switch x.Client.Kind {
	case "", "unknown", "other":
		return actorName(x.Actor)
	}
	return lookingglass.Label(x.Client.Kind)
}

// actorName says who made a change of which the log alone is left. An actor is
// the name of a token or of a subcommand.
func actorName(actor string) string {
	switch {
	case actor == "", actor == "anonymous":
		return "somebody"
	case actor == "console", strings.HasSuffix(actor, " by console"):
		return "the console"
	case strings.HasPrefix(actor, "rollcall "):
		return "“" + actor + "”"
	}
	return "the client with " + actor
}

// sentence begins a text with a capital.
func sentence(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return s
}
