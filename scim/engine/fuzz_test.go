package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/compat"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

var scimTypes = []scim.ErrorType{"", scim.TypeInvalidFilter, scim.TypeTooMany, scim.TypeUniqueness, scim.TypeMutability,
	scim.TypeInvalidSyntax, scim.TypeInvalidPath, scim.TypeNoTarget, scim.TypeInvalidValue, scim.TypeInvalidVers,
	scim.TypeSensitive, scim.TypeInvalidCursor, scim.TypeExpiredCursor, scim.TypeInvalidCount}

// FuzzDo: whatever is asked, the answer is a well-formed SCIM message, and no
// failure is the server's.
func FuzzDo(f *testing.F) {
	const user, group = "2819c223", "e9e30dba"
	for _, s := range []struct{ method, path, query, header, body string }{
		{"GET", "/Users", `filter=userName eq "a"&sortBy=name.familyName&count=2`, "", ""},
		{"GET", "/Users/" + user, "attributes=userName", `W/"1"`, ""},
		{"GET", "/Groups", "cursor=&count=1&excludedAttributes=members", "", ""},
		{"GET", "/Groups", "cursor=AAAA", "", ""},
		{"GET", "/", `filter=meta.resourceType eq "User" and not (title pr)&sortBy=displayName`, "", ""},
		{"POST", "/.search", "", "", search(`,"filter":"emails[type eq \"work\"].value co \"@\"","sortBy":"userName","cursor":""`)},
		{"POST", "/Users", "", "", `{"schemas":["` + scim.UserURN + `"],"userName":"x","emails":[{"value":"a@b.example","primary":true}],"password":"p"}`},
		{"POST", "/Groups", "", "", `{"displayName":"x","members":[{"value":"` + user + `"}]}`},
		{"PUT", "/Users/" + user, "", "*", `{"userName":"y","` + enterprise + `":{"manager":"` + user + `"}}`},
		{"PATCH", "/Users/" + user, "", "", patchOp(`{"op":"add","path":"emails[type eq \"work\"].value","value":"w@x.example"}`)},
		{"PATCH", "/Groups/" + group, "", "", patchOp(`{"op":"remove","path":"members[value eq \"`+user+`\"]"}`, `{"op":"replace","value":{"displayName":"z"}}`)},
		{"DELETE", "/Users/" + user, "", `"x", W/"1"`, ""},
		{"OPTIONS", "/Me", "", "", ""},
		{"GET", "/Schemas/urn%3Aietf%3Aparams", "", "", ""},
		{"GET", "/ServiceProviderConfig", "filter=x", "", ""},
		{"POST", "/Widgets", "", "", `{"schemas":["urn:x:test:2.0:Widget"],"reqd":"r","int":1,"dt":"2026-01-02T03:04:05Z","items":[{"value":"a"}]}`},
		{"POST", "/Bulk", "", "", bulkRequest(`"failOnErrors":2,`, postGroup("a", "A", "bulkId:b"), postGroup("b", "B", "bulkId:a"),
			`{"method":"PATCH","path":"/Groups/bulkId:a","data":[{"op":"add","path":"members[value eq \"bulkId:b\"]","value":1}]}`)},
	} {
		f.Add(s.method, s.path, s.query, s.header, s.body, true)
		f.Add(s.method, s.path, s.query, s.header, s.body, false)
	}
	types := widgets(f)
	// Engines are dear beside a request, so there is one per profile, over a
	// store that is new each time.
	store := &renewed{Store: new(memory.Store)}
	engines := map[bool]*engine.Engine{}
	for auto, b := range map[bool]scim.Backend{true: store, false: plain{store}} {
		c := engine.Config{Types: types, Profile: compat.Strict(), Me: func(context.Context) (string, error) { return user, nil }}
		if auto {
			c.Profile = compat.Auto()
		}
		engines[auto] = open(f, b, c).e
	}
	f.Fuzz(func(t *testing.T, method, path, query, header, body string, auto bool) {
		store.Store = new(memory.Store)
		seed(t, store.Store, types, user, group)
		e := engines[auto]
		values, _ := url.ParseQuery(query)
		r := e.Do(context.Background(), engine.Request{Method: method, Base: base, Path: path, Query: values,
			IfMatch: header, Prefer: header, Body: []byte(body)})
		if r.Status < 200 || r.Status > 501 || r.Status == 500 {
			t.Fatalf("status %d: %v", r.Status, r.Err)
		}
		if (r.Status >= 400) != (r.Err != nil) && method != "POST" {
			t.Errorf("status %d with Err %v", r.Status, r.Err)
		}
		if r.Body == nil {
			if r.Status != 204 && r.Status != 304 {
				t.Errorf("status %d without a body", r.Status)
			}
			return
		}
		var out bytes.Buffer
		if _, err := r.Body.WriteTo(&out); err != nil {
			t.Fatalf("body: %v", err)
		}
		if r.Size >= 0 && int(r.Size) != out.Len() {
			t.Errorf("Size %d of %d bytes", r.Size, out.Len())
		}
		var message struct {
			Schemas  []string
			Status   string
			ScimType scim.ErrorType
			Detail   string
		}
		if _, err := scim.ParseObject(out.Bytes(), 0, 0); err != nil {
			t.Fatalf("the body is not sound: %v\n%s", err, &out)
		}
		if err := json.Unmarshal(out.Bytes(), &message); r.Status >= 400 {
			if err != nil || !slices.Equal(message.Schemas, []string{scim.ErrorURN}) || message.Status != strconv.Itoa(r.Status) ||
				!slices.Contains(scimTypes, message.ScimType) || message.Detail == "" {
				t.Errorf("no error message: %s", &out)
			}
		}
	})
}

// renewed is a store that is replaced by an empty one between requests.
type renewed struct{ *memory.Store }

// seed stores a user and a group under ids that the corpus knows.
func seed(t *testing.T, b *memory.Store, types []*scim.ResourceType, user, group string) {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	meta := scim.Meta{Created: at, LastModified: at, Version: "1"}
	find := func(name string) *scim.ResourceType {
		return types[slices.IndexFunc(types, func(t *scim.ResourceType) bool { return t.Name == name })]
	}
	for _, r := range []*scim.Resource{
		{Type: find("User"), ID: user, Meta: meta, Schemas: []string{scim.UserURN}, Attrs: scim.Object{{Name: "userName", Value: "a"}}},
		{Type: find("Group"), ID: group, Meta: meta, Schemas: []string{scim.GroupURN},
			Attrs: scim.Object{{Name: "displayName", Value: "g"}, {Name: "members", Value: []scim.MemberRef{{ID: user}}}}},
	} {
		if err := b.Import(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
}
