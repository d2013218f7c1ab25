package tenant_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/internal/tenant"
	"github.com/rollcall-scim/rollcall/scim/engine"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// full is settings with every field set.
const full = `{"version":1,"profile":"strict","baseURL":"https://acme.example.com/x","limits":{"defaultPage":5,"maxPage":50,"body":2048,"largeBody":4096,` +
	`"bulkOperations":9,"patchOperations":8,"filterLength":100,"filterNodes":7,"filterDepth":6,"jsonDepth":10,"jsonValues":1000,"values":11,"deadline":"12s"},` +
	`"schemas":[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"],"id":"urn:x:acme","attributes":[{"name":"desk","type":"string"}]},` +
	`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],"name":"User","schemaExtensions":[{"schema":"urn:x:acme","required":false}]}],` +
	`"rate":{"perSecond":5,"burst":6,"off":true},"breaker":{"mode":"hold","people":7,"percent":1.5,"window":"1h0m0s"},` +
	`"promotion":{"roles":{"only":["staff"],"never":["admin"]},"entitlements":{"only":["e"],"never":["f"]},"groups":{"only":["Staff"],"never":["Admins"]}},` +
	`"protected":["User:root@example.com","Group:Break Glass"],` +
	`"issuers":[{"url":"https://login.example.com/t","audience":"rollcall","scopeClaim":"scp","scopePrefix":"rollcall.","scopes":"read","clients":["c1"],"tenantClaim":"org","tenantValue":"a1","leeway":"30s"}]}`

