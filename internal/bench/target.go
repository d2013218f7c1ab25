package bench

import (
	"fmt"
	"strings"
)

// limits are what is asked of this program on one kind of database.
type limits struct {
	get, lookUp    float64 // rate, in those of the yardstick; 0: not asked
	lookUpP99      float64 // ms; 0: not asked
	create         float64 // rate, in those of raw group commit; 0: not asked
	creates        float64 // a second; 0: not asked
	deepIndex      float64 // ms
	addition       float64 // ms; 0: not asked
	residentMB     float64
	startMS        float64
	binaryMB       float64
	growthMB       float64 // of a request about a large group
	replace        float64 // ms
	bulk           float64 // ms for 1,000
	flat           float64 // adding to any group, in what an empty one takes
	noise          float64 // of the rate of another client
	cursor, substr float64 // ms
}

var (
	onSQLite = limits{get: .6, lookUp: .5, create: .5, deepIndex: 50, addition: 1.5, residentMB: 128, startMS: 500, binaryMB: 40,
		growthMB: 64, replace: 2000, bulk: 150, flat: 1.3, noise: .8, cursor: 20, substr: 20}
	onPostgres = limits{lookUpP99: 5, creates: 3000, deepIndex: 1000, residentMB: 128, startMS: 500, binaryMB: 40,
		growthMB: 64, replace: 2000, bulk: 150, flat: 1.3, noise: .8, cursor: 20, substr: 20}
)

// checks holds the report against the limits. What was not measured is left
// out.
func (l limits) checks(r *Report) []Check {
	c := checker{r: r}
	s := r.Servers[0]
	instances := float64(max(len(s.URLs), 1))
	if s.Start > 0 {
		c.below("start", fmt.Sprintf("%.0f ms", s.Start), s.Start, l.startMS, "ms")
	}
	if s.Binary > 0 {
		c.below("binary", fmt.Sprintf("%d bytes", s.Binary), float64(s.Binary)/1e6, l.binaryMB, "MB")
	}
	c.against("GET by id", "get", l.get)
	c.against("userName eq", "username-eq", l.lookUp)
	c.against("externalId eq", "externalid-eq", l.lookUp)
	c.p99("userName eq", "username-eq", "", l.lookUpP99)
	for _, depth := range depths {
		c.p99(fmt.Sprintf("page of 100 by cursor at %d %%", depth), "list-cursor", fmt.Sprintf("%d %%", depth), l.cursor)
	}
	c.p99("page of 100 by index, deep", "list-deep", "", l.deepIndex)
	c.p50("emails.value co", "email-co", "", l.substr)
	if o, ok := r.find("create", ""); ok {
		res := o.Results[0]
		if l.create > 0 && r.RawCommit != nil {
			c.above(fmt.Sprintf("durable POST, %d clients", res.Workers), fmt.Sprintf("%.0f/s, raw group commit %.0f/s", res.Rate, r.RawCommit.Rate),
				res.Rate/r.RawCommit.Rate, l.create, "× raw")
		}
		if l.creates > 0 {
			c.above(fmt.Sprintf("durable POST, %d clients", res.Workers), rate(res), res.Rate, l.creates, "/s")
		}
	}
	c.additions(l)
	if o, ok := r.find("member-race", ""); ok {
		res := o.Results[0]
		wrong := res.failed() + len(res.Lost)
		c.add(Check{fmt.Sprintf("%d clients adding to one group", res.Workers), fmt.Sprintf("%.0f/s, %d added; refused or lost:", res.Rate, res.Requests),
			float64(wrong), "0", wrong == 0})
	}
	for _, o := range r.Scenarios {
		res := o.Results[0]
		if res.Requests == 0 {
			continue
		}
		switch o.Name {
		case "replace-members":
			c.p50("replace of "+o.Class+", one of whom is another", o.Name, o.Class, l.replace)
			c.growth("memory for that", res, l.growthMB)
		case "group-members":
			c.growth(fmt.Sprintf("GET of a group of %d, memory", r.Population.Largest), res, l.growthMB)
		case "bulk":
			if o.Class == "1000 a message" {
				c.p50("Bulk of 1,000 creates", o.Name, o.Class, l.bulk)
			}
		case "noise":
			if alone, ok := r.find("noise", "alone"); ok && o.Class != "alone" {
				c.above("GET by id "+o.Class, fmt.Sprintf("%s, alone %s", rate(res), rate(alone.Results[0])), res.Rate/alone.Results[0].Rate, l.noise, "× alone")
			}
		}
	}
	if s.Local {
		each := float64(s.Peak) / 1e6 / instances
		c.below("resident memory, peak", fmt.Sprintf("%.1f MB, at the end %.1f MB", each, float64(s.Resident)/1e6/instances), each, l.residentMB, "MB")
	}
	return c.list
}

