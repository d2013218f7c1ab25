package scim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-scim/rollcall/scim"
)

func TestErrorJSON(t *testing.T) { // ERR-001, ERR-002, ERR-011
	t.Parallel()
	secret := errors.New("SELECT secret")
	for want, e := range map[string]*scim.Error{
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404","detail":"resource not found"}`: scim.ErrNotFound,
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400","scimType":"invalidPath","detail":"\"a\" & <b>"}`: scim.Errorf(
			scim.TypeInvalidPath, "%q & <b>", "a"),
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"501"}`: {Status: 501, Err: secret},
	} {
		got, err := e.MarshalJSON()
		if err != nil || string(got) != want {
			t.Errorf("MarshalJSON is %s, %v; want %s", got, err, want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	t.Parallel()
	taken := scim.NotUnique("userName")
	wrapped := fmt.Errorf("sqlite: create: %w", taken)
	if !errors.Is(wrapped, scim.ErrUniqueness) || errors.Is(wrapped, scim.ErrNotFound) || errors.Is(taken, context.Canceled) {
		t.Error("Is does not compare status and type")
	}
	if !strings.Contains(taken.Detail, "userName") || taken.Status != 409 || taken.Type != scim.TypeUniqueness {
		t.Errorf("NotUnique is %v", taken)
	}
	cause := errors.New("cause")
	if e := scim.Unavailable(cause); !errors.Is(e, cause) || e.RetryAfter != time.Second || e.Status != 503 {
		t.Errorf("Unavailable is %v", e)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	e := &scim.Error{Status: 400, Type: scim.TypeInvalidValue, Detail: "no", Err: errors.New("why")}
	if got := e.Error(); got != "400 invalidValue: no: why" {
		t.Errorf("Error is %q", got)
	}
	if got := (&scim.Error{Status: 500}).Error(); got != "500" {
		t.Errorf("Error is %q", got)
	}
}

func TestAsError(t *testing.T) { // ERR-010, ERR-015
	t.Parallel()
	told := scim.Errorf(scim.TypeInvalidFilter, "x")
	for _, tt := range []struct {
		err    error
		status int
	}{
		{told, 400},
		{fmt.Errorf("memory: %w", told), 400},
		{context.Canceled, 503},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), 503},
		{errors.New("disk full at /secret"), 500},
	} {
		e := scim.AsError(tt.err)
		body, _ := e.MarshalJSON()
		if e.Status != tt.status || strings.Contains(string(body), "secret") || !errors.Is(e, tt.err) && tt.status != 400 {
			t.Errorf("AsError(%v) = %v, told as %s", tt.err, e, body)
		}
	}
	if scim.AsError(nil) != nil {
		t.Error("AsError(nil) is an error")
	}
}

func TestInvalidReference(t *testing.T) {
	t.Parallel()
	ids := strings.Fields(strings.Repeat("id ", 12))
	ids[0] = strings.Repeat("x", 1000)
	e := scim.InvalidReference("members.value", ids...)
	if e.Status != 400 || e.Type != scim.TypeInvalidValue || !strings.Contains(e.Detail, "and 2 more") || len(e.Detail) > 400 {
		t.Errorf("InvalidReference is %v", e)
	}
	if d := scim.InvalidReference("x", "a").Detail; !strings.Contains(d, `"x"`) || !strings.Contains(d, `"a"`) || strings.Contains(d, "more") {
		t.Errorf("detail is %s", d)
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	o := scim.Origin{Actor: "okta", RequestID: "7"}
	if got := scim.OriginOf(scim.WithOrigin(context.Background(), o)); got != o {
		t.Errorf("OriginOf is %v", got)
	}
	if got := scim.OriginOf(context.Background()); got != (scim.Origin{}) {
		t.Errorf("OriginOf of nothing is %v", got)
	}
}
