package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	main "github.com/rollcall-scim/rollcall/examples/owntype"
)

func TestOwnType(t *testing.T) {
	t.Parallel()
	h, err := main.Handler()
	if err != nil {
		t.Fatal(err)
	}
	do := func(status int, method, path, body string, want ...string) (id string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		if w.Code != status {
			t.Fatalf("%s %s: %d %s, want %d", method, path, w.Code, w.Body, status)
		}
		for _, text := range want {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s %s: %s\nhas no %s", method, path, w.Body, text)
			}
		}
		var r struct{ ID string }
		_ = json.Unmarshal(w.Body.Bytes(), &r)
		return r.ID
	}
	do(200, "GET", "/ResourceTypes", "", `"endpoint":"/Devices"`, "2.0:Badge")
	do(200, "GET", "/Schemas/urn:example:params:scim:schemas:2.0:Device", "", `"serial"`)
	const badge = "urn:example:params:scim:schemas:extension:2.0:Badge"
	ann := do(201, "POST", "/Users", `{"userName":"ann","`+badge+`":{"number":7,"doors":["main","lab"]}}`, `"number":7`)
	do(409, "POST", "/Users", `{"userName":"bob","`+badge+`":{"number":7}}`, "uniqueness")
	do(200, "GET", "/Users?filter="+badge+":doors+eq+%22LAB%22", "", `"totalResults":1`)

	laptop := do(201, "POST", "/Devices", `{"schemas":["urn:example:params:scim:schemas:2.0:Device"],"serial":"X1","bought":"2026-01-31T12:00:00Z","owner":{"value":"`+ann+`"}}`,
		`"displayName":"ann"`, "/Users/"+ann)
	do(409, "POST", "/Devices", `{"serial":"X1"}`, "uniqueness")
	do(400, "POST", "/Devices", `{"model":"no serial"}`, "serial")
	do(400, "POST", "/Devices", `{"serial":"X2","bought":"yesterday"}`, "bought")
	do(200, "PATCH", "/Devices/"+laptop, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"model","value":"13 inches"}]}`, "13 inches")
	do(200, "GET", "/Devices?filter=owner.value+eq+%22"+ann+"%22+and+bought+lt+%222027-01-01T00:00:00Z%22&sortBy=serial", "", `"totalResults":1`)
	do(http.StatusNoContent, "DELETE", "/Users/"+ann, "")
	do(200, "GET", "/Devices?filter=owner+pr", "", `"totalResults":0`) // whoever is gone owns nothing
}
