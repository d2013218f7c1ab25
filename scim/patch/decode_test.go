package patch_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/patch"
)

func TestDecodeMessage(t *testing.T) {
	t.Parallel()
	const op = `{"op":"replace","path":"str","value":"x"}`
	tests := []struct {
		name, body      string
		strict, lenient scim.ErrorType // "": accepted
	}{
		{"PAT-001 plain", message(op), "", ""},
		{"PAT-002 names in any case", `{"SCHEMAS":["` + scim.PatchOpURN + `"],"operations":[{"OP":"add","Path":"str","VALUE":"x"}]}`, "", ""},
		{"PAT-003 op in any case", message(`{"op":"Replace","path":"str","value":"x"}`), "", ""},
		{"SCH-005 URN in any case", `{"schemas":["` + strings.ToUpper(scim.PatchOpURN) + `"],"Operations":[` + op + `]}`, "", ""},
		{"PAT-001 no schemas", `{"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, ""},
		{"PAT-001 schemas null", `{"schemas":null,"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, ""},
		{"PAT-001 schemas empty", `{"schemas":[],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, ""},
		{"PAT-001 schemas text", `{"schemas":"` + scim.PatchOpURN + `","Operations":[` + op + `]}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-001 schemas number", `{"schemas":[1],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"BODY-03 unknown URN", `{"schemas":["urn:other"],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, ""},
		{"BODY-03 unknown URN beside", `{"schemas":["urn:other","` + scim.PatchOpURN + `"],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, ""},
		{"BODY-03 other message", `{"schemas":["` + scim.BulkRequestURN + `"],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"BODY-03 a resource's schema", `{"schemas":["` + scim.UserURN + `"],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"BODY-03 its own schema", `{"schemas":["` + widgetURN + `"],"Operations":[` + op + `]}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-001 no Operations", `{"schemas":["` + scim.PatchOpURN + `"]}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-001 Operations empty", message(""), scim.TypeInvalidSyntax, ""},
		{"PAT-001 Operations object", `{"schemas":["` + scim.PatchOpURN + `"],"Operations":{}}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-001 Operations null", `{"schemas":["` + scim.PatchOpURN + `"],"Operations":null}`, scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-002 operation text", message(`"add"`), scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-002 op missing", message(`{"path":"str","value":"x"}`), scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-004 op number", message(`{"op":1,"path":"str","value":"x"}`), scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-004 op move", message(`{"op":"move","path":"str","value":"x"}`), scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
		{"PAT-009 path number", message(`{"op":"add","path":1,"value":"x"}`), scim.TypeInvalidPath, scim.TypeInvalidPath},
		{"PAT-009 path empty", message(`{"op":"add","path":"","value":{"str":"x"}}`), scim.TypeInvalidPath, scim.TypeInvalidPath},
		{"PAT-009 path bracket", message(`{"op":"add","path":"items[","value":"x"}`), scim.TypeInvalidPath, scim.TypeInvalidPath},
		{"PAT-009 path dots", message(`{"op":"add","path":"cplx..a","value":"x"}`), scim.TypeInvalidPath, scim.TypeInvalidPath},
		{"PAT-009 path pointer", message(`{"op":"add","path":"/cplx/a","value":"x"}`), scim.TypeInvalidPath, scim.TypeInvalidPath},
		{"PAT-010 path unknown", message(`{"op":"add","path":"foo","value":"x"}`), scim.TypeInvalidPath, ""},
		{"PAT-010 sub-attribute unknown", message(`{"op":"add","path":"cplx.foo","value":"x"}`), scim.TypeInvalidPath, ""},
		{"PAT-010 key unknown", message(`{"op":"add","value":{"foo":1}}`), scim.TypeInvalidSyntax, ""},
		{"PAT-011 operator unknown", message(`{"op":"remove","path":"items[type regex \"x\"]"}`), scim.TypeInvalidFilter, scim.TypeInvalidFilter},
		{"PAT-009 filter on one value", message(`{"op":"remove","path":"cplx[a eq \"x\"]"}`), scim.TypeInvalidPath, scim.TypeInvalidPath},
		{"PAT-016 readOnly", message(`{"op":"replace","path":"ro","value":"x"}`), scim.TypeMutability, scim.TypeMutability},
		{"PAT-016 readOnly remove", message(`{"op":"remove","path":"ro"}`), scim.TypeMutability, scim.TypeMutability},
		{"PAT-016 readOnly sub-attribute", message(`{"op":"add","path":"cplx.ro","value":"x"}`), scim.TypeMutability, scim.TypeMutability},
		{"PAT-016 id", message(`{"op":"replace","path":"id","value":"x"}`), scim.TypeMutability, scim.TypeMutability},
		{"PAT-016 meta.created", message(`{"op":"replace","path":"meta.created","value":"2026-01-01T00:00:00Z"}`), scim.TypeMutability, scim.TypeMutability},
		{"PAT-017 readOnly key", message(`{"op":"replace","value":{"id":"x","ro":"y","meta":{"version":"1"},"str":"x"}}`), scim.TypeMutability, ""},
		{"PAT-019 type", message(`{"op":"replace","path":"int","value":"x"}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-019 object for a text", message(`{"op":"replace","path":"bool","value":{}}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-020 add without value", message(`{"op":"add","path":"str"}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-020 replace without value", message(`{"op":"replace","path":"str"}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-020 neither path nor value", message(`{"op":"add"}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-021 no path, text", message(`{"op":"add","value":"x"}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-022 extension text", message(`{"op":"add","value":{"` + extraURN + `":"x"}}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-030 two primary", message(`{"op":"replace","path":"items","value":[{"value":"a","primary":true},{"value":"b","primary":true}]}`), scim.TypeInvalidValue, scim.TypeInvalidValue},
		{"PAT-034 remove without path", message(`{"op":"remove"}`), scim.TypeNoTarget, scim.TypeNoTarget},
		{"PAT-034 remove with value alone", message(`{"op":"remove","value":{"str":"x"}}`), scim.TypeNoTarget, scim.TypeNoTarget},
		{"PAT-041 remove by value", message(`{"op":"remove","path":"tags","value":["x"]}`), scim.TypeInvalidValue, ""},
		{"PATCH-05b dot after the URN", message(`{"op":"replace","path":"` + extraURN + `.note","value":"x"}`), scim.TypeInvalidPath, ""},
		{"PAT-010 unknown URN", message(`{"op":"replace","path":"urn:other:2.0:X:note","value":"x"}`), scim.TypeInvalidPath, ""},
		{"PAT-004 bad op beside unknown path", message(`{"op":"copy","path":"foo"}`), scim.TypeInvalidSyntax, scim.TypeInvalidSyntax},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, o := range []struct {
				name    string
				options patch.Options
				want    scim.ErrorType
			}{{"strict", patch.Options{}, tt.strict}, {"lenient", tolerant(nil), tt.lenient}} {
				_, err := patch.Decode(widget(), object(t, tt.body), o.options)
				var e *scim.Error
				switch {
				case o.want == "" && err != nil:
					t.Errorf("%s: unexpected error: %v", o.name, err)
				case o.want != "" && (!errors.As(err, &e) || e.Type != o.want || e.Status != 400):
					t.Errorf("%s: got error %v, want %s", o.name, err, o.want)
				}
			}
		})
	}
}

func TestDecodeLimit(t *testing.T) {
	t.Parallel()
	ops := strings.TrimSuffix(strings.Repeat(`{"op":"remove","path":"str"},`, patch.DefaultOperations+1), ",")
	_, err := patch.Decode(widget(), object(t, message(ops)), patch.Options{})
	var e *scim.Error
	if !errors.As(err, &e) || e.Status != 413 || !strings.Contains(e.Detail, "1000") {
		t.Errorf("%d operations: got %v, want status 413 naming the limit", patch.DefaultOperations+1, err)
	}
	if _, err = patch.Decode(widget(), object(t, message(ops)), patch.Options{MaxOperations: patch.DefaultOperations + 1}); err != nil {
		t.Errorf("within the limit: %v", err)
	}
}

func TestErrorsNameTheOperation(t *testing.T) {
	t.Parallel()
	tests := []struct{ ops, want string }{
		{`{"op":"remove","path":"str"},{"op":"replace","path":"int","value":"x"}`, `Operations[1] "int": `},
		{`{"op":"remove","path":"str"},{"op":"remove","path":"reqd"}`, `Operations[1] "reqd": `},
		{`{"op":"remove","path":"str"},{"op":"replace","path":"items[type eq \"x\"].value","value":"x"}`, `Operations[1] "items[type eq \"x\"].value": `},
		{`{"op":"replace","value":{"str":"x","int":true}}`, `Operations[0] "int": `},
		{`{"op":"replace","value":{"` + extraURN + `":{"level":"x"}}}`, `Operations[0] "level": `},
		{`{"op":"replace","path":"` + extraURN + `","value":{"level":"x"}}`, `Operations[0] "level": `},
		{`{"op":"remove"}`, `Operations[0]: `},
	}
	for _, tt := range tests {
		_, err := carryOut(t, widget(), `"reqd":"r"`, tt.ops, patch.Options{})
		var e *scim.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Detail, tt.want) || strings.Count(e.Detail, "Operations[") != 1 {
			t.Errorf("%s\ngot  %v\nwant %s…", tt.ops, err, tt.want)
		}
	}
}

// TestSCIM11Body shows the help for the PATCH of SCIM 1.1 (GRP-16).
func TestSCIM11Body(t *testing.T) {
	t.Parallel()
	body := object(t, `{"schemas":["urn:scim:schemas:core:1.0"],"members":[{"value":"u"},{"value":"v","operation":"delete"}]}`)
	for _, o := range []patch.Options{{}, tolerant(nil)} {
		_, err := patch.Decode(core(t, "Group"), body, o)
		var e *scim.Error
		if !errors.As(err, &e) || e.Status != 400 || !strings.Contains(e.Detail, "SCIM 2.0 connector") {
			t.Errorf("got %v, want a 400 that names the SCIM 2.0 connector", err)
		}
	}
}

// TestReports shows that a tolerance names its rule when used, and only then.
func TestReports(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, typ, before, ops, want string }{
		{"nothing bent", "Widget", ``, `{"op":"replace","path":"str","value":"x"}`, ""},
		{"no operations", "Widget", ``, ``, "PATCH-02"},
		{"dotted key", "Widget", ``, `{"op":"replace","value":{"cplx.a":"x"}}`, "PATCH-04"},
		{"URN key", "Widget", ``, `{"op":"replace","value":{"` + extraURN + `:note":"x"}}`, "PATCH-05"},
		{"bare extension key", "Widget", ``, `{"op":"replace","value":{"note":"x"}}`, "PATCH-05"},
		{"dot after the URN", "Widget", ``, `{"op":"replace","path":"` + extraURN + `.note","value":"x"}`, "PATCH-05b"},
		{"created", "Widget", ``, `{"op":"replace","path":"items[type eq \"x\"].value","value":"x"}`, "PATCH-06"},
		{"found", "Widget", `"items":[{"type":"x"}]`, `{"op":"replace","path":"items[type eq \"x\"].value","value":"x"}`, ""},
		{"readOnly key", "Widget", ``, `{"op":"replace","value":{"id":"x"}}`, "PATCH-12"},
		{"unknown path", "Widget", ``, `{"op":"replace","path":"foo","value":"x"}`, "PATCH-16"},
		{"unknown key", "Widget", ``, `{"op":"replace","value":{"foo":"x"}}`, "BODY-04"},
		{"remove by value", "Widget", ``, `{"op":"remove","path":"tags","value":["x"]}`, "GRP-01"},
		{"remove nothing by value", "Widget", ``, `{"op":"remove","path":"tags","value":[]}`, "GRP-01 GRP-13"},
		{"text for a boolean", "Widget", ``, `{"op":"replace","path":"bool","value":"True"}`, "PATCH-09"},
		{"bare manager", "User", `"userName":"u"`, `{"op":"replace","path":"` + ent + `:manager","value":"m"}`, "PATCH-11"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			before := tt.before
			if tt.typ == "Widget" {
				before = strings.TrimSuffix(`"reqd":"r",`+before, ",")
			}
			_, err := carryOut(t, typeOf(t, tt.typ), before, tt.ops, tolerant(func(rule string) { got = append(got, rule) }))
			if s := strings.Join(got, " "); err != nil || s != tt.want {
				t.Errorf("reported %q, %v; want %q", s, err, tt.want)
			}
		})
	}
}
