// Package freeport finds ports for servers that tests and benchmarks start as
// programs of their own, and that can't choose one and say which.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports to choose from. Systems give others, above 32767, to connections and
// to whoever asks for any port: one of those may be somebody else's by the time
// that the server wants it, or wants it back.
const (
	lowest  = 15_000
	highest = 31_999
)

// given has the addresses that were returned: each is for one server.
var given sync.Map

// Addresses returns n addresses, each with a port of its own that nothing listens
// on, at host, an address of this machine.
func Addresses(host string, n int) (list []string, err error) {
	for range 100 * n {
		at := net.JoinHostPort(host, strconv.Itoa(lowest+rand.IntN(highest-lowest+1))) //nolint:gosec // which one is no secret
		l, e := net.Listen("tcp", at)                                                  //nolint:noctx // at once
		if e != nil {
			err = e
			continue
		}
		_ = l.Close()
		if _, taken := given.LoadOrStore(at, true); taken {
			continue
		}
		if list = append(list, at); len(list) == n {
			return list, nil
		}
	}
	return nil, errors.Join(errors.New("freeport: no port is free at "+host), err)
}
