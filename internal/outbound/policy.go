package outbound

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Policy says which addresses may be called. The zero value is those of the
// public Internet. It must not be changed once it is in use.
type Policy struct {
	networks []netip.Prefix
	names    map[string]bool // lower case; their private addresses too
	plain    map[string]bool // host:port on this machine that may be called without TLS
}

// ParsePolicy reads what an operator permits besides the public Internet,
// separated by commas:
//
//   - a network or an address, "10.1.0.0/16": those addresses, whatever they are;
//   - the name of a host, "keycloak.internal": what it resolves to may be
//     private or this machine, but not link-local, where clouds keep their
//     metadata;
//   - "http://localhost:8081", a port of this machine: it may be called without
//     TLS. For trials.
func ParsePolicy(text string) (Policy, error) {
	p := Policy{names: map[string]bool{}, plain: map[string]bool{}}
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "":
			continue
		case strings.HasPrefix(strings.ToLower(word), "http://"):
			host, err := plainHost(word)
			if err != nil {
				return Policy{}, err
			}
			p.plain[host] = true
			continue
		}
		if n, err := netip.ParsePrefix(word); err == nil {
			n, err = unmapped(n.Masked())
			if err != nil {
				return Policy{}, fmt.Errorf("%q %w", word, err)
			}
			p.networks = append(p.networks, n)
			continue
		}
		if a, err := netip.ParseAddr(word); err == nil {
			a = a.WithZone("").Unmap()
			p.networks = append(p.networks, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		if checkHost(word) != nil || !strings.ContainsFunc(word, isLetter) {
			return Policy{}, fmt.Errorf(`%q is no network, address or host, such as "10.1.0.0/16" or "keycloak.internal"`, shown(word))
		}
		p.names[strings.TrimSuffix(strings.ToLower(word), ".")] = true
	}
	return p, nil
}

// unmapped returns a network in the form that addresses are compared in. One so
// wide that it holds every kind of address is refused.
func unmapped(n netip.Prefix) (netip.Prefix, error) {
	if a := n.Addr(); a.Is4In6() {
		if n.Bits() < 96 {
			return n, fmt.Errorf("is too wide a network")
		}
		n = netip.PrefixFrom(a.Unmap(), n.Bits()-96)
	}
	if least := 8; n.Bits() < least && (n.Addr().Is4() || n.Bits() < least-1) {
		return n, fmt.Errorf("is too wide a network: it would permit nearly everything")
	}
	return n, nil
}

// plainHost returns the host and port of a URL of this machine.
func plainHost(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || !thisMachine(u.Hostname()) {
		return "", fmt.Errorf(`%q must be a port of this machine, such as "http://localhost:8081": elsewhere there is no call without TLS`, shown(text))
	}
	return strings.ToLower(u.Host), nil
}

func thisMachine(host string) bool {
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}

// CheckURL returns an error that says why a URL can't be called, or nil. That a
// URL passes does not mean that its host's addresses do: those are looked at
// with each call, since a name can be given others at any time.
func (p Policy) CheckURL(u *url.URL) error {
	switch {
	case u.Scheme == "http" && p.plain[strings.ToLower(u.Host)] && thisMachine(u.Hostname()):
	case u.Scheme != "https":
		return fmt.Errorf("must begin with https://")
	}
	switch {
	case u.Opaque != "" || u.Hostname() == "":
		return fmt.Errorf("has no host")
	case u.User != nil:
		return fmt.Errorf("must not have a user or a password in it")
	case u.Fragment != "" || u.RawFragment != "":
		return fmt.Errorf("must not have a fragment")
	}
	if err := checkHost(u.Hostname()); err != nil {
		return err
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && u.Scheme == "https" {
		return p.check(u.Hostname(), a)
	}
	return nil
}

// checkHost refuses hosts that different programs read as different addresses.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		if strings.Contains(host, "%") {
			return fmt.Errorf("has an address with a zone")
		}
		return nil
	}
	host = strings.TrimSuffix(host, ".")
	labels := strings.Split(host, ".")
	if len(host) > 253 {
		return fmt.Errorf("has a host that is too long")
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.ContainsFunc(l, func(r rune) bool { return !isLetter(r) && (r < '0' || r > '9') && r != '-' && r != '_' }) {
			return fmt.Errorf("has a host that is no name; write it in ASCII (RFC 5890)")
		}
	}
	// "127.1", "0x7f.1", "2130706433": addresses to some resolvers, and not to others.
	last := strings.ToLower(labels[len(labels)-1])
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == "" {
		return fmt.Errorf("has a host that is neither a name nor an address with four numbers")
	}
	return nil
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

