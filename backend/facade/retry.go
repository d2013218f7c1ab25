package facade

import (
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// The pauses before another try: exponential, with jitter.
const (
	firstPause   = 200 * time.Millisecond
	longestPause = 2 * time.Second
	jitter       = 0.25

	longestRetryAfter = 5 * time.Second
)

// retries holds the policies: how often a call may be made again depends on
// what it does to the application to be asked twice.
type retries struct {
	read, idempotent, once retrypolicy.RetryPolicy[*Answer]
}

func newRetries(first, longest time.Duration) retries {
	policy := func(most int, again func(*Failure) bool) retrypolicy.RetryPolicy[*Answer] {
		return retrypolicy.NewBuilder[*Answer]().
			HandleIf(func(_ *Answer, err error) bool {
				var f *Failure
				return errors.As(err, &f) && f.RetryAfter <= longestRetryAfter && again(f)
			}).
			WithMaxRetries(most).
			WithBackoff(first, longest).
			WithJitterFactor(jitter).
			WithDelayFunc(pause).
			ReturnLastFailure().
			Build()
	}
	return retries{
		read:       policy(2, func(f *Failure) bool { return f.passing() || f.Status == http.StatusTooManyRequests }),
		idempotent: policy(1, (*Failure).passing),
		once:       policy(1, func(f *Failure) bool { return f.passing() && !f.Sent && f.Status == 0 }),
	}
}

func (r retries) of(method string) retrypolicy.RetryPolicy[*Answer] {
	switch method {
	case http.MethodGet, http.MethodHead:
		return r.read
	case http.MethodPut, http.MethodDelete:
		return r.idempotent
	}
	return r.once
}

// pause returns how long the application asks to wait, or -1 for the backoff.
// The policy takes jitter off both: what is asked for is never cut short.
func pause(e failsafe.ExecutionAttempt[*Answer]) time.Duration {
	var f *Failure
	if errors.As(e.LastError(), &f) && f.RetryAfter > 0 {
		return time.Duration(float64(f.RetryAfter) / (1 - jitter))
	}
	return -1
}

// passing reports whether another try may well do better.
func (f *Failure) passing() bool {
	switch f.Reason {
	case Refused:
		return f.Status == http.StatusBadGateway || f.Status == http.StatusServiceUnavailable || f.Status == http.StatusGatewayTimeout
	case Broken:
		return true
	case Unreached:
		var untrusted *tls.CertificateVerificationError
		return !errors.As(f.Err, &untrusted)
	}
	return false
}
