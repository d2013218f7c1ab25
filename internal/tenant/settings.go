package tenant

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/scim"
	"github.com/rollcall-scim/rollcall/scim/schema"
)

// Settings is what a tenant has otherwise than the server is configured: the
// zero value of every field is "as the server".
type Settings struct {
	// Profile is as in ROLLCALL_PROFILE: "strict", "auto,-UniqueGroupNames".
	Profile string `json:"profile,omitzero"`

	// BaseURL is where the tenant's clients find it: an origin and an optional
	// path, to which the mount is added.
	BaseURL string `json:"baseURL,omitzero"`

	Limits Limits `json:"limits,omitzero"`

	// Schemas is what a file of ROLLCALL_SCHEMAS holds, an object or an array
	// of them. It adds to the schemas and resource types of the server.
	Schemas jsontext.Value `json:"schemas,omitzero"`

	Rate      Rate      `json:"rate,omitzero"`
	Breaker   Breaker   `json:"breaker,omitzero"`
	Promotion Promotion `json:"promotion,omitzero"`

	// Protected are the resources that SCIM clients may not change, each the
	// name of a resource type, a colon, and an id or the unique name:
	// "User:root@example.com", "Group:Break Glass".
	Protected []string `json:"protected,omitzero"`

	// Issuers are those whose OAuth 2.0 access tokens the tenant accepts.
	Issuers []Issuer `json:"issuers,omitzero"`
}

// Limits bound what one request of the tenant may ask. They convert to
// engine.Limits.
type Limits struct {
	DefaultPage     int           `json:"defaultPage,omitzero"` // resources
	MaxPage         int           `json:"maxPage,omitzero"`
	Body            int64         `json:"body,omitzero"` // bytes
	LargeBody       int64         `json:"largeBody,omitzero"`
	BulkOperations  int           `json:"bulkOperations,omitzero"`
	PatchOperations int           `json:"patchOperations,omitzero"`
	FilterLength    int           `json:"filterLength,omitzero"` // bytes
	FilterNodes     int           `json:"filterNodes,omitzero"`
	FilterDepth     int           `json:"filterDepth,omitzero"`
	JSONDepth       int           `json:"jsonDepth,omitzero"`
	JSONValues      int           `json:"jsonValues,omitzero"`
	Values          int           `json:"values,omitzero"`
	Deadline        time.Duration `json:"deadline,omitzero"` // "25s"
}

// Rate bounds the requests of each managed token. Zero fields take the default.
type Rate struct {
	PerSecond int  `json:"perSecond,omitzero"` // 50
	Burst     int  `json:"burst,omitzero"`     // 200
	Off       bool `json:"off,omitzero"`       // no bound
}

// Breaker holds mass changes: who would deactivate, delete or remove from groups
// more than People, or more than Percent of all, within Window.
type Breaker struct {
	Mode    string        `json:"mode,omitzero"` // "off", "warn" or "hold"
	People  int           `json:"people,omitzero"`
	Percent float64       `json:"percent,omitzero"`
	Window  time.Duration `json:"window,omitzero"` // "1h"
}

// Promotion says which values of what grants power SCIM clients may give.
type Promotion struct {
	Roles        Ceiling `json:"roles,omitzero"`
	Entitlements Ceiling `json:"entitlements,omitzero"`
	Groups       Ceiling `json:"groups,omitzero"` // by displayName or id
}

// Ceiling is a set of values. Only nil permits all that Never does not name; an
// empty Only permits none.
type Ceiling struct {
	Only  []string `json:"only,omitzero"`
	Never []string `json:"never,omitzero"`
}

