package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// faults collects what is wrong with a resource, so that an administrator
// learns of all of it at once.
type faults []fault

type fault struct {
	kind   scim.ErrorType
	detail string
}

// maxFaults bounds what a body made of faults costs.
const maxFaults = 1000

// add notes a fault of the attribute at path. The format never holds a value:
// it may be one that is never returned.
func (f *faults) add(kind scim.ErrorType, path, format string, args ...any) {
	if len(*f) >= maxFaults {
		return
	}
	*f = append(*f, fault{kind, fmt.Sprintf("%q: ", path) + fmt.Sprintf(format, args...)})
}

// severity is the order in which kinds of faults are told (syntax before
// mutability before value), so that one body always gets the same answer.
var severity = []scim.ErrorType{scim.TypeInvalidSyntax, scim.TypeInvalidPath, scim.TypeMutability, scim.TypeInvalidValue}

// err returns the faults as one error of the type of the first, or nil.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	slices.SortStableFunc(f, func(a, b fault) int {
		if c := slices.Index(severity, a.kind) - slices.Index(severity, b.kind); c != 0 || a.kind != scim.TypeInvalidSyntax {
			return c
		}
		return strings.Compare(a.detail, b.detail) // found in the client's order, which means nothing
	})
	const most = 10
	details := make([]string, 0, most)
	for _, one := range f {
		switch {
		case slices.Contains(details, one.detail):
		case len(details) == most:
			return &scim.Error{Status: 400, Type: f[0].kind, Detail: strings.Join(details, "; ") + "; and more"}
		default:
			details = append(details, one.detail)
		}
	}
	return &scim.Error{Status: 400, Type: f[0].kind, Detail: strings.Join(details, "; ")}
}
