package pactflow_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// attempt is a testing.TB that keeps what is wrong to itself.
type attempt struct {
	testing.TB
	wrong []string
}

func (a *attempt) Errorf(format string, args ...any) {
	a.wrong = append(a.wrong, fmt.Sprintf(format, args...))
}
func (a *attempt) Error(args ...any) { a.wrong = append(a.wrong, fmt.Sprint(args...)) }

func (a *attempt) Fatalf(format string, args ...any) {
	a.Errorf(format, args...)
	runtime.Goexit()
}

func (a *attempt) Fatal(args ...any) {
	a.Error(args...)
	runtime.Goexit()
}

// patiently runs a test in which calls are not answered, with the time that a
// call may take. On a machine that is busy those that are answered may take as
// long: what goes wrong counts if it does with a time that is long enough.
func patiently(t *testing.T, f func(t testing.TB, timeout time.Duration)) {
	t.Helper()
	for timeout := 500 * time.Millisecond; ; timeout *= 6 {
		a := &attempt{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			f(a, timeout)
		}()
		<-done
		if len(a.wrong) == 0 {
			return
		}
		if timeout > 10*time.Second {
			for _, w := range a.wrong {
				t.Error(w)
			}
			return
		}
	}
}
