package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-scim/rollcall/scim"
)

// pairs maps each registered scimType to the status it goes with
// (RFC 7644 §3.12 Table 9, RFC 9865 §2.1).
var pairs = map[string]int{
	"invalidFilter": 400, "tooMany": 400, "uniqueness": 409, "mutability": 400, "invalidSyntax": 400,
	"invalidPath": 400, "noTarget": 400, "invalidValue": 400, "invalidVers": 400, "sensitive": 403,
	"invalidCursor": 400, "expiredCursor": 400, "invalidCount": 400,
}

// check returns what is wrong with an answer whatever was asked: the
// requirements that hold for every answer a SCIM server gives.
func check(base, method string, accept string, a *answer) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if a.header.Get("X-Request-Id") == "" {
		fault("no X-Request-Id header (HTTP-032)")
	}
	switch {
	case a.status == 405 && a.header.Get("Allow") == "":
		fault("405 without Allow (HTTP-013)")
	case a.status == 401 && a.header.Get("WWW-Authenticate") == "":
		fault("401 without WWW-Authenticate (SEC-002)")
	case a.status == 503 && a.header.Get("Retry-After") == "":
		fault("503 without Retry-After (ERR-015)")
	case a.status == 201 && !strings.HasPrefix(a.header.Get("Location"), base+"/"):
		fault("201 with Location %q (CRE-001)", a.header.Get("Location"))
	}
	if tag := a.header.Get("ETag"); tag != "" && !etagRE.MatchString(tag) {
		fault("ETag %s is not of the form W/\"…\" (COM-014)", tag)
	}
	if method == "HEAD" || a.status == 204 || a.status == 304 {
		if len(a.body) > 0 {
			fault("an answer to %s with status %d has a body", method, a.status)
		}
		return faults
	}
	if len(a.body) == 0 {
		if a.status >= 400 {
			fault("an error without a body (ERR-001)")
		}
		return faults
	}
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || media != "application/scim+json" && (media != "application/json" || !strings.Contains(accept, "application/json")) {
		fault("Content-Type is %q (HTTP-001)", a.header.Get("Content-Type"))
	}
	if err := wellFormed(a.body); err != nil {
		fault("the body: %v", err)
		return faults
	}
	obj, ok := a.json.(map[string]any)
	if !ok {
		fault("the body is no JSON object")
		return faults
	}
	if schemas, _ := obj["schemas"].([]any); len(schemas) == 0 {
		fault("no schemas (PRJ-014)")
	}
	if a.status >= 400 {
		return append(faults, checkError(a.status, obj)...)
	}
	if list, ok := obj["Resources"]; ok || slices.Contains(texts(obj["schemas"]), scim.ListResponseURN) {
		faults = append(faults, checkList(obj, list)...)
	} else {
		faults = append(faults, checkResource(obj, a)...)
	}
	return faults
}

// checkError looks at an error message (ERR-001, -002, -004, -005).
func checkError(status int, obj map[string]any) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if got := texts(obj["schemas"]); !slices.Equal(got, []string{scim.ErrorURN}) {
		fault("schemas of an error are %q (ERR-001)", got)
	}
	if obj["status"] != strconv.Itoa(status) {
		fault("status in the body is %s, of the answer %d (ERR-002)", show(obj["status"]), status)
	}
	if typ, ok := obj["scimType"]; ok {
		text, _ := typ.(string)
		if want, known := pairs[text]; !known && !(status == 401 && text == "invalidValue") {
			fault("scimType %s is not registered (ERR-004)", show(typ))
		} else if want != status && status != 401 {
			fault("scimType %s goes with %d, not %d (ERR-005)", text, want, status)
		}
	}
	if detail, ok := obj["detail"].(string); !ok || detail == "" {
		fault("an error without detail (ERR-011)")
	}
	for key := range obj {
		if !slices.Contains([]string{"schemas", "status", "scimType", "detail"}, key) {
			fault("an error with %q", key)
		}
	}
	return faults
}

func checkList(obj map[string]any, list any) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	resources, ok := list.([]any)
	if !ok {
		fault("a ListResponse without Resources (FLT-002)")
	}
	for _, name := range []string{"totalResults", "itemsPerPage", "startIndex"} {
		if v, has := obj[name]; has {
			if _, err := strconv.ParseUint(show(v), 10, 63); err != nil {
				fault("%s is %s (PAG-006)", name, show(v))
			}
		}
	}
	if n, has := obj["itemsPerPage"]; has && show(n) != strconv.Itoa(len(resources)) {
		fault("itemsPerPage is %s with %d Resources (PAG-004)", show(n), len(resources))
	}
	for i, r := range resources {
		res, _ := r.(map[string]any)
		if schemas, _ := res["schemas"].([]any); len(schemas) == 0 {
			fault("Resources[%d] has no schemas (PRJ-014)", i)
		}
	}
	return faults
}

// checkResource holds the headers against the resource's own meta (COM-012 to
// COM-014, HTTP-025, HTTP-030).
func checkResource(obj map[string]any, a *answer) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	meta, _ := obj["meta"].(map[string]any)
	location, _ := meta["location"].(string)
	stored := meta["created"] != nil
	for _, name := range []string{"Location", "Content-Location"} {
		got := a.header.Get(name)
		if location != "" && got != location && (got != "" || stored && name == "Location") {
			fault("%s is %q, meta.location %q (COM-012)", name, got, location)
		}
	}
	if version, ok := meta["version"].(string); ok && version != a.header.Get("ETag") {
		fault("ETag is %q, meta.version %q (COM-013)", a.header.Get("ETag"), version)
	}
	if cache := a.header.Get("Cache-Control"); stored && !strings.Contains(cache, "no-store") &&
		!strings.Contains(cache, "private") && !strings.Contains(cache, "no-cache") {
		fault("resource data with Cache-Control %q (HTTP-030)", cache)
	}
	return faults
}

// wellFormed reports JSON that is not strict (duplicate names, invalid UTF-8),
// or that holds a null (SCH-026) or a password (USR-013).
func wellFormed(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		t, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := false
		if k, n := d.StackIndex(d.StackDepth()); k == '{' && n%2 == 1 {
			name = true
		}
		switch {
		case t.Kind() == 'n':
			return fmt.Errorf("null at %s (SCH-026)", d.StackPointer())
		case name && t.Kind() == '"' && strings.EqualFold(t.String(), "password"):
			return fmt.Errorf("a password at %s (USR-013)", d.StackPointer())
		}
	}
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		s, _ := x.(string)
		out = append(out, s)
	}
	return out
}
