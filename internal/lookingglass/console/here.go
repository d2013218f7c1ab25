package console

import "net/http"

// FromHere reports whether a request comes from this machine, as far as that can
// be told: from a loopback address, by a name of loopback, and without anything
// that a proxy adds.
func FromHere(r *http.Request) bool { return fromHere(r) }
