package bench

import (
	"bytes"
	"fmt"
	"strconv"
)

// writer of bodies: what a server offers decides what is in them.
type bodies struct {
	p          Population
	enterprise bool
}

// person returns the body of a user as an identity provider sends it: about
// 1.5 KB, with a generated password, or 300 bytes without one. round changes
// the title alone.
func (w bodies) person(series string, n int, password bool, round int) []byte {
	var b bytes.Buffer
	name := w.p.prefix() + series
	if w.p.Small {
		fmt.Fprintf(&b, `{"schemas":["%[5]s"],"externalId":"%[1]sext-%[2]d","userName":"%[1]s%[2]d@example.com","active":true,"title":"Engineer %[4]d",`+
			`"name":{"givenName":"Given%[2]d","familyName":"Family%[3]d"},"emails":[{"value":"%[1]s%[2]d@example.com","type":"work","primary":true}]}`,
			name, n, n%9973, (n+round)%500, userURN)
		return b.Bytes()
	}
	b.WriteString(`{"schemas":["` + userURN + `"`)
	if w.enterprise {
		b.WriteString(`,"` + enterpriseURN + `"`)
	}
	b.WriteString(`],`)
	if password {
		b.WriteString(`"password":"Generated-` + strconv.Itoa(n) + `-aB3!",`)
	}
	fmt.Fprintf(&b, `"externalId":"%[4]sext-%[1]d","userName":"%[4]s%[1]d@example.com","active":true,`+
		`"displayName":"Given%[1]d Family%[2]d","nickName":"nick%[1]d","title":"Engineer %[5]d","userType":"Employee",`+
		`"preferredLanguage":"en-GB","locale":"en-GB","timezone":"Europe/Berlin","profileUrl":"https://people.example.com/profiles/user%[1]d",`+
		`"name":{"formatted":"Given%[1]d Middle Family%[2]d","givenName":"Given%[1]d","familyName":"Family%[2]d","middleName":"Middle"},`+
		`"emails":[{"value":"%[4]s%[1]d@example.com","type":"work","primary":true},{"value":"home%[1]d@mail%[3]d.example.org","type":"home"}],`+
		`"phoneNumbers":[{"value":"+49 30 %07[1]d","type":"work"},{"value":"+49 170 %07[1]d","type":"mobile"}],`+
		`"addresses":[{"type":"work","streetAddress":"%[3]d Long Street","locality":"Berlin","region":"BE","postalCode":"10%03[3]d","country":"DE","formatted":"%[3]d Long Street\n10%03[3]d Berlin\nGermany"}]`,
		n, n%9973, n%500, name, (n+round)%500)
	if w.enterprise {
		fmt.Fprintf(&b, `,"`+enterpriseURN+`":{"employeeNumber":"E%[1]d","costCenter":"CC%[2]d","organization":"Example","division":"Division %[2]d","department":"Department %[2]d"}`,
			n, n%500)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// fragment is a part of a person's address that is in nobody else's.
func (w bodies) fragment(n int) string {
	p := w.p.prefix()
	return p[len(p)-3:] + strconv.Itoa(n) + "@exam"
}

// externalID is that of the person n.
func (w bodies) externalID(n int) string { return w.p.prefix() + "ext-" + strconv.Itoa(n) }

// group returns the body of a group with members, given by their ids.
func groupBody(name string, ids ...string) []byte {
	b := fmt.Appendf(nil, `{"schemas":["%s"],"displayName":%q`, groupURN, name)
	if len(ids) > 0 {
		b = append(b, `,"members":`...)
		b = appendMembers(b, ids)
	}
	return append(b, '}')
}

// patchMembers returns a PATCH that adds members, or replaces them all.
func patchMembers(op string, ids ...string) []byte {
	b := fmt.Appendf(nil, `{"schemas":["%s"],"Operations":[{"op":%q,"path":"members","value":`, patchURN, op)
	return append(appendMembers(b, ids), `}]}`...)
}

// patchOut returns a PATCH that takes one member out.
func patchOut(id string) []byte {
	return fmt.Appendf(nil, `{"schemas":["%s"],"Operations":[{"op":"remove","path":"members[value eq \"%s\"]"}]}`, patchURN, id)
}

// patchActive returns a PATCH as clients send it who lock people out.
func patchActive(active bool) []byte {
	return fmt.Appendf(nil, `{"schemas":["%s"],"Operations":[{"op":"replace","path":"active","value":%t}]}`, patchURN, active)
}

func appendMembers(b []byte, ids []string) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"value":`...)
		b = strconv.AppendQuote(b, id)
		b = append(b, '}')
	}
	return append(b, ']')
}

// bulk collects the operations of a Bulk message.
type bulk struct {
	bytes.Buffer
	operations int
}

// add adds an operation; data is nil of a DELETE.
func (m *bulk) add(method, path string, data []byte) {
	if m.operations == 0 {
		m.WriteString(`{"schemas":["` + bulkURN + `"],"Operations":[`)
	} else {
		m.WriteByte(',')
	}
	fmt.Fprintf(m, `{"method":%q,"path":%q`, method, path)
	if data != nil {
		fmt.Fprintf(m, `,"bulkId":"b%d","data":%s`, m.operations, data)
	}
	m.WriteByte('}')
	m.operations++
}

// message returns the whole message.
func (m *bulk) message() []byte { return append(bytes.Clone(m.Bytes()), `]}`...) }

// bulkAnswer is a BulkResponse (RFC 7644 §3.7). Some servers send the status
// as a number.
type bulkAnswer struct {
	Operations []struct {
		Status   any
		Location string
		Response any
	}
}
