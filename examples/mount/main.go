// Command mount is an application that gains SCIM: an engine over a store, and
// a handler beside the application's own.
//
//	mount ADDRESS TOKEN
//
// It keeps people in memory, as package memory does. To keep them elsewhere,
// see examples/ownbackend; for many customers and tables of one's own,
// examples/saas.
package main

import (
	"crypto/subtle"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

// Handler returns the application with SCIM under /scim/v2, for the bearer of
// token.
func Handler(token string) (http.Handler, error) {
	store := new(memory.Store)
	e, err := engine.New(store, engine.Config{
		// Shown by ServiceProviderConfig; the check itself is bearer's, below.
		Schemes: []scim.AuthenticationScheme{{Type: "oauthbearertoken", Name: "Bearer token", Description: "A token that our administrators make", Primary: true}},
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/scim/v2/", bearer(token, http.StripPrefix("/scim/v2", scimhttp.NewHandler(e, scimhttp.Options{}))))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { // the application reads the same store
		users, err := store.List(r.Context(), scim.Query{Type: e.Types()[0], StartIndex: 1, Count: 10})
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%d people work here\n", users.Total)
		for _, u := range users.Resources {
			fmt.Fprintln(w, scim.DisplayName(u.Attrs))
		}
	})
	return mux, nil
}

// bearer lets those pass who have the token. What it refuses it refuses as SCIM
// does, since the reader is an identity provider.
func bearer(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			scimhttp.Error(w, &scim.Error{Status: http.StatusUnauthorized, Detail: "a valid token is required"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func main() {
	if len(os.Args) != 3 || os.Args[2] == "" {
		log.Fatal("usage: mount ADDRESS TOKEN")
	}
	h, err := Handler(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal((&http.Server{Addr: os.Args[1], Handler: h, ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