func TestSettingsRoundTrip(t *testing.T) {
	t.Parallel()
	s, err := tenant.DecodeSettings([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	unset(t, "Settings", reflect.ValueOf(s))
	if got, err := s.Encode(); err != nil || string(got) != full {
		t.Errorf("encoded, with %v:\n%s\nwant\n%s", err, got, full)
	}
	if l := engine.Limits(s.Limits); l.MaxPage != 50 || l.Deadline != 12*time.Second {
		t.Errorf("as limits of an engine: %+v", l)
	}
	for _, text := range []string{`{}`, `{"version":1}`, `{"schemas":null}`, ` {"limits":{}} `} {
		zero, err := tenant.DecodeSettings([]byte(text))
		if err != nil || !reflect.DeepEqual(zero, tenant.Settings{}) || zero.Check() != nil {
			t.Errorf("%s is %+v, %v", text, zero, err)
		}
	}
	if got, err := (tenant.Settings{}).Encode(); err != nil || string(got) != `{"version":1}` {
		t.Errorf("no settings are %s, %v", got, err)
	}
}

// unset complains of fields without a value, so that full keeps up with what
// settings there are.
func unset(t *testing.T, name string, v reflect.Value) {
	if v.IsZero() {
		t.Errorf("%s is not set by the test", name)
	}
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			unset(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	}
}

func TestDecodeSettingsRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		``:                              "must be a JSON object",
		`null`:                          "must be a JSON object",
		`[]`:                            "must be a JSON object",
		`{`:                             "unexpected EOF",
		`{}{}`:                          "after top-level value",
		`{"profle":"strict"}`:           "there is no setting profle",
		`{"Profile":"strict"}`:          "there is no setting Profile",
		`{"limits":{"maxpage":1}}`:      "there is no setting limits.maxpage",
		`{"limits":{"maxPage":"1"}}`:    "limits.maxPage: string is of the wrong kind",
		`{"limits":{"maxPage":1.5}}`:    "limits.maxPage",
		`{"limits":{"maxPage":1e30}}`:   "limits.maxPage",
		`{"limits":7}`:                  "limits: number is of the wrong kind",
		`{"limits":{"deadline":"3y"}}`:  `limits.deadline: must be a duration such as "25s"`,
		`{"limits":{"deadline":25}}`:    `limits.deadline: must be a duration`,
		`{"breaker":{"percent":1e999}}`: "breaker.percent",
		`{"profile":"a","profile":"b"}`: "duplicate",
		"{\"profile\":\"\xff\"}":        "UTF-8",
		`{"version":0}`:                 "version is 0, this program knows 1",
		`{"version":2,"new":true}`:      "version is 2, this program knows 1",
		`{"issuers":[{"uri":"x"}]}`:     "there is no setting issuers.0.uri",
		`{"profile":"` + strings.Repeat("x", 600<<10) + `"}`: "512 KiB",
	} {
		s, err := tenant.DecodeSettings([]byte(text))
		if !errors.Is(err, tenant.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want an error with %q", text, err, want)
		}
		if !reflect.DeepEqual(s, tenant.Settings{}) {
			t.Errorf("%.60s: refused, and decoded as %+v", text, s)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"profile":"lenient"}`:                  "profile",
		`{"profile":"auto,-Nope"}`:               "profile",
		`{"baseURL":"acme.example.com"}`:         "baseURL",
		`{"baseURL":"https://u:p@x/"}`:           "baseURL",
		`{"baseURL":"https://x/?q"}`:             "baseURL",
		`{"baseURL":"javascript:alert(1)"}`:      "baseURL",
		`{"limits":{"maxPage":-1}}`:              "limits.maxPage",
		`{"limits":{"maxPage":10001}}`:           "limits.maxPage",
		`{"limits":{"body":1}}`:                  "limits.body",
		`{"limits":{"body":33554433}}`:           "limits.body",
		`{"limits":{"largeBody":33554433}}`:      "limits.largeBody",
		`{"limits":{"deadline":"1ms"}}`:          "limits.deadline",
		`{"rate":{"perSecond":-1}}`:              "rate.perSecond",
		`{"breaker":{"mode":"on"}}`:              "breaker.mode",
		`{"breaker":{"percent":101}}`:            "breaker.percent",
		`{"breaker":{"window":"1s"}}`:            "breaker.window",
		`{"protected":["root"]}`:                 "protected",
		`{"protected":["User: "]}`:               "protected",
		`{"protected":[":x"]}`:                   "protected",
		`{"promotion":{"roles":{"never":[""]}}}`: "promotion.roles.never",
		`{"promotion":{"groups":{"only":["` + strings.Repeat("x", 1025) + `"]}}}`: "promotion.groups.only",
		`{"issuers":[{"url":"http://x","audience":"a"}]}`:                         "issuers.0.url",
		`{"issuers":[{"url":"https://x"}]}`:                                       "issuers.0.audience",
		`{"issuers":[{"url":"https://x","audience":"a","scopes":"admin"}]}`:       "issuers.0.scopes",
		`{"issuers":[{"url":"https://x","audience":"a","scopePrefix":"a b"}]}`:    "issuers.0.scopePrefix",
		`{"issuers":[{"url":"https://x","audience":"a","clients":[""]}]}`:         "issuers.0.clients",
		`{"issuers":[{"url":"https://x","audience":"a","tenantValue":"t"}]}`:      "issuers.0.tenantClaim",
		`{"issuers":[{"url":"https://x","audience":"a","leeway":"1h"}]}`:          "issuers.0.leeway",
	} {
		s, err := tenant.DecodeSettings([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := s.Check(); !errors.Is(err, tenant.ErrInvalid) || !strings.Contains(err.Error(), "settings: "+want+" ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: %v, want one line about %s", text, err, want)
		}
	}
	// All faults are named, not the first alone.
	s := tenant.Settings{Profile: "x", BaseURL: "y", Breaker: tenant.Breaker{Mode: "z"}}
	if err := s.Check(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("Check: %v, want three lines", err)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	s := tenant.Settings{Profile: "strict"}
	for _, step := range []struct{ name, value, want string }{
		{"limits.maxPage", "500", `{"version":1,"profile":"strict","limits":{"maxPage":500}}`},
		{"limits.deadline", "30s", `{"version":1,"profile":"strict","limits":{"maxPage":500,"deadline":"30s"}}`},
		{"profile", "auto,-UniqueGroupNames", `{"version":1,"profile":"auto,-UniqueGroupNames","limits":{"maxPage":500,"deadline":"30s"}}`},
		{"limits", "", `{"version":1,"profile":"auto,-UniqueGroupNames"}`},
		{"profile", "null", `{"version":1}`},
		{"protected", `["User:root"]`, `{"version":1,"protected":["User:root"]}`},
		{"breaker", `{"mode":"hold","people":3}`, `{"version":1,"breaker":{"mode":"hold","people":3},"protected":["User:root"]}`},
		{"breaker.people", "", `{"version":1,"breaker":{"mode":"hold"},"protected":["User:root"]}`},
	} {
		var err error
		if s, err = s.Set(step.name, step.value); err != nil {
			t.Fatalf("%s = %s: %v", step.name, step.value, err)
		}
		if got, _ := s.Encode(); string(got) != step.want {
			t.Errorf("%s = %s: %s, want %s", step.name, step.value, got, step.want)
		}
	}
	for name, value := range map[string]string{"breaker.people": "0", "breaker.percent": "0.0", "rate.perSecond": "-0", "limits.deadline": "0s"} {
		if got, err := s.Set(name, value); !errors.Is(err, tenant.ErrInvalid) || !strings.Contains(err.Error(), name+" must not be 0") || !reflect.DeepEqual(got, s) {
			t.Errorf("%s = %s, which would mean the default: %+v, %v", name, value, got, err)
		}
	}
	for name, value := range map[string]string{"nope": "1", "": "1", "limits.": "1", "limits.maxPage.x": "1", "limits.maxPage": "many", "profile": "1",
		"breaker.mode": "on", "version": "2", "Profile": "strict", "limits.deadline": "\xff"} {
		got, err := s.Set(name, value)
		if !errors.Is(err, tenant.ErrInvalid) {
			t.Errorf("%s = %s: %v, want an error", name, value, err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Errorf("%s = %s: refused, and set %+v", name, value, got)
		}
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	core := schema.Core()
	if got, err := (tenant.Settings{}).Types(core); err != nil || len(got) != len(core) || got[0] != core[0] {
		t.Errorf("without schemas: %v, %v; want the server's", got, err)
	}
	s, err := tenant.DecodeSettings([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	own, err := s.Types(core)
	if err != nil || len(own) != len(core) || len(own[0].Extensions) != len(core[0].Extensions)+1 {
		t.Errorf("with an extension: %v, %v", own, err)
	}
	for _, text := range []string{`7`, `{"schemas":["urn:x"]}`, `[{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Schema"]}]`} {
		s := tenant.Settings{Schemas: []byte(text)}
		if got, err := s.Types(core); !errors.Is(err, tenant.ErrInvalid) || got != nil || !strings.Contains(err.Error(), "schemas") {
			t.Errorf("%s: %v, %v; want an error", text, got, err)
		}
	}
}

func FuzzDecodeSettings(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"limits":{"deadline":"1h"},"schemas":[{"a":1,"a":2}]}`))
	f.Add([]byte(`{"breaker":{"percent":0.1},"promotion":{"roles":{"only":[]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := tenant.DecodeSettings(text)
		if err != nil {
			return
		}
		_ = s.Check()
		once, err := s.Encode()
		if err != nil {
			t.Fatalf("%s can't be encoded: %v", text, err)
		}
		again, err := tenant.DecodeSettings(once)
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%s is decoded as %+v, and again as %+v, %v", text, s, again, err)
		}
		if twice, err := again.Encode(); err != nil || string(twice) != string(once) {
			t.Fatalf("%s is encoded as %s, and again as %s, %v", text, once, twice, err)
		}
	})
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "acme", "acme-2", "0", "a--b", "default", "x-", strings.Repeat("a", 63)} {
		if err := tenant.CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	// T3: no name that looks like another, or like what it is not.
	for _, name := range []string{"", "-a", "Acme", "ACME", "acme ", " acme", "a.b", "a/b", "..", "a_b", "a%2fb", "ａcme", "acmé", "аcme", "a\x00", "a\n",
		strings.Repeat("a", 64), "admin", "all", "null", "root"} {
		if err := tenant.CheckName(name); !errors.Is(err, tenant.ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%q: %v, want an error", name, err)
		}
	}
}
