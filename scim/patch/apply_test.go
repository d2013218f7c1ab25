package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
)

// TestSimpleAttributes puts every simple single-valued attribute of Widget,
// core and extension, through every operation, by path and without.
func TestSimpleAttributes(t *testing.T) {
	t.Parallel()
	values := map[string][2]string{
		"reqd": {`"a"`, `"b"`}, "str": {`"a"`, `"b"`}, "strX": {`"a"`, `"A"`}, "bool": {`true`, `false`},
		"dec": {`1.5`, `-2.25`}, "int": {`1`, `9007199254740993`}, "bin": {`"aGk="`, `"eA=="`},
		"dt":  {`"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05.678+02:00"`},
		"ref": {`"https://x.example/1"`, `"https://x.example/2"`}, "wo": {`"a"`, `"b"`}, "nev": {`"a"`, `"b"`},
		"alw": {`"a"`, `"b"`}, "req": {`"a"`, `"b"`},
	}
	var rows []row
	for name, v := range values {
		reqd := `"reqd":"r",`
		if name == "reqd" {
			reqd = ""
		}
		key := `"` + name + `":`
		order := func(value string) string { // reqd is the first attribute of the schema
			return reqd + key + value
		}
		none := strings.TrimSuffix(reqd, ",")
		gone := func(t scim.ErrorType) result {
			if reqd == "" {
				return bad(t)
			}
			return ok(none)
		}
		one := func(op, value string) string { return `{"op":"` + op + `","path":"` + name + `"` + value + `}` }
		all := func(op, value string) string { return `{"op":"` + op + `","value":{` + key + value + `}}` }
		rows = append(rows,
			row{name: name + " add unset", before: none, ops: one("add", `,"value":`+v[0]), strict: ok(order(v[0]))},
			row{name: name + " add set", before: order(v[0]), ops: one("add", `,"value":`+v[1]), strict: ok(order(v[1]))},
			row{name: name + " add same", before: order(v[0]), ops: one("add", `,"value":`+v[0]), strict: ok(order(v[0]))},
			row{name: name + " add pathless", before: order(v[0]), ops: all("add", v[1]), strict: ok(order(v[1]))},
			row{name: name + " replace unset", before: none, ops: one("replace", `,"value":`+v[0]), strict: ok(order(v[0]))},
			row{name: name + " replace set", before: order(v[0]), ops: one("replace", `,"value":`+v[1]), strict: ok(order(v[1]))},
			row{name: name + " replace pathless", before: order(v[0]), ops: all("replace", v[1]), strict: ok(order(v[1]))},
			row{name: name + " replace URN", before: order(v[0]), ops: `{"op":"replace","path":"` + widgetURN + ":" + strings.ToUpper(name) + `","value":` + v[1] + `}`, strict: ok(order(v[1]))},
			row{name: name + " add null", before: order(v[0]), ops: one("add", `,"value":null`), strict: ok(order(v[0]))},
			row{name: name + " replace null", before: order(v[0]), ops: one("replace", `,"value":null`), strict: gone(scim.TypeInvalidValue)},
			row{name: name + " replace pathless null", before: order(v[0]), ops: all("replace", `null`), strict: gone(scim.TypeInvalidValue)},
			row{name: name + " remove", before: order(v[0]), ops: one("remove", ""), strict: gone(scim.TypeMutability)},
			row{name: name + " remove, then add", before: order(v[0]), ops: one("remove", "") + "," + one("add", `,"value":`+v[1]), strict: ok(order(v[1]))},
		)
		if reqd != "" {
			rows = append(rows, row{name: name + " remove unset", before: none, ops: one("remove", ""), strict: ok(none)})
		}
	}
	runRows(t, rows)
}

const r = `"reqd":"r",`

