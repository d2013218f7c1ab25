package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Features are what a server says it can do (RFC 7643 §5, §6, RFC 9865 §4).
type Features struct {
	Filter     bool     `json:"filter"`
	Patch      bool     `json:"patch"`
	Bulk       bool     `json:"bulk"`
	Cursor     bool     `json:"cursor"`
	Index      bool     `json:"index"`
	Groups     bool     `json:"groups"`
	Enterprise bool     `json:"enterprise"` // the extension of users
	MaxPage    int      `json:"maxPage"`    // resources; 0: not said
	BulkOps    int      `json:"bulkOperations,omitempty"`
	BulkBytes  int      `json:"bulkBytes,omitempty"`
	Notes      []string `json:"notes,omitempty"` // what was assumed
}

const (
	userURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchURN      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	bulkURN       = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
)

// discover asks a server what it offers. Where it does not say, the features
// that every server should have are assumed and a note is taken; those that it
// then refuses show as such.
func discover(ctx context.Context, c *client) (Features, error) {
	f := Features{Filter: true, Patch: true, Index: true, Groups: true}
	type supported struct {
		Supported                                 bool
		MaxResults, MaxOperations, MaxPayloadSize int
	}
	var config struct {
		Patch, Filter, Bulk *supported
		Pagination          *struct {
			Cursor, Index *bool
			MaxPageSize   int
		}
	}
	_, err := c.call(ctx, http.MethodGet, "/ServiceProviderConfig", nil, &config)
	switch status := statusOf(err); {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return f, fmt.Errorf("the server refuses the token (%w)", err)
	case status != 0 || isJSON(err):
		f.Notes = append(f.Notes, "ServiceProviderConfig can't be read: filter and PATCH assumed, no Bulk, no cursors")
	case err != nil:
		return f, err
	default:
		f.Patch, f.Filter = config.Patch != nil && config.Patch.Supported, config.Filter != nil && config.Filter.Supported
		if f.Filter {
			f.MaxPage = max(config.Filter.MaxResults, 0)
		}
		if b := config.Bulk; b != nil && b.Supported {
			f.Bulk, f.BulkOps, f.BulkBytes = true, cmp.Or(max(b.MaxOperations, 0), 1000), cmp.Or(max(b.MaxPayloadSize, 0), 1<<20)
		}
		if p := config.Pagination; p != nil {
			f.Cursor = p.Cursor != nil && *p.Cursor
			f.Index = p.Index == nil || *p.Index
			f.MaxPage = cmp.Or(max(p.MaxPageSize, 0), f.MaxPage)
		}
	}
	var types struct {
		Resources []struct {
			Endpoint, Schema string
			SchemaExtensions []struct{ Schema string }
		}
	}
	_, err = c.call(ctx, http.MethodGet, "/ResourceTypes", nil, &types)
	if statusOf(err) != 0 || isJSON(err) || err == nil && len(types.Resources) == 0 {
		f.Notes = append(f.Notes, "ResourceTypes can't be read: /Users and /Groups assumed, without extensions")
		_, err := c.call(ctx, http.MethodGet, "/Groups?count=1", nil, nil)
		if f.Groups = err == nil; statusOf(err) == 0 && err != nil {
			return f, err
		}
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Groups = false
	for _, t := range types.Resources {
		switch strings.ToLower(strings.Trim(t.Endpoint, "/")) {
		case "groups":
			f.Groups = true
		case "users":
			for _, e := range t.SchemaExtensions {
				f.Enterprise = f.Enterprise || strings.EqualFold(e.Schema, enterpriseURN)
			}
		}
	}
	return f, nil
}

// isJSON reports whether an answer could not be decoded.
func isJSON(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// String lists the features in words.
func (f Features) String() string {
	var list []string
	for _, x := range []struct {
		on   bool
		name string
	}{{f.Filter, "filter"}, {f.Patch, "PATCH"}, {f.Bulk, "Bulk"}, {f.Cursor, "cursors"}, {f.Index, "index pages"}, {f.Groups, "groups"}, {f.Enterprise, "enterprise extension"}} {
		if x.on {
			list = append(list, x.name)
		}
	}
	if len(list) == 0 {
		return "none of filter, PATCH, Bulk, cursors and groups"
	}
	return strings.Join(list, ", ")
}
