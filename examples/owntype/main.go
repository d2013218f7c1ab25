// Command owntype serves a resource type of its own, Device, and an extension
// of User, Badge, both described in types.json alone.
//
//	owntype ADDRESS
//
// Filters, PATCH, uniqueness, references, projection and discovery follow from
// the description; no Go knows the attributes.
package main

import (
	"embed"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

//go:embed types.json
var files embed.FS

// Handler returns the SCIM service, rooted at "/".
func Handler() (http.Handler, error) {
	types, err := schema.Read(schema.Core(), files)
	if err != nil {
		return nil, err // names file and attribute
	}
	e, err := engine.New(new(memory.Store), engine.Config{Types: types})
	if err != nil {
		return nil, err
	}
	return scimhttp.NewHandler(e, scimhttp.Options{}), nil
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: owntype ADDRESS")
	}
	h, err := Handler()
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/scim/v2/", http.StripPrefix("/scim/v2", h))
	log.Fatal((&http.Server{Addr: os.Args[1], ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
