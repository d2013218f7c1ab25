package outbound

import "net/netip"

// Check decides on an address that a host resolves to.
func Check(p Policy, host string, a netip.Addr) error { return p.check(host, a) }
