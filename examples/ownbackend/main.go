// Command ownbackend serves SCIM from a backend of its own: the five methods of
// scim.Backend, held to their contract by package scimtest.
//
//	ownbackend FILE ADDRESS
package main

import (
	"log"
	"net/http"
	"os"
	"time"

	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: ownbackend FILE ADDRESS")
	}
	j, err := Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	e, err := engine.New(j, engine.Config{Types: types})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/scim/v2/", http.StripPrefix("/scim/v2", scimhttp.NewHandler(e, scimhttp.Options{})))
	log.Fatal((&http.Server{Addr: os.Args[2], ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
