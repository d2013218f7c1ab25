package remote

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// kind is a resource type of ours that the server has too.
type kind struct {
	*scim.ResourceType
	endpoint string // below the server's base
}

// mostDocument bounds a discovery document.
const mostDocument = 4 << 20

func (c *Client) document(ctx context.Context, path string) (o scim.Object, err error) {
	err = c.get(ctx, path, url.Values{}, mostDocument, func(body io.Reader) error {
		text, err := io.ReadAll(body)
		if err == nil {
			o, err = scim.ParseObject(text, 0, 0)
		}
		return err
	})
	return o, err
}

// absent reports whether the server lacks an endpoint.
func absent(err error) bool {
	var f *failure
	return errors.As(err, &f) && (f.status == 404 || f.status == 405 || f.status == 501)
}

// hasCursors reports whether the server has cursors (RFC 9865 §3).
func (c *Client) hasCursors(ctx context.Context) (bool, error) {
	config, err := c.document(ctx, "ServiceProviderConfig")
	if absent(err) {
		return false, nil
	}
	v, _ := objectOf(config, "pagination").Lookup("cursor")
	return v == true, err
}

// kinds returns the types that are both the server's and ours, those without
// members first, and the names of the server's others.
func (c *Client) kinds(ctx context.Context, types []*scim.ResourceType) (list []kind, others []string, err error) {
	o, err := c.document(ctx, "ResourceTypes")
	switch {
	case absent(err):
		for _, t := range types {
			list = append(list, kind{t, strings.Trim(t.Endpoint, "/")})
		}
	case err != nil:
		return nil, nil, err
	}
	found, _ := o.Lookup("Resources")
	resources, _ := found.([]any)
	for _, r := range resources {
		entry, _ := r.(scim.Object)
		i := slices.IndexFunc(types, func(t *scim.ResourceType) bool { return equal(t.Schema.ID, textOf(entry, "schema")) })
		endpoint := textOf(entry, "endpoint")
		if u, err := url.Parse(endpoint); err == nil && u.Host != "" { // absolute, against RFC 7643 §6
			endpoint = strings.TrimPrefix(endpoint, c.base.String())
		}
		endpoint = strings.Trim(endpoint, "/")
		switch {
		case i < 0 || endpoint == "" || strings.Contains(endpoint, "://"):
			others = append(others, textOf(entry, "name"))
		default:
			list = append(list, kind{types[i], endpoint})
		}
	}
	if len(list) == 0 {
		return nil, others, errors.New("the server has no resource type that is known here: is the base URL right?")
	}
	slices.SortStableFunc(list, func(a, b kind) int {
		return rank(a.ResourceType) - rank(b.ResourceType)
	})
	return list, others, nil
}

func rank(t *scim.ResourceType) int {
	if t.Membership() != nil {
		return 1
	}
	return 0
}
