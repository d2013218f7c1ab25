// Package pactflowtest is an emulator of PactFlow's admin API, for tests and
// demonstrations: state, links, permissions per token, the quirks of versions,
// and failures on demand.
//
// It is written from public material and is on purpose stricter than a client
// needs; where public material is silent, an option chooses. It holds no
// contracts, webhooks or secrets, and is no PactFlow: nothing here is kept.
//
// An [Emulator] is an [http.Handler]. Tests steer it in-process ([Emulator.Inject],
// [Emulator.Log], [Emulator.State], [Emulator.Set]), everybody else over HTTP
// under /__emu/. Start with [New].
package pactflowtest

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// Options configures an Emulator; the zero value is the seed "sample" as
// version 1.31.0. The comments name the environment variables of the command.
type Options struct {
	BaseURL            string // PACTFLOW_BASE_URL: space-separated; "": by the request
	Seed               string // EMU_SEED: "" or "sample", "empty", "okta", "large" (20,000 users, 500 teams), "large:N"
	Version            string // EMU_VERSION: "1.26.0", "1.28.0", "1.31.0" (or ""), "2.3.0"
	PutOmittedClears   bool   // EMU_PUT_OMITTED=clear
	AllowSameUserName  bool   // EMU_UNIQUE_IDP_USERNAME=allow
	RejectSameEmail    bool   // EMU_UNIQUE_EMAIL=reject
	DuplicateStatus    int    // EMU_DUPLICATE_STATUS: 400 (or 0), 409
	ShowSystemAccounts bool   // EMU_SHOW_SYSTEM_ACCOUNTS=always
	HideInactive       bool   // EMU_LIST_INACTIVE=false
	Nulls              bool   // EMU_NULLS=null
	StrictPatch        bool   // EMU_STRICT_PATCH
	EmptyAuthBodies    bool   // EMU_EMPTY_AUTH_BODIES
	PutUsersBug        bool   // EMU_PUT_USERS_BUG: the bug of PUT …/users before 1.31.0
	NoDefaults         bool   // EMU_NO_DEFAULTS: a new user or system account gets no role and no team
	HideLegacyRoles    bool   // EMU_LEGACY_ROLES=false: no second list of roles at the top of a user
	GuardExternal      bool   // EMU_GUARD_EXTERNAL: externalIdp… only for tokens that may write them
	TouchAlways        bool   // EMU_TOUCH_ALWAYS: changes of roles and members change updatedAt too
	LinkBase           string // EMU_LINK_BASE: every link begins so, whatever BaseURL says
	Control            string // EMU_CONTROL: "" or "on" (loopback only), "off", "any"
	Clock              string // EMU_CLOCK: "" or "real", or an RFC 3339 time that advances 1 s per write
}

// Emulator is a PactFlow in memory. Safe for concurrent use.
type Emulator struct {
	cfg    atomic.Pointer[config]
	hook   atomic.Pointer[func(*http.Request)]
	mu     sync.RWMutex // store
	store  *store
	lines  journal
	rules  rules
	closed chan struct{}
	once   sync.Once
}

// New returns an emulator with its seed. Its error names the option that is wrong.
func New(o Options) (*Emulator, error) {
	cfg, err := o.check()
	if err != nil {
		return nil, err
	}
	e := &Emulator{closed: make(chan struct{})}
	e.cfg.Store(cfg)
	if err := e.Reset(o.Seed); err != nil {
		return nil, err
	}
	return e, nil
}

// Close ends every answer that is being delayed; requests go on to be answered.
// It may be called more than once.
func (e *Emulator) Close() { e.once.Do(func() { close(e.closed) }) }

// Tokens of every seed. A token's name in the log is its value without "-token".
const (
	AdminToken    = "user1-admin-token"   // of the Administrator user1
	SCIMToken     = "scim-token"          // exactly the permissions of the SCIM role
	ReadOnlyToken = "scim-readonly-token" // the same, for reading only
	UserToken     = "user-token"          // the permissions of the User role
	ViewerToken   = "viewer-token"        // reads users and teams
	NoAccessToken = "noaccess-token"      // valid, may nothing
	ExpiredToken  = "expired-token"       // no longer valid
	InviteToken   = "invite-only-token"   // may invite users, not manage them
)
