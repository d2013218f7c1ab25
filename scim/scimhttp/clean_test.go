package scimhttp_test

import (
	"testing"

	"github.com/rollcall-scim/rollcall/scim/scimhttp"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "/", "/": "/", "//": "/", "/a": "/a", "a": "/a", "/a/": "/a", "//a///b//": "/a/b", "/a/%2F/b": "/a/%2F/b", "/../a": "/../a"} {
		if got := scimhttp.Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}
