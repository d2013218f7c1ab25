package lookingglass

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/scim"
)

// telltale is how much of a secret gives it away: error texts quote the
// beginning of what is long.
const telltale = 16

// clean returns s with every secret, or its beginning, masked.
func (r *redaction) clean(s string) string {
	if r.strayed {
		s = Conceal(s)
	}
	if len(r.secrets) > 1 { // one that begins as another does, as JSON Web Tokens do, is masked whole
		for _, secret := range r.secrets {
			s = strings.ReplaceAll(s, secret, mask)
		}
	}
	for _, secret := range r.secrets {
		head := secret[:min(len(secret), telltale)]
		at := strings.Index(s, head)
		if at < 0 {
			continue
		}
		var b strings.Builder
		for at >= 0 {
			end := at + len(head)
			for n := len(head); n < len(secret) && end < len(s) && s[end] == secret[n]; n++ {
				end++
			}
			b.WriteString(s[:at] + mask)
			s = s[end:]
			at = strings.Index(s, head)
		}
		s = b.String() + s
	}
	return s
}

// cleanJSON is clean for JSON, which stays JSON.
func (r *redaction) cleanJSON(text string) string {
	if text == "" || !r.strayed && !r.anyIn(text) {
		return text
	}
	v, err := parse([]byte(text), false)
	if err != nil {
		return ""
	}
	return string(scim.AppendValue(nil, r.cleanValue(v)))
}

// anyIn reports whether JSON may repeat a secret.
func (r *redaction) anyIn(text string) bool {
	for _, secret := range r.secrets[len(r.heads):] {
		b := scim.AppendString(nil, secret[:min(len(secret), telltale)])
		r.heads = append(r.heads, string(b[1:len(b)-1]))
	}
	return slices.ContainsFunc(r.heads, func(head string) bool { return strings.Contains(text, head) })
}

func (r *redaction) cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return r.clean(v)
	case json.Number:
		if s := v.String(); r.clean(s) != s {
			return mask
		}
	case scim.Object:
		out := make(scim.Object, len(v))
		for i, m := range v {
			out[i] = scim.Member{Name: r.clean(m.Name), Value: r.cleanValue(m.Value)}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = r.cleanValue(v[i])
		}
		return out
	}
	return v
}

// scrub cleans all texts of an exchange that are not spelled by this program.
func (r *redaction) scrub(x *Exchange) {
	r.scrubShort(x)
	r.strayed = r.strays(x)
	if len(r.secrets) == 0 && !r.strayed {
		return
	}
	if r.flooded { // an answer may quote what the request said
		x.Response.Body, x.Response.Hash = "", hash([]byte(x.Response.Body))
		if x.Fault != nil {
			x.Fault.Detail = mask
		}
	}
	for _, s := range []*string{&x.ID, &x.Method, &x.Actor, &x.Query, &x.Base, &x.Target, &x.Name, &x.Client.How} {
		*s = r.clean(*s)
	}
	x.Path, x.Local, x.Sent = r.cleanPath(x.Path), r.cleanPath(x.Local), r.cleanSent(x.Sent)
	for _, m := range []*Message{&x.Request, &x.Response} {
		m.Body = r.cleanJSON(m.Body)
		for i := range m.Headers {
			m.Headers[i].Name, m.Headers[i].Value = r.clean(m.Headers[i].Name), r.clean(m.Headers[i].Value)
		}
	}
	x.Filter.each(func(n *Node) { n.Text, n.Words = r.clean(n.Text), r.clean(n.Words) })
	for i := range x.Steps {
		x.Steps[i].Text, x.Steps[i].Failed = r.clean(x.Steps[i].Text), r.clean(x.Steps[i].Failed)
	}
	for i := range x.Changes {
		c := &x.Changes[i]
		c.Path, c.Before, c.After = r.clean(c.Path), r.cleanJSON(c.Before), r.cleanJSON(c.After)
	}
	if x.Fault != nil {
		x.Fault.Detail = r.clean(x.Fault.Detail)
	}
	if x.Lookup != nil {
		x.Lookup.Value = r.clean(x.Lookup.Value)
	}
	for i := range x.Touched {
		x.Touched[i] = r.clean(x.Touched[i])
	}
}

// cleanPath is clean for an escaped path.
func (r *redaction) cleanPath(s string) string {
	s = r.clean(s)
	plain, err := url.PathUnescape(s)
	if err != nil || r.clean(plain) == plain {
		return s
	}
	return (&url.URL{Path: r.clean(plain)}).EscapedPath()
}

// cleanSent is clean for an encoded query.
func (r *redaction) cleanSent(s string) string {
	parts := strings.Split(s, "&")
	for i, part := range parts {
		name, value, has := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(value)
		if err != nil {
			plain = mask
		}
		parts[i] = r.clean(name)
		if has {
			parts[i] += "=" + url.QueryEscape(r.clean(plain))
		}
	}
	return strings.Join(parts, "&")
}

// scrubShort masks the text of an error that quotes a secret too short to be
// told from ordinary text.
func (r *redaction) scrubShort(x *Exchange) {
	quotes := func(s string) bool {
		return slices.ContainsFunc(r.shorts, func(short string) bool { return strings.Contains(s, short) })
	}
	if x.Fault == nil || len(r.shorts) == 0 {
		return
	}
	if quotes(x.Fault.Detail) {
		x.Fault.Detail = mask
	}
	if v, err := parse([]byte(x.Response.Body), x.Response.Cut); err == nil {
		var in func(any)
		in = func(v any) {
			switch v := v.(type) {
			case scim.Object:
				for i, m := range v {
					if s, is := m.Value.(string); is && m.Name == "detail" && quotes(s) {
						v[i].Value = mask
					}
					in(m.Value)
				}
			case []any:
				for _, e := range v {
					in(e)
				}
			}
		}
		in(v)
		x.Response.Body = string(scim.AppendValue(nil, v))
	}
}
