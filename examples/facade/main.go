// Command facade puts SCIM in front of an application that has an API of its
// own: what a caller may do the application decides, by the caller's token.
//
//	facade ADDRESS [URL]
//
// URL is where the application is; without one, a small one that comes along is
// served beside /scim/v2. What is this application's is in facade.go; the calls,
// filters, pages, uniqueness, and what to do when the application fails are
// package backend/facade's, on which backend/pactflow is built as well.
package main

import (
	"cmp"
	"embed"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

//go:embed types.json
var typesFS embed.FS

// front is the application as a scim.Backend.
type front struct{ *facade.Store }

// newFront returns the backend, and the types that the application has a place
// for.
func newFront(base *url.URL, o facade.StoreOptions) (front, []*scim.ResourceType, error) {
	types, err := schema.Read(nil, typesFS)
	if err != nil {
		return front{}, nil, err
	}
	up := facade.NewUpstream(facade.Options{Name: "the application", Base: base})
	return front{facade.NewStore(o, source{up, types[0], "/people"}, source{up, types[1], "/teams"})}, types, nil
}

// Handler returns SCIM in front of the application at base.
func Handler(base *url.URL) (http.Handler, error) {
	b, types, err := newFront(base, facade.StoreOptions{IndexTime: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	e, err := engine.New(b, engine.Config{Types: types})
	if err != nil {
		return nil, err
	}
	return passed(scimhttp.NewHandler(e, scimhttp.Options{})), nil
}

// passed hands the caller's token on. Whether it is good the application knows.
func passed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || token == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			scimhttp.Error(w, &scim.Error{Status: http.StatusUnauthorized, Detail: "the application's token is required"})
			return
		}
		next.ServeHTTP(w, r.WithContext(facade.WithCaller(r.Context(), token)))
	})
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		log.Fatal("usage: facade ADDRESS [URL]")
	}
	base, err := url.Parse(cmp.Or(strings.Join(os.Args[2:], ""), "http://"+os.Args[1]))
	if err != nil || base.Host == "" {
		log.Fatal("URL must be an address such as https://app.example.com")
	}
	h, err := Handler(base)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/scim/v2/", http.StripPrefix("/scim/v2", h))
	http.Handle("/", &app{})
	log.Fatal((&http.Server{Addr: os.Args[1], ReadHeaderTimeout: 10 * time.Second}).ListenAndServe())
}