// Issuer is an authorization server whose JWT access tokens are accepted (RFC
// 9068).
type Issuer struct {
	URL         string        `json:"url"`                  // of its configuration, without /.well-known/…
	Audience    string        `json:"audience"`             // that a token must be for
	ScopeClaim  string        `json:"scopeClaim,omitzero"`  // "": scope, or scp
	ScopePrefix string        `json:"scopePrefix,omitzero"` // what stands before each scope of ours: "rollcall."
	Scopes      string        `json:"scopes,omitzero"`      // of a token that has no such claim; "": none
	Clients     []string      `json:"clients,omitzero"`     // that a token may be issued to; none: any
	TenantClaim string        `json:"tenantClaim,omitzero"` // the claim that must have TenantValue; "": none
	TenantValue string        `json:"tenantValue,omitzero"` // "": the tenant's name
	Leeway      time.Duration `json:"leeway,omitzero"`      // of its clock; 0: one minute
}

// format is the version of the JSON of settings. Another one is of another
// program, and not guessed at.
const format = 1

// Most that settings may hold.
const (
	mostSettings = 512 << 10 // bytes of JSON
	mostListed   = 1_000     // protected resources; values of a ceiling
	mostIssuers  = 10
)

type document struct {
	Version int `json:"version"`
	Settings
}

// Encode returns the settings as one line of JSON.
func (s Settings) Encode() ([]byte, error) {
	return json.Marshal(document{format, s}, dialect)
}

// dialect is the JSON of settings: durations are texts such as "25s", and
// members that are not known are refused.
var dialect = json.JoinOptions(json.Deterministic(true), json.RejectUnknownMembers(true),
	json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, d time.Duration) error {
		return enc.WriteToken(jsontext.String(d.String()))
	})),
	json.WithUnmarshalers(json.UnmarshalFunc(func(text []byte, d *time.Duration) (err error) {
		var s string
		if err = json.Unmarshal(text, &s); err == nil {
			*d, err = time.ParseDuration(s)
		}
		if err != nil {
			return errors.New(`must be a duration such as "25s" or "1h"`)
		}
		return nil
	})))

// DecodeSettings reads what Encode returns. It is strict: a member that it does
// not know, or one that is there twice, is an error. It does not look whether
// the values make sense, which is Check's task. "version" may be left out.
func DecodeSettings(text []byte) (Settings, error) {
	if len(text) > mostSettings {
		return Settings{}, invalidf("settings have %d KiB at most", mostSettings>>10)
	}
	d := document{Version: format}
	if jsontext.Value(text).Kind() != '{' {
		return Settings{}, invalidf("settings must be a JSON object")
	}
	if err := json.Unmarshal(text, &d, dialect); err != nil {
		var version struct {
			Version int `json:"version"`
		}
		if json.Unmarshal(text, &version) == nil && version.Version > format {
			return Settings{}, newer(version.Version)
		}
		return Settings{}, invalidf("settings: %s", plain(err))
	}
	if d.Version != format {
		return Settings{}, newer(d.Version)
	}
	if len(d.Schemas) == 0 || d.Schemas.Kind() == 'n' {
		d.Schemas = nil
	} else if err := d.Schemas.Compact(); err != nil {
		return Settings{}, invalidf("settings: schemas: %s", plain(err))
	}
	return d.Settings, nil
}

func newer(version int) error {
	return invalidf("settings: version is %d, this program knows %d", version, format)
}

// plain is the text of an error of the JSON package without its name.
func plain(err error) string {
	var e *json.SemanticError
	if errors.As(err, &e) && e.JSONPointer != "" {
		at := strings.ReplaceAll(strings.TrimPrefix(string(e.JSONPointer), "/"), "/", ".")
		if errors.Is(err, json.ErrUnknownName) {
			return "there is no setting " + at
		}
		if e.Err != nil {
			return at + ": " + e.Err.Error()
		}
		return at + ": " + e.JSONKind.String() + " is of the wrong kind"
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "json: "), "jsontext: ")
}

// Types returns the resource types of a tenant, for which base are those of the
// server (RFC 7643 §6).
func (s Settings) Types(base []*scim.ResourceType) ([]*scim.ResourceType, error) {
	if s.Schemas == nil {
		return base, nil
	}
	types, err := schema.Extend(base, "schemas", s.Schemas)
	if err != nil {
		return nil, invalidf("settings: %s", err)
	}
	return types, nil
}
