package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// person returns the body of a user of about 1.5 KB, as an identity provider
// sends it: with a generated password. name and n make the userName.
func person(n int, name string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],`+
		`"externalId":"ext-%[1]d","userName":"%[4]s%[1]d@example.com","password":"Generated-%[1]d-aB3!","active":true,`+
		`"displayName":"Given%[1]d Family%[2]d","nickName":"nick%[1]d","title":"Engineer %[3]d","userType":"Employee",`+
		`"preferredLanguage":"en-GB","locale":"en-GB","timezone":"Europe/Berlin","profileUrl":"https://people.example.com/profiles/user%[1]d",`+
		`"name":{"formatted":"Given%[1]d Middle Family%[2]d","givenName":"Given%[1]d","familyName":"Family%[2]d","middleName":"Middle"},`+
		`"emails":[{"value":"%[4]s%[1]d@example.com","type":"work","primary":true},{"value":"home%[1]d@mail%[3]d.example.org","type":"home"}],`+
		`"phoneNumbers":[{"value":"+49 30 %07[1]d","type":"work"},{"value":"+49 170 %07[1]d","type":"mobile"}],`+
		`"addresses":[{"type":"work","streetAddress":"%[3]d Long Street","locality":"Berlin","region":"BE","postalCode":"10%03[3]d","country":"DE","formatted":"%[3]d Long Street\n10%03[3]d Berlin\nGermany"}],`+
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"E%[1]d","costCenter":"CC%[3]d","organization":"Example","division":"Division %[3]d","department":"Department %[3]d"}}`,
		n, n%9973, n%500, name)
	return b.Bytes()
}

// bulk returns a Bulk message that creates the people from..to-1.
func bulk(from, to int, name string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[`)
	for n := from; n < to; n++ {
		if n > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"method":"POST","path":"/Users","bulkId":"b%d","data":%s}`, n, person(n, name))
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

type bulkAnswer struct {
	Operations []struct {
		Status   string
		Location string
	}
}

type listAnswer struct {
	TotalResults int
	NextCursor   string
	Resources    []struct{ ID string }
}

const bulkSize = 1000

// populate fills the directory, unless it is filled, and learns its ids.
func (b *bench) populate(ctx context.Context) error {
	var have listAnswer
	if err := (request{http.MethodGet, b.srv.base + "/Users?count=0", nil, 200}).send(ctx, &have); err != nil {
		return err
	}
	begin := time.Now()
	for from := have.TotalResults; from < b.o.users; from += bulkSize {
		body, err := (request{http.MethodPost, b.srv.base + "/Bulk", bulk(from, min(from+bulkSize, b.o.users), "user"), 200}).do(ctx)
		if err != nil {
			return err
		}
		if err := allCreated(body); err != nil {
			return err
		}
	}
	if took := time.Since(begin); have.TotalResults < b.o.users {
		fmt.Fprintf(b.out, "filled with %d people in %.1f s (Bulk of %d, passwords included)\n", b.o.users-have.TotalResults, took.Seconds(), bulkSize)
	}
	return b.learn(ctx)
}

func allCreated(body []byte) error {
	var a bulkAnswer
	if err := json.Unmarshal(body, &a); err != nil {
		return err
	}
	for i, op := range a.Operations {
		if op.Status != "201" {
			return fmt.Errorf("bulk operation %d: status %s", i, op.Status)
		}
	}
	return nil
}

// learn walks the list by cursor, keeping every id and the cursor of each page.
func (b *bench) learn(ctx context.Context) error {
	cursor := ""
	for {
		b.cursors = append(b.cursors, cursor)
		var page listAnswer
		url := b.srv.base + "/Users?count=100&cursor=" + cursor
		if err := (request{http.MethodGet, url, nil, 200}).send(ctx, &page); err != nil {
			return err
		}
		for _, r := range page.Resources {
			b.ids = append(b.ids, r.ID)
		}
		if page.NextCursor == "" {
			return nil
		}
		cursor = page.NextCursor
	}
}

// group creates a group with the first n people and returns its id.
func (b *bench) group(ctx context.Context, n int) (string, error) {
	var made struct{ ID string }
	body := fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Bench %d %d"}`, n, time.Now().UnixNano())
	if err := (request{http.MethodPost, b.srv.base + "/Groups", body, 201}).send(ctx, &made); err != nil {
		return "", err
	}
	for from := 0; from < n; from += bulkSize {
		body := members("add", b.ids[from:min(from+bulkSize, n)]...)
		if err := (request{http.MethodPatch, b.srv.base + "/Groups/" + made.ID, body, 204}).send(ctx, nil); err != nil {
			return "", err
		}
	}
	return made.ID, nil
}

// members returns a PATCH that adds members, or removes one.
func members(op string, ids ...string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`)
	if op == "remove" {
		fmt.Fprintf(&b, `{"op":"remove","path":"members[value eq \"%s\"]"}`, ids[0])
	} else {
		b.WriteString(`{"op":"add","path":"members","value":[`)
		for i, id := range ids {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"value":"%s"}`, id)
		}
		b.WriteString(`]}`)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}
