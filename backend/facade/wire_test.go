package facade_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

func fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "Bearer ***(sha256:" + hex.EncodeToString(sum[:])[:8] + ")"
}

// logged makes a call with the wire log on and returns its entries.
func logged(t *testing.T, answer func(http.ResponseWriter, *http.Request), c facade.Call, into any) ([]map[string]any, string) {
	t.Helper()
	s := newHostile(t, answer)
	var log bytes.Buffer
	u := upstream(t, s.URL, func(o *facade.Options) {
		o.Wire, o.Logger = true, slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	ctx := scim.WithOrigin(facade.WithCaller(t.Context(), token), scim.Origin{RequestID: "req-1"})
	_, err := u.Do(ctx, c, into)
	text := log.String()
	if err != nil {
		text += err.Error()
	}
	var entries []map[string]any
	for d := json.NewDecoder(&log); ; {
		var e map[string]any
		if err := d.Decode(&e); err == io.EOF {
			return entries, text
		} else if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
}

// TestWire: one entry for the call, one for the answer.
func TestWire(t *testing.T) {
	t.Parallel()
	entries, _ := logged(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "up-1")
		w.WriteHeader(201)
		_, _ = io.WriteString(w, ` {"uuid":"u","password":"pw","n":[1,true,null,{"a":{}}]} `)
	}, facade.Call{Method: "POST", Path: "/users", Query: url.Values{"q": {"x y"}}, Body: map[string]any{"name": "Zoë", "token": "abc"}}, new(any))
	if len(entries) != 2 {
		t.Fatalf("%d entries", len(entries))
	}
	call, answer := entries[0], entries[1]
	if call["msg"] != "App call" || call["level"] != "DEBUG" || call["method"] != "POST" || !strings.HasSuffix(call["url"].(string), "/users?q=x+y") ||
		call["request_id"] != "req-1" || call["body"] != `{"name":"Zoë","token":"`+fingerprint("abc")+`"}` {
		t.Errorf("call %v", call)
	}
	if h := call["headers"].(map[string]any); h["Authorization"] != fingerprint(token) || h["Content-Type"] != "application/json" {
		t.Errorf("headers %v", h)
	}
	if answer["msg"] != "App answer" || answer["status"] != 201.0 || answer["duration"] == nil || answer["request_id"] != "req-1" ||
		answer["body"] != `{"uuid":"u","password":"***","n":[1,true,null,{"a":{}}]}` || answer["headers"].(map[string]any)["X-Request-Id"] != "up-1" {
		t.Errorf("answer %v", answer)
	}

	entries, _ = logged(t, flood(1), facade.Call{Method: "GET", Path: "/a"}, new(any))
	if b := entries[1]["body"].(string); len(b) > 20<<10 || !strings.HasSuffix(b, "…") {
		t.Errorf("a body of %d bytes is logged", len(b))
	}
	entries, _ = logged(t, drop(""), facade.Call{Method: "POST", Path: "/a"}, nil)
	if len(entries) != 2 || entries[1]["error"] == nil || entries[1]["status"] != nil {
		t.Errorf("no answer: %v", entries)
	}
	entries, _ = logged(t, drop("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), facade.Call{Method: "POST", Path: "/a"}, new(any))
	if len(entries) != 2 || entries[1]["error"] == nil || entries[1]["status"] != 200.0 {
		t.Errorf("half an answer: %v", entries)
	}
}

// TestCanary: no token and no password is in any log at any level, nor in an
// error, wherever the application puts it.
func TestCanary(t *testing.T) {
	t.Parallel()
	const password, session, other = "c4nary-passw0rd", "c4nary-s3ssion", "c4nary-0ther-token"
	secrets := []string{token, password, session, other}
	says := func(code int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "session="+session)
			w.Header().Set("X-Api-Key", other)
			w.Header().Set("X-Echo", "you sent Bearer "+token)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, h := range map[string]func(http.ResponseWriter, *http.Request){
		"properties": says(200, `{"password":"`+password+`","Token":"`+other+`","a":[{"accessToken":{"value":"`+other+`"}}],"client_secret":["`+password+`"]}`),
		"nested":     says(200, `{"tokens":[{"uuid":"u","value":"`+other+`"}],"echo":"`+token+`"}`),
		"cut":        says(200, `{"pad":"`+strings.Repeat("x", 16<<10-40)+`","password":"`+password+strings.Repeat("y", 99)+`"}`),
		"refusal":    says(400, `{"error":"password=`+password+` token: `+other+` of `+token+`"}`),
		"header":     says(401, `{"message":"Authorization: Bearer `+other+`"}`),
		"HTML":       says(502, `<p>password="`+password+`" Bearer `+token+`</p>`),
		"text":       says(200, "token="+other+"&password="+password),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/?token="+other+"&t="+token, http.StatusFound)
		},
		"silence":  drop(""),
		"nonsense": drop("Bearer " + token + "\r\n\r\n"),
	} {
		var into any
		entries, text := logged(t, h, facade.Call{Method: "POST", Path: "/a", Query: url.Values{"api_token": {other}},
			Body: map[string]any{"password": password, "deep": []any{map[string]any{"newPassword": password}}}}, &into)
		if len(entries) != 2 {
			t.Errorf("%s: %d entries", name, len(entries))
		}
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				t.Errorf("%s: %s is logged: …%s", name, s, text[max(0, i-80):min(len(text), i+40)])
			}
		}
		if strings.Contains(text, "c4nary") || strings.Contains(text, "5up3r") {
			t.Errorf("%s: part of a secret is logged: %s", name, text)
		}
	}
}

// TestQuiet: without Wire nothing is logged of a call, whatever the level.
func TestQuiet(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	for _, h := range []func(http.ResponseWriter, *http.Request){ok, status(500), drop("")} {
		s := newHostile(t, h)
		u := upstream(t, s.URL, func(o *facade.Options) {
			o.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
		})
		_, _ = u.Do(facade.WithCaller(t.Context(), token), facade.Call{Method: "PUT", Path: "/a"}, nil)
	}
	if log.Len() > 0 {
		t.Errorf("%s", log.String())
	}
}

// TestFingerprint: two tokens can be told apart, none recovered.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	c := facade.CallerOf(facade.WithCaller(t.Context(), token))
	other := facade.CallerOf(facade.WithCaller(t.Context(), token+"x"))
	none := facade.CallerOf(t.Context())
	if f := c.Fingerprint(); len(f) != 8 || f == other.Fingerprint() || strings.Contains(token, f) || !strings.Contains(fingerprint(token), f) {
		t.Errorf("%q, %q", f, other.Fingerprint())
	}
	if none.Fingerprint() != "" || none.Token() != "" || c.Token() != token {
		t.Error("a caller without a token has a fingerprint, or one with a token none")
	}
	c.Remember("k", []int{1})
	if got, _ := c.Recall("k").([]int); !slices.Equal(got, []int{1}) || other.Recall("k") != nil {
		t.Errorf("the memo holds %v", got)
	}
}