// check returns an error that says why an address that a host resolves to is not
// called, or nil. "" is a host that is not known.
func (p Policy) check(host string, a netip.Addr) error {
	if a.Zone() != "" {
		return &Refused{a, "it is link-local"}
	}
	a = a.Unmap()
	why, private := special(a)
	if why == "" {
		return nil
	}
	for _, n := range p.networks {
		if !n.Contains(a) {
			continue
		}
		if inner, ok := translated(a); ok && p.check("", inner) != nil {
			continue // the way is permitted, and not where it leads to
		}
		return nil
	}
	if private && p.names[strings.TrimSuffix(strings.ToLower(host), ".")] {
		return nil
	}
	return &Refused{a, why}
}

// Refused is the error of a call to an address that Policy does not permit.
type Refused struct {
	Addr netip.Addr
	Why  string
}

// Error says which address was refused, and why.
func (e *Refused) Error() string {
	return fmt.Sprintf("%s is not called: %s (ROLLCALL_OUTBOUND_ALLOW permits more)", e.Addr, e.Why)
}

// kinds of addresses that are not of the public Internet, by the registries of
// special-purpose addresses (RFC 6890) and what clouds document.
var kinds = []struct {
	network netip.Prefix
	why     string
	private bool // a network of somebody's own
}{
	{netip.MustParsePrefix("127.0.0.0/8"), "it is this machine", true},
	{netip.MustParsePrefix("::1/128"), "it is this machine", true},
	{netip.MustParsePrefix("10.0.0.0/8"), "it is private", true},
	{netip.MustParsePrefix("172.16.0.0/12"), "it is private", true},
	{netip.MustParsePrefix("192.168.0.0/16"), "it is private", true},
	{netip.MustParsePrefix("fc00::/7"), "it is private", true},
	{netip.MustParsePrefix("100.64.0.0/10"), "it is of a provider's own network", true},
	{netip.MustParsePrefix("169.254.0.0/16"), "it is link-local", false},
	{netip.MustParsePrefix("fe80::/10"), "it is link-local", false},
	{netip.MustParsePrefix("fec0::/10"), "it is site-local", false},
	{netip.MustParsePrefix("168.63.129.16/32"), "it is a cloud's own", false},
	{netip.MustParsePrefix("0.0.0.0/8"), "it is no address of another machine", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "it is multicast", false},
	{netip.MustParsePrefix("ff00::/8"), "it is multicast", false},
	{netip.MustParsePrefix("192.0.0.0/24"), "it is reserved", false},
	{netip.MustParsePrefix("192.0.2.0/24"), "it is for examples", false},
	{netip.MustParsePrefix("198.51.100.0/24"), "it is for examples", false},
	{netip.MustParsePrefix("203.0.113.0/24"), "it is for examples", false},
	{netip.MustParsePrefix("192.88.99.0/24"), "it is translated", false},
	{netip.MustParsePrefix("198.18.0.0/15"), "it is for measurements", false},
	{netip.MustParsePrefix("240.0.0.0/4"), "it is reserved", false},
	{nat64, "it is translated", false},
	{netip.MustParsePrefix("2001::/23"), "it is reserved", false}, // Teredo among others
	{netip.MustParsePrefix("2001:db8::/32"), "it is for examples", false},
	{netip.MustParsePrefix("2002::/16"), "it is translated", false},
	{netip.MustParsePrefix("3fff::/20"), "it is for examples", false},
}

// metadata are the private addresses at which clouds give credentials away: the
// name of a host permits them as little as link-local ones.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("fd00:ec2::254"):   true,
	netip.MustParseAddr("fd20:ce::254"):    true,
	netip.MustParseAddr("100.100.100.200"): true,
}

var (
	unicast = netip.MustParsePrefix("2000::/3") // all public ones of IPv6 so far
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
)

// special returns why an address is not one of the public Internet, or "".
func special(a netip.Addr) (why string, private bool) {
	if metadata[a] {
		return "it is a cloud's own", false
	}
	for _, k := range kinds {
		if k.network.Contains(a) {
			return k.why, k.private
		}
	}
	if a.Is6() && !unicast.Contains(a) {
		return "it is reserved", false
	}
	return "", false
}

// translated returns the address that one of NAT64 leads to (RFC 6052 §2.1).
func translated(a netip.Addr) (netip.Addr, bool) {
	if !nat64.Contains(a) {
		return a, false
	}
	b := a.As16()
	return netip.AddrFrom4([4]byte(b[12:])), true
}

// shown is a text that may be printed: short, and on one line.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return '?'
		}
		return r
	}, s)
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return s
}
