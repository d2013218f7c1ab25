package pactflow_test

import (
	"os"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/pactflow"
	"github.com/rollcall-scim/rollcall/backend/pactflow/pactflowtest"
	"github.com/rollcall-scim/rollcall/internal/replay"
)

// TestTraces plays Okta's conversations, of apps that send PUT and of those that
// send PATCH. They were recorded at an empty directory, which no PactFlow is;
// what of their expectations can't hold is listed with the reason, and anything
// else that does not hold, or any of these that does, is an error.
func TestTraces(t *testing.T) {
	t.Parallel()
	const (
		people  = "the seed has people"
		team    = "the Default team is always there"
		mail    = "a user without an e-mail address is refused before it is looked for"
		numbers = "a list that was not asked for a page does not number it"
	)
	always := map[string]string{
		"Same userName in another case is the same user": mail,
		"Lookup is case-insensitive":                     numbers,
		"Second probe after saving: groups":              team,
	}
	seeds := map[string]map[string]string{
		"empty": {},
		"okta": {
			"Test connector": people,
			"Test API credentials: first two users (tenant is empty)": people,
			"Import page 1":                          people,
			"Import page 2 does not repeat page 1":   people,
			"Import page 3 is short":                 people,
			"Order is stable whatever the page size": people,
			"Past the end":                           people,
		},
	}
	for seed, but := range seeds {
		for _, name := range []string{"okta-aiw-put-import", "okta-oin-patch"} {
			t.Run(seed+"/"+name, func(t *testing.T) {
				t.Parallel()
				f, err := os.Open("../../testdata/idp/traces/" + name + ".json")
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				steps, err := replay.Read(f)
				if err != nil {
					t.Fatal(err)
				}
				r := newRig(t, pactflowtest.Options{Seed: seed}, pactflow.Options{})
				results, err := replay.Player{Base: r.front.URL + "/scim", Token: r.token, Client: r.front.Client()}.Play(t.Context(), steps)
				if err != nil {
					t.Fatal(err)
				}
				for _, res := range results {
					why := always[res.Step.Name] + but[res.Step.Name]
					for _, fault := range res.Faults {
						if why == "" {
							t.Errorf("%q: %s", res.Step.Name, fault)
						}
					}
					if why != "" && len(res.Faults) == 0 {
						t.Errorf("%q holds, although %s", res.Step.Name, why)
					}
				}
				if r.emu.MailsSent() != 0 {
					t.Error("mail was sent")
				}
			})
		}
	}
}

// TestOktaRoles is the conversation of PactFlow's guide for Okta: roles as
// attributes of the app, "roles.^[type=='Administrator'].value", whose values are
// the ids of roles. Okta finds an entry again by its type in the answer.
func TestOktaRoles(t *testing.T) {
	t.Parallel()
	r := okta(t, pactflow.Options{})
	const body = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"kay@example.com","name":{"givenName":"Kay","familyName":"O"},` +
		`"emails":[{"primary":true,"value":"kay@example.com","type":"work"}],"displayName":"Kay O","active":true,"groups":[],"password":"dummy"`
	roles := func(a answer) string {
		text := ""
		list, _ := a.json["roles"].([]any)
		for _, v := range list {
			o, _ := v.(map[string]any)
			value, _ := o["value"].(string)
			typ, _ := o["type"].(string)
			text += typ + "=" + value[:8] + " "
		}
		return text
	}
	// Assigned: not there, so created, with one role mapped and one empty.
	r.want(200, `GET /Users?filter=userName eq "kay@example.com"&startIndex=1&count=100`, "")
	a := r.want(201, "POST /Users", body+`,"roles":[{"type":"Administrator","value":"`+administrator+`"},{"type":"CI/CD","value":""}]}`)
	id := a.id()
	if got := roles(a); got != "Administrator=cf75d7c2 " {
		t.Errorf("created with %s", got)
	}
	r.calls()
	for _, tt := range []struct {
		name, roles string
		want        string
		calls       []string
	}{
		{"nothing new, as read", `[{"value":"` + administrator + `","display":"Administrator","type":"Administrator"}]`, "Administrator=cf75d7c2 ", []string{getUser}},
		{"a second one", `[{"value":"` + administrator + `","display":"Administrator","type":"Administrator"},{"type":"CI/CD","value":"` + ciRole + `"}]`,
			"Administrator=cf75d7c2 CI/CD=c1878b8e ", []string{getUser, putRoles, getUser}},
		{"both in the other order, and one twice", `[{"type":"CI/CD","value":"` + ciRole + `"},{"type":"Administrator","value":"` + administrator + `"},{"type":"Old name","value":"` + administrator + `"}]`,
			"Administrator=cf75d7c2 CI/CD=c1878b8e ", []string{getUser}},
		{"one slot cleared", `[{"type":"Administrator","value":""},{"type":"CI/CD","value":"` + ciRole + `"}]`, "CI/CD=c1878b8e ", []string{getUser, putRoles, getUser}},
		{"by name, where it is held", `[{"type":"CI/CD","value":"ci/cd"}]`, "CI/CD=c1878b8e ", []string{getUser}},
	} {
		a := r.want(200, "PUT /Users/"+id, body+`,"roles":`+tt.roles+`}`)
		if got := roles(a); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
		r.called(tt.calls...)
	}
	r.refused(400, "invalidValue", "PUT /Users/"+id, body+`,"roles":[{"type":"Administrator","value":"Administrator"}]}`)
	r.called(getUser)
	// A role that somebody gave in PactFlow comes back as it was read, and stays.
	if err := r.emu.Change(func(s *pactflowtest.State) {
		for i := range s.Users {
			if s.Users[i].UUID == id {
				s.Users[i].Roles = append(s.Users[i].Roles, userRole)
			}
		}
		for i := range s.Teams {
			s.Teams[i].Administrators = []string{id}
		}
	}); err != nil {
		t.Fatal(err)
	}
	a = r.want(200, "GET /Users/"+id, "")
	if got := roles(a); got != "CI/CD=c1878b8e User=e9282e22 Team Administrator=d635f960 " {
		t.Errorf("%s", got)
	}
	r.calls()
	r.want(200, "PUT /Users/"+id, a.text)
	r.called(getUser)
	// The namespace may be around the attribute.
	a = r.want(200, "PUT /Users/"+id, body+`,"urn:ietf:params:scim:schemas:core:2.0:User":{"roles":[{"type":"Administrator","value":"`+administrator+`"}]}}`)
	if got := roles(a); got != "Administrator=cf75d7c2 Team Administrator=d635f960 " {
		t.Errorf("%s", got)
	}
	r.called(getUser, putRoles, getUser)
	// Unassigned: nothing but active changes.
	a = r.want(200, "PUT /Users/"+id, body[:len(body)-len(`,"groups":[],"password":"dummy"`)-len(`"active":true`)]+`"active":false}`)
	if got := roles(a); got != "Administrator=cf75d7c2 Team Administrator=d635f960 " || a.json["active"] != false {
		t.Errorf("%s", a.text)
	}
}
