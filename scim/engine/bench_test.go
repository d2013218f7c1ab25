package engine_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/rollcall-scim/rollcall/backend/memory"
	"github.com/rollcall-scim/rollcall/scim/engine"
)

// The memory store keeps trees, so that GET and lists are rendered whole here;
// stores that keep the text are faster.
func benchmark(b *testing.B, status int, send func(c client, users []string) engine.Request) {
	c := open(b, new(memory.Store), engine.Config{})
	var users []string
	for i := range 100 {
		users = append(users, c.must(201, "POST /Users", fmt.Sprintf(`{"userName":"user-%d","name":{"givenName":"G","familyName":"F"},`+
			`"displayName":"G F","title":"t","emails":[{"value":"u%d@x.example","type":"work","primary":true}],"`+enterprise+`":{"department":"d"}}`, i, i)).ID)
	}
	r := send(c, users)
	b.ReportAllocs()
	for b.Loop() {
		resp := c.e.Do(context.Background(), r)
		if resp.Status != status {
			b.Fatalf("status %d: %v", resp.Status, resp.Err)
		}
		if resp.Body != nil {
			if _, err := resp.Body.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkGet(b *testing.B) {
	benchmark(b, 200, func(_ client, users []string) engine.Request { return request("GET /Users/"+users[50], "") })
}

func BenchmarkList100(b *testing.B) {
	benchmark(b, 200, func(client, []string) engine.Request { return request("GET /Users?count=100", "") })
}

func BenchmarkPatch(b *testing.B) {
	benchmark(b, 200, func(_ client, users []string) engine.Request {
		return request("PATCH /Users/"+users[50], patchOp(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@x.example"}`))
	})
}

func BenchmarkAddMember(b *testing.B) {
	benchmark(b, 204, func(c client, users []string) engine.Request {
		return request("PATCH /Groups/"+c.group("g", users...), patchOp(`{"op":"add","path":"members","value":[{"value":"`+users[3]+`"}]}`))
	})
}

func BenchmarkDiscovery(b *testing.B) {
	benchmark(b, 200, func(client, []string) engine.Request { return request("GET /Schemas", "") })
}

func BenchmarkBulk100(b *testing.B) {
	n := 0
	c := open(b, new(memory.Store), engine.Config{})
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if n%10 == 0 { // the memory store looks at everything for each write
			c = open(b, new(memory.Store), engine.Config{})
		}
		n++
		ops := make([]string, 100)
		for i := range ops {
			ops[i] = postUser(fmt.Sprint(i), fmt.Sprintf("u%d-%d", n, i))
		}
		r := request("POST /Bulk", bulkRequest("", ops...))
		b.StartTimer()
		if resp := c.e.Do(context.Background(), r); resp.Status != 200 || resp.Err != nil {
			b.Fatal(resp.Err)
		}
	}
}
