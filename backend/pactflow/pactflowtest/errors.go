package pactflowtest

import (
	"fmt"
	"net/http"
)

// refusal is an answer that is an error.
type refusal struct {
	status int
	kind   string // the last segment of the problem's type
	detail string
	field  string // the property that is wrong, if one is
	of     string // the kind of that property's error
}

func refuse(status int, kind, detail string) *refusal {
	return &refusal{status: status, kind: kind, detail: detail}
}

func notFound() *refusal {
	return refuse(404, "not-found", "The requested document was not found on this server.")
}

func forbidden() *refusal {
	return refuse(403, "forbidden", "You do not have permission to perform this action")
}

func malformed(detail string) *refusal { return refuse(400, "invalid-body", detail) }

// invalid refuses a property, or the whole body if field is "".
func invalid(field, detail string) *refusal {
	return &refusal{400, "validation-error", detail, field, "invalid-body-property-value"}
}

func missing(field string) *refusal {
	return &refusal{400, "validation-error", "can't be blank", field, "missing-body-property"}
}

// taken refuses a value that another resource has.
func (c *call) taken(what, field, value string) *refusal {
	r := &refusal{400, "validation-error", fmt.Sprintf("%s with %s '%s' already exists", what, field, value), field, "already-exists"}
	if c.cfg.DuplicateStatus == 409 {
		r.status, r.kind = 409, "already-exists"
	}
	return r
}

// refused writes a refusal as the client's Accept header asks for it.
func (c *call) refused(r *refusal) answer {
	a := answer{code: r.status, header: http.Header{}}
	if r.status == 401 {
		a.header.Set("WWW-Authenticate", "Bearer")
	}
	if c.cfg.EmptyAuthBodies && (r.status == 401 || r.status == 403) {
		return a
	}
	o := &output{}
	if c.problem {
		a.header.Set("Content-Type", "application/problem+json;charset=utf-8")
		o.object("", func() { r.writeProblem(o, c.reference()) })
	} else {
		a.header.Set("Content-Type", "application/hal+json;charset=utf-8")
		o.object("", func() { r.writeLegacy(o, c.reference()) })
	}
	a.body = o.b
	return a
}

func (r *refusal) writeProblem(o *output, reference string) {
	const registry = "https://problems-registry.smartbear.com/"
	title := http.StatusText(r.status)
	if r.kind == "validation-error" {
		title = "Validation errors"
	}
	o.text("title", title)
	o.text("type", registry+r.kind)
	o.raw("status", fmt.Sprint(r.status))
	if r.field == "" {
		o.text("detail", r.detail)
	} else {
		o.array("errors", func() {
			o.object("", func() {
				o.text("type", registry+r.of)
				o.text("title", "Validation error")
				o.text("detail", r.detail)
				o.text("pointer", "/"+r.field)
			})
		})
	}
	if r.status >= 500 {
		o.text("reference", reference)
	}
}

func (r *refusal) writeLegacy(o *output, reference string) {
	switch {
	case r.status >= 500:
		o.object("error", func() {
			o.text("message", r.detail)
			o.text("reference", reference)
		})
	case r.field != "":
		o.object("errors", func() {
			o.array(r.field, func() { o.text("", r.detail) })
		})
	case r.status == 409 || r.status == 422 || r.kind == "validation-error":
		o.array("errors", func() { o.text("", r.detail) })
	default:
		o.text("error", r.detail)
	}
}

// kinds are the problem types of injected statuses.
var kinds = map[int]string{400: "validation-error", 401: "unauthorized", 403: "forbidden", 404: "not-found",
	409: "already-exists", 410: "gone", 422: "business-rule-violation", 429: "too-many-requests", 503: "service-unavailable"}
