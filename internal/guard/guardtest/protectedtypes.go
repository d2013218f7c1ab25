package guardtest

import (
	"testing"

	"github.com/rollcall-scim/rollcall/internal/tenant"
)

// devices are types of a tenant's own: devices, which a unique serial number names,
// and racks, whose members they are.
const devices = `[
	{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:2.0:Device","name":"Device","attributes":[
		{"name":"serial","type":"string","uniqueness":"server"},{"name":"displayName","type":"string"}]},
	{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:example:2.0:Rack","name":"Rack","attributes":[
		{"name":"displayName","type":"string"},
		{"name":"members","type":"complex","multiValued":true,"subAttributes":[
			{"name":"value","type":"string","mutability":"immutable"},
			{"name":"$ref","type":"reference","referenceTypes":["Device"],"mutability":"immutable"}]}]},
	{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Device","endpoint":"/Devices","schema":"urn:example:2.0:Device"},
	{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"Rack","endpoint":"/Racks","schema":"urn:example:2.0:Rack"}]`

// testProtectedTypes protects resources of types of a tenant's own by the attribute
// that names them, however the setting spells the type.
func testProtectedTypes(t *testing.T, open Open) {
	w := begin(t, open, "auto", tenant.Settings{
		Schemas:   []byte(devices),
		Protected: []string{"device:SN1", "RACK:Core"},
		Breaker:   tenant.Breaker{Mode: "off"},
	})
	device := func(names string) string {
		return w.must("POST", "/Devices", `{"schemas":["urn:example:2.0:Device"],`+names+`}`).ID
	}
	rack := func(name string, ids ...string) string {
		return w.must("POST", "/Racks", `{"schemas":["urn:example:2.0:Rack"],"displayName":"`+name+`","members":[`+refs(ids...)+`]}`).ID
	}
	sn1, sn2 := device(`"serial":"sn1","displayName":"switch"`), device(`"serial":"sn2","displayName":"SN1"`)
	one, core, spare := rack("One", sn1, sn2), rack("Core", sn2), rack("Spare")
	for name, x := range map[string]struct {
		status             int
		method, path, body string
	}{
		"change":                {403, "PATCH", "/Devices/" + sn1, patch(`{"op":"replace","path":"displayName","value":"x"}`)},
		"delete":                {403, "DELETE", "/Devices/" + sn1, ""},
		"leave":                 {403, "PATCH", "/Racks/" + one, patch(`{"op":"remove","path":"members[value eq \"` + sn1 + `\"]"}`)},
		"leave with all":        {403, "PATCH", "/Racks/" + one, patch(`{"op":"remove","path":"members"}`)},
		"leave what goes":       {403, "DELETE", "/Racks/" + one, ""},
		"join":                  {403, "PATCH", "/Racks/" + spare, patch(`{"op":"add","path":"members","value":[{"value":"` + sn1 + `"}]}`)},
		"change the rack":       {403, "PATCH", "/Racks/" + core, patch(`{"op":"replace","path":"members","value":[]}`)},
		"another":               {200, "PATCH", "/Devices/" + sn2, patch(`{"op":"replace","path":"displayName","value":"SN1 too"}`)},
		"another type":          {201, "POST", "/Users", `{"userName":"SN1"}`},
		"a rack of nobody's":    {204, "PATCH", "/Racks/" + spare, patch(`{"op":"replace","path":"displayName","value":"x"}`)},
		"what is in the rack":   {403, "DELETE", "/Devices/" + sn2, ""},
		"the name of the other": {403, "POST", "/Racks", `{"schemas":["urn:example:2.0:Rack"],"displayName":"core"}`},
	} {
		if got := w.do(len(name), x.method, x.path, x.body); got.Status != x.status {
			t.Errorf("%s: %d, not %d: %s", name, got.Status, x.status, got.Body)
		}
	}
}
