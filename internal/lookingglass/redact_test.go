package lookingglass_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"userName":"a", "n":1.50, "x":[true,null,{}]}`: `{"userName":"a","n":1.50,"x":[true,null,{}]}`,
		`{"password":null}`: `{"password":null}`,
		`{"password":""}`:   `{"password":""}`,
		`{"password":12}`:   `{"password":"***"}`,
		`{"changePassword":{"supported":true},"nextCursor":"abc"}`: `{"changePassword":{"supported":true},"nextCursor":"abc"}`,
		`{"attributes":[{"name":"password","type":"string"}]}`:     `{"attributes":[{"name":"password","type":"string"}]}`,
		`{"filter":"userName eq \"a\" and password eq \"b\""}`:     `{"filter":"userName eq \"a\" and password eq \"***\""}`,
		`{"filter":"password pr"}`:                                 `{"filter":"password pr"}`,
		`{"op":"remove","path":"password"}`:                        `{"op":"remove","path":"password"}`,
		`{"value":"v","op":"add","path":"passwords"}`:              `{"value":"***","op":"add","path":"passwords"}`,
		`{"value":"v","op":"add","path":"title"}`:                  `{"value":"v","op":"add","path":"title"}`,
		`"plain"`: `"***"`,
	} {
		if got, _, _ := lookingglass.RedactForTests([]byte(in), int64(len(in))); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	for in, want := range map[string]string{ // cut there
		`{"userName":"a","title":"b`:                    `{"userName":"a","…":null}`,
		`{"userName":"a","emails":[{"value":"x"},{"val`: `{"userName":"a","emails":[{"value":"x"},{"…":null},"…"],"…":null}`,
		`{"Operations":[{"op":"add","value":"v","pa`:    `{"Operations":[{"op":"add","value":"***","…":null},"…"],"…":null}`,
		`{"Operations":[{"path":"title","value":"v"`:    `{"Operations":[{"path":"title","value":"v","…":null},"…"],"…":null}`,
		`{"a":1,`: `{"a":1,"…":null}`,
		`[1,2,`:   `[1,2,"…"]`,
		`"ab`:     `"…"`,
	} {
		got, _, cut := lookingglass.RedactForTests([]byte(in), int64(len(in))+10)
		if got != want || !cut {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
	for _, in := range []string{`{"a":`, `{} {}`, "{\"a\":\"\xff\"}", `password=x`, strings.Repeat("[", 200)} {
		if got, hash, _ := lookingglass.RedactForTests([]byte(in), int64(len(in))); got != "" || len(hash) != 64 {
			t.Errorf("%s: %q, hash %q", in, got, hash)
		}
	}
	if got, hash, cut := lookingglass.RedactForTests(nil, 70); got != "" || hash != "" || cut {
		t.Errorf("of nothing: %q %q", got, hash)
	}
}

// Attributes of any served type are masked, those of an extension and
// sub-attributes too.
func TestRedactBySchema(t *testing.T) {
	t.Parallel()
	types := schema.Core()
	types = append(types, &scim.ResourceType{Name: "Device", Endpoint: "/Devices", Schema: &scim.Schema{ID: "urn:x:Device", Attributes: []*scim.Attribute{
		{Name: "pin", Type: scim.TypeString, Returned: scim.ReturnedNever},
		{Name: "radio", Type: scim.TypeComplex, SubAttributes: []*scim.Attribute{{Name: "wpa", Type: scim.TypeString, Mutability: scim.WriteOnly}}},
	}}})
	s := watch(t, lookingglass.Options{Types: func() []*scim.ResourceType { return types }})
	s.do("POST", "/Users", `{"schemas":["`+userURN+`"],"userName":"u","PIN":"1234","a":{"wpa":"5678"},"x:radio.wpa":"9999"}`)
	if b := s.last().Request.Body; b != `{"schemas":["`+userURN+`"],"userName":"u","PIN":"***","a":{"wpa":"***"},"x:radio.wpa":"***"}` {
		t.Error(b)
	}
}

func TestRedactQuery(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"filter=userName+eq+%22a%26b%22&count=1":          `filter=userName eq "a&b"&count=1`,
		"aadOptscim062020&startindex=2":                   "aadOptscim062020&startindex=2",
		"aadOptscim062020=&Attributes=id":                 "aadOptscim062020=&Attributes=id",
		"dryRun=true&excludedAttributes=members&cursor=x": "dryRun=true&excludedAttributes=members&cursor=x",
		"page=2":       "page=***",
		"%zz=1&count=": "***&count=",
		"":             "",
	} {
		got, sent := lookingglass.RedactQueryForTests(in)
		if got != want {
			t.Errorf("%s: %s", in, got)
		}
		if _, err := url.ParseQuery(sent); err != nil {
			t.Errorf("%s is sent as %s", in, sent)
		}
	}
}