func TestComplexAttributes(t *testing.T) {
	t.Parallel()
	runRows(t, []row{
		{name: "PAT-025 add merges", before: r + `"cplx":{"a":"x"}`, ops: `{"op":"add","path":"cplx","value":{"n":1}}`, strict: ok(r + `"cplx":{"a":"x","n":1}`)},
		{name: "PAT-046 replace merges", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"replace","path":"cplx","value":{"n":2}}`, strict: ok(r + `"cplx":{"a":"x","n":2}`)},
		{name: "PATCH-14 pathless merges", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"replace","value":{"cplx":{"N":2}}}`, strict: ok(r + `"cplx":{"a":"x","n":2}`)},
		{name: "sub-attributes in schema order", before: r + `"cplx":{"n":1}`, ops: `{"op":"add","path":"cplx.a","value":"x"}`, strict: ok(r + `"cplx":{"a":"x","n":1}`)},
		{name: "attributes in schema order", before: r + `"tags":["x"]`, ops: `{"op":"add","path":"cplx.a","value":"x"},{"op":"add","path":"str","value":"s"}`, strict: ok(r + `"str":"s","cplx":{"a":"x"},"tags":["x"]`)},
		{name: "PAT-051 null within unassigns", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"replace","path":"cplx","value":{"a":null}}`, strict: ok(r + `"cplx":{"n":1}`)},
		{name: "PAT-051 null within, beside a value", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"replace","value":{"cplx":{"a":null,"n":3}}}`, strict: ok(r + `"cplx":{"n":3}`)},
		{name: "add null within is nothing", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"add","path":"cplx","value":{"a":null}}`, strict: ok(r + `"cplx":{"a":"x","n":1}`)},
		{name: "BODY-02 empty text within", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"replace","path":"cplx","value":{"a":""}}`, strict: ok(r + `"cplx":{"a":"","n":1}`), lenient: or(ok(r + `"cplx":{"n":1}`))},
		{name: "empty object is nothing", before: r + `"cplx":{"a":"x"}`, ops: `{"op":"replace","path":"cplx","value":{}}`, strict: ok(r + `"cplx":{"a":"x"}`)},
		{name: "PAT-035 remove", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"remove","path":"cplx"}`, strict: ok(strings.TrimSuffix(r, ","))},
		{name: "PAT-035 remove sub-attribute", before: r + `"cplx":{"a":"x","n":1}`, ops: `{"op":"remove","path":"cplx.a"}`, strict: ok(r + `"cplx":{"n":1}`)},
		{name: "PAT-035 remove the last", before: r + `"cplx":{"a":"x"}`, ops: `{"op":"remove","path":"cplx.a"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-040 remove absent", before: `"reqd":"r"`, ops: `{"op":"remove","path":"cplx.a"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-012 names in any case", before: `"reqd":"r"`, ops: `{"op":"add","path":"CPLX.A","value":"x"}`, strict: ok(r + `"cplx":{"a":"x"}`)},
		{name: "PAT-022 dotted key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"cplx.a":"x","cplx.n":1}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(r + `"cplx":{"a":"x","n":1}`))},
		{name: "PAT-017 readOnly within is ignored", before: `"reqd":"r"`, ops: `{"op":"replace","path":"cplx","value":{"a":"x","ro":"y"}}`, strict: ok(r + `"cplx":{"a":"x"}`)},
		{name: "PAT-018 immutable sub-attribute set", before: r + `"cplx":{"a":"x"}`, ops: `{"op":"add","path":"cplx.fix","value":"1"}`, strict: ok(r + `"cplx":{"a":"x","fix":"1"}`)},
		{name: "PAT-018 immutable sub-attribute same", before: r + `"cplx":{"fix":"1"}`, ops: `{"op":"replace","path":"cplx","value":{"fix":"1","n":2}}`, strict: ok(r + `"cplx":{"n":2,"fix":"1"}`)},
		{name: "PAT-018 immutable sub-attribute changed", before: r + `"cplx":{"fix":"1"}`, ops: `{"op":"replace","path":"cplx","value":{"fix":"2"}}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-018 immutable sub-attribute removed", before: r + `"cplx":{"fix":"1"}`, ops: `{"op":"remove","path":"cplx.fix"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-018 immutable sub-attribute removed with the whole", before: r + `"cplx":{"fix":"1"}`, ops: `{"op":"remove","path":"cplx"}`, strict: bad(scim.TypeMutability)},
		{name: "BODY-02 empty required text", before: `"reqd":"r"`, ops: `{"op":"replace","path":"reqd","value":""}`, strict: bad(scim.TypeInvalidValue)},
		{name: "PAT-018 immutable set", before: `"reqd":"r"`, ops: `{"op":"add","path":"imm","value":"1"}`, strict: ok(r + `"imm":"1"`)},
		{name: "PAT-018 immutable same", before: r + `"imm":"1"`, ops: `{"op":"replace","path":"imm","value":"1"}`, strict: ok(r + `"imm":"1"`)},
		{name: "PAT-018 immutable changed", before: r + `"imm":"1"`, ops: `{"op":"replace","path":"imm","value":"2"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-018 immutable removed", before: r + `"imm":"1"`, ops: `{"op":"remove","path":"imm"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-018 immutable list added to", before: r + `"imms":["1"]`, ops: `{"op":"add","path":"imms","value":["2"]}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-018 immutable list again", before: r + `"imms":["1"]`, ops: `{"op":"add","path":"imms","value":["1"]}`, strict: ok(r + `"imms":["1"]`)},
		{name: "PAT-018 immutable list filtered", before: r + `"imms":["1","2"]`, ops: `{"op":"remove","path":"imms[value eq \"1\"]"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-054 text for a boolean", before: r + `"bool":true`, ops: `{"op":"Replace","path":"bool","value":"False"}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(r + `"bool":false`))},
		{name: "PATCH-10 add text for a boolean", before: r + `"bool":true`, ops: `{"op":"Add","path":"bool","value":"False"}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(r + `"bool":false`))},
		{name: "PAT-055 array of one", before: `"reqd":"r"`, ops: `{"op":"replace","path":"str","value":[{"$ref":null,"value":"x"}]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(r + `"str":"x"`))},
		{name: "BODY-02 empty text", before: r + `"str":"x"`, ops: `{"op":"replace","path":"str","value":""}`, strict: ok(r + `"str":""`), lenient: or(ok(`"reqd":"r"`))},
		{name: "BODY-02 add empty text", before: r + `"str":"x"`, ops: `{"op":"add","path":"str","value":""}`, strict: ok(r + `"str":""`), lenient: or(ok(`"reqd":"r"`))},
		{name: "PAT-005 in order", before: r + `"str":"1"`, ops: `{"op":"replace","path":"str","value":"2"},{"op":"replace","path":"str","value":"3"}`, strict: ok(r + `"str":"3"`)},
		{name: "PAT-006 all or nothing", before: r + `"str":"1"`, ops: `{"op":"replace","path":"str","value":"2"},{"op":"replace","path":"imms[value eq \"x\"]","value":"y"},{"op":"remove","path":"reqd"}`, strict: bad(scim.TypeNoTarget), lenient: or(bad(scim.TypeMutability))},
		{name: "PAT-010 the others are applied", before: `"reqd":"r"`, ops: `{"op":"replace","path":"foo","value":"2"},{"op":"replace","path":"str","value":"x"}`, strict: bad(scim.TypeInvalidPath), lenient: or(ok(r + `"str":"x"`))},
		{name: "PAT-010 unknown key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"foo":1,"str":"x"}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(r + `"str":"x"`))},
		{name: "PAT-024 externalId", before: `"reqd":"r"`, ops: `{"op":"add","path":"externalId","value":"e"}`, strict: ok(`"externalId":"e","reqd":"r"`)},
		{name: "PAT-050 externalId pathless", before: `"reqd":"r","externalId":"d"`, ops: `{"op":"replace","value":{"externalID":"e"}}`, strict: ok(`"externalId":"e","reqd":"r"`)},
		{name: "PAT-035 externalId removed", before: `"reqd":"r","externalId":"d"`, ops: `{"op":"remove","path":"externalId"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-051 externalId null", before: `"reqd":"r","externalId":"d"`, ops: `{"op":"replace","path":"externalId","value":null}`, strict: ok(`"reqd":"r"`)},
	})
}

func TestMultiValuedAttributes(t *testing.T) {
	t.Parallel()
	const two = r + `"items":[{"value":"a","type":"x","primary":true},{"value":"b","type":"y"}]`
	runRows(t, []row{
		{name: "PAT-026 add array", before: `"reqd":"r"`, ops: `{"op":"add","path":"tags","value":["a","b"]}`, strict: ok(r + `"tags":["a","b"]`)},
		{name: "PAT-026 add one", before: r + `"tags":["a"]`, ops: `{"op":"add","path":"tags","value":"b"}`, strict: ok(r + `"tags":["a","b"]`)},
		{name: "PAT-026 add one object", before: r + `"items":[{"value":"a"}]`, ops: `{"op":"add","path":"items","value":{"value":"b"}}`, strict: ok(r + `"items":[{"value":"a"},{"value":"b"}]`)},
		{name: "PAT-021 add pathless appends", before: r + `"tags":["a"]`, ops: `{"op":"add","value":{"tags":["b"],"str":"s"}}`, strict: ok(r + `"str":"s","tags":["a","b"]`)},
		{name: "PAT-027 add again", before: r + `"tags":["a","b"],"nums":[1]`, ops: `{"op":"add","path":"tags","value":["b"]},{"op":"add","path":"nums","value":[1]}`, strict: ok(r + `"tags":["a","b"],"nums":[1]`)},
		{name: "PAT-027 add object again", before: two, ops: `{"op":"add","path":"items","value":[{"value":"b","type":"y"}]}`, strict: ok(two)},
		{name: "PAT-027 add part of an object again", before: two, ops: `{"op":"add","path":"items","value":[{"type":"y","primary":false}]}`, strict: ok(two)},
		{name: "PAT-028 new sub-attribute completes", before: r + `"items":[{"value":"a"}]`, ops: `{"op":"add","path":"items","value":[{"value":"a","type":"new","n":1}]}`, strict: ok(r + `"items":[{"value":"a","type":"new","n":1}]`)},
		{name: "same value and type", before: r + `"items":[{"value":"a","type":"x","n":1}]`, ops: `{"op":"add","path":"items","value":[{"value":"a","type":"X","n":2}]}`, strict: ok(r + `"items":[{"value":"a","type":"X","n":2}]`)},
		{name: "same value, other type", before: r + `"items":[{"value":"a","type":"x"}]`, ops: `{"op":"add","path":"items","value":[{"value":"a","type":"y"}]}`, strict: ok(r + `"items":[{"value":"a","type":"x"},{"value":"a","type":"y"}]`)},
		{name: "the same type before none", before: r + `"items":[{"value":"a"},{"value":"a","type":"x"}]`, ops: `{"op":"add","path":"items","value":[{"value":"a","type":"x","n":1}]}`, strict: ok(r + `"items":[{"value":"a"},{"value":"a","type":"x","n":1}]`)},
		{name: "immutable sub-attribute", before: r + `"items":[{"value":"a","fix":"1"}]`, ops: `{"op":"add","path":"items","value":[{"value":"a","fix":"2"}]}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-029 new primary", before: two, ops: `{"op":"add","path":"items","value":[{"value":"c","primary":true}]}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":false},{"value":"b","type":"y"},{"value":"c","primary":true}]`)},
		{name: "PAT-029 pathless", before: two, ops: `{"op":"add","value":{"items":[{"value":"b","primary":true}]}}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":false},{"value":"b","type":"y","primary":true}]`)},
		{name: "PAT-029 by filter", before: two, ops: `{"op":"replace","path":"items[type eq \"y\"].primary","value":true}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":false},{"value":"b","type":"y","primary":true}]`)},
		{name: "PAT-029 by filter and object", before: two, ops: `{"op":"add","path":"items[type eq \"y\"]","value":{"primary":true}}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":false},{"value":"b","type":"y","primary":true}]`)},
		{name: "PATCH-20 text for primary", before: two, ops: `{"op":"replace","path":"items[type eq \"y\"].primary","value":"True"}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(r + `"items":[{"value":"a","type":"x","primary":false},{"value":"b","type":"y","primary":true}]`))},
		{name: "PAT-030 two selected", before: two, ops: `{"op":"replace","path":"items[value pr].primary","value":true}`, strict: bad(scim.TypeInvalidValue)},
		{name: "PAT-052 add nothing", before: two, ops: `{"op":"add","path":"items","value":[]}`, strict: ok(two)},
		{name: "PAT-052 replace with nothing", before: two, ops: `{"op":"replace","path":"items","value":[]}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-051 replace with null", before: two, ops: `{"op":"replace","path":"items","value":null}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-045 replace all", before: two, ops: `{"op":"replace","path":"items","value":[{"value":"c"}]}`, strict: ok(r + `"items":[{"value":"c"}]`)},
		{name: "PAT-050 replace all pathless", before: two, ops: `{"op":"replace","value":{"items":[{"value":"c"}]}}`, strict: ok(r + `"items":[{"value":"c"}]`)},
		{name: "PAT-036 remove all", before: two, ops: `{"op":"remove","path":"items"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-036 remove null", before: two, ops: `{"op":"remove","path":"items","value":null}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-037 remove by filter", before: two, ops: `{"op":"remove","path":"items[type eq \"y\" and value ew \"b\"]"}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":true}]`)},
		{name: "PAT-037 remove the last", before: two, ops: `{"op":"remove","path":"items[value pr]"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-037 remove a simple value", before: r + `"tags":["a","b"]`, ops: `{"op":"remove","path":"tags[value eq \"A\"]"}`, strict: ok(r + `"tags":["b"]`)},
		{name: "PAT-038 remove sub-attribute", before: two, ops: `{"op":"remove","path":"items[type eq \"y\"].type"}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":true},{"value":"b"}]`)},
		{name: "PAT-038 nothing left", before: r + `"items":[{"type":"x"},{"value":"b"}]`, ops: `{"op":"remove","path":"items.type"}`, strict: ok(r + `"items":[{"value":"b"}]`)},
		{name: "PAT-039 remove without match", before: two, ops: `{"op":"remove","path":"items[type eq \"z\"]"},{"op":"remove","path":"items[type eq \"z\"].value"}`, strict: ok(two)},
		{name: "PAT-041 remove by value", before: r + `"tags":["a","b","c"]`, ops: `{"op":"remove","path":"tags","value":["A","c","z"]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(r + `"tags":["b"]`))},
		{name: "PAT-041 remove by value, object", before: two, ops: `{"op":"remove","path":"items","value":[{"value":"b"}]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(r + `"items":[{"value":"a","type":"x","primary":true}]`))},
		{name: "PAT-041 remove by value, nothing", before: two, ops: `{"op":"remove","path":"items","value":[]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(two))},
		{name: "PAT-031 add sub-attribute", before: two, ops: `{"op":"add","path":"items[type eq \"y\"].value","value":"c"}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":true},{"value":"c","type":"y"}]`)},
		{name: "PAT-048 replace in all matches", before: two, ops: `{"op":"replace","path":"items[value pr].n","value":7}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":true,"n":7},{"value":"b","type":"y","n":7}]`)},
		{name: "PAT-033 add merges", before: two, ops: `{"op":"add","path":"items[type eq \"y\"]","value":{"n":7}}`, strict: ok(r + `"items":[{"value":"a","type":"x","primary":true},{"value":"b","type":"y","n":7}]`)},
		{name: "PAT-047 replace element", before: two, ops: `{"op":"replace","path":"items[type eq \"x\"]","value":{"value":"c"}}`, strict: ok(r + `"items":[{"value":"c"},{"value":"b","type":"y"}]`)},
		{name: "PAT-047 replace simple element", before: r + `"nums":[1,2]`, ops: `{"op":"replace","path":"nums[value gt 1]","value":3}`, strict: ok(r + `"nums":[1,3]`)},
		{name: "PAT-051 replace element with null", before: two, ops: `{"op":"replace","path":"items[type eq \"x\"]","value":null}`, strict: ok(r + `"items":[{"value":"b","type":"y"}]`)},
		{name: "replace element with nothing", before: two, ops: `{"op":"replace","path":"items[type eq \"x\"]","value":{}}`, strict: bad(scim.TypeInvalidValue)},
		{name: "array for an element", before: two, ops: `{"op":"replace","path":"items[type eq \"x\"]","value":[{"value":"c"},{"value":"d"}]}`, strict: bad(scim.TypeInvalidValue)},
		{name: "PATCH-18 array of one for an element", before: two, ops: `{"op":"replace","path":"items[type eq \"x\"]","value":[{"value":"c"}]}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(r + `"items":[{"value":"c"},{"value":"b","type":"y"}]`))},
		{name: "PAT-053 all elements", before: two, ops: `{"op":"replace","path":"items.type","value":"z"}`, strict: ok(r + `"items":[{"value":"a","type":"z","primary":true},{"value":"b","type":"z"}]`)},
		{name: "PAT-053 no element", before: `"reqd":"r"`, ops: `{"op":"replace","path":"items.type","value":"z"}`, strict: bad(scim.TypeNoTarget)},
		{name: "PAT-032 create", before: `"reqd":"r"`, ops: `{"op":"add","path":"items[type eq \"w\"].value","value":"v"}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(r + `"items":[{"value":"v","type":"w"}]`))},
		{name: "PAT-049 create by replace", before: two, ops: `{"op":"replace","path":"items[type eq \"w\" and n eq 3].value","value":"v"}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(two[:len(two)-1] + `,{"value":"v","type":"w","n":3}]`))},
		{name: "PAT-033 create from an object", before: `"reqd":"r"`, ops: `{"op":"add","path":"items[type eq \"w\"]","value":{"value":"v","n":1}}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(r + `"items":[{"value":"v","type":"w","n":1}]`))},
		{name: "PATCH-08 create primary", before: two, ops: `{"op":"replace","path":"items[primary eq true and type eq \"w\"].value","value":"v"}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(r + `"items":[{"value":"a","type":"x","primary":false},{"value":"b","type":"y"},{"value":"v","type":"w","primary":true}]`))},
		{name: "PAT-032 or", before: `"reqd":"r"`, ops: `{"op":"add","path":"items[type eq \"w\" or type eq \"v\"].value","value":"v"}`, strict: bad(scim.TypeNoTarget)},
		{name: "PAT-032 not eq", before: `"reqd":"r"`, ops: `{"op":"add","path":"items[type sw \"w\"].value","value":"v"}`, strict: bad(scim.TypeNoTarget)},
		{name: "PAT-032 contradiction", before: `"reqd":"r"`, ops: `{"op":"add","path":"items[type eq \"w\" and type eq \"v\"].value","value":"v"}`, strict: bad(scim.TypeNoTarget)},
		{name: "PATCH-06 create a simple value", before: `"reqd":"r"`, ops: `{"op":"add","path":"tags[value eq \"w\"]","value":"v"}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(r + `"tags":["v"]`))},
		{name: "PATCH-06 nothing to create", before: two, ops: `{"op":"replace","path":"items[type eq \"w\"].value","value":null}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(two))},
		{name: "PATCH-07 the next operation sees it", before: `"reqd":"r"`, ops: `{"op":"add","path":"items[type eq \"w\"].value","value":"v"},{"op":"add","path":"items[type eq \"w\"].display","value":"a b"},{"op":"replace","path":"items[type eq \"w\"].n","value":5}`,
			strict: bad(scim.TypeNoTarget), lenient: or(ok(r + `"items":[{"value":"v","type":"w","display":"a b","n":5}]`))},
		{name: "PAT-023 valuePath key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"items[type eq \"w\"].value":"v","str":"s"}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(r + `"str":"s","items":[{"value":"v","type":"w"}]`))},
		{name: "section 8: bad path in a key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"items[":"v"}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(bad(scim.TypeInvalidPath))},
		{name: "PAT-042 required sub-attribute removed", before: r + `"strict":[{"value":"v","note":"n"}]`, ops: `{"op":"remove","path":"strict[note eq \"n\"].value"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-051 required sub-attribute null", before: r + `"strict":[{"value":"v","note":"n"}]`, ops: `{"op":"replace","path":"strict.value","value":null}`, strict: bad(scim.TypeInvalidValue)},
		{name: "remove, then add", before: two, ops: `{"op":"remove","path":"items"},{"op":"add","path":"items","value":[{"value":"b"}]}`, strict: ok(r + `"items":[{"value":"b"}]`)},
	})
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	x := func(members string) string { return r + `"` + extraURN + `":{` + members + `}` }
	path := func(op, path, value string) string {
		return `{"op":"` + op + `","path":"` + path + `","value":` + value + `}`
	}
	runRows(t, []row{
		{name: "PAT-013 add", before: `"reqd":"r"`, ops: path("add", extraURN+":note", `"n"`), strict: ok(x(`"note":"n"`))},
		{name: "PAT-012 any case", before: `"reqd":"r"`, ops: path("add", strings.ToUpper(extraURN)+":OWNER.Name", `"n"`), strict: ok(x(`"owner":{"name":"n"}`))},
		{name: "unqualified path", before: `"reqd":"r"`, ops: path("add", "note", `"n"`), strict: ok(x(`"note":"n"`))},
		{name: "PATCH-05b dot", before: `"reqd":"r"`, ops: path("add", extraURN+".owner.name", `"n"`), strict: bad(scim.TypeInvalidPath), lenient: or(ok(x(`"owner":{"name":"n"}`)))},
		{name: "PAT-014 add object", before: x(`"note":"n"`), ops: path("add", extraURN, `{"level":1,"owner":{"name":"o"}}`), strict: ok(x(`"note":"n","level":1,"owner":{"name":"o"}`))},
		{name: "PAT-014 replace object merges", before: x(`"note":"n","owner":{"name":"o"}`), ops: path("replace", extraURN, `{"level":1,"owner":{"rank":2}}`), strict: ok(x(`"note":"n","level":1,"owner":{"name":"o","rank":2}`))},
		{name: "PAT-014 remove", before: x(`"note":"n"`), ops: `{"op":"remove","path":"` + extraURN + `"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-014 replace null", before: x(`"note":"n"`), ops: path("replace", extraURN, `null`), strict: ok(`"reqd":"r"`)},
		{name: "PAT-014 add null", before: x(`"note":"n"`), ops: path("add", extraURN, `null`), strict: ok(x(`"note":"n"`))},
		{name: "PAT-014 nothing", before: x(`"note":"n"`), ops: path("replace", extraURN, `{}`), strict: ok(x(`"note":"n"`))},
		{name: "PAT-014 text", before: x(`"note":"n"`), ops: path("replace", extraURN, `"x"`), strict: bad(scim.TypeInvalidValue)},
		{name: "PAT-035 the last attribute", before: x(`"note":"n"`), ops: `{"op":"remove","path":"` + extraURN + `:note"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-022 URN object", before: x(`"level":1`), ops: `{"op":"replace","value":{"` + extraURN + `":{"note":"n"}}}`, strict: ok(x(`"note":"n","level":1`))},
		{name: "PAT-022 URN object, unknown key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"` + extraURN + `":{"note":"n","foo":1}}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(x(`"note":"n"`)))},
		{name: "PAT-022 flat URN key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"` + extraURN + `:note":"n","cplx.a":"A"}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(r + `"cplx":{"a":"A"},"` + extraURN + `":{"note":"n"}`))},
		{name: "PAT-022 dotted key within", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"` + extraURN + `":{"owner.name":"n"}}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(x(`"owner":{"name":"n"}`)))},
		{name: "PATCH-05 core URN object", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"` + widgetURN + `":{"str":"s"}}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(r + `"str":"s"`))},
		{name: "PATCH-05 flat core URN key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"` + widgetURN + `:str":"s"}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(r + `"str":"s"`))},
		{name: "PATCH-05 bare key", before: `"reqd":"r"`, ops: `{"op":"replace","value":{"note":"n"}}`, strict: bad(scim.TypeInvalidSyntax), lenient: or(ok(x(`"note":"n"`)))},
		{name: "multi-valued", before: x(`"marks":["a"]`), ops: path("add", extraURN+":marks", `["b"]`) + `,{"op":"remove","path":"` + extraURN + `:marks[value eq \"a\"]"}`, strict: ok(x(`"marks":["b"]`))},
		{name: "PAT-015 remove from schemas", before: x(`"note":"n"`), ops: `{"op":"remove","path":"schemas[value eq \"` + extraURN + `\"]"}`, strict: ok(`"reqd":"r"`)},
		{name: "PAT-015 then set again", before: x(`"note":"n","level":1`), ops: `{"op":"remove","path":"schemas[value eq \"` + extraURN + `\"]"},` + path("add", extraURN+":note", `"m"`), strict: ok(x(`"note":"m"`))},
		{name: "PAT-015 remove the base", before: x(`"note":"n"`), ops: `{"op":"remove","path":"schemas[value eq \"` + widgetURN + `\"]"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-015 remove all", before: x(`"note":"n"`), ops: `{"op":"remove","path":"schemas"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-015 remove by value", before: x(`"note":"n"`), ops: path("remove", "schemas", `["`+extraURN+`"]`), strict: bad(scim.TypeInvalidValue), lenient: or(ok(`"reqd":"r"`))},
		{name: "PAT-015 add", before: `"reqd":"r"`, ops: path("add", "schemas", `["`+extraURN+`"]`), strict: ok(`"reqd":"r"`)},
		{name: "PAT-015 add unknown", before: `"reqd":"r"`, ops: path("add", "schemas", `["urn:other"]`), strict: bad(scim.TypeInvalidValue), lenient: or(ok(`"reqd":"r"`))},
		{name: "PAT-015 add a message", before: `"reqd":"r"`, ops: path("add", "schemas", `"`+scim.ErrorURN+`"`), strict: bad(scim.TypeInvalidValue)},
		{name: "PAT-015 replace", before: x(`"note":"n"`), ops: path("replace", "schemas", `["`+strings.ToUpper(widgetURN)+`"]`), strict: ok(`"reqd":"r"`)},
		{name: "PAT-015 replace, base and extension", before: x(`"note":"n"`), ops: path("replace", "schemas", `["`+extraURN+`","`+widgetURN+`"]`), strict: ok(x(`"note":"n"`))},
		{name: "PAT-015 replace without the base", before: x(`"note":"n"`), ops: path("replace", "schemas", `["`+extraURN+`"]`), strict: bad(scim.TypeInvalidValue)},
		{name: "PAT-015 replace one", before: x(`"note":"n"`), ops: path("replace", `schemas[value eq \"`+extraURN+`\"]`, `"x"`), strict: bad(scim.TypeInvalidPath)},
		{name: "PATCH-12 schemas as a key", before: x(`"note":"n"`), ops: `{"op":"replace","value":{"schemas":["` + widgetURN + `"],"str":"s"}}`, strict: ok(r + `"str":"s"`), lenient: or(ok(r + `"str":"s","` + extraURN + `":{"note":"n"}`))},
	})
}

func TestUsersAndGroups(t *testing.T) {
	t.Parallel()
	const u = `"userName":"u"`
	manager := func(id string) string { return u + `,"` + ent + `":{"manager":{"value":"` + id + `"}}` }
	forms := []struct {
		name, value string
		strict      bool
	}{{"text", `"m2"`, false}, {"object", `{"value":"m2"}`, true}, {"object in other case", `{"Value":"m2","displayName":"x"}`, true}, {"array", `[{"$ref":"../Users/m2","value":"m2"}]`, false}}
	rows := []row{
		{name: "PAT-042 userName", typ: "User", before: u, ops: `{"op":"remove","path":"userName"}`, strict: bad(scim.TypeMutability)},
		{name: "PAT-051 userName null", typ: "User", before: u, ops: `{"op":"replace","path":"userName","value":null}`, strict: bad(scim.TypeInvalidValue)},
		{name: "PAT-042 displayName", typ: "Group", before: `"displayName":"g"`, ops: `{"op":"remove","path":"displayName"}`, strict: bad(scim.TypeMutability)},
		{name: "USR-026 groups", typ: "User", before: u, ops: `{"op":"add","path":"groups","value":[{"value":"g"}]}`, strict: bad(scim.TypeMutability)},
		{name: "PATCH-12 groups as a key", typ: "User", before: u, ops: `{"op":"add","value":{"groups":[{"value":"g"}],"title":"t"}}`, strict: bad(scim.TypeMutability), lenient: or(ok(u + `,"title":"t"`))},
		{name: "PATCH-11 manager empty", typ: "User", before: manager("m1"), ops: `{"op":"add","path":"` + ent + `:manager","value":""}`, strict: bad(scim.TypeInvalidValue), lenient: or(ok(u))},
		{name: "PATCH-11 manager null", typ: "User", before: manager("m1"), ops: `{"op":"replace","path":"` + ent + `:manager","value":null}`, strict: ok(u)},
		{name: "PATCH-11 manager removed", typ: "User", before: manager("m1"), ops: `{"op":"remove","path":"` + ent + `:manager"}`, strict: ok(u)},
		{name: "PATCH-11 manager.value empty", typ: "User", before: manager("m1"), ops: `{"op":"replace","path":"` + ent + `:manager","value":{"value":""}}`, strict: ok(manager("")), lenient: or(ok(u))},
		{name: "ENT-003 manager.displayName", typ: "User", before: manager("m1"), ops: `{"op":"replace","path":"` + ent + `:manager.displayName","value":"x"}`, strict: bad(scim.TypeMutability)},
		{name: "PATCH-12 own id in a group", typ: "Group", before: `"displayName":"g"`, ops: `{"op":"replace","value":{"id":"r1","displayName":"n"}}`, strict: bad(scim.TypeMutability), lenient: or(ok(`"displayName":"n"`))},
		{name: "PATCH-08 primary as a text", typ: "User", before: u, ops: `{"op":"add","path":"roles[primary eq \"True\"].value","value":"admin"}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(u + `,"roles":[{"value":"admin","primary":true}]`))},
		{name: "PATCH-13 names in any case", typ: "User", before: u, ops: `{"op":"Add","path":"emails[Type eq \"other\"].Value","value":"a@b"}`, strict: bad(scim.TypeNoTarget), lenient: or(ok(u + `,"emails":[{"value":"a@b","type":"other"}]`))},
	}
	for _, f := range forms {
		for _, path := range []string{ent + ":manager", "manager"} {
			row := row{name: "PAT-056 manager " + path + " " + f.name, typ: "User", before: manager("m1"),
				ops: fmt.Sprintf(`{"op":"replace","path":%q,"value":%s}`, path, f.value), strict: ok(manager("m2"))}
			if !f.strict {
				row.strict, row.lenient = bad(scim.TypeInvalidValue), &row.strict
				lenient := ok(manager("m2"))
				row.lenient = &lenient
			}
			rows = append(rows, row)
		}
	}
	runRows(t, rows)
}
