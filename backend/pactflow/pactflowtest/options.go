package pactflowtest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// config is Options after they were checked; it never changes.
type config struct {
	Options
	bases []*url.URL
	start time.Time // of the clock; zero: the real one
	profile
}

// setting is one option as text: its environment variable and its name for the
// control endpoint.
type setting struct {
	env, name string
	set       func(*Options, string) error
}

var settings = []setting{
	{"PACTFLOW_BASE_URL", "baseUrl", text(func(o *Options) *string { return &o.BaseURL })},
	{"EMU_SEED", "seed", text(func(o *Options) *string { return &o.Seed })},
	{"EMU_VERSION", "version", text(func(o *Options) *string { return &o.Version })},
	{"EMU_PUT_OMITTED", "putOmitted", either("keep", "clear", func(o *Options) *bool { return &o.PutOmittedClears })},
	{"EMU_UNIQUE_IDP_USERNAME", "uniqueIdpUsername", either("reject", "allow", func(o *Options) *bool { return &o.AllowSameUserName })},
	{"EMU_UNIQUE_EMAIL", "uniqueEmail", either("allow", "reject", func(o *Options) *bool { return &o.RejectSameEmail })},
	{"EMU_DUPLICATE_STATUS", "duplicateStatus", func(o *Options, v string) (err error) {
		o.DuplicateStatus, err = strconv.Atoi(v)
		return err
	}},
	{"EMU_SHOW_SYSTEM_ACCOUNTS", "showSystemAccounts", either("permission", "always", func(o *Options) *bool { return &o.ShowSystemAccounts })},
	{"EMU_LIST_INACTIVE", "listInactive", either("true", "false", func(o *Options) *bool { return &o.HideInactive })},
	{"EMU_NULLS", "nulls", either("omit", "null", func(o *Options) *bool { return &o.Nulls })},
	{"EMU_ETAG", "etag", either("off", "off", func(*Options) *bool { return new(bool) })},
	{"EMU_STRICT_PATCH", "strictPatch", either("false", "true", func(o *Options) *bool { return &o.StrictPatch })},
	{"EMU_EMPTY_AUTH_BODIES", "emptyAuthBodies", either("false", "true", func(o *Options) *bool { return &o.EmptyAuthBodies })},
	{"EMU_PUT_USERS_BUG", "putUsersBug", either("false", "true", func(o *Options) *bool { return &o.PutUsersBug })},
	{"EMU_NO_DEFAULTS", "noDefaults", either("false", "true", func(o *Options) *bool { return &o.NoDefaults })},
	{"EMU_LEGACY_ROLES", "legacyRoles", either("true", "false", func(o *Options) *bool { return &o.HideLegacyRoles })},
	{"EMU_GUARD_EXTERNAL", "guardExternal", either("false", "true", func(o *Options) *bool { return &o.GuardExternal })},
	{"EMU_TOUCH_ALWAYS", "touchAlways", either("false", "true", func(o *Options) *bool { return &o.TouchAlways })},
	{"EMU_LINK_BASE", "linkBase", text(func(o *Options) *string { return &o.LinkBase })},
	{"EMU_CONTROL", "control", text(func(o *Options) *string { return &o.Control })},
	{"EMU_CLOCK", "clock", text(func(o *Options) *string { return &o.Clock })},
}

func text(field func(*Options) *string) func(*Options, string) error {
	return func(o *Options, v string) error {
		*field(o) = v
		return nil
	}
}

// either reads the words for a field that is false and true.
func either(no, yes string, field func(*Options) *bool) func(*Options, string) error {
	return func(o *Options, v string) error {
		if v != no && v != yes {
			return fmt.Errorf("%s or %s", no, yes)
		}
		*field(o) = v == yes && yes != no
		return nil
	}
}

// FromEnv returns the options that environment variables ("NAME=value") choose;
// an empty one counts as unset, EMU_ADDR is the command's. Its error names every
// variable with a bad value, and every unknown EMU_ name.
func FromEnv(environ []string) (Options, error) {
	var o Options
	var bad []error
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if value == "" || name != "PACTFLOW_BASE_URL" && !strings.HasPrefix(name, "EMU_") || name == "EMU_ADDR" {
			continue
		}
		if err := o.apply(name, value); err != nil {
			bad = append(bad, err)
			continue
		}
		if _, err := o.check(); err != nil { // the options before were good: it is this one
			bad = append(bad, fmt.Errorf("%s: %w", name, err))
			o = o.without(name)
		}
	}
	return o, errors.Join(bad...)
}

// without gives back its default to the option of a variable.
func (o Options) without(name string) Options {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.env == name })
	fallback := map[string]string{"EMU_DUPLICATE_STATUS": "0"}
	_ = settings[i].set(&o, fallback[name]) // only texts and the number are found bad by check
	return o
}

// apply sets the option of an environment variable or a setting.
func (o *Options) apply(name, value string) error {
	for _, s := range settings {
		if s.env != name && s.name != name {
			continue
		}
		if err := s.set(o, value); err != nil {
			return fmt.Errorf("%s: %q is none of its values (%w)", name, value, err)
		}
		return nil
	}
	return fmt.Errorf("%s: no such setting", name)
}

// check reads the options; its error names the first bad one.
func (o Options) check() (*config, error) {
	c := &config{Options: o}
	for base := range strings.FieldsSeq(o.BaseURL) {
		u, err := parseBase(base)
		if err != nil {
			return nil, fmt.Errorf("option BaseURL: %w", err)
		}
		c.bases = append(c.bases, u)
	}
	if o.LinkBase != "" {
		if _, err := parseBase(o.LinkBase); err != nil {
			return nil, fmt.Errorf("option LinkBase: %w", err)
		}
		c.LinkBase = strings.TrimRight(o.LinkBase, "/")
	}
	if _, _, err := seedSize(o.Seed); err != nil {
		return nil, fmt.Errorf("option Seed: %w", err)
	}
	var ok bool
	if c.profile, ok = profiles[o.Version]; !ok {
		return nil, fmt.Errorf("option Version: %q is not 1.26.0, 1.28.0, 1.31.0 or 2.3.0", o.Version)
	}
	switch o.DuplicateStatus {
	case 0:
		c.DuplicateStatus = 400
	case 400, 409:
	default:
		return nil, fmt.Errorf("option DuplicateStatus: %d is not 400 or 409", o.DuplicateStatus)
	}
	if !slices.Contains([]string{"", "on", "off", "any"}, o.Control) {
		return nil, fmt.Errorf("option Control: %q is not on, off or any", o.Control)
	}
	if o.Clock != "" && o.Clock != "real" {
		t, err := time.Parse(time.RFC3339, o.Clock)
		if err != nil {
			return nil, fmt.Errorf("option Clock: %q is not real or an RFC 3339 time", o.Clock)
		}
		c.start = t.UTC()
	}
	return c, nil
}

// Set changes options while the emulator runs; what it refuses changes nothing.
// Another Seed counts from the next [Emulator.Reset] on, as do role names of
// another Version. change must not call the emulator.
func (e *Emulator) Set(change func(*Options)) error {
	return e.configure(func(o *Options) error {
		change(o)
		return nil
	})
}

func (e *Emulator) configure(change func(*Options) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	o := e.cfg.Load().Options
	if err := change(&o); err != nil {
		return err
	}
	cfg, err := o.check()
	if err == nil {
		e.cfg.Store(cfg)
	}
	return err
}
