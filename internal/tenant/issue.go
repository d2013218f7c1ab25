package tenant

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds of the tokens of one tenant. The oldest of those that are not live any
// more give way to new ones.
const (
	MostLive = 100 // live at the same time
	mostKept = 400 // remembered, live or not
)

// How long the predecessor of a token stays live.
const (
	DefaultGrace = 24 * time.Hour
	mostGrace    = 90 * 24 * time.Hour
)

// keepDead is how long a token is remembered that is not live any more, so that
// it can be said why a client is refused.
const keepDead = 400 * 24 * time.Hour

// Spec is a token as it is asked for.
type Spec struct {
	Name    string
	Scopes  Scopes    // nil: DefaultScopes
	Expires time.Time // zero: never
}

// Rotation is how a token is replaced.
type Rotation struct {
	Now     bool          // the predecessors end at once
	Grace   time.Duration // how long the predecessor stays live; 0: DefaultGrace
	Expires time.Time     // of the successor; zero: it lives as long as its predecessor was meant to
}

// Issued is a new token and its text, which nobody is told again.
type Issued struct {
	Token  Token
	Secret string
}

// issue makes a token of a tenant, whose tokens are have.
func issue(have []Token, tenant string, s Spec, replaces, secret string, now time.Time) (Token, error) {
	if err := checkTokenName(s.Name); err != nil {
		return Token{}, err
	}
	if s.Scopes == nil {
		s.Scopes = DefaultScopes()
	}
	scopes, err := ParseScopes(s.Scopes.String())
	if err != nil {
		return Token{}, err
	}
	if !s.Expires.IsZero() && !s.Expires.After(now) {
		return Token{}, invalidf("the token would expire before it is made, on %s", s.Expires.UTC().Format(time.RFC3339))
	}
	live := 0
	for i := range have {
		if have[i].State(now) == Live {
			live++
		}
	}
	if live >= MostLive {
		return Token{}, fmt.Errorf("%w: tenant %q has %d live tokens, and none may have more; revoke one that is not used", ErrTooMany, tenant, live)
	}
	hash, err := hashOf(secret)
	if err != nil {
		return Token{}, err
	}
	return Token{ID: newID(), Tenant: tenant, Name: s.Name, Prefix: secret[:len(secretPrefix)+shownDigits], Hash: hash, Scopes: scopes,
		Created: moment(now), Expires: moment(s.Expires), Replaces: replaces}, nil
}

// add makes a token of a name that no live one has.
func add(have []Token, tenant string, s Spec, secret string, now time.Time) (Token, error) {
	for i := range have {
		if strings.EqualFold(have[i].Name, s.Name) && have[i].State(now) == Live {
			return Token{}, fmt.Errorf("%w: tenant %q has a live token called %q; rotate it, or choose another name", ErrTaken, tenant, have[i].Name)
		}
	}
	return issue(have, tenant, s, "", secret, now)
}

// rotate makes the successor of a token, and returns it with the predecessors
// as they are now.
func rotate(have []Token, tenant, which string, r Rotation, secret string, now time.Time) (next Token, before []Token, err error) {
	grace := r.Grace
	switch {
	case grace == 0:
		grace = DefaultGrace
	case grace < 0 || grace > mostGrace:
		return next, nil, invalidf("the predecessor may stay live for %d days at most", int(mostGrace.Hours()/24))
	}
	old, err := pick(have, tenant, which, now)
	if err != nil {
		return next, nil, err
	}
	if old.State(now) == Revoked {
		return next, nil, invalidf("the token %q is revoked and can't be rotated; add a new one", old.Name)
	}
	for i := range have {
		if t := have[i]; t.State(now) == Live && strings.EqualFold(t.Name, old.Name) {
			before = append(before, t)
		}
	}
	if len(before) > 1 && !r.Now {
		first := before[0]
		if first.Replaces == before[1].ID {
			first = before[1]
		}
		return next, nil, fmt.Errorf("%w: the token %q is being rotated and two of it are live; revoke the older one, %s, or rotate so that both end now",
			ErrTooMany, old.Name, first.ID)
	}
	spec := Spec{Name: old.Name, Scopes: old.Scopes, Expires: r.Expires}
	if spec.Expires.IsZero() && !old.Expires.IsZero() {
		spec.Expires = now.Add(old.Expires.Sub(old.Created))
	}
	if spec.Scopes == nil {
		spec.Scopes = Scopes{}
	}
	for i := range before {
		b := &before[i]
		if end := moment(now.Add(grace)); r.Now {
			b.Revoked = moment(now)
		} else if b.Expires.IsZero() || b.Expires.After(end) {
			b.Expires = end
		}
	}
	rest := have
	if r.Now {
		rest = slices.DeleteFunc(slices.Clone(have), func(t Token) bool {
			return slices.ContainsFunc(before, func(b Token) bool { return b.ID == t.ID })
		})
	}
	next, err = issue(rest, tenant, spec, old.ID, secret, now)
	return next, before, err
}

// revoke returns the tokens that which names, revoked: one by its ID, or those
// of a name that are live.
func revoke(have []Token, tenant, which string, now time.Time) (gone []Token, err error) {
	if _, err := pick(have, tenant, which, now); err != nil {
		return nil, err
	}
	for i := range have {
		if t := have[i]; t.Revoked.IsZero() && (t.ID == which || strings.EqualFold(t.Name, which) && t.State(now) == Live) {
			t.Revoked = moment(now)
			gone = append(gone, t)
		}
	}
	return gone, nil
}

// pick returns the token of an ID, or of a name: a live one rather than another,
// one without a successor rather than its predecessor, and then the newest.
func pick(have []Token, tenant, which string, now time.Time) (found Token, err error) {
	replaced := map[string]bool{}
	for i := range have {
		replaced[have[i].Replaces] = true
	}
	best := -1
	for i := range have {
		t := have[i]
		if t.ID == which {
			return t, nil
		}
		if !strings.EqualFold(t.Name, which) {
			continue
		}
		rank := 0
		if t.State(now) == Live {
			rank += 2
		}
		if !replaced[t.ID] {
			rank++
		}
		if rank >= best {
			found, best = t, rank
		}
	}
	if best < 0 {
		return found, fmt.Errorf("%w: tenant %q has none called %q", ErrNoToken, tenant, shown(which))
	}
	return found, nil
}

// surplus returns the IDs of the oldest tokens that are not live, which must be
// forgotten to make room for one more.
func surplus(have []Token, now time.Time) (drop []string) {
	for i := 0; i < len(have) && len(have)-len(drop) >= mostKept; i++ {
		if have[i].State(now) != Live {
			drop = append(drop, have[i].ID)
		}
	}
	return drop
}
