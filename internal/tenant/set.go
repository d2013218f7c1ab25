package tenant

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Set returns the settings with one of them changed, by its name as in JSON and
// with dots: "limits.maxPage", "breaker.mode". value is JSON or, where it is
// not, the text itself; "" and null give the setting back to the server.
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
	if err == nil {
		err = changed.Check()
	}
	if err != nil {
		return s, err
	}
	return changed, nil
}
