package lookingglass

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

var section = regexp.MustCompile(`RFC \d{4} §\d+(?:\.\d+)*`)

// general are the sections for errors whose text names none, by status.
var general = map[int]string{400: "RFC 7644 §3.12", 401: "RFC 7644 §2", 403: "RFC 7644 §3.12", 404: "RFC 7644 §3.12", 405: "RFC 9110 §15.5.6",
	406: "RFC 9110 §15.5.7", 408: "RFC 9110 §15.5.9", 409: "RFC 7644 §3.3", 412: "RFC 7644 §3.14", 413: "RFC 7644 §3.7.4", 415: "RFC 9110 §15.5.16",
	428: "RFC 6585 §3", 429: "RFC 6585 §4", 500: "RFC 7644 §3.12", 501: "RFC 7644 §3.12", 502: "RFC 9110 §15.6.3", 503: "RFC 9110 §15.6.4",
	504: "RFC 9110 §15.6.5"}

// byType are the sections by scimType.
var byType = map[string]string{"invalidFilter": "RFC 7644 §3.4.2.2", "invalidPath": "RFC 7644 §3.5.2", "noTarget": "RFC 7644 §3.5.2",
	"mutability": "RFC 7643 §2.2", "uniqueness": "RFC 7644 §3.3", "invalidSyntax": "RFC 7644 §3.12", "invalidVers": "RFC 7644 §3.13",
	"sensitive": "RFC 7644 §7.5.2", "invalidCursor": "RFC 9865 §2.1", "expiredCursor": "RFC 9865 §2.1", "invalidCount": "RFC 9865 §2.1"}

// faultOf returns why a request was refused, with advice for the client that
// sent it first, or nil if it was not. answer is what the answer's body says,
// which tells what err does not.
func faultOf(x *Exchange, err error, answer node) *Fault {
	if x.Status < 400 {
		return nil
	}
	f := &Fault{}
	if e := scim.AsError(err); e != nil && e.Status == x.Status {
		f.ScimType, f.Detail = string(e.Type), e.Detail
	}
	if f.Detail == "" {
		f.ScimType, f.Detail = strings.Clone(answer.get("scimType").text()), strings.Clone(answer.get("detail").text())
	}
	f.Detail = bounded(f.Detail)
	f.Section = cmp.Or(section.FindString(f.Detail), byType[f.ScimType], general[x.Status])
	f.Advice = adviceFor(x.Status, f.ScimType, f.Detail, x.Rules, x.Client.Kind)
	return f
}

// bounded bounds a detail, which may name many faults.
func bounded(s string) string {
	const most = 4000
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// sentence names an exchange in a line: for tables and files.
func sentence(x *Exchange) string {
	path := x.Path
	if x.Local != "" {
		path = x.Local
	}
	return fmt.Sprintf("%s %s: %d", x.Method, path, x.Status)
}
