package server_test

import (
	"regexp"
	"slices"
	"strings"
)

var (
	inBulk = regexp.MustCompile(`"method":"([A-Z]+)","path":"([^"]*)"`)
	oneOf  = regexp.MustCompile(`_[A-Za-z]+_|bulkId:_x_|` + anID.String())
)

// covers says what a case is one of: what it is about, and where.
func (c *crossing) covers() string { return c.about + " at " + c.at() }

// at is the endpoint of a case with the method: of a Bulk message, those of its
// operation.
func (c *crossing) at() string {
	_, path, _ := strings.Cut(c.path, "/scim/v2")
	what := c.method + " "
	if m := inBulk.FindStringSubmatch(c.body); path == "/Bulk" && m != nil {
		what, path = "Bulk "+m[1]+" ", m[2]
	}
	path, query, _ := strings.Cut(path, "?")
	switch {
	case query == "dryRun=true":
		what = "trying " + what
	case strings.HasPrefix(query, "count=0&"):
		what = "counting " + what
	}
	return what + oneOf.ReplaceAllString(path, "ID")
}

// choose returns the cases of each matrix that are run: one of each kind, by turns of
// one matrix and the other, of one in so many kinds. 0: all cases.
func choose(all []*matrix, oneIn int) [][]crossing {
	type place struct{ matrix, i int }
	var kinds []string
	places := map[string][]place{}
	cases := make([][]crossing, len(all))
	for n, m := range all {
		cases[n] = m.cases()
		for i, c := range cases[n] {
			kind := c.covers()
			if places[kind] == nil {
				kinds = append(kinds, kind)
			}
			places[kind] = append(places[kind], place{n, i})
		}
	}
	if oneIn == 0 {
		return cases
	}
	chosen := map[place]bool{}
	for i, kind := range kinds {
		if p := places[kind]; i%oneIn == 0 {
			chosen[p[i/oneIn%len(p)]] = true
		}
	}
	some := make([][]crossing, len(all))
	for n := range cases {
		for i, c := range cases[n] {
			if chosen[place{n, i}] {
				some[n] = append(some[n], c)
			}
		}
	}
	return some
}

// lacks says what is not among the cases, though no run may be without: each method
// at each endpoint, and each attribute that refers in each filter and write.
func (m *matrix) lacks(cases [][]crossing) {
	m.t.Helper()
	var want []string
	for _, end := range m.ends() {
		for _, method := range methods {
			at := method + " " + strings.ReplaceAll(end, "_id_", "ID")
			if at == "POST /Bulk" {
				at = "Bulk DELETE " + m.types[0].Endpoint + "/ID"
			}
			want = append(want, "id at "+at, "tenant at "+at)
		}
	}
	for i := range m.types {
		t := &m.types[i]
		for _, r := range t.refs {
			for _, name := range r.types {
				for _, at := range []string{"GET ~", "GET ", "counting GET ~", "POST ~/.search", "POST /.search", "POST ~", "PUT ~/ID", "PATCH ~/ID", "Bulk POST ~", "Bulk PUT ~/ID", "Bulk PATCH ~/ID"} {
					want = append(want, r.about(t, name)+" at "+strings.Replace(at, "~", t.Endpoint, 1))
				}
			}
		}
	}
	there := map[string]bool{}
	for _, c := range slices.Concat(cases...) {
		there[c.covers()] = true
	}
	for _, kind := range want {
		if !there[kind] {
			m.t.Errorf("no case is about %s", kind)
		}
	}
	if len(want) < 2*7*20+8*10 {
		m.t.Errorf("only %d kinds are wanted", len(want))
	}
}
