package pactflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-scim/rollcall/backend/facade"
	"github.com/rollcall-scim/rollcall/scim"
)

// appName is how the application is called in errors.
const appName = "PactFlow"

// client makes PactFlow's calls for users and teams.
type client struct {
	up     *facade.Upstream
	guard  *guard
	logger *slog.Logger
	now    func() time.Time
}

// answer is one resource that PactFlow shows.
type answer interface {
	identity() (id, self string)
}

func (u *user) identity() (id, self string) { return u.UUID, u.Links.Self.Href }
func (t *team) identity() (id, self string) { return t.UUID, t.Links.Self.Href }

// read makes a call that is answered with the resource of this id.
func (c *client) read(ctx context.Context, call facade.Call, id string, into answer) error {
	if _, err := c.up.Do(ctx, call, into); err != nil {
		return err
	}
	got, self := into.identity()
	if got != id {
		return c.up.Nonsense(call, "the answer is not the resource that was asked for: its \"uuid\" is missing or another one")
	}
	c.guard.look(ctx, self)
	return nil
}

// orNone returns what reads an answer that may be empty: where PactFlow documents
// a body and there is none, what was written is read back.
func orNone(into any) func(*json.Decoder) error {
	return func(d *json.Decoder) error {
		if err := d.Decode(into); !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
}

// undone is the error for a write that PactFlow says it has carried out, and that
// is seen not to be.
func (c *client) undone(call facade.Call, format string, args ...any) error {
	f := c.up.Nonsense(call, "it was not carried out, although PactFlow says so: "+fmt.Sprintf(format, args...))
	f.Sent = false // the outcome is known
	return f
}

// same reports whether two texts are one to an application that may trim them.
func same(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// write makes a call whose answer has no body, or one that does not matter.
func (c *client) write(ctx context.Context, method, path string, body any) error {
	_, err := c.up.Do(ctx, facade.Call{Method: method, Path: path, Body: body}, nil)
	return err
}

// refused returns the status with which PactFlow refused, 0 if it did not.
func refused(err error) int {
	var f *facade.Failure
	if errors.As(err, &f) && f.Reason == facade.Refused {
		return f.Status
	}
	return 0
}

// gone reports whether the resource that a call addressed is not there, or not
// any more.
func gone(err error) bool { s := refused(err); return s == 404 || s == 410 }

// collection makes of the answer that there is no such list, which every PactFlow
// has, the error that says what is most likely wrong; it leaves others alone.
func collection(err error) error {
	var f *facade.Failure
	if !gone(err) || !errors.As(err, &f) {
		return err
	}
	e := *f.SCIM()
	e.Status, e.Err = 502, f
	e.Detail = fmt.Sprintf("%s answered %d to %s, which every PactFlow has. Hint: compare PACTFLOW_URL, and its path above all, "+
		"with PactFlow's PACTFLOW_BASE_URL", f.Name, f.Status, f.Call)
	return &e
}

// ambiguous reports whether a call that failed may have been carried out.
func ambiguous(err error) bool {
	var f *facade.Failure
	return errors.As(err, &f) && f.Sent
}

// What a 403 most often means, by what was tried.
const (
	hintRead   = "PactFlow lets this token's account not read this; a system account with the SCIM role can read users and teams, but not other system accounts"
	hintWrite  = "the token must be one that can write, of a system account with the SCIM role"
	hintRoles  = hintWrite + ", and nobody can change their own roles"
	hintSystem = "the SCIM role can't create or change system accounts; the token's account needs the permission to manage system accounts"
)

// explain makes of a failure what the client is told, with a hint where the
// application only said no. hint is of the constants above.
func explain(err error, hint string) error {
	var f *facade.Failure
	if err == nil || !errors.As(err, &f) {
		return err
	}
	if f.Reason != facade.Refused || f.Status != 403 || hint == "" {
		return err
	}
	e := *f.SCIM()
	e.Detail = strings.TrimRight(e.Detail, ".") + ". Hint: " + hint
	if e.Err == nil {
		e.Err = f
	}
	return &e
}

// partial is the error for a change that was carried out in part: the client is
// told what is done, and the log too.
func (c *client) partial(ctx context.Context, err error, format string, args ...any) error {
	done := fmt.Sprintf(format, args...)
	e := *known(err)
	e.Detail = done + ": " + e.Detail
	c.logger.WarnContext(ctx, done, "partial", true, "error", err)
	return &e
}

// known returns err as the error that a client would see.
func known(err error) *scim.Error {
	var e *scim.Error
	var f *facade.Failure
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &f):
		return f.SCIM()
	}
	return scim.AsError(err)
}

// aftermathTime is how long finding out, or undoing, what a failed call did may
// take. The call may have used up the time of the write.
const aftermathTime = 15 * time.Second

func aftermath(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), aftermathTime)
}

// notMade is the error for a creation that may have been carried out, but whose
// result is not in the list that was read since.
func notMade(cause error) error {
	var f *facade.Failure
	if !errors.As(cause, &f) {
		return cause
	}
	known := *f
	known.Sent = false
	e := *known.SCIM()
	e.Err = f
	e.Detail += "; it was not created, as far as " + appName + "'s list shows"
	return &e
}

// createdSince reports whether something was created after a call began, give
// or take a minute between two clocks.
func createdSince(createdAt string, began time.Time) bool {
	t, err := time.Parse(time.RFC3339Nano, createdAt)
	return err == nil && !t.Before(began.Add(-time.Minute))
}

// idAt returns the id at the end of a Location, "" if there is none. The
// address itself is never called.
func idAt(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return ""
	}
	segments := strings.Split(strings.TrimRight(u.Path, "/"), "/")
	if id := segments[len(segments)-1]; validID(id) && len(segments) > 1 {
		return id
	}
	return ""
}

// without returns the elements of list that are not in other.
func without(list, other []string) []string {
	in := make(map[string]bool, len(other))
	for _, s := range other {
		in[s] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return in[s] })
}
