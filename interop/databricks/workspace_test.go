// Package databricks_test has the Databricks SDK, a SCIM client that others
// wrote, manage people and groups in Rollcall. It is a module of its own, so
// that what the SDK needs stays out of Rollcall's. "make interop" runs it
// against a server that it starts.
package databricks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/iam"
)

const prefix = "/api/2.0/preview/scim/v2"

// workspace returns the SDK's client of the server under test, and a context
// that ends with the test. The SDK knows one path for SCIM: a proxy leads from
// there to Rollcall.
func workspace(t *testing.T) (*databricks.WorkspaceClient, context.Context) {
	t.Helper()
	return connect(t, os.Getenv("ROLLCALL_SUITE_TOKEN")), t.Context()
}

func connect(t *testing.T, token string) *databricks.WorkspaceClient {
	t.Helper()
	base, err := url.Parse(os.Getenv("ROLLCALL_URL"))
	if err != nil || base.Host == "" {
		t.Fatalf("ROLLCALL_URL = %q: no server; run \"make interop\"", os.Getenv("ROLLCALL_URL"))
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = base.Scheme, base.Host
		r.Out.URL.Path = base.Path + strings.TrimPrefix(r.In.URL.Path, prefix)
		r.Out.URL.RawPath = ""
	}})
	t.Cleanup(proxy.Close)
	w, err := databricks.NewWorkspaceClient(&databricks.Config{
		Host: proxy.URL, Token: token, AuthType: "pat", ConfigFile: os.DevNull,
		RateLimitPerSecond: 1000, RetryTimeoutSeconds: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// newUser makes a user as the SDK does: without "schemas".
func newUser(t *testing.T, w *databricks.WorkspaceClient, u iam.User) *iam.User {
	t.Helper()
	made, err := w.Users.Create(t.Context(), u)
	if err != nil {
		t.Fatalf("create %s: %v", u.UserName, err)
	}
	return made
}

func newGroup(t *testing.T, w *databricks.WorkspaceClient, g iam.Group) *iam.Group {
	t.Helper()
	made, err := w.Groups.Create(t.Context(), g)
	if err != nil {
		t.Fatalf("create %s: %v", g.DisplayName, err)
	}
	return made
}

func patch(id string, ops ...iam.Patch) iam.PartialUpdate {
	return iam.PartialUpdate{Id: id, Operations: ops, Schemas: []iam.PatchSchema{iam.PatchSchemaUrnIetfParamsScimApiMessages20PatchOp}}
}

func values(list []iam.ComplexValue) string {
	var found []string
	for _, v := range list {
		found = append(found, v.Value)
	}
	return fmt.Sprint(found)
}

// wantError checks that the SDK made of an answer what it makes of its own
// service's, and passes on what the server said.
func wantError(t *testing.T, err error, kind error, text string) {
	t.Helper()
	var answer *apierr.APIError
	if !errors.Is(err, kind) || !errors.As(err, &answer) || !strings.Contains(answer.Message, text) {
		t.Errorf("error %v, want %v with %q", err, kind, text)
	}
}
