package server_test

import (
	"strings"
	"testing"
)

// T22: a credential pasted where none belongs is in no log.
func TestStrayCredentialLog(t *testing.T) {
	t.Parallel()
	r := start(t)
	const token, jwt = "rc_0aZ3kQ93kQ93kQ93kQ93kQ93kQ93kQ93kQ93kQ93kQ93kQ9xY0", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJlLW9mLWEtand0"
	for _, secret := range []string{token, jwt} {
		for _, target := range []string{"/scim/v2/" + secret + "/Users", "/scim/v2/Users/x%20" + secret, "/" + secret,
			"/t/" + secret + "/scim/v2/Users", "/looking-glass/" + secret, "/health/" + secret} {
			r.raw("GET", target)
			r.do("GET", target, "")
		}
		r.raw(secret, "/scim/v2/Users")
		a := r.do("GET", "/scim/v2/Users", "", "X-Request-Id: "+secret, "User-Agent: "+secret)
		if id := a.header.Get("X-Request-Id"); id == "" || id == secret {
			t.Errorf("a credential is the id of a request: %q", id)
		}
	}
	r.do("GET", "/scim/v2/Users", "", "X-Request-Id: the-last")
	waitFor(t, "the last line", func() bool { return strings.Contains(r.log.String(), `"id":"the-last"`) })
	for _, secret := range []string{token[10:40], jwt[len(jwt)-20:]} {
		for line := range strings.Lines(r.log.String()) {
			if strings.Contains(line, secret) {
				t.Errorf("%s", line)
			}
		}
	}
}
