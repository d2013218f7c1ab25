package bench

import (
	"runtime"
	"time"
)

// add takes in what a round measured.
func (st *stage) add(r *round) {
	for class, t := range r.classes {
		if t == nil {
			continue
		}
		if st.classes[class] == nil {
			st.classes[class] = new(tally)
		}
		st.classes[class].merge(t)
		st.rates[class] = append(st.rates[class], r.rate(class))
	}
	st.all += r.all
	st.elapsed += r.elapsed
}

// outcomes returns what the stages measured, one Outcome for each class.
func outcomes(sc scenario, stages []*stage) []Outcome {
	classes := []string{""}
	for _, st := range stages {
		if st.work != nil && len(st.work.classes) > 0 {
			classes = st.work.classes
		}
	}
	var list []Outcome
	for class, name := range classes {
		o := Outcome{Name: sc.name, Class: name, Title: sc.title, Indexed: sc.indexed}
		for _, st := range stages {
			o.Results = append(o.Results, st.result(class))
		}
		if len(o.Results) > 1 {
			o.Ratio = ratio(o.Results[0], o.Results[1])
		}
		list = append(list, o)
	}
	return list
}

func (st *stage) result(class int) Result {
	if st.absent != "" {
		return Result{NotOffered: st.absent}
	}
	res := Result{Workers: st.workers, Lost: st.lost}
	if st.elapsed > 0 {
		res.ClientPart = st.mine.Seconds() / (st.elapsed.Seconds() * float64(runtime.NumCPU()))
	}
	if len(st.procs.pids) > 0 {
		m := st.memory
		res.Memory = &m
	}
	if st.all > 0 {
		res.ServerCPU = float64(st.used) / float64(st.all) / float64(time.Millisecond)
	}
	t := st.classes[class]
	if t == nil {
		return res
	}
	res.Requests, res.Rates, res.Rate = t.Count(), st.rates[class], median(st.rates[class])
	res.MeanMS, res.MaxMS = ms(t.Mean()), ms(t.Max())
	res.P50MS, res.P90MS = ms(t.Quantile(.5)), ms(t.Quantile(.9))
	res.P99MS, res.P999MS = ms(t.Quantile(.99)), ms(t.Quantile(.999))
	res.Histogram, res.Faults = t.Buckets(), merged(t.faults)
	res.BytesIn, res.BytesOut = t.bytes, t.sent
	return res
}

// ratio divides a's figures by b's; nil if one of them measured nothing.
func ratio(a, b Result) *Ratio {
	if a.Requests == 0 || b.Requests == 0 || b.Rate == 0 || b.P50MS == 0 || b.P99MS == 0 {
		return nil
	}
	return &Ratio{Rate: a.Rate / b.Rate, P50: a.P50MS / b.P50MS, P99: a.P99MS / b.P99MS, P50MS: a.P50MS - b.P50MS}
}