type checker struct {
	r    *Report
	list []Check
}

func (c *checker) add(check Check) { c.list = append(c.list, check) }

func (c *checker) below(name, figure string, value, limit float64, unit string) {
	c.add(Check{name, figure, value, fmt.Sprintf("< %g %s", limit, unit), value < limit})
}

func (c *checker) above(name, figure string, value, limit float64, unit string) {
	c.add(Check{name, figure, value, strings.ReplaceAll(fmt.Sprintf(">= %g %s", limit, unit), " /s", "/s"), value >= limit})
}

func rate(r Result) string { return fmt.Sprintf("%.0f/s", r.Rate) }

// against compares a rate with the yardstick's.
func (c *checker) against(name, scenario string, limit float64) {
	o, ok := c.r.find(scenario, "")
	if !ok || o.Ratio == nil || limit == 0 || !c.r.Servers[1].Yardstick {
		return
	}
	a, b := o.Results[0], o.Results[1]
	c.above(name, fmt.Sprintf("%s, p50 %s ms, p99 %s ms (yardstick %s)", rate(a), number(a.P50MS), number(a.P99MS), rate(b)), o.Ratio.Rate, limit, "× yardstick")
}

func (c *checker) p50(name, scenario, class string, limit float64) {
	if o, ok := c.r.find(scenario, class); ok && limit > 0 {
		r := o.Results[0]
		c.below(name+", p50", fmt.Sprintf("p50 %s, p99 %s ms", number(r.P50MS), number(r.P99MS)), r.P50MS, limit, "ms")
	}
}

func (c *checker) p99(name, scenario, class string, limit float64) {
	if o, ok := c.r.find(scenario, class); ok && limit > 0 {
		r := o.Results[0]
		c.below(name+", p99", fmt.Sprintf("p50 %s, p99 %s ms", number(r.P50MS), number(r.P99MS)), r.P99MS, limit, "ms")
	}
}

func (c *checker) growth(name string, r Result, limit float64) {
	if r.Memory != nil {
		more := float64(r.Memory.Growth()) / 1e6
		c.below(name, fmt.Sprintf("%.1f MB more than the %.1f MB before", more, float64(r.Memory.Before)/1e6), more, limit, "MB")
	}
}

// additions holds adding to large groups against adding to an empty one.
func (c *checker) additions(l limits) {
	empty, ok := c.r.find("group-add", "0")
	for _, size := range ladder {
		o, have := c.r.find("group-add", fmt.Sprint(size))
		if !have {
			continue
		}
		name := fmt.Sprintf("add a member to a group of %d", size)
		c.p50(name, "group-add", o.Class, l.addition)
		if ok && size > 0 {
			ratio := o.Results[0].P50MS / empty.Results[0].P50MS
			c.add(Check{name + ", flat", fmt.Sprintf("p50 %s ms, empty %s ms", number(o.Results[0].P50MS), number(empty.Results[0].P50MS)), ratio,
				fmt.Sprintf("<= %g × empty", l.flat), ratio <= l.flat})
		}
	}
}
