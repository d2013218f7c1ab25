// Package sqlfilter compiles bound filters to SQL, and resources to the rows
// that such SQL looks at.
package sqlfilter

import "github.com/rollcall-scim/rollcall/scim"

var _ scim.Filter
