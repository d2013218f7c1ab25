package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// Format is the version of the JSON form of a Report. It changes when a field
// changes its meaning or goes; new fields may come without.
const Format = "rollcall-bench/1"

// Report is what a run measured. Times are in milliseconds, sizes in bytes.
type Report struct {
	Format     string     `json:"format"`
	Time       time.Time  `json:"time"`
	Machine    Machine    `json:"machine"`
	Fsync      *Fsync     `json:"fsync,omitempty"`
	RawCommit  *RawCommit `json:"rawCommit,omitempty"`
	Population Population `json:"population"`
	Clients    Clients    `json:"clients"`
	Servers    []Server   `json:"servers"`
	Scenarios  []Outcome  `json:"scenarios"`
	Checks     []Check    `json:"checks,omitempty"`
}

// Clients says how the load was made.
type Clients struct {
	Workers  int     `json:"workers"`
	Writers  int     `json:"writers"`
	Seconds  float64 `json:"seconds"`  // of one round
	Requests int     `json:"requests"` // of one round at most
	Rounds   int     `json:"rounds"`
}

// Server is one of those that were measured in turn.
type Server struct {
	URLs      []string  `json:"urls"`
	Yardstick bool      `json:"yardstick,omitempty"`
	Features  *Features `json:"features,omitempty"`
	Local     bool      `json:"local"` // its processes were found
	Resident  int64     `json:"resident,omitempty"`
	Peak      int64     `json:"peak,omitempty"`
	Start     float64   `json:"startMs,omitempty"`
	Binary    int64     `json:"binary,omitempty"`
}

// Outcome is what came out of one scenario, or of one class of its requests.
type Outcome struct {
	Name    string   `json:"name"`
	Class   string   `json:"class,omitempty"`
	Title   string   `json:"title"`
	Indexed bool     `json:"indexed"` // it must not grow with the population
	Results []Result `json:"results"` // one for each server, in order

	// Ratio compares the first server with the second; nil: it can't be.
	Ratio *Ratio `json:"ratio,omitempty"`
}

// Result is an Outcome at one server.
type Result struct {
	NotOffered string `json:"notOffered,omitempty"` // why nothing was measured

	Workers    int       `json:"workers"`
	Requests   int       `json:"requests"` // successes
	Rate       float64   `json:"rate"`     // successes a second: the median of the rounds
	Rates      []float64 `json:"rates,omitempty"`
	MeanMS     float64   `json:"meanMs"`
	P50MS      float64   `json:"p50Ms"`
	P90MS      float64   `json:"p90Ms"`
	P99MS      float64   `json:"p99Ms"`
	P999MS     float64   `json:"p999Ms"`
	MaxMS      float64   `json:"maxMs"`
	Histogram  []Bucket  `json:"histogram,omitempty"`
	Faults     []Fault   `json:"faults,omitempty"`
	Lost       []string  `json:"lost,omitempty"` // what was acknowledged and is not so
	BytesIn    int64     `json:"bytesIn"`        // bodies of answers
	BytesOut   int64     `json:"bytesOut"`       // bodies of requests
	ServerCPU  float64   `json:"serverCpuMs"`    // for each request, those not measured too; 0: not known
	Memory     *Memory   `json:"memory,omitempty"`
	ClientPart float64   `json:"clientPart"` // of the machine's processor time that was used by this program
}

// failed returns how many requests went wrong.
func (r Result) failed() (n int) {
	for _, f := range r.Faults {
		n += f.Count
	}
	return n
}