// What is harmless stays as it is written.
func TestHeadersKept(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"User-Agent: curl (+https://curl.se/x y)": "curl (+https://curl.se/x y)",
		"User-Agent: app (https://u:p@h.example)": "app (https://h.example)",
		"X-Unknown: whatever":                     "***",
		"Accept: application/scim+json;q=0.9":     "application/scim+json;q=0.9",
	} {
		name, value, _ := strings.Cut(in, ": ")
		s := watch(t, lookingglass.Options{})
		s.do("GET", "/Users", "", name+": "+value)
		if h := s.last().Request.Headers; len(h) != 1 || h[0].Value != want {
			t.Errorf("%s: %+v", in, h)
		}
	}
}

// An error does not quote a secret, however short it is.
func TestShortSecret(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	s.do("GET", "/Users?filter="+url.QueryEscape(`password eq "Z9q" zz`), "")
	if x := s.last(); x.Fault == nil || strings.Contains(x.Fault.Detail+x.Response.Body+x.Query, "Z9q") {
		t.Errorf("%+v %+v", x.Fault, x.Response)
	}
}

// FuzzRedact looks for a secret that survives. The parts around it are the
// fuzzer's; a body that is kept is always JSON.
func FuzzRedact(f *testing.F) {
	for _, l := range leaks() {
		if before, after, ok := strings.Cut(l.body, canary); ok && len(l.body) < 2000 {
			f.Add(before, after, 0)
			f.Add(before, after, 9)
		}
	}
	f.Add(`{"Operations":[{"op":"add","value":`, `,"path":"password"}]}`, 30)
	f.Add(`{"a":[{"password":{"b":[`, `]}}]}`, 0)
	f.Fuzz(func(t *testing.T, before, after string, cut int) {
		if len(before)+len(after) > 10_000 {
			t.Skip("too long to be worth it")
		}
		const secret = "Zq7!canary-of-the-fuzz"
		for _, name := range []string{"password", "PassWord", userURN + ":password", "paſſword"} {
			for _, text := range []string{
				`{"x":` + quote(before) + `,` + quote(name) + `:"` + secret + `","y":` + quote(after) + `}`,
				`{"op":"add","value":"` + secret + `","y":` + quote(before+after) + `,"path":` + quote(name) + `}`,
				`{"Operations":[{"value":["` + secret + `",{"a":"` + secret + `"}],"path":` + quote(name) + `}],"z":` + quote(after) + `}`,
				`{"filter":` + quote(name+` eq "`+secret+`"`+before) + `}`,
				`{"path":` + quote(before+" "+name+` eq "`+secret+`"]`+after) + `}`,
				before + `"` + name + `":"` + secret + `"` + after,
			} {
				body := text
				if cut > 0 && cut < len(body) {
					body = body[:len(body)-cut]
				}
				if !clean(before, secret) || !clean(after, secret) {
					t.Skip("the secret in a place of its own")
				}
				got, hash, _ := lookingglass.RedactForTests([]byte(body), int64(len(text)))
				if strings.Contains(got, secret[:12]) && !escapes(before, after, body) {
					t.Errorf("%s\nkept as %s", body, got)
				}
				if got == "" && hash == "" || got != "" && !json.Valid([]byte(got)) {
					t.Errorf("%s\nkept as %q, hash %q", body, got, hash)
				}
			}
		}
		if reading, sent := lookingglass.RedactQueryForTests(before + "&token=" + secret + "&" + after); strings.Contains(reading+sent, secret) {
			t.Errorf("%s, %s", reading, sent)
		}
	})
}

func quote(s string) string { return string(scim.AppendString(nil, s)) }

func clean(s, secret string) bool { return !strings.Contains(s, secret[:4]) }

// escapes reports whether the fuzzer's parts make the name something else than
// a name: the text of another string.
func escapes(before, after, body string) bool {
	if !strings.HasPrefix(body, before) || before == "" {
		return false
	}
	return slices.ContainsFunc([]string{before, after}, func(s string) bool { return strings.ContainsAny(s, `"\`) })
}

// A request that is full of secrets costs no more than others, and what it
// could have put into the answer is not kept.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := watch(t, lookingglass.Options{})
	var words strings.Builder
	for i := range 6000 {
		words.WriteString(" secret" + string(rune('a'+i%26)) + strings.Repeat("x", i%7) + canary)
	}
	s.do("POST", "/Users/.search", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"password eq`+words.String()[:60_000]+`"}`)
	x := s.last()
	exports(t, []*lookingglass.Exchange{x})
	if x.Fault.Detail != "***" || x.Response.Body != "" || x.Response.Hash == "" {
		t.Errorf("%+v %+v", x.Fault, x.Response)
	}
	if len(x.Fault.Advice) == 0 {
		t.Error("no advice")
	}
}
