package tenant

import (
	"slices"
	"time"
)

// stages are the days before its end on which a token is spoken of.
var stages = []int{1, 3, 14, 30}

// horizon is how early that begins.
const horizon = 30 * 24 * time.Hour

// Reminder is a token that is about to expire and has no successor.
type Reminder struct {
	Token Token
	Left  time.Duration
	Stage int // 30, 14, 3 or 1: within how many days it expires
}

// Reminders returns the live ones of tokens that expire within 30 days, the
// first to expire first.
func Reminders(tokens []Token, now time.Time) (list []Reminder) {
	for i := range tokens {
		t := tokens[i]
		left := t.Expires.Sub(now)
		if t.Expires.IsZero() || t.State(now) != Live || left > horizon {
			continue
		}
		if slices.ContainsFunc(tokens, func(s Token) bool { return s.Replaces == t.ID && s.Tenant == t.Tenant && s.State(now) == Live }) {
			continue
		}
		at := slices.IndexFunc(stages, func(days int) bool { return left <= time.Duration(days)*24*time.Hour })
		list = append(list, Reminder{t, left, stages[at]})
	}
	slices.SortStableFunc(list, func(a, b Reminder) int { return a.Token.Expires.Compare(b.Token.Expires) })
	return list
}

// reminded is what has been said already: token IDs and stages.
type reminded map[string]int

// due returns the reminders that have not been given at their stage, and forgets
// tokens that are in the list no more.
func (r reminded) due(list []Reminder) (due []Reminder) {
	there := map[string]bool{}
	for _, m := range list {
		there[m.Token.ID] = true
		if r[m.Token.ID] != m.Stage {
			r[m.Token.ID] = m.Stage
			due = append(due, m)
		}
	}
	for id := range r {
		if !there[id] {
			delete(r, id)
		}
	}
	return due
}
