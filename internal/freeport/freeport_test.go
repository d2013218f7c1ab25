package freeport_test

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/freeport"
)

// TestAddresses: no port comes twice, and none is one that the system gives to
// somebody else before it is used.
func TestAddresses(t *testing.T) {
	t.Parallel()
	first := 32_768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(text), &first); err != nil {
			t.Fatal(err)
		}
	}
	list, err := freeport.Addresses("127.0.0.1", 300)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, at := range list {
		a, err := net.ResolveTCPAddr("tcp", at)
		if err != nil || seen[at] || a.Port <= 1024 || a.Port >= max(first, 32_768) {
			t.Fatalf("%s, %v", at, err)
		}
		seen[at] = true
	}
	l, err := net.Listen("tcp", list[0])
	if err != nil {
		t.Fatalf("%s was free: %v", list[0], err)
	}
	defer l.Close()
	if _, err := freeport.Addresses("192.0.2.1", 1); err == nil {
		t.Error("an address of another machine has a free port")
	}
}
