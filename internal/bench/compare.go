package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Growth is how one scenario changed from one report to another.
type Growth struct {
	Name     string
	Indexed  bool
	Rate     float64 // after ÷ before
	P50, P99 float64
	Before   Result
	After    Result
}

// Compare returns what two reports have both measured at their first servers,
// in the order of the second one. A Class that is only in one is left out.
func Compare(before, after *Report) []Growth {
	var list []Growth
	for _, o := range after.Scenarios {
		b, ok := before.find(o.Name, o.Class)
		if !ok {
			continue
		}
		if r := ratio(o.Results[0], b.Results[0]); r != nil {
			list = append(list, Growth{o.name(), o.Indexed, r.Rate, r.P50, r.P99, b.Results[0], o.Results[0]})
		}
	}
	return list
}

// PrintGrowth prints a comparison and returns how many scenarios that an index
// answers have a median more than limit times what it was.
func PrintGrowth(out io.Writer, before, after *Report, limit float64) (grown int) {
	fmt.Fprintf(out, "from %s\n  to %s\n", before.Population, after.Population)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nscenario\tp50 ms before\tafter\tp50\tp99\trate\t \t")
	for _, g := range Compare(before, after) {
		verdict := "not by an index"
		switch {
		case g.Indexed && g.P50 > limit:
			verdict = fmt.Sprintf("more than %.1f ×", limit)
			grown++
		case g.Indexed:
			verdict = "ok"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f ×\t%.2f ×\t%.2f ×\t%s\t\n", g.Name, number(g.Before.P50MS), number(g.After.P50MS), g.P50, g.P99, g.Rate, verdict)
	}
	_ = w.Flush()
	return grown
}
