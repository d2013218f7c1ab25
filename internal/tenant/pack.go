package tenant

import (
	"encoding/hex"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// packed is a tenant with its tokens, as it moves from one database to another.
// Times are milliseconds since 1970, UTC; 0 is never.
type packed struct {
	Created  int64          `json:"created,omitzero"`
	Settings jsontext.Value `json:"settings"`
	Tokens   []packedToken  `json:"tokens,omitzero"`
}

type packedToken struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Prefix   string `json:"prefix"`
	Hash     string `json:"hash"`
	Scopes   string `json:"scopes"`
	Created  int64  `json:"created"`
	Expires  int64  `json:"expires,omitzero"`
	Revoked  int64  `json:"revoked,omitzero"`
	Used     int64  `json:"used,omitzero"`
	Client   string `json:"client,omitzero"`
	Replaces string `json:"replaces,omitzero"`
}

// Pack returns what a tenant is, but for its resources, as JSON: its settings,
// and its tokens by their hashes. It is nil for a tenant of which there is
// nothing to say.
func Pack(t Tenant, tokens []Token) ([]byte, error) {
	if t.Fault != nil {
		return nil, t.Fault
	}
	settings, err := t.Settings.Encode()
	if err != nil {
		return nil, err
	}
	if t.Created.IsZero() && len(tokens) == 0 && string(settings) == `{"version":1}` {
		return nil, nil
	}
	p := packed{Created: millis(t.Created), Settings: settings}
	for i := range tokens {
		k := &tokens[i]
		p.Tokens = append(p.Tokens, packedToken{k.ID, k.Name, k.Prefix, hex.EncodeToString(k.Hash[:]), k.Scopes.String(),
			millis(k.Created), millis(k.Expires), millis(k.Revoked), millis(k.LastUsed), k.LastClient, k.Replaces})
	}
	return json.Marshal(p)
}

// Unpack reads what Pack returns, for a tenant of that name. Nothing is a tenant
// without settings and tokens.
func Unpack(name string, text []byte) (Tenant, []Token, error) {
	t := Tenant{Name: name}
	if len(text) == 0 {
		return t, nil, nil
	}
	var p packed
	if err := json.Unmarshal(text, &p, json.RejectUnknownMembers(true)); err != nil {
		return t, nil, invalidf("tenant %q: %s", name, plain(err))
	}
	var err error
	if t.Settings, err = DecodeSettings(p.Settings); err != nil {
		return t, nil, err
	}
	t.Created = fromMillis(p.Created)
	var tokens []Token
	for _, k := range p.Tokens {
		token := Token{ID: k.ID, Tenant: name, Name: k.Name, Prefix: k.Prefix, Created: fromMillis(k.Created), Expires: fromMillis(k.Expires),
			Revoked: fromMillis(k.Revoked), LastUsed: fromMillis(k.Used), LastClient: k.Client, Replaces: k.Replaces}
		hash, err := hex.DecodeString(k.Hash)
		if err != nil || len(hash) != len(token.Hash) || k.ID == "" {
			return t, nil, invalidf("tenant %q: the token %q has no good hash or id", name, shown(k.Name))
		}
		copy(token.Hash[:], hash)
		if token.Scopes, err = ParseScopes(k.Scopes); err != nil {
			return t, nil, err
		}
		tokens = append(tokens, token)
	}
	return t, tokens, nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
