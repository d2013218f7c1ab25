package tenant

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Set returns the settings with one of them changed, by its name as in JSON and
// with dots: "limits.maxPage", "breaker.mode". value is JSON or, where it is
// not, the text itself; "" and null give the setting back to the server. 0, which
// would do so without saying it, is refused.
func (s Settings) Set(name, value string) (Settings, error) {
	v := jsontext.Value(value)
	if !v.IsValid() {
		v, _ = jsontext.AppendQuote(nil, value) // invalid UTF-8 becomes U+FFFD
	}
	text, err := s.Encode()
	if err != nil {
		return s, err
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		return s, err
	}
	at, parts := tree, strings.Split(name, ".")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		next, ok := at[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			at[part] = next
		}
		at = next
	}
	if at[last] = v; value == "" || v.Kind() == 'n' {
		delete(at, last)
	}
	if text, err = json.Marshal(tree); err != nil {
		return s, invalidf("settings: %s", plain(err))
	}
	changed, err := DecodeSettings(text)
	if err == nil && isZero(v) {
		err = invalidf("settings: %s must not be 0; nothing after the = gives it back to the server", name)
	}
	if err == nil {
		err = changed.Check()
	}
	if err != nil {
		return s, err
	}
	return changed, nil
}

// isZero reports whether a value is the number 0, or a duration of 0.
func isZero(v jsontext.Value) bool {
	var n float64
	var text string
	switch v.Kind() {
	case '0':
		return json.Unmarshal(v, &n) == nil && n == 0
	case '"':
		if json.Unmarshal(v, &text) != nil {
			return false
		}
		d, err := time.ParseDuration(text)
		return err == nil && d == 0
	}
	return false
}
