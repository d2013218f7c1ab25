package sqlite_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/sqlite"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// A filter that the parser allows is answered, or refused as the client's
// error where SQLite can't compile it.
func TestLongFilters(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "rollcall.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	e, err := engine.New(db.Tenant("default"), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	post := func(path, body string) engine.Response {
		return e.Do(t.Context(), engine.Request{Method: "POST", Base: "http://h", Path: path, Body: []byte(body)})
	}
	inner := post("/Groups", `{"schemas":["`+scim.GroupURN+`"],"displayName":"inner"}`).ID
	if r := post("/Groups", `{"schemas":["`+scim.GroupURN+`"],"displayName":"outer","members":[{"value":"`+inner+`"}]}`); r.Status != 201 {
		t.Fatalf("nested group: %d %v", r.Status, r.Err)
	}
	for _, term := range []string{`groups.display eq \"g%d\"`, `groups.type eq \"t%d\"`, `groups[type eq \"direct\" and display sw \"g%d\"]`,
		`not (groups.display co \"g%d\")`, `emails[value co \"%d\" and type eq \"work\"]`} {
		for _, op := range []string{" and ", " or "} {
			terms := make([]string, 60)
			for i := range terms {
				terms[i] = fmt.Sprintf(term, i)
			}
			r := post("/Users/.search", `{"schemas":["`+scim.SearchRequestURN+`"],"filter":"`+strings.Join(terms, op)+`"}`)
			if r.Status != 200 && !errors.Is(r.Err, &scim.Error{Status: 400, Type: scim.TypeInvalidFilter}) {
				t.Errorf("60 times %s joined by%s: status %d: %v, want 200, or 400 invalidFilter", term, op, r.Status, r.Err)
			}
		}
	}
}
