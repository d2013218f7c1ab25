package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-scim/rollcall/internal/lookingglass"
)

// detail is what the template "detail" shows of one exchange.
type detail struct {
	*lookingglass.Exchange
	Params  string // of the list beside it
	Summary string
	Advice  []lookingglass.Advice // for the client, or for anybody
	Others  []lookingglass.Advice // for other clients
	Times   []bar
	Steps   []step
	Calls   bool // the steps are calls, not SQL
	Took    int64
	Curl    string
}

// bar is a stretch of time, in thousandths of the request's duration.
type bar struct {
	Name        string
	From, Width int64
	Micros      int64
}

// step is a statement or call with where it was in time.
type step struct {
	lookingglass.Step
	bar
}

func (c *Console) detailOf(r *http.Request, x *lookingglass.Exchange) *detail {
	d := &detail{
		Exchange: x,
		Params:   sieveOf(r.URL.Query()).Encode(),
		Summary:  sentence(x),
		Times:    split(x.Micros),
		Curl:     lookingglass.Curl(x),
	}
	if x.Fault != nil {
		for _, a := range x.Fault.Advice {
			if a.Client == lookingglass.Label(x.Client.Kind) || a.Client == "anybody" {
				d.Advice = append(d.Advice, lookingglass.Advice{Client: capital(a.Client), Text: a.Text})
			} else {
				d.Others = append(d.Others, a)
			}
		}
		if len(d.Advice) == 0 {
			d.Advice, d.Others = d.Others, nil
		}
	}
	for _, s := range x.Steps {
		d.Steps = append(d.Steps, step{s, stretch("", s.Start, s.Took, x.Micros.Total)})
		d.Calls = d.Calls || s.Kind == "call"
		d.Took += s.Took
	}
	return d
}

// split lays the parts of a duration one after the other.
func split(t lookingglass.Split) []bar {
	var list []bar
	var at int64
	for _, part := range []struct {
		name   string
		micros int64
	}{{"parse", t.Parse}, {"backend", t.Backend}, {"encode", t.Encode}, {"rest", t.Total - t.Parse - t.Backend - t.Encode}} {
		if part.micros > 0 {
			list = append(list, stretch(part.name, at, part.micros, t.Total))
			at += part.micros
		}
	}
	return list
}

func stretch(name string, from, micros, total int64) bar {
	total = max(total, from+micros, 1)
	b := bar{name, from * 1000 / total, max(micros*1000/total, 4), micros}
	b.From = min(b.From, 1000-b.Width)
	return b
}

// verbs begin statements of which it says something that they met no row.
var verbs = []string{"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

// Result says what came of a step.
func (s step) Result() string {
	switch {
	case s.Failed != "":
		return s.Failed
	case s.Rows < 0, s.Rows == 0 && !slices.Contains(verbs, firstWord(s.Text)):
		return ""
	case s.Kind == "call":
		return fmt.Sprint(s.Rows)
	}
	return plural(s.Rows, "row")
}