// Ratio is the first server's figure divided by the second's.
type Ratio struct {
	Rate  float64 `json:"rate"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	P50MS float64 `json:"p50DifferenceMs"`
}

// Check is a figure with what it should be.
type Check struct {
	Name   string  `json:"name"`
	Figure string  `json:"figure"` // readable
	Value  float64 `json:"value"`  // what the target is about
	Target string  `json:"target"`
	Met    bool    `json:"met"`
}

// find returns the outcome of a scenario's class at the first server, if it was
// measured.
func (r *Report) find(name, class string) (Outcome, bool) {
	for _, o := range r.Scenarios {
		if o.Name == name && o.Class == class && o.Results[0].NotOffered == "" && o.Results[0].Requests > 0 {
			return o, true
		}
	}
	return Outcome{}, false
}

// Faulty returns how many requests went wrong, and how much was lost.
func (r *Report) Faulty() (faults, lost int) {
	for _, o := range r.Scenarios {
		for _, res := range o.Results {
			faults += res.failed()
			lost += len(res.Lost)
		}
	}
	return faults, lost
}

// WriteFile writes the report as JSON.
func (r *Report) WriteFile(name string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(data, '\n'), 0o644)
}

// ReadReport reads what WriteFile wrote.
func ReadReport(name string) (*Report, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s: %w", printable(name), err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("%s is not a report of %s", printable(name), Format)
	}
	for _, o := range r.Scenarios {
		if len(o.Results) == 0 {
			return nil, fmt.Errorf("%s: scenario %q has no results", printable(name), printable(o.Name))
		}
	}
	return r, nil
}

// Print writes the report as tables.
func (r *Report) Print(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n", r.Machine)
	if f := r.Fsync; f != nil {
		fmt.Fprintf(out, "fsync p50 %s, p99 %s ms\n", number(f.P50MS), number(f.P99MS))
	}
	if c := r.RawCommit; c != nil {
		fmt.Fprintf(out, "raw group commit, %d writers: %.0f/s\n", c.Writers, c.Rate)
	}
	for i, s := range r.Servers {
		fmt.Fprintf(out, "%s: %s", label(i), strings.Join(s.URLs, " "))
		if s.Yardstick {
			fmt.Fprint(out, " (the yardstick)")
		}
		if s.Local {
			fmt.Fprintf(out, ", %.1f MB resident, %.1f MB at most", float64(s.Resident)/1e6, float64(s.Peak)/1e6)
		}
		fmt.Fprintln(out)
	}
	if len(r.Scenarios) > 0 {
		r.table(out)
	}
	for _, o := range r.Scenarios {
		for i, res := range o.Results {
			at := o.name() + " " + label(i)
			for _, f := range res.Faults {
				fmt.Fprintf(out, "%s: %d × %s: %s\n", at, f.Count, f.Status, f.Sample)
			}
			for _, l := range res.Lost {
				fmt.Fprintf(out, "%s: LOST: %s\n", at, l)
			}
		}
	}
	printChecks(out, r.Checks)
}

func (r *Report) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nscenario\t \trate/s\tp50 ms\tp90\tp99\tp99.9\tmax\twrong\tserver CPU µs\tMB more\tclient CPU\tratio\t")
	for _, o := range r.Scenarios {
		for i, res := range o.Results {
			if res.NotOffered != "" {
				if !r.Servers[i].Yardstick {
					fmt.Fprintf(w, "%s\t%s\tnot offered\t\t\t\t\t\t\t\t\t\t\t\n", o.name(), label(i))
				}
				continue
			}
			cpu, more, ratio := "", "", ""
			if res.ServerCPU > 0 {
				cpu = fmt.Sprintf("%.0f", res.ServerCPU*1000)
			}
			if res.Memory != nil {
				more = fmt.Sprintf("%.1f", float64(res.Memory.Growth())/1e6)
			}
			if i == 0 && o.Ratio != nil {
				ratio = fmt.Sprintf("%.2f ×", o.Ratio.Rate)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%.0f %%\t%s\t\n", o.name(), label(i), number(res.Rate), number(res.P50MS), number(res.P90MS),
				number(res.P99MS), number(res.P999MS), number(res.MaxMS), res.failed(), cpu, more, res.ClientPart*100, ratio)
		}
	}
	_ = w.Flush()
	for _, o := range r.Scenarios {
		for i, res := range o.Results {
			if res.NotOffered != "" && !r.Servers[i].Yardstick {
				fmt.Fprintf(out, "%s %s is not offered: %s\n", o.name(), label(i), res.NotOffered)
			}
		}
	}
}

func printChecks(out io.Writer, checks []Check) {
	if len(checks) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nfigure\tmeasured\tvalue\ttarget\t")
	missed := 0
	for _, c := range checks {
		verdict := ""
		if !c.Met {
			verdict = "missed"
			missed++
		}
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\t%s\n", c.Name, c.Figure, c.Value, c.Target, verdict)
	}
	_ = w.Flush()
	fmt.Fprintf(out, "%d figures, %d within target\n", len(checks), len(checks)-missed)
}

// name returns the scenario's name with its class.
func (o Outcome) name() string {
	if o.Class == "" {
		return o.Name
	}
	return o.Name + " " + o.Class
}

func label(i int) string { return string(rune('A' + i)) }

// number formats a figure to about three digits.
func number(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
