package scimhttp

import (
	"context"
	"crypto/rand"
	"net/http"

	"github.com/rollcall-scim/rollcall/scim"
)

// identify returns the request's context with its Origin complete, and the id.
func identify(r *http.Request) (context.Context, string) {
	origin := scim.OriginOf(r.Context())
	if origin.RequestID != "" {
		return r.Context(), origin.RequestID
	}
	origin.RequestID = RequestID(r)
	return scim.WithOrigin(r.Context(), origin), origin.RequestID
}

// RequestID returns the id that the client gives the request in X-Request-Id,
// if it is one that can stand in a log: at most 64 letters, digits and "-_.:".
// Else it returns a new one.
func RequestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 {
		return rand.Text()
	}
	for i := range len(id) {
		c := id[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' && c != ':' {
			return rand.Text()
		}
	}
	return id
}
