package outbound_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/rollcall-scim/rollcall/internal/outbound"
)

func policy(t testing.TB, text string) outbound.Policy {
	t.Helper()
	p, err := outbound.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"0.0.0.0/0", "::/0", "10.0.0.0/7", "::ffff:0.0.0.0/96", "::/3", "fc00::/6", "10.0.0.0/33", "a b", "https://x.example", "*", "*.example.com", "x/y",
		"http://idp.example.com:80", "http://localhost", "http://localhost:8081/path", "http://u@localhost:8081", "http://10.0.0.1:80",
		"127.1", "0x7f.1", "2130706433", "exämple.com", "a..b", strings.Repeat("a", 64) + ".example",
	} {
		if _, err := outbound.ParsePolicy(text); err == nil {
			t.Errorf("ParsePolicy(%q) is no error", text)
		}
	}
	for _, text := range []string{"", " , ", "10.0.0.0/8", "fd00::/8,10.1.2.3, idp.internal", "::1", "fe80::1%eth0", "http://localhost:8081", "http://127.0.0.1:1", "http://[::1]:2"} {
		if _, err := outbound.ParsePolicy(text); err != nil {
			t.Errorf("ParsePolicy(%q): %v", text, err)
		}
	}
}

// TestT21Addresses is T21: what is called by address, and what an operator can
// permit besides.
func TestT21Addresses(t *testing.T) {
	t.Parallel()
	const idp = "idp.internal"
	for _, tt := range []struct {
		allow, host, addr string
		want              bool
	}{
		{"", idp, "8.8.8.8", true}, {"", idp, "2606:4700::1111", true}, {"", idp, "::ffff:8.8.8.8", true},
		{"", idp, "127.0.0.1", false}, {"", idp, "127.255.255.254", false}, {"", idp, "::1", false}, {"", idp, "::ffff:127.0.0.1", false},
		{"", idp, "::127.0.0.1", false}, {"", idp, "0.0.0.0", false}, {"", idp, "::", false}, {"", idp, "0.1.2.3", false},
		{"", idp, "10.0.0.1", false}, {"", idp, "172.16.0.1", false}, {"", idp, "172.31.255.255", false}, {"", idp, "172.32.0.1", true},
		{"", idp, "192.168.1.1", false}, {"", idp, "::ffff:192.168.1.1", false}, {"", idp, "100.64.0.1", false}, {"", idp, "100.128.0.1", true},
		{"", idp, "169.254.169.254", false}, {"", idp, "::ffff:169.254.169.254", false}, {"", idp, "168.63.129.16", false},
		{"", idp, "fd00:ec2::254", false}, {"", idp, "fc00::1", false}, {"", idp, "fe80::1", false}, {"", idp, "fe80::1%eth0", false}, {"", idp, "2606:4700::1%eth0", false},
		{"", idp, "224.0.0.1", false}, {"", idp, "239.255.255.255", false}, {"", idp, "ff02::1", false}, {"", idp, "255.255.255.255", false}, {"", idp, "240.0.0.1", false},
		{"", idp, "192.0.0.192", false}, {"", idp, "192.0.2.1", false}, {"", idp, "198.18.0.1", false}, {"", idp, "198.51.100.7", false}, {"", idp, "203.0.113.7", false},
		{"", idp, "64:ff9b::7f00:1", false}, {"", idp, "64:ff9b::808:808", false}, {"", idp, "64:ff9b:1::1", false}, {"", idp, "2002:7f00:1::1", false},
		{"", idp, "2001:0:7f00:1::1", false}, {"", idp, "2001:db8::1", false}, {"", idp, "3fff::1", false}, {"", idp, "4000::1", false}, {"", idp, "100::1", false},

		{"10.1.0.0/16", idp, "10.1.2.3", true}, {"10.1.0.0/16", idp, "10.2.0.1", false}, {"10.1.0.0/16", idp, "::ffff:10.1.2.3", true},
		{"::ffff:10.1.0.0/112", idp, "10.1.2.3", true}, {"10.1.2.3", idp, "10.1.2.3", true}, {"10.1.2.3", idp, "10.1.2.4", false},
		{"169.254.169.254", idp, "169.254.169.254", true}, {"fd00::/8", idp, "fd12::1", true}, {"fd00::/8", idp, "fe80::1", false},
		{"64:ff9b::/96", idp, "64:ff9b::808:808", true}, {"64:ff9b::/96", idp, "64:ff9b::a00:1", false}, {"64:ff9b::/96", idp, "64:ff9b::a9fe:a9fe", false},
		{"64:ff9b::/96,10.0.0.0/8", idp, "64:ff9b::a00:1", true},

		{idp, idp, "10.1.2.3", true}, {idp, "IDP.internal.", "10.1.2.3", true}, {idp, idp, "127.0.0.1", true}, {idp, idp, "fd12::1", true},
		{idp, "other.internal", "10.1.2.3", false}, {idp, "x.idp.internal", "10.1.2.3", false}, {idp, "evilidp.internal", "10.1.2.3", false}, {idp, "idp.internal.evil.example", "10.1.2.3", false},
		{idp, idp, "64:ff9b::a00:1", false},
		{idp, idp, "169.254.169.254", false}, {idp, idp, "fe80::1", false}, {idp, idp, "168.63.129.16", false}, {idp, idp, "fd00:ec2::254", false},
		{idp, idp, "100.100.100.200", false}, {idp, idp, "0.0.0.0", false}, {idp, idp, "224.0.0.1", false},
	} {
		err := outbound.Check(policy(t, tt.allow), tt.host, netip.MustParseAddr(tt.addr))
		if got := err == nil; got != tt.want {
			t.Errorf("allow %q: %s at %s: %v, want %v", tt.allow, tt.host, tt.addr, err, tt.want)
		}
		if err != nil && !strings.Contains(err.Error(), "ROLLCALL_OUTBOUND_ALLOW") && !strings.Contains(err.Error(), "link-local") {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
}

// TestT21URLs is T21: hosts that a look at the text would take for others, and
// schemes.
func TestT21URLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"https://idp.example.com":                     true,
		"https://idp.example.com:8443/a/b?c=d":        true,
		"https://8.8.8.8/":                            true,
		"https://[2606:4700::1111]/":                  true,
		"http://idp.example.com":                      false,
		"http://localhost":                            false,
		"file:///etc/passwd":                          false,
		"gopher://idp.example.com":                    false,
		"ftp://idp.example.com":                       false,
		"//idp.example.com":                           false,
		"https:idp.example.com":                       false,
		"https://":                                    false,
		"https://user@idp.example.com":                false,
		"https://idp.example.com@10.0.0.1":            false,
		"https://idp.example.com#x":                   false,
		"https://127.0.0.1":                           false,
		"https://127.1":                               false,
		"https://2130706433":                          false,
		"https://0x7f000001":                          false,
		"https://0177.0.0.1":                          false,
		"https://0x7f.1":                              false,
		"https://127.0.0.1.":                          false,
		"https://[::1]":                               false,
		"https://[::ffff:127.0.0.1]":                  false,
		"https://[::ffff:a9fe:a9fe]/latest/meta-data": false,
		"https://[fe80::1%25eth0]":                    false,
		"https://169.254.169.254/latest/meta-data":    false,
		"https://10.0.0.1":                            false,
		"https://①②⑦.⓪.⓪.①":                           false,
		"https://idp。example.com":                     false,
		"https://idp_x.example.com":                   true,
	} {
		u, err := url.Parse(text)
		if err != nil {
			if want {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		if err := (outbound.Policy{}).CheckURL(u); (err == nil) != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	p := policy(t, "http://localhost:8081,10.0.0.1,http://[::1]:8082")
	for text, want := range map[string]bool{
		"http://localhost:8081/x": true, "http://LOCALHOST:8081": true, "http://localhost:8082": false, "http://localhost": false,
		"http://127.0.0.1:8081": false, "http://[::1]:8082": true, "https://10.0.0.1": true, "http://10.0.0.1": false, "https://10.0.0.2": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.CheckURL(u); (err == nil) != want {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}

// FuzzPolicy: whatever is written there, the addresses of clouds' metadata stay
// closed unless it holds an address, and nothing is ever plain but this machine.
func FuzzPolicy(f *testing.F) {
	for _, s := range []string{"", "10.0.0.0/8", "idp.internal", "http://localhost:1", "::ffff:10.0.0.0/104", "64:ff9b::/96", "a,b,c", "http://127.0.0.1:80/"} {
		f.Add(s, "https://idp.internal")
	}
	f.Fuzz(func(t *testing.T, text, target string) {
		p, err := outbound.ParsePolicy(text)
		if err != nil {
			return
		}
		if !strings.ContainsAny(text, "123456789") {
			for _, a := range []string{"169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"} {
				if outbound.Check(p, "idp.internal", netip.MustParseAddr(a)) == nil {
					t.Errorf("%q permits %s", text, a)
				}
			}
		}
		u, err := url.Parse(target)
		if err != nil || p.CheckURL(u) != nil {
			return
		}
		a, err := netip.ParseAddr(u.Hostname())
		if u.Scheme != "https" && (u.Scheme != "http" || !strings.EqualFold(u.Hostname(), "localhost") && (err != nil || !a.Unmap().IsLoopback())) {
			t.Errorf("%q permits %q", text, target)
		}
		if u.User != nil || u.Hostname() == "" {
			t.Errorf("%q is called", target)
		}
	})
}
